//! What was bound: a line in the log for programs, a few lines on a terminal instead for people.

use std::fmt::Write as _;

use seaworthy::core::event::{Event, Sink};

use crate::commands::Output;
use crate::config::{Check, Config, duration};
use crate::control::Control;
use crate::gateway::{Bound, Gateway};
use crate::ops::Ops;

/// Says what is listened on.
pub(crate) fn listening(
    config: &Config,
    gateway: Option<&Gateway>,
    ops: Option<&Ops>,
    control: Option<&Control>,
    sink: &dyn Sink,
    output: Output,
    demo: bool,
) {
    let public = gateway.and_then(|gateway| gateway.bound().first()).map(ToString::to_string);
    let admin = ops.map(|ops| ops.bound().to_string());
    let control = control.map(|control| control.path().display().to_string());
    if output.terminal && !output.quiet {
        let mut text =
            format!("seaworthy {} for {} ({})\n", env!("CARGO_PKG_VERSION"), config.service, config.environment);
        let mut row = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<9}{value}");
        };
        if let Some(bound) = gateway.and_then(|gateway| gateway.bound().first()) {
            row("public", &url(bound));
        }
        if let Some(ops) = ops {
            let url = url(ops.bound());
            row("probes", &format!("{url}/health/live  /health/ready  /health/startup  /health"));
            row("metrics", &format!("{url}/metrics"));
        }
        if let Some(control) = &control {
            row("control", control);
        }
        let program =
            config.app.command.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ");
        match &config.upstream {
            Some(upstream) => row("upstream", &upstream.target.to_string()),
            None if config.app.command.is_empty() => {}
            None => row("app", &program),
        }
        for check in &config.checks {
            let Check { name, spec, interval, .. } = check;
            row("check", &format!("{name} ({}, every {})", spec.kind(), duration::written(*interval)));
        }
        // Whoever closed the terminal reads no banner.
        let _ = output.result(&text);
        if demo && let (Some(gateway), Some(ops)) = (gateway.and_then(|gateway| gateway.bound().first()), ops) {
            let _ = output.result(&crate::demo::hints(&url(gateway), &url(ops.bound()), control.as_deref()));
        }
        return;
    }
    let or_off = |address: Option<String>| address.unwrap_or_else(|| "off".to_owned());
    sink.emit(&Event::Listening { public: or_off(public), admin: or_off(admin), control: or_off(control) });
}

/// An address that a person can open: nobody can connect to "all addresses".
fn url(bound: &Bound) -> String {
    match bound {
        Bound::Tcp(address) if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
        Bound::Tcp(address) => format!("http://{address}"),
        Bound::Unix(path) => format!("unix:{}", path.display()),
    }
}
