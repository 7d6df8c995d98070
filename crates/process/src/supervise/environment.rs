//! The environment of the program.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::config::Secret;

/// What frameworks call the port, besides `PORT`.
const PORT_NAMES: [&str; 4] = ["PORT", "SERVER_PORT", "UVICORN_PORT", "ASPNETCORE_HTTP_PORTS"];

/// What is meant for us and would mislead the program: with `NOTIFY_SOCKET` it would tell systemd that the service is
/// ready before it is, with `LISTEN_FDS` it would take descriptors that it was not given. `PORT` is where we listen.
const OURS: [&str; 8] = [
    "PORT",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

/// Our own settings.
const OUR_PREFIX: &[u8] = b"SEAWORTHY_";

/// Where the program is to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// For requests.
    pub(crate) main: u16,
    /// For whatever the program keeps from the public, if it wants one.
    pub(crate) admin: u16,
}

/// Variables for a process that we start. Values may be secrets: nothing prints them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// What a child inherits of `ours`.
    pub(crate) fn inherited(ours: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let foreign = |name: &OsStr| OURS.iter().any(|ours| name == *ours) || name.as_bytes().starts_with(OUR_PREFIX);
        Self(ours.into_iter().filter(|(name, _)| !foreign(name)).collect())
    }

    /// Takes out variables that hold what is kept from the program.
    #[must_use]
    pub(crate) fn without(mut self, names: &[String]) -> Self {
        self.0.retain(|name, _| !names.iter().any(|withheld| name == withheld.as_str()));
        self
    }

    /// Adds what tells the program where to listen.
    ///
    /// A Python program also learns not to keep its output back: lines that sit in a buffer when it dies are lost.
    #[must_use]
    pub(crate) fn with_ports(mut self, ports: Option<Ports>) -> Self {
        if let Some(Ports { main, admin }) = ports {
            self.0.extend(PORT_NAMES.map(|name| (name.into(), main.to_string().into())));
            self.0.insert("HOST".into(), "127.0.0.1".into());
            self.0.insert("ADMIN_PORT".into(), admin.to_string().into());
        }
        self.0.insert("PYTHONUNBUFFERED".into(), "1".into());
        self
    }

    /// Adds variables; they win over what is there.
    #[must_use]
    pub(crate) fn with(mut self, more: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.0.extend(more);
        self
    }

    /// Adds variables of the configuration; they win over what is there.
    #[must_use]
    pub(crate) fn with_configured(self, more: &BTreeMap<String, Secret>) -> Self {
        self.with(more.iter().map(|(name, value)| (name.into(), value.expose().into())))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&str, &str)]) -> Environment {
        Environment::inherited(pairs.iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn get<'e>(environment: &'e Environment, name: &str) -> Option<&'e str> {
        environment.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn what_is_meant_for_us_stays_with_us() {
        let environment = ours(&[
            ("PATH", "/bin"),
            ("PORT", "8080"),
            ("SEAWORTHY_DRAIN__DELAY", "2s"),
            ("NOTIFY_SOCKET", "/run/systemd/notify"),
            ("LISTEN_FDS", "1"),
        ]);
        assert_eq!(environment.iter().collect::<Vec<_>>(), [(&"PATH".into(), &"/bin".into())]);
    }

    #[test]
    fn the_program_is_told_its_port_by_each_common_name_and_the_config_wins() {
        let configured = BTreeMap::from([("HOST".to_owned(), Secret::new("0.0.0.0".to_owned()))]);
        let ports = Ports { main: 12345, admin: 12346 };
        let environment = ours(&[("HOST", "laptop")]).with_ports(Some(ports)).with_configured(&configured);
        for name in PORT_NAMES {
            assert_eq!(get(&environment, name), Some("12345"), "{name}");
        }
        assert_eq!(get(&environment, "ADMIN_PORT"), Some("12346"));
        assert_eq!(get(&environment, "HOST"), Some("0.0.0.0"));
        assert_eq!(get(&environment, "PYTHONUNBUFFERED"), Some("1"));
    }

    #[test]
    fn what_is_withheld_is_given_only_by_name() {
        let environment = ours(&[("PATH", "/bin"), ("PAY_KEY", "hunter2")]).without(&["PAY_KEY".to_owned()]);
        assert_eq!((get(&environment, "PATH"), get(&environment, "PAY_KEY")), (Some("/bin"), None));
        let configured = BTreeMap::from([("PAY_KEY".to_owned(), Secret::new("hunter2".to_owned()))]);
        assert_eq!(get(&environment.with_configured(&configured), "PAY_KEY"), Some("hunter2"));
    }

    #[test]
    fn a_worker_is_told_no_port_and_nothing_prints_a_value() {
        let environment = ours(&[("PORT", "8080"), ("TOKEN", "hunter2")]).with_ports(None);
        assert_eq!(get(&environment, "PORT"), None);
        assert_eq!(format!("{environment:?}"), r#"{"PYTHONUNBUFFERED", "TOKEN"}"#);
    }
}
