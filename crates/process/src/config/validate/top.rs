//! The keys outside of any table.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use super::Review;
use crate::config::problem::Problem;
use crate::config::raw::Root;
use crate::config::tree::{self, Origin};
use crate::config::units::{Address, As, Bind, FilePath, OrOff, socket_path};
use crate::config::validated::Environment;

const LISTEN_HOST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const LISTEN_PORT: u16 = 8080;
const ADMIN_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ADMIN_PORT: u16 = 9090;

/// What [`Review::top`] found.
pub(super) struct Top {
    pub(super) service: String,
    pub(super) environment: Environment,
    pub(super) listen: Address,
    pub(super) admin: Option<Address>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) control: Option<PathBuf>,
}

impl Review<'_> {
    pub(super) fn top(&mut self, raw: &mut Root) -> Top {
        let service = raw.service.get_or_insert_with(|| {
            let program = raw.app.command.as_ref().and_then(|command| command.0.0.first());
            let name = program.and_then(|program| Path::new(program).file_name());
            name.map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
        });
        let service = service.clone();
        for (path, text) in
            [("service", Some(&service)), ("version", raw.version.as_ref()), ("environment", raw.environment.as_ref())]
        {
            if text.is_some_and(|text| text.trim().is_empty() || text.chars().any(char::is_control)) {
                self.refuse(
                    &[path],
                    "is empty or holds a control character",
                    "write one line of text, or leave the key out",
                );
            }
        }
        for (index, network) in raw.trusted_proxies.iter().enumerate().filter(|(_, network)| network.0.prefix == 0) {
            let message = format!("= \"{}\" believes what anybody says about the client's address", network.0);
            self.warn(&tree::at("trusted-proxies", index), message, "name the networks of your proxies only");
        }
        let (listen, admin) = self.listeners(raw);
        let state_dir = self.state_dir(raw);
        let control = self.control(raw, state_dir.as_deref());
        Top { service, environment: self.environment_name(raw), listen, admin, state_dir, control }
    }

    fn environment_name(&mut self, raw: &mut Root) -> Environment {
        let name = raw.environment.get_or_insert_with(|| match self.sources.variable("NODE_ENV") {
            Some(name) => {
                self.origins.insert("environment".to_owned(), Origin::Variable("NODE_ENV".to_owned()));
                name.to_owned()
            }
            None => "production".to_owned(),
        });
        Environment(name.clone())
    }

    fn listeners(&mut self, raw: &mut Root) -> (Address, Option<Address>) {
        let listen = match raw.listen.take() {
            Some(As(bind)) => bind.resolve(LISTEN_HOST),
            None => Bind::Port(self.port("listen", "PORT", LISTEN_PORT)).resolve(LISTEN_HOST),
        };
        raw.listen = Some(As(Bind::To(listen.clone())));
        let admin = match raw.admin.take() {
            Some(As(OrOff::Off)) => None,
            Some(As(OrOff::On(bind))) => Some(bind.resolve(ADMIN_HOST)),
            None => Some(Bind::Port(self.port("admin", "ADMIN_PORT", ADMIN_PORT)).resolve(ADMIN_HOST)),
        };
        raw.admin = Some(As(admin.clone().map_or(OrOff::Off, |admin| OrOff::On(Bind::To(admin)))));
        if admin.as_ref().is_some_and(|admin| collide(&listen, admin)) {
            let admin = admin.as_ref().map(ToString::to_string).unwrap_or_default();
            let message = format!("cannot be bound beside the other listener: listen is {listen}, admin is {admin}");
            self.refuse(&["admin", "listen"], message, "give one of them another port");
        }
        (listen, admin)
    }

    /// A port that the platform gives by a variable.
    fn port(&mut self, path: &str, variable: &str, otherwise: u16) -> u16 {
        let Some(text) = self.sources.variable(variable) else { return otherwise };
        let origin = Origin::Variable(variable.to_owned());
        let Ok(port) = text.trim().parse() else {
            if !self.broken.contains(path) {
                let problem = Problem::new(origin, path, "is not a port from 0 to 65535").quoting(&text.into());
                self.problems.push(problem.hint(format!("unset {variable}, or set {path} itself")));
            }
            return otherwise;
        };
        self.origins.insert(path.to_owned(), origin);
        port
    }

    fn state_dir(&mut self, raw: &mut Root) -> Option<PathBuf> {
        if raw.state_dir.is_none() {
            // systemd lists several with colons between them; the first is the one of `StateDirectory=`'s first word.
            let systemd = self.sources.variable("STATE_DIRECTORY").and_then(|list| list.split(':').next());
            let systemd = systemd.map(|path| ("STATE_DIRECTORY", PathBuf::from(path)));
            let user = self
                .sources
                .variable("XDG_STATE_HOME")
                .map(|home| ("XDG_STATE_HOME", Path::new(home).join("seaworthy")));
            // A relative XDG path is to be ignored (XDG Base Directory Specification).
            let found = systemd.into_iter().chain(user).find(|(_, path)| path.is_absolute());
            if let Some((variable, path)) = found {
                self.origins.insert("state-dir".to_owned(), Origin::Variable(variable.to_owned()));
                raw.state_dir = Some(As(FilePath(path)));
            }
        }
        raw.state_dir.as_ref().map(|path| path.0.0.clone())
    }

    fn control(&mut self, raw: &mut Root, state_dir: Option<&Path>) -> Option<PathBuf> {
        let control = match raw.control.take() {
            Some(As(OrOff::Off)) => None,
            Some(As(OrOff::On(FilePath(path)))) => Some(path),
            None => state_dir.map(|directory| directory.join("control.sock")),
        };
        raw.control = Some(As(control.clone().map_or(OrOff::Off, |path| OrOff::On(FilePath(path)))));
        if let Some(Err(complaint)) = control.as_ref().map(|path| socket_path(&path.to_string_lossy())) {
            let message = format!("makes a control socket that cannot be: it {}", complaint.message);
            self.refuse(&["control", "state-dir"], message, "set control to a shorter path, or to \"off\"");
        }
        control
    }
}

/// Whether both cannot be bound at once. Port 0 never collides.
pub(super) fn collide(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Tcp(one), Address::Tcp(other)) => {
            let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
            one.port() != 0 && one.port() == other.port() && overlap
        }
        (Address::Unix(one), Address::Unix(other)) => one == other,
        _ => false,
    }
}
