//! `seaworthy status`: how a running Seaworthy is, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use super::output::{Output, Tone};
use super::tell::{ask, unexpected};
use crate::cli::{self, OutputFormat};
use crate::config::duration;
use crate::control::{CheckStatus, Command, Reply, Status};
use crate::egress::BreakerView;
use crate::exit_code::ExitCode;

pub(super) fn status(status: &cli::Status, output: Output) -> ExitCode {
    match ask(&status.reach, &Command::Status, output) {
        Ok(Reply::Status(status_now)) => match output.form(status.form) {
            OutputFormat::Text => output.result(&table(&status_now, output)),
            OutputFormat::Json => match serde_json::to_string(&status_now) {
                Ok(json) => output.result(&format!("{json}\n")),
                Err(error) => output.error(&format!("the status cannot be written: {error}"), ExitCode::Failed),
            },
        },
        Ok(other) => unexpected(&other, output),
        Err(code) => code,
    }
}

fn table(status: &Status, output: Output) -> String {
    let mut text = String::new();
    for (name, value) in rows(status, output) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:11}  {value}");
    }
    if status.breakers.iter().any(BreakerView::is_open) {
        let _ = write!(text, "\n{}", super::breakers::table(&status.breakers, BreakerView::is_open, output));
    }
    if !status.checks.is_empty() {
        text.push('\n');
        let width = status.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
        for check in &status.checks {
            let _ = writeln!(text, "{}", line(check, width, output));
        }
    }
    text
}

fn rows(status: &Status, output: Output) -> Vec<(&'static str, String)> {
    let version = status.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let mut rows = vec![("service", format!("{}{version}", status.service)), ("state", state(status, output))];
    rows.push(("uptime", format!("{}  pid {}", time(status.uptime), status.pid)));
    if !status.listen.is_empty() {
        rows.push(("listen", status.listen.join(", ")));
    }
    rows.push(("admin", status.admin.clone().unwrap_or_else(|| "off".to_owned())));
    if let Some(app) = &status.app {
        let mut parts = vec![app.pid.map_or_else(|| output.paint(Tone::Bad, "down"), |pid| format!("pid {pid}"))];
        parts.extend(app.port.map(|port| format!("port {port}")));
        parts.extend(app.uptime.map(|uptime| format!("up {}", time(uptime))));
        parts.push(match app.restarts {
            0 => "never restarted".to_owned(),
            1 => "restarted once".to_owned(),
            times => format!("restarted {times} times"),
        });
        rows.push(("app", parts.join(", ")));
    }
    if let Some(upstream) = &status.upstream {
        rows.push(("upstream", upstream.clone()));
    }
    rows.push(("connections", format!("{} open, {} requests in flight", status.connections, status.in_flight)));
    if !status.missing.is_empty() {
        rows.push(("missing", output.paint(Tone::Bad, &status.missing.join(", "))));
    }
    if let Some(log) = &status.log_level {
        let word = serde_json::to_value(log.level).ok().and_then(|word| word.as_str().map(str::to_owned));
        let expires = log.expires.map(|left| format!(" for {} more", time(left))).unwrap_or_default();
        rows.push(("log level", word.unwrap_or_default() + &expires));
    }
    let (done, refused) = (status.reloads.done, status.reloads.refused);
    if done + refused > 0 {
        rows.push(("reloads", format!("{done} done, {refused} refused")));
    }
    rows
}

fn state(status: &Status, output: Output) -> String {
    let tone = if status.ready { Tone::Good } else { Tone::Warning };
    let mut words = vec![output.paint(tone, &status.state)];
    if status.paused {
        words.push(output.paint(Tone::Warning, "paused"));
    }
    if status.state == "ready" && !status.ready {
        words.push(output.paint(Tone::Bad, "but not ready for requests"));
    }
    if !status.health.is_empty() {
        words.push(match status.health.as_str() {
            "healthy" => status.health.clone(),
            "degraded" => output.paint(Tone::Warning, &status.health),
            _ => output.paint(Tone::Bad, &status.health),
        });
    }
    words.join(", ")
}

