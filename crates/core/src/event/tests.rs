use super::*;

#[test]
fn the_messages_of_a_shutdown_are_the_fixed_ones() {
    let second = Duration::from_secs(1);
    let said: Vec<String> = [
        Event::StopBegan { cause: Cause::Sigterm },
        Event::Draining { delay: 5 * second },
        Event::ListenersClosed { in_flight: 0 },
        Event::AppStopping { pid: 1, signal: "TERM".to_owned(), patience: second },
        Event::AppStopped { ending: Ending::Exited(0), took: second },
        Event::CleaningUp,
        Event::StopEnded { outcome: Outcome::Graceful, took: second, requests_cut: 0 },
        Event::StopEnded { outcome: Outcome::Forced, took: second, requests_cut: 1 },
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    assert_eq!(
        said,
        [
            "SIGTERM received, starting graceful shutdown",
            "draining: readiness withdrawn, listener open for 5s",
            "HTTP server closed",
            "stopping app",
            "app stopped",
            "cleaning up resources",
            "Graceful shutdown complete",
            "Forced shutdown after timeout",
        ]
    );
}

#[test]
fn fields_carry_what_the_message_says() {
    let mut fields = Vec::new();
    let event = Event::AppDied { pid: 7, ending: Ending::Signalled(9), uptime: Duration::from_millis(1500) };
    event.each_field(|name, value| fields.push(format!("{name}={value:?}")));
    assert_eq!(fields, ["pid=Integer(7)", "code=Integer(137)", "uptime=Seconds(1.5s)"]);
}

#[test]
fn a_level_is_read_in_any_case_and_a_wrong_one_is_quoted() {
    assert_eq!("WARNING".parse(), Ok(Level::Warn));
    let refused = "loud".parse::<Level>().unwrap_err();
    assert_eq!(refused.to_string(), r#"unknown level "loud": use trace, debug, info, warn or error"#);
}

#[test]
fn no_field_has_the_name_of_what_every_line_has() {
    // A line with the same name twice means something else to each of its readers (RFC 8259, 4).
    for line in ["time", "level", "message", "service", "version", "event"] {
        assert!(!LABELS.contains(&line), "{line}");
    }
}
