//! The limits, and who may read answers.

use seaworthy::cors::{CorsError, Policy};

use super::Review;
use crate::config::raw;
use crate::config::units::{ByteRate, Kind as _, OrOff, Size};
use crate::config::validated::{ConnectionLimit, Limits};

/// Below this hyper does not read a head at all.
const LEAST_HEAD: u64 = 8 << 10;
/// Each connection may hold this much.
const MOST_HEAD: u64 = 16 << 20;
/// Longer ones the `http` crate does not take.
const LONGEST_URI: u64 = (64 << 10) - 2;

impl Review<'_> {
    pub(super) fn connection_limit(raw: &raw::ConnectionLimit) -> ConnectionLimit {
        ConnectionLimit { total: raw.total, per_address: raw.per_address.0.clone().on() }
    }

    /// Whose pages may read answers; `None` for nobody's.
    pub(super) fn cors(&mut self, raw: &raw::Cors) -> Option<Policy> {
        let raw::Cors { origins, methods, headers, exposed_headers, credentials, max_age } = raw;
        if origins.is_empty() {
            for key in ["methods", "headers", "exposed-headers", "credentials", "max-age"] {
                let path = format!("cors.{key}");
                // Taken out because it is wrong, they are not missing.
                if self.given(&path) && !self.broken.contains("cors.origins") {
                    self.warn(&path, "has no effect without cors.origins", "name the origins, or leave the key out");
                }
            }
            return None;
        }
        if max_age.0.subsec_nanos() != 0 {
            let message = format!("= {} is no whole number of seconds", max_age.0.write());
            self.refuse(&["cors.max-age"], message, "write \"10m\", say: the header has no smaller unit");
        }
        let any = "*";
        for (path, with_any, hint) in [
            ("cors.origins", origins.iter().any(|origin| origin.0.0 == any), "name the origins that may"),
            ("cors.methods", methods.iter().any(|method| method.0 == any), "name the methods"),
            ("cors.exposed-headers", exposed_headers.iter().any(|header| header.0 == any), "name the headers"),
        ] {
            if *credentials && with_any {
                let message = format!("does not fit: {path} holds \"*\", cors.credentials is true");
                let why = "browsers believe no \"*\" where cookies go along";
                self.refuse(&[path, "cors.credentials"], message, format!("{hint}: {why}"));
            }
        }
        let policy = Policy::new(origins.iter().map(|origin| &origin.0.0))
            .and_then(|policy| policy.methods(methods.iter().map(|method| &method.0)))
            .and_then(|policy| policy.headers(headers.iter().map(|header| &header.0)))
            .and_then(|policy| policy.exposed(exposed_headers.iter().map(|header| &header.0)))
            .and_then(|policy| policy.credentials(*credentials));
        match policy {
            Ok(policy) => Some(policy.max_age(max_age.0)),
            // All of these were refused above, and not only the first.
            Err(CorsError::AnybodyWithCredentials | CorsError::EachWithCredentials(_)) => None,
            Err(error) => {
                let text = error.to_string();
                let (message, hint) = text.split_once(": ").unwrap_or((&text, ""));
                self.refuse(&["cors.origins"], format!("does not fit: {message}"), hint);
                None
            }
        }
    }

    pub(super) fn limits(&mut self, raw: &raw::Limits) -> Limits {
        let request_timeout = raw.request_timeout.0.clone().on();
        if request_timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.refuse(
                &["limits.request-timeout"],
                "= \"0s\" leaves no time at all",
                "write \"off\" to wait for ever",
            );
        }
        self.size("limits.head-size", raw.head_size.0, LEAST_HEAD..=MOST_HEAD);
        self.size("limits.uri-length", raw.uri_length.0, 1..=LONGEST_URI);
        if raw.uri_length.0.0 > raw.head_size.0.0 {
            let [uri, head] = [raw.uri_length.0.write(), raw.head_size.0.write()];
            let message = format!("does not fit: limits.uri-length is {uri}, limits.head-size is {head}");
            let hint = "the first line is part of the head";
            self.refuse(&["limits.uri-length", "limits.head-size"], message, hint);
        }
        if raw.body_min_rate.0 == OrOff::On(ByteRate(0)) {
            self.refuse(&["limits.body-min-rate"], "= \"0B/s\" is no rate", "write \"off\" to wait for ever");
        }
        let connect_timeout = self.positive("limits.connect-timeout", &raw.connect_timeout);
        if let Some(total) = request_timeout {
            let hint = "connecting is a part of the request";
            let connect = ("limits.connect-timeout", connect_timeout);
            self.at_most(connect, ("limits.request-timeout", total), hint);
        }
        Limits {
            head_timeout: self.positive("limits.head-timeout", &raw.head_timeout),
            idle_timeout: self.positive("limits.idle-timeout", &raw.idle_timeout),
            body_min_rate: raw.body_min_rate.0.clone().on().map(|rate| rate.0),
            body_grace: raw.body_grace.0,
            body_size: raw.body_size.0.clone().on().map(|size| size.0),
            head_size: raw.head_size.0.0,
            header_count: raw.header_count,
            uri_length: raw.uri_length.0.0,
            request_timeout,
            send_timeout: self.positive("limits.send-timeout", &raw.send_timeout),
            connect_timeout,
            upstream_connections: raw.upstream_connections,
        }
    }

    fn size(&mut self, path: &str, size: Size, range: std::ops::RangeInclusive<u64>) {
        if !range.contains(&size.0) {
            let [size, least, most] = [size, Size(*range.start()), Size(*range.end())].map(|size| size.write());
            self.refuse(&[path], format!("= {size} is out of range"), format!("write a size from {least} to {most}"));
        }
    }
}
