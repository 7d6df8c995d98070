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
    Stop {
        patience: Duration,
        answer: Option<oneshot::Sender<Stopped>>,
    },
    /// Its next end is its last.
    WindDown,
    Signal(Signal),
}

/// An order that ends the life of the program.
#[derive(Debug)]
pub(super) enum Want {
    Stop {
        patience: Duration,
        answer: Option<oneshot::Sender<Stopped>>,
    },
    /// Not to be started any more; only where it does not run.
    Rest,
}

/// The orders that come.
#[derive(Debug)]
pub(super) struct Orders {
    receiver: mpsc::UnboundedReceiver<Order>,
    winding_down: bool,
}

impl Orders {
    pub(super) fn new(orders: mpsc::UnboundedReceiver<Order>) -> Self {
        Self { receiver: orders, winding_down: false }
    }

    /// Whether the service is about to end, so that a program that ends is not started again.
    pub(super) fn winding_down(&self) -> bool {
        self.winding_down
    }

    /// Carries out what can be done along the way to a program that runs; completes with the first order that cannot.
    pub(super) async fn next(&mut self, running: Option<&Family>) -> Want {
        loop {
            match self.receiver.recv().await {
                Some(Order::Signal(signal)) => {
                    if let Some(family) = running {
                        pass_on(family, signal);
                    }
                }
                Some(Order::WindDown) => {
                    self.winding_down = true;
                    if running.is_none() {
                        return Want::Rest;
                    }
                }
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
