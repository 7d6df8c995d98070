//! The program, its migrations, and where its requests go.

use std::ffi::OsString;

use super::Review;
use crate::config::raw::{self, Protocol, Root};
use crate::config::units::{AppPort, As, Target};
use crate::config::validated::{App, Upstream};

impl Review<'_> {
    pub(super) fn app(&mut self, raw: &mut raw::App, withheld: Vec<String>) -> App {
        let live_interval = self.positive("app.live-interval", &raw.live_interval);
        if raw.env.contains_key("PORT") {
            self.refuse(
                &["app.env.PORT"],
                "is set by us, to the port that the program is to take",
                "set app.port instead",
            );
        }
        App {
            command: self.command(raw),
            port: raw.port.as_ref().map_or(AppPort::Pick, |port| port.0),
            ready_path: raw.ready_path.as_ref().map(|path| path.0.0.clone()),
            live_path: raw.live_path.as_ref().map(|path| path.0.0.clone()),
            live_failures: raw.live_failures,
            live_interval,
            drain_signal: raw.drain_signal.as_ref().map(|signal| signal.0),
            env: self.environment("app.env", &raw.env),
            withheld,
            cwd: raw.cwd.as_ref().map(|path| path.0.0.clone()),
            user: raw.user.as_ref().map(|user| user.0.clone()),
            protocol: raw.protocol,
        }
    }

    /// What the command line gave is passed on byte for byte: the table holds it only as text, for show.
    fn command(&self, raw: &raw::App) -> Vec<OsString> {
        let given = &self.sources.command_line.command;
        if !given.is_empty() {
            return given.clone();
        }
        raw.command.iter().flat_map(|command| &command.0.0).map(OsString::from).collect()
    }

    pub(super) fn upstream(&mut self, raw: &Root) -> Option<Upstream> {
        if raw.upstream.len() > 1 {
            let message = format!("has {} entries; this version forwards to one", raw.upstream.len());
            self.refuse(&["upstream"], message, "leave one; several targets come with a later version");
        }
        let target = raw.upstream.first().map(|upstream| upstream.url.0.clone());
        if target.is_some() && matches!(raw.app.port, Some(As(AppPort::Fixed(_)))) {
            let hint = "take one of them out: only one can be where requests go";
            self.refuse(&["app.port", "upstream"], "is set beside an upstream", hint);
        }
        if target.is_none() && matches!(raw.app.port, Some(As(AppPort::None))) {
            for (path, set) in
                [("app.ready-path", raw.app.ready_path.is_some()), ("app.live-path", raw.app.live_path.is_some())]
            {
                if set {
                    let hint = "take it out, or let the program listen";
                    self.refuse(&[path, "app.port"], "asks a program that has no port: app.port is false", hint);
                }
            }
        }
        let forced = matches!(target, Some(Target::Tcp { h2c: true, .. }));
        if forced && raw.app.protocol == Protocol::Http1 {
            let hint = "write http:// in the upstream, or take the protocol out";
            self.refuse(&["app.protocol", "upstream"], "is \"http1\", and the upstream is h2c://", hint);
        }
        target.map(|target| Upstream { target, protocol: if forced { Protocol::H2c } else { raw.app.protocol } })
    }
}
