//! Finds the running process: by what `seaworthy run` finds its own addresses by.
//!
//! A config that is invalid by now does not hide the process that was started with it: what can be read of the file is
//! taken, or else the environment alone.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::Reach;
use crate::config::{self, Address, Bind, CommandLine, Kind as _, Sources};

/// What the running process can be reached by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The ops listener, as it was written: port 0 and `0.0.0.0` are still to be understood.
    pub(super) admin: Option<Address>,
    pub(super) control: Option<PathBuf>,
}

/// Why there is no control socket to speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FindError {
    #[error(
        "no control socket is known: the running process has one when `state-dir` or `control` is set; name it with --control or SEAWORTHY_CONTROL"
    )]
    NoControl,
}

impl Reach {
    /// The control socket.
    pub(super) fn control(&self) -> Result<PathBuf, FindError> {
        match &self.control {
            Some(path) => Ok(path.clone()),
            None => find(&Sources::of_process(self.command_line())).control.ok_or(FindError::NoControl),
        }
    }

    pub(super) fn command_line(&self) -> CommandLine {
        CommandLine { config: self.config.clone(), ..CommandLine::default() }
    }
}

/// What `sources` say.
pub(super) fn find(sources: &Sources<'_>) -> Found {
    match config::load(sources) {
        Ok(loaded) => Found { admin: loaded.config.admin, control: loaded.config.control },
        Err(_) => salvage(sources),
    }
}

/// The keys that matter, of a configuration that is not valid.
fn salvage(sources: &Sources<'_>) -> Found {
    let tree = config::given(sources);
    let variable = |key: &str| sources.variable(key).map(Value::from);
    let given =
        |key: &str, name: &str| tree.get(key).cloned().or_else(|| variable(name)).filter(|value| !value.is_null());
    let off = |value: &Value| value.as_str() == Some("off") || *value == Value::Bool(false);
    let path = |value: &Value| value.as_str().map(PathBuf::from);
    let control = match given("control", "SEAWORTHY_CONTROL") {
        Some(value) if off(&value) => None,
        Some(value) => path(&value),
        None => {
            let systemd = || sources.variable("STATE_DIRECTORY")?.split(':').next().map(PathBuf::from);
            let user = || sources.variable("XDG_STATE_HOME").map(|home| Path::new(home).join("seaworthy"));
            let directory = given("state-dir", "SEAWORTHY_STATE_DIR").as_ref().and_then(path);
            directory.or_else(systemd).or_else(user).map(|directory| directory.join("control.sock"))
        }
    };
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let admin = match given("admin", "SEAWORTHY_ADMIN") {
        Some(value) if off(&value) => None,
        Some(value) => Bind::read(&value).ok().map(|bind| bind.resolve(host)),
        None => {
            let port = sources.variable("ADMIN_PORT").and_then(|port| port.trim().parse().ok()).unwrap_or(9090);
            Some(Bind::Port(port).resolve(host))
        }
    };
    Found { admin, control }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io;

    fn found(file: &str, variables: &[(&str, &str)]) -> Found {
        let text = file.to_owned();
        let read = move |path: &Path| match path.to_str() {
            Some("seaworthy.toml") => Ok(text.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: BTreeMap<_, _> = variables.iter().map(pair).collect();
        find(&Sources { environment, read: &read, ..Sources::default() })
    }

    #[test]
    fn the_process_is_found_by_the_config_that_it_reads() {
        let found = found("admin = 9191\nstate-dir = \"/var/lib/x\"", &[]);
        assert_eq!(found.admin.map(|admin| admin.to_string()).as_deref(), Some("127.0.0.1:9191"));
        assert_eq!(found.control.as_deref(), Some(Path::new("/var/lib/x/control.sock")));
    }

    #[test]
    fn a_config_that_is_broken_by_now_hides_nothing() {
        for broken in ["drain.delay = 5\n", "nonsense = 1\n", "[app]\nenv.A = { env = \"UNSET\" }\n"] {
            let (file, table) = broken.split_once('[').map_or((broken, ""), |(_, table)| ("", table));
            let table = if table.is_empty() { String::new() } else { format!("[{table}") };
            let found = found(&format!("admin = 9191\nstate-dir = \"/var/lib/x\"\n{file}{table}"), &[]);
            assert_eq!(found.admin.map(|admin| admin.to_string()).as_deref(), Some("127.0.0.1:9191"), "{broken}");
            assert_eq!(found.control.as_deref(), Some(Path::new("/var/lib/x/control.sock")), "{broken}");
        }
        let found = found("what is this", &[("SEAWORTHY_CONTROL", "/run/c.sock"), ("SEAWORTHY_ADMIN", "9292")]);
        assert_eq!(found.admin.map(|admin| admin.to_string()).as_deref(), Some("127.0.0.1:9292"));
        assert_eq!(found.control.as_deref(), Some(Path::new("/run/c.sock")));
    }

    #[test]
    fn without_a_directory_for_state_there_is_no_socket() {
        assert_eq!(found("", &[]).control, None);
        assert_eq!(found("control = \"off\"", &[("STATE_DIRECTORY", "/a")]).control, None);
        assert_eq!(found("x", &[("STATE_DIRECTORY", "/a:/b")]).control.as_deref(), Some(Path::new("/a/control.sock")));
    }
}
