//! What is wanted of the program.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::family::Family;
use super::processes::Process;
use super::runner;
use super::stop::Stopped;
use crate::config::Signal;

/// What somebody asks for.
#[derive(Debug)]
pub(super) enum Order {
    Stop { patience: Duration, answer: Option<oneshot::Sender<Stopped>> },
    Restart,
    Signal(Signal),
}

/// An order that ends the life of the program.
#[derive(Debug)]
pub(super) enum Want {
    Stop { patience: Duration, answer: Option<oneshot::Sender<Stopped>> },
    Restart,
}

/// The orders that come.
#[derive(Debug)]
pub(super) struct Orders(mpsc::UnboundedReceiver<Order>);

impl Orders {
    pub(super) fn new(orders: mpsc::UnboundedReceiver<Order>) -> Self {
        Self(orders)
    }

    /// Carries out what can be done along the way to a program that runs; completes with the first order that cannot.
    pub(super) async fn next(&mut self, running: Option<&Family>) -> Want {
        loop {
            match self.0.recv().await {
                Some(Order::Signal(signal)) => {
                    if let Some(family) = running {
                        pass_on(family, signal);
                    }
                }
                Some(Order::Restart) => return Want::Restart,
                Some(Order::Stop { patience, answer }) => return Want::Stop { patience, answer },
                // Nobody is left who could stop it.
                None => return Want::Stop { patience: Duration::ZERO, answer: None },
            }
        }
    }
}

/// A shell or a package runner has no use for the signal and most of them would die of it, so what they started gets it.
fn pass_on(family: &Family, signal: Signal) {
    let leader = family.leader();
    if !runner::is_runner(leader) {
        let leader: Vec<Process> = Process::read(leader).into_iter().collect();
        return Family::signal(&leader, signal.into());
    }
    let services: Vec<Process> = family.members().into_iter().filter(|m| !runner::is_runner(m.pid)).collect();
    Family::signal(&services, signal.into());
}
