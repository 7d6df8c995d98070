//! Answers what people ask over the control socket.

use seaworthy::core::event::{Event, Level};
use seaworthy::core::lifecycle::State;

use super::parts::{Parts, Program};
use super::reload;
use crate::config;
use crate::control::{AppStatus, Changed, Command, ControlRequest, LogLevelStatus, Reply, Status};

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    Drain,
}

/// Does what is asked, and says so.
pub(crate) fn answer(parts: &mut Parts, request: ControlRequest) -> Asked {
    let ControlRequest { command, by, reply } = request;
    let mut asked = Asked::Nothing;
    let answer = match command {
        Command::Status => status(parts),
        Command::Drain => {
            parts.emit(&Event::ControlAsked { what: "drain", by });
            asked = Asked::Drain;
            let drain = &parts.config().drain;
            let delay = config::duration::written(drain.delay);
            Reply::done(format!("draining: the listener stays open for {delay}"))
        }
        Command::Pause => {
            parts.lifecycle.pause();
            parts.emit(&Event::Paused { by });
            Reply::done("new requests are held until `seaworthy resume`")
        }
        Command::Resume => {
            parts.lifecycle.resume();
            parts.emit(&Event::Resumed { by });
            Reply::done("requests go on")
        }
        Command::Reload => {
            parts.emit(&Event::ControlAsked { what: "reload", by: by.clone() });
            match reload::reload(parts, &by) {
                Ok(changed) => Reply::Reloaded { changed: changed.iter().map(Changed::from).collect() },
                Err(problems) => Reply::invalid(&problems),
            }
        }
        Command::Breakers => Reply::Breakers { breakers: parts.board.views() },
        Command::ResetBreaker { name } => reset(parts, name, by),
        Command::Heartbeat { name, sign, took, code } => parts.monitor.beat(&name, sign.signal(took, code)),
        Command::LogLevel { level, expires } => {
            parts.emit(&Event::ControlAsked { what: "loglevel", by });
            let level = core_level(level);
            parts.logger.set_level(level, expires);
            parts.emit(&Event::LogLevelChanged { level, expires });
            Reply::done(match expires {
                Some(expires) => format!("log level is {} for {}", level.name(), config::duration::written(expires)),
                None => format!("log level is {}", level.name()),
            })
        }
    };
    // Whoever asked may have left.
    let _ = reply.send(answer);
    asked
}

/// As [`answer`], while the service stops: only looking is left.
pub(crate) fn answer_leaving(parts: &Parts, request: ControlRequest) {
    let answer = match request.command {
        Command::Status => status(parts),
        Command::Breakers => Reply::Breakers { breakers: parts.board.views() },
        Command::Drain => Reply::done("draining already"),
        _ => Reply::refused(format!("the service is {}", parts.lifecycle.state().name())),
    };
    let _ = request.reply.send(answer);
}

fn reset(parts: &Parts, name: String, by: String) -> Reply {
    match parts.board.reset(&name) {
        None => {
            let known: Vec<_> = parts.board.views().into_iter().map(|view| view.name).collect();
            let known =
                if known.is_empty() { "there is none".to_owned() } else { format!("known: {}", known.join(", ")) };
            Reply::refused(format!("no breaker is called {name:?}; {known}"))
        }
        Some(changed) => {
            let message = if changed { format!("{name} is closed") } else { format!("{name} was closed already") };
            parts.emit(&Event::BreakerReset { service: name, by });
            Reply::done(message)
        }
    }
}

fn status(parts: &Parts) -> Reply {
    let mut status = Status::of(parts.config(), &parts.vitals.facts());
    status.paused = parts.lifecycle.admission().paused;
    if let Some(gateway) = &parts.gateway {
        status.listen = gateway.bound().iter().map(ToString::to_string).collect();
        status.connections = gateway.connections();
        status.in_flight = gateway.in_flight();
    }
    status.breakers = parts.board.views();
    status.admin = parts.ops.as_ref().map(|ops| ops.bound().to_string());
    status.upstream = parts.config().upstream.as_ref().map(|upstream| upstream.target.to_string());
    if parts.supervisor.is_some() {
        let Program { pid, port, started, restarts } = parts.program;
        let uptime = started.map(|started| started.elapsed().as_secs_f64());
        status.app = Some(AppStatus { pid, port, uptime, restarts });
        let address = port.filter(|_| parts.lifecycle.state() >= State::Ready);
        status.upstream = status.upstream.or_else(|| address.map(|port| format!("http://127.0.0.1:{port}")));
    }
    let expires = parts.logger.expires_in().map(|left| left.as_secs_f64());
    status.log_level = Some(LogLevelStatus { level: config_level(parts.logger.level()), expires });
    status.reloads = parts.reloads.clone();
    Reply::Status(Box::new(status))
}

fn core_level(level: config::Level) -> Level {
    match level {
        config::Level::Trace => Level::Trace,
        config::Level::Debug => Level::Debug,
        config::Level::Info => Level::Info,
        config::Level::Warn => Level::Warn,
        config::Level::Error => Level::Error,
    }
}

fn config_level(level: Level) -> config::Level {
    match level {
        Level::Trace => config::Level::Trace,
        Level::Debug => config::Level::Debug,
        Level::Info => config::Level::Info,
        Level::Warn => config::Level::Warn,
        Level::Error => config::Level::Error,
    }
}
