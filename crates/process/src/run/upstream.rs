//! Follows where an upstream is that somebody else started: waits for it, and asks for its name again in time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until, timeout};

use super::built;
use crate::config::{self, Host, Target};
use crate::gateway::{Address, Protocol, Upstream};
use crate::names::{NameError, Names};

/// How long one try to connect may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Between tries, while it is not there.
const AGAIN: Duration = Duration::from_millis(100);

/// A name is not asked for more often, whatever its time to live.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is known of an upstream.
#[derive(Debug)]
pub(crate) struct Following {
    target: Target,
    protocol: Protocol,
    names: Option<Names>,
    /// When the name has to be asked for again.
    valid_until: Option<Instant>,
    /// The address in force, where it came from a name.
    current: Option<SocketAddr>,
}

/// Why an upstream is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Absent {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{address} does not accept connections: {reason}")]
    Connect { address: String, reason: String },
}

impl Following {
    pub(crate) fn new(upstream: &config::Upstream) -> Self {
        let protocol = match &upstream.target {
            Target::Tcp { h2c: true, .. } => Protocol::H2c,
            _ => built::protocol(upstream.protocol),
        };
        Self { target: upstream.target.clone(), protocol, names: None, valid_until: None, current: None }
    }

    /// Waits until the upstream accepts a connection; `tell` is given each reason why it does not yet.
    pub(crate) async fn there(&mut self, mut tell: impl FnMut(&Absent)) -> Upstream {
        loop {
            match self.find().await {
                Ok(upstream) => return upstream,
                Err(absent) => tell(&absent),
            }
            sleep(AGAIN).await;
        }
    }

    /// Completes when the upstream has moved; never for an address.
    pub(crate) async fn moved(&mut self) -> Upstream {
        loop {
            let Some(valid_until) = self.valid_until else { return std::future::pending().await };
            sleep_until(valid_until.max(Instant::now() + ASK_AGAIN).into()).await;
            let before = self.current;
            // One that is away stays where it was last seen: it most likely comes back there.
            if let Ok(upstream) = self.find().await
                && self.current != before
            {
                return upstream;
            }
        }
    }

    async fn find(&mut self) -> Result<Upstream, Absent> {
        let (host, port) = match &self.target {
            Target::Unix(path) => {
                let upstream = Upstream::new(Address::Unix(path.clone()), self.protocol);
                return accepts(&upstream).await.map(|()| upstream);
            }
            Target::Tcp { host, port, .. } => (host.clone(), port.get()),
        };
        let addresses = match &host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolve(name).await?,
        };
        let mut absent = None;
        for address in in_order(addresses, self.current) {
            let address = SocketAddr::new(address, port);
            let name: Arc<str> = format!("{host}:{port}").into();
            let upstream = Upstream { address: Address::Tcp(address), name, protocol: self.protocol };
            match accepts(&upstream).await {
                Ok(()) => {
                    self.current = Some(address);
                    return Ok(upstream);
                }
                Err(error) => absent = Some(error),
            }
        }
        Err(absent.unwrap_or_else(|| Absent::Connect {
            address: format!("{host}:{port}"),
            reason: "its name has no address".to_owned(),
        }))
    }

    async fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, Absent> {
        if self.names.is_none() {
            self.names = Some(Names::of_machine()?);
        }
        let Some(names) = &self.names else { return Ok(Vec::new()) };
        let found = names.lookup(name).await;
        // A name that is gone is asked for again as well.
        self.valid_until = Some(found.as_ref().map_or_else(|_| Instant::now(), |found| found.valid_until));
        Ok(found?.addresses)
    }
}

/// The one in force first: a name with several addresses is no reason to move.
fn in_order(mut addresses: Vec<IpAddr>, current: Option<SocketAddr>) -> Vec<IpAddr> {
    addresses.sort_by_key(|address| Some(*address) != current.map(|current| current.ip()));
    addresses
}

async fn accepts(upstream: &Upstream) -> Result<(), Absent> {
    let absent = |reason: String| Absent::Connect { address: upstream.address.to_string(), reason };
    match timeout(CONNECT, upstream.connect()).await {
        Ok(connected) => connected.map(drop).map_err(|error| absent(error.to_string())),
        Err(_) => Err(absent(format!("no answer within {CONNECT:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn following(url: &str) -> Following {
        let (host, port) = url.rsplit_once(':').unwrap();
        let host = host.parse().map_or_else(|_| Host::Name(host.to_owned()), Host::Address);
        let target = Target::Tcp { host, port: port.parse().unwrap(), h2c: false };
        Following::new(&config::Upstream { target, protocol: config::Protocol::Auto })
    }

    #[tokio::test]
    async fn an_upstream_that_comes_late_is_waited_for() {
        let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let mut following = following(&address.to_string());
        let mut late = None;
        let upstream = following
            .there(|absent| {
                assert!(absent.to_string().starts_with(&format!("{address} does not accept connections")));
                late.get_or_insert_with(|| std::net::TcpListener::bind(address).unwrap());
            })
            .await;
        assert_eq!(upstream.address, Address::Tcp(address));
        assert!(late.is_some(), "it was absent at first");
    }

    #[tokio::test]
    async fn a_name_is_resolved_and_kept_as_the_name_of_the_upstream() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = following(&format!("localhost:{port}")).there(|_| ()).await;
        assert_eq!(&*upstream.name, format!("localhost:{port}"));
        assert_eq!(upstream.address, Address::Tcp(([127, 0, 0, 1], port).into()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_never_moves() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut following = following(&listener.local_addr().unwrap().to_string());
        following.there(|_| ()).await;
        assert!(timeout(Duration::from_hours(1), following.moved()).await.is_err());
    }

    #[test]
    fn the_address_in_force_is_tried_first() {
        let (a, b) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert_eq!(in_order(vec![a, b], Some(SocketAddr::new(b, 80))), [b, a]);
        assert_eq!(in_order(vec![a, b], None), [a, b]);
    }
}
