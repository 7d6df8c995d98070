//! What systemd is told: `sd_notify(3)`.
//!
//! It tells nobody how long it waits: `TimeoutStartSec` and `TimeoutStopSec` are in no variable, and to ask for them takes a
//! client of D-Bus and the right to use it. So it is told instead, by `EXTEND_TIMEOUT_USEC`, how long we need. That moves its
//! kill only where it would come earlier, and never past the moment that we named.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Tells the service manager how we are. Does nothing where there is none.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    /// Readiness was told. From then on more time would be more of `RuntimeMaxSec`.
    up: AtomicBool,
}

impl Notifier {
    /// By `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub(crate) fn of_process() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|path| connect(&path).ok());
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| for_us && *micros > 0).map(Duration::from_micros);
        Self { socket, watchdog, up: AtomicBool::new(false) }
    }

    #[cfg(test)]
    fn to(path: &OsStr) -> io::Result<Self> {
        Ok(Self { socket: Some(connect(path)?), ..Self::default() })
    }

    /// Whether somebody listens.
    pub(crate) fn is_on(&self) -> bool {
        self.socket.is_some()
    }

    /// How often to call [`Notifier::alive`]: twice as often as is demanded. `None` when nobody demands it.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_on()).map(|within| within / 2)
    }

    /// The start goes on, and may take `more` from now.
    pub(crate) fn starting(&self, more: Duration) {
        if !self.up.load(Ordering::Relaxed) {
            self.tell(&format!("EXTEND_TIMEOUT_USEC={}", more.as_micros()));
        }
    }

    /// The service is up: what is ordered after it may start. Also after a reload.
    pub(crate) fn ready(&self, status: &str) {
        self.up.store(true, Ordering::Relaxed);
        self.tell(&format!("READY=1\nMAINPID={}\nSTATUS={}", std::process::id(), one_line(status)));
    }

    /// A reload began; [`Notifier::ready`] ends it. `Type=notify-reload` wants the time.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The stop began, and may take `grace`.
    pub(crate) fn stopping(&self, status: &str, grace: Duration) {
        self.tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={}", grace.as_micros(), one_line(status)));
    }

    /// What `systemctl status` shows.
    pub(crate) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", one_line(status)));
    }

    /// The watchdog need not bite yet.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.socket {
            // A manager that does not read is not worth waiting for, and nobody can be told of it.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

/// A path, or with `@` a name that is in no file system.
fn connect(path: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(path)?,
        // vsock is for virtual machines as a whole.
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// A line break would begin another assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn the_manager_hears_each_state_over_a_path_and_over_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("seaworthy-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let sockets = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").into()),
        ];
        for (socket, address) in sockets {
            let notifier = Notifier::to(&address).unwrap();
            notifier.starting(Duration::from_secs(15));
            assert_eq!(received(&socket), "EXTEND_TIMEOUT_USEC=15000000");
            notifier.ready("serving\nREADY=0");
            let own = std::process::id();
            assert_eq!(received(&socket), format!("READY=1\nMAINPID={own}\nSTATUS=serving READY=0"));
            notifier.reloading();
            let reloading = received(&socket);
            let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
            assert!(micros.parse::<u64>().unwrap() > 0);
            // Nothing more of it, now that it is up.
            notifier.starting(Duration::from_secs(15));
            notifier.stopping("draining", Duration::from_mins(1));
            assert_eq!(received(&socket), "STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000\nSTATUS=draining");
            notifier.alive();
            assert_eq!(received(&socket), "WATCHDOG=1");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        for _ in 0..10_000 {
            notifier.status("busy");
        }
        assert!(notifier.is_on());
        assert!(!Notifier::default().is_on());
        assert!(Notifier::to("vsock:2:1234".as_ref()).is_err());
    }

    #[test]
    fn fuzz_no_status_becomes_another_assignment_and_no_address_is_a_surprise() {
        seaworthy_fuzz::drive_text("notify", |text| {
            assert_eq!(one_line(text).lines().count().max(1), 1);
            // Most are refused; those that are not are only looked at.
            let _ = connect(OsStr::new(text));
        });
    }
}
