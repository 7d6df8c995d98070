//! From arguments and `drill.toml` to a plan.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::Arguments;
use crate::catalogue::Level;
use crate::client::tls::Trust;
use crate::plan::{Paths, Plan, Subject};
use crate::program::Launch;
use crate::report::json;
use crate::settings::{Settings, SettingsError, known};
use crate::units;

pub(super) fn baseline(arguments: &Arguments) -> Result<Vec<String>, SettingsError> {
    let Some(path) = &arguments.baseline else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.clone(), source })?;
    json::broken_in(&text)
        .map_err(|error| SettingsError::Invalid(format!("{} is no JSON report of a drill: {error}", path.display())))
}

pub(super) fn plan(arguments: &Arguments) -> Result<Plan, SettingsError> {
    let default = PathBuf::from("drill.toml");
    let settings = match &arguments.config {
        Some(path) => Settings::read(path)?,
        None if default.exists() => Settings::read(&default)?,
        None => Settings::default(),
    };
    let invalid = |error: String| SettingsError::Invalid(error);
    let duration = |given: Option<Duration>, written: &Option<String>, default: u64| match (given, written) {
        (Some(given), _) => Ok(given),
        (None, Some(written)) => units::duration(written).map_err(invalid),
        (None, None) => Ok(Duration::from_secs(default)),
    };
    let stop_signal = match (arguments.stop_signal, &settings.stop_signal) {
        (Some(signal), _) => signal,
        (None, Some(written)) => units::signal(written).map_err(invalid)?,
        (None, None) => Signal::TERM,
    };
    let reason = arguments.reason.clone().unwrap_or_default();
    let skip = arguments.skip.iter().map(|check| (check.clone(), reason.clone()));
    let skip: Vec<_> = skip.chain(settings.skip.iter().map(|skip| (skip.check.clone(), skip.reason.clone()))).collect();
    for pattern in arguments.only.iter().chain(skip.iter().map(|(pattern, _)| pattern)) {
        known(pattern)?;
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let port = arguments.port.or(settings.port);
    let parallel = arguments.parallel.or(settings.parallel).unwrap_or(cores.clamp(4, 8)).max(1);
    let headers =
        settings.headers.iter().map(|(name, value)| units::header(&format!("{name}: {value}")).map_err(invalid));
    let mut headers = headers.collect::<Result<Vec<_>, _>>()?;
    headers.extend(arguments.header.iter().cloned());
    let insecure = arguments.insecure || (settings.insecure && arguments.ca_file.is_none());
    let trust = match arguments.ca_file.as_ref().or(settings.ca_file.as_ref()) {
        _ if insecure => Trust::Anyone,
        Some(file) => Trust::File(file.clone()),
        None => Trust::Public,
    };
    let plan = Plan {
        subject: subject(arguments, &settings)?,
        https: match &arguments.url {
            Some(url) => url.starts_with("https://"),
            None => arguments.https || settings.https,
        },
        trust,
        server_name: arguments.server_name.clone().or_else(|| settings.server_name.clone()),
        paths: paths(arguments, &settings)?,
        headers,
        grace: duration(arguments.grace, &settings.grace, 30)?,
        lag: duration(arguments.lag, &settings.lag, 2)?,
        pre_stop: duration(arguments.pre_stop, &settings.pre_stop, 0)?,
        stop_signal,
        start_timeout: duration(arguments.start_timeout, &settings.start_timeout, 60)?,
        port,
        // Two instances cannot have one port.
        parallel: if port.is_some() { 1 } else { parallel },
        level: arguments.level.or(settings.level).unwrap_or(Level::Must),
        only: arguments.only.clone(),
        skip,
        waivers: settings.waivers()?,
        dependencies: settings.dependencies(&arguments.env)?,
        grpc: settings.grpc,
        config: settings.config(),
    };
    // A file that cannot be read is found before anything is started.
    plan.tls("localhost").map_err(|error| SettingsError::Invalid(error.to_string()))?;
    Ok(plan)
}

fn paths(arguments: &Arguments, settings: &Settings) -> Result<Paths, SettingsError> {
    let written = settings.paths();
    let choose = |given: &Option<String>, written: Option<String>| match (given, written) {
        (Some(given), _) => Ok(Some(given.clone())),
        (None, Some(written)) => units::path(&written).map(Some).map_err(SettingsError::Invalid),
        (None, None) => Ok(None),
    };
    Ok(Paths {
        safe: choose(&arguments.path, written.safe)?,
        live: choose(&arguments.live, written.live)?,
        ready: choose(&arguments.ready, written.ready)?,
        slow: choose(&arguments.slow_path, written.slow)?,
        upload: choose(&arguments.upload_path, written.upload)?,
        metrics: choose(&arguments.metrics, written.metrics)?,
        websocket: choose(&arguments.websocket_path, written.websocket)?,
        error: choose(&arguments.error_path, written.error)?,
        json: choose(&arguments.json_path, written.json)?,
    })
}

fn subject(arguments: &Arguments, settings: &Settings) -> Result<Subject, SettingsError> {
    if let Some(url) = &arguments.url {
        let (address, host) = address(url)?;
        let host = arguments.server_name.clone().or_else(|| settings.server_name.clone()).unwrap_or(host);
        return Ok(Subject::Running { address, host, pid: arguments.pid, destructive: arguments.destructive });
    }
    let written = settings.command.iter().flatten().map(OsString::from);
    let argv: Vec<OsString> = if arguments.command.is_empty() { written.collect() } else { arguments.command.clone() };
    if argv.is_empty() {
        let message = "nothing to rehearse: give a command after --, or an address with --url".to_owned();
        return Err(SettingsError::Invalid(message));
    }
    let env =
        settings.env.iter().map(|(name, value)| (name.clone(), value.clone())).chain(arguments.env.iter().cloned());
    Ok(Subject::Program(Launch { argv, env: env.collect(), dir: arguments.directory.clone() }))
}

/// `http://127.0.0.1:8080` or `https://localhost`. A name other than localhost is not resolved: who means a machine can say which.
fn address(url: &str) -> Result<(SocketAddr, String), SettingsError> {
    let bad = |why: &str| SettingsError::Invalid(format!("--url {url:?}: {why}"));
    let (rest, default) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => return Err(bad("it starts with http:// or https://")),
    };
    let host = rest.trim_end_matches('/');
    if host.contains('/') {
        return Err(bad("give the path by --path"));
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| bad("the port is no number"))?),
        _ => (host, default),
    };
    let ip: IpAddr = match name.trim_start_matches('[').trim_end_matches(']') {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        name => name
            .parse()
            .map_err(|_| bad("the host is an IP address or localhost; the name of the site goes into --server-name"))?,
    };
    Ok((SocketAddr::new(ip, port), host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_or_localhost() {
        let (found, host) = address("http://localhost:8080/").unwrap();
        assert_eq!((found.to_string().as_str(), host.as_str()), ("127.0.0.1:8080", "localhost:8080"));
        assert_eq!(address("http://[::1]:81").unwrap().0.to_string(), "[::1]:81");
        assert_eq!(address("https://localhost").unwrap().0.to_string(), "127.0.0.1:443");
        for bad in ["ftp://localhost", "https://example.org", "http://localhost:x", "http://localhost/a"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
