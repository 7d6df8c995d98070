//! Waits until the program is ready: what listens on its port is its own, accepts, and says that it is ready.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use seaworthy_core::event::{Event, Sink};
use tokio::time::{sleep, timeout};

use super::diagnosis::Obstacle;
use super::family::{Family, Owner};
use super::probe;
use crate::config::Protocol;
use crate::sockets;

/// The shortest pause between looks.
const SHORTEST: Duration = Duration::from_millis(2);

/// The longest pause while nobody listens: to be refused costs us microseconds, and the program nothing.
const LONGEST: Duration = Duration::from_millis(10);

/// The longest pause while the program is asked: it has to answer each time.
const LONGEST_ASKING: Duration = Duration::from_millis(50);

/// How long one answer of `ready-path` may take. The first may have to warm up much.
const ANSWER: Duration = Duration::from_secs(5);

/// When somebody is told that the program listens, but elsewhere. Some open the port for their metrics first.
const ELSEWHERE: Duration = Duration::from_secs(3);

/// What to wait for.
pub(super) struct Readiness<'a> {
    pub(super) port: u16,
    pub(super) path: Option<&'a str>,
    pub(super) protocol: Protocol,
    pub(super) family: &'a Family,
    pub(super) sink: &'a Arc<dyn Sink>,
    /// What stood in the way when we last looked.
    pub(super) obstacle: Obstacle,
}

impl Readiness<'_> {
    /// Completes when the program is ready, with the address on which it is.
    pub(super) async fn wait(&mut self) -> SocketAddr {
        let began = Instant::now();
        let mut told = false;
        loop {
            match self.look().await {
                Ok(address) => return address,
                Err(obstacle) => self.obstacle = obstacle,
            }
            let waited = began.elapsed();
            if !told && waited > ELSEWHERE && self.obstacle == Obstacle::Refused {
                told = true;
                self.tell_elsewhere();
            }
            // A hundredth of what it takes anyway: quick programs are seen at once, slow ones are not hammered.
            let longest = if self.obstacle == Obstacle::Refused { LONGEST } else { LONGEST_ASKING };
            sleep((waited / 100).clamp(SHORTEST, longest)).await;
        }
    }

    async fn look(&self) -> Result<SocketAddr, Obstacle> {
        let connected = timeout(ANSWER, probe::connect(self.port)).await;
        let connected = connected.map_err(|_| Obstacle::Silent(format!("no connection came about in {ANSWER:?}")))?;
        let (address, stream) = connected.map_err(|_| Obstacle::Refused)?;
        // Where /proc does not tell, a program that accepts is believed to be ours.
        if self.family.owns(self.port) == Owner::Stranger {
            return Err(Obstacle::Stranger { holder: sockets::holder_of(self.port) });
        }
        let Some(path) = self.path else { return Ok(address) };
        match timeout(ANSWER, probe::get(address, stream, path, self.protocol)).await {
            Ok(Ok(status)) if status.is_success() => Ok(address),
            Ok(Ok(status)) => Err(Obstacle::Status(status.as_u16())),
            Ok(Err(error)) => Err(Obstacle::Silent(error.to_string())),
            Err(_) => Err(Obstacle::Silent(format!("it accepted, and said nothing for {ANSWER:?}"))),
        }
    }

    fn tell_elsewhere(&self) {
        let ports: Vec<String> = self.family.listens().iter().map(|l| l.address.to_string()).collect();
        if !ports.is_empty() {
            let text = format!("the app listens on {}, but not on port {} yet", ports.join(", "), self.port);
            self.sink.emit(&Event::Warning { text });
        }
    }
}