fn line(check: &CheckStatus, width: usize, output: Output) -> String {
    let (mark, tone) = match check.status.as_str() {
        "healthy" => ("✓", Tone::Good),
        "degraded" => ("⚠", Tone::Warning),
        "pending" => ("…", Tone::Dim),
        _ => ("✗", Tone::Bad),
    };
    let mut line = format!("{} {:width$}  {:9}", output.paint(tone, mark), check.name, check.status);
    if let Some(since) = check.since {
        let _ = write!(line, "  for {}", time(since));
    }
    if let Some(latency) = check.latency_ms {
        let _ = write!(line, "  {latency:.1} ms");
    }
    if let Some(class) = &check.class {
        let error = check.error.as_deref().map(|error| format!(": {}", error.replace(char::is_control, " ")));
        let _ = write!(line, "  {class}{}", error.unwrap_or_default());
    }
    line
}

/// A time for people: its two largest units.
fn time(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0).floor()).unwrap_or_default();
    let secs = whole.as_secs();
    let coarse = match secs {
        0..3_600 => secs,
        3_600..86_400 => secs - secs % 60,
        _ => secs - secs % 3_600,
    };
    duration::written(Duration::from_secs(coarse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Level;
    use crate::control::{AppStatus, LogLevelStatus, ReloadStatus};

    const PLAIN: Output = Output { quiet: false, terminal: true, colour: false };

    #[test]
    fn a_time_shows_its_two_largest_units() {
        let shown = [0.9, 59.9, 61.0, 3_725.0, 90_061.0, f64::NAN, -1.0].map(time);
        assert_eq!(shown, ["0s", "59s", "1m1s", "1h2m", "1d1h", "0s", "0s"]);
    }

    #[test]
    fn the_table_says_what_is_up_and_since_when() {
        let check = |name: &str, status: &str| CheckStatus {
            name: name.to_owned(),
            status: status.to_owned(),
            affects: "ready".to_owned(),
            since: Some(3_600.0),
            ..CheckStatus::default()
        };
        let status = Status {
            service: "api".to_owned(),
            version: Some("1.4.2".to_owned()),
            state: "ready".to_owned(),
            ready: false,
            health: "unhealthy".to_owned(),
            pid: 7,
            uptime: 3_725.4,
            listen: vec!["0.0.0.0:8080".to_owned()],
            admin: Some("127.0.0.1:9090".to_owned()),
            app: Some(AppStatus { pid: Some(12), port: Some(21_001), uptime: Some(61.0), restarts: 1 }),
            upstream: Some("http://127.0.0.1:21001".to_owned()),
            connections: 64,
            in_flight: 3,
            checks: vec![
                CheckStatus { latency_ms: Some(1.31), ..check("database", "healthy") },
                CheckStatus {
                    class: Some("refused".to_owned()),
                    error: Some("connection\nrefused".to_owned()),
                    ..check("redis", "unhealthy")
                },
            ],
            log_level: Some(LogLevelStatus { level: Level::Debug, expires: Some(540.0) }),
            reloads: ReloadStatus { done: 2, refused: 1 },
            ..Status::default()
        };
        assert_eq!(
            table(&status, PLAIN),
            "\
service      api 1.4.2
state        ready, but not ready for requests, unhealthy
uptime       1h2m  pid 7
listen       0.0.0.0:8080
admin        127.0.0.1:9090
app          pid 12, port 21001, up 1m1s, restarted once
upstream     http://127.0.0.1:21001
connections  64 open, 3 requests in flight
log level    debug for 9m more
reloads      2 done, 1 refused

✓ database  healthy    for 1h  1.3 ms
✗ redis     unhealthy  for 1h  refused: connection refused
"
        );
    }

    #[test]
    fn colours_mark_what_is_wrong_and_are_absent_where_nobody_wants_them() {
        let status = Status { state: "draining".to_owned(), ..Status::default() };
        let coloured = Output { colour: true, ..PLAIN };
        assert!(table(&status, coloured).contains("\x1b[33mdraining\x1b[0m"));
        assert!(!table(&status, PLAIN).contains('\x1b'));
    }
}
