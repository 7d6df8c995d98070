//! Brokers and queues.

use seaworthy_checks::kinds::{Spec, amqp, bullmq, nats, redis};

use super::Entry;
use crate::config::tree;

impl Entry<'_, '_> {
    pub(super) fn nats(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = nats::Server::new(&url, self.secured()).map_err(|error| self.complain("url", &error)).ok()?;
        let mut consumers = Vec::new();
        for (index, text) in self.raw.consumers.iter().enumerate() {
            match text.parse() {
                Ok(consumer) => consumers.push(consumer),
                Err(error @ nats::ConsumerError) => self.complain(&tree::at("consumers", index), &error),
            }
        }
        Some(Spec::Nats(Box::new(nats::Settings { server, consumers, warn_pending: self.raw.warn_pending })))
    }

    pub(super) fn amqp(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = amqp::Server::new(&url, self.secured()).map_err(|error| self.complain("url", &error)).ok()?;
        for (index, name) in self.raw.queues.iter().enumerate() {
            if name.is_empty() || name.len() > amqp::LONGEST_NAME {
                let hint = format!("write 1 to {} bytes", amqp::LONGEST_NAME);
                self.refuse(&tree::at("queues", index), "is not the name of a queue", hint);
            }
        }
        if self.raw.queues.is_empty() && (self.raw.warn_pending.is_some() || self.raw.min_consumers.is_some()) {
            let path = self.path.clone();
            self.review.refuse(&[&path], "says what to demand of queues, and names none", "write queues = [\"mail\"]");
        }
        Some(Spec::Amqp(Box::new(amqp::Settings {
            server,
            queues: self.raw.queues.clone(),
            warn_pending: self.raw.warn_pending,
            min_consumers: self.raw.min_consumers,
        })))
    }

    pub(super) fn bullmq(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = redis::Server::new(&url, self.secured(), self.raw.sentinel.clone());
        let server = server.map_err(|error| self.complain("url", &error)).ok()?;
        let prefix = self.raw.prefix.clone().unwrap_or_else(|| "bull".to_owned());
        let (queues, warn_pending) = (self.raw.queues.clone(), self.raw.warn_pending);
        Some(Spec::Bullmq(Box::new(bullmq::Settings { server, queues, prefix, warn_pending })))
    }
}
