//! Durations and signals as people write them.

use std::time::Duration;

use rustix::process::Signal;

/// `500ms`, `2s`, `1.5s`, `1m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    let found =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim().parse::<f64>().ok()?, factor)));
    found
        .and_then(|(count, factor)| Duration::try_from_secs_f64(count * factor).ok())
        .filter(|duration| *duration <= Duration::from_hours(1))
        .ok_or_else(|| format!("{text:?} is no duration up to an hour: write 500ms, 2s or 1m"))
}

/// `TERM` or `SIGTERM`.
pub(crate) fn signal(text: &str) -> Result<Signal, String> {
    let name = text.to_ascii_uppercase();
    match name.strip_prefix("SIG").unwrap_or(&name) {
        "TERM" => Ok(Signal::TERM),
        "INT" => Ok(Signal::INT),
        "QUIT" => Ok(Signal::QUIT),
        "HUP" => Ok(Signal::HUP),
        "USR1" => Ok(Signal::USR1),
        "USR2" => Ok(Signal::USR2),
        _ => Err(format!("{text:?} is no signal to stop by: TERM, INT, QUIT, HUP, USR1 or USR2")),
    }
}

/// `NAME=VALUE`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

/// `Name: value`. The message names the header only: the value may be a token.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':') else { return Err("a header is written 'Name: value'".to_owned()) };
    let (name, value) = (name.trim(), value.trim());
    let valid =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !valid || value.contains(['\r', '\n', '\0']) {
        return Err(format!("{name:?} is no header name, or its value has a line break"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A path with a leading slash, and nothing that would end a request line.
pub(crate) fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no path: it starts with / and has no space"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for bad in ["", "5", "-1s", "NaNs", "2h", "1e9s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_that_would_break_the_request_is_refused_without_its_value() {
        let refused = header("X-A: b\r\nX-Token: s3cret").unwrap_err();
        assert!(!refused.contains("s3cret"), "{refused}");
        assert_eq!(header("Authorization: Bearer x"), Ok(("Authorization".to_owned(), "Bearer x".to_owned())));
    }

    #[test]
    fn a_path_that_would_break_the_request_line_is_refused() {
        assert!(path("/a b").is_err() && path("a").is_err() && path("/x\r\n").is_err());
        assert!(path("/a?b=c").is_ok());
    }

    #[test]
    fn fuzz_any_argument_is_read_or_refused() {
        seaworthy_fuzz::drive_text("drill-arguments", |text| {
            for word in text.lines() {
                let _ = (duration(word), signal(word), variable(word));
                if let Ok((name, value)) = header(word) {
                    assert!(!format!("{name}{value}").contains(['\r', '\n', '\0']), "{word:?}");
                }
                if let Ok(path) = path(word) {
                    assert!(path.starts_with('/') && !path.contains([' ', '\r', '\n']), "{path:?}");
                }
            }
        });
    }
}
