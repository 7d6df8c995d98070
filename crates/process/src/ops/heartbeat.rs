//! Signs of life on the public listener: `/heartbeat/NAME`, `/heartbeat/NAME/start`, `/fail`, and `/EXITCODE`.
//!
//! `GET` and `HEAD` are taken as `POST` is, since what calls may be no more than a line in a crontab; the token that must come along
//! keeps crawlers and previews from being taken for a job. A name that nobody waits for and a token that is wrong are answered
//! the same, and take as long: nobody finds out which names there are.

use http::{HeaderMap, Method, StatusCode};
use percent_encoding::percent_decode_str;
use seaworthy::core::refusal::Reason;
use seaworthy_checks::Heartbeats;
use seaworthy_checks::heartbeat::Signal;

use super::answer::{Answer, TEXT};
use super::token::Token;
use crate::config::Check;

const PREFIX: &str = "/heartbeat/";

/// Takes signs of life of checks that have a token.
#[derive(Debug)]
pub(super) struct Desk {
    heartbeats: Heartbeats,
    /// Never empty.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    token: Token,
}

impl Desk {
    /// `None` where no check has a token: then the path is the program's.
    pub(super) fn new(checks: &[Check], heartbeats: Heartbeats) -> Option<Self> {
        let entry = |check: &Check| Some(Entry { name: check.name.clone(), token: Token::new(check.token.as_ref()?)? });
        let entries: Vec<_> = checks.iter().filter_map(entry).collect();
        (!entries.is_empty()).then_some(Self { heartbeats, entries })
    }

    pub(super) fn is_at(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// Takes what `path` says, from whoever brings the token of its name.
    pub(super) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
        if !matches!(*method, Method::GET | Method::HEAD | Method::POST) {
            return Answer::refusal(Reason::MethodNotAllowed, "use POST");
        }
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        let (name, what) = rest.split_once('/').unwrap_or((rest, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        let Some(entry) = self.admitted(&name, headers) else {
            return Answer::refusal(Reason::Unauthenticated, "bring the token of the check as Authorization: Bearer");
        };
        let Some(signal) = signal(what) else {
            return Answer::refusal(Reason::NoRoute, "after the name come start, fail, an exit code, or nothing");
        };
        if self.heartbeats.take(&entry.name, signal) {
            Answer::ok(TEXT, "OK\n")
        } else {
            // A reload has taken the check away a moment ago.
            Answer { status: StatusCode::NOT_FOUND, ..Answer::ok(TEXT, "gone\n") }
        }
    }

    fn admitted(&self, name: &str, headers: &HeaderMap) -> Option<&Entry> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        // One is compared in any case.
        let right = entry.or(self.entries.first())?.token.is_in(headers);
        entry.filter(|_| right)
    }
}

fn signal(what: &str) -> Option<Signal> {
    match what {
        "" | "0" => Some(Signal::Success { took: None }),
        "start" => Some(Signal::Start),
        "fail" => Some(Signal::Failure { code: None }),
        code => code.parse().ok().map(|code| Signal::Failure { code: Some(code) }),
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::config::{Sources, load};

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn desk(more: &str) -> Option<Desk> {
        let file = format!(
            "[[check]]\nname = \"night backup\"\nkind = \"heartbeat\"\nwithin = \"1d\"\n{more}\n\
             [[check]]\nname = \"private\"\nkind = \"heartbeat\"\nwithin = \"1d\"\n"
        );
        let read = move |path: &std::path::Path| match path.to_str() {
            Some("seaworthy.toml") => Ok(file.clone()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let config = load(&Sources { read: &read, ..Sources::default() }).unwrap().config;
        let heartbeats = Heartbeats::default();
        config.checks.iter().for_each(|check| heartbeats.expect(&check.name));
        Desk::new(&config.checks, heartbeats)
    }

    fn with_token() -> Desk {
        desk(&format!("token = {TOKEN:?}")).unwrap()
    }

    fn ask(desk: &Desk, method: &Method, path: &str, authorization: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        desk.answer(method, path, &headers)
    }

    #[test]
    fn without_a_token_the_path_is_the_programs() {
        assert!(desk("").is_none());
    }

    #[test]
    fn start_success_failure_and_exit_codes_are_taken() {
        let desk = with_token();
        let tell = |what: &str| {
            let answer =
                ask(&desk, &Method::POST, &format!("/heartbeat/night%20backup{what}"), &format!("Bearer {TOKEN}"));
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
            desk.heartbeats.pulse("night backup").unwrap()
        };
        assert!(tell("/start").started.is_some());
        let pulse = tell("");
        assert!(pulse.last.is_some() && pulse.took.is_some() && pulse.started.is_none());
        assert_eq!(tell("/fail").failed.unwrap().1, None);
        assert_eq!(tell("/0").failed, None);
        assert_eq!(tell("/137").failed.unwrap().1, Some(137));
    }

    #[test]
    fn a_wrong_token_and_a_name_that_there_is_not_are_answered_the_same() {
        let desk = with_token();
        let token = format!("Bearer {TOKEN}");
        let wrong = [
            ("/heartbeat/night%20backup", "Bearer 0123456789abcdef0123456789abcdee"),
            ("/heartbeat/night%20backup", TOKEN),
            ("/heartbeat/night%20backup", "Bearer "),
            ("/heartbeat/nobody", token.as_str()),
            ("/heartbeat/private", token.as_str()),
            ("/heartbeat/", token.as_str()),
        ];
        let first = ask(&desk, &Method::POST, wrong[0].0, wrong[0].1);
        assert_eq!(first.status, 401);
        for (path, authorization) in wrong {
            assert_eq!(ask(&desk, &Method::POST, path, authorization), first, "{path} {authorization}");
        }
        assert_eq!(desk.heartbeats.pulse("night backup").unwrap().last, None);
        assert_eq!(desk.heartbeats.pulse("private").unwrap().last, None);
    }

    #[test]
    fn what_is_no_sign_is_refused() {
        let desk = with_token();
        let token = format!("bearer {TOKEN}");
        assert_eq!(ask(&desk, &Method::GET, "/heartbeat/night%20backup", &token).status, 200, "a line in a crontab");
        assert_eq!(ask(&desk, &Method::DELETE, "/heartbeat/night%20backup", &token).status, 405);
        for what in ["/256", "/stop", "/start/x", "/-1"] {
            let answer = ask(&desk, &Method::POST, &format!("/heartbeat/night%20backup{what}"), &token);
            assert_eq!(answer.status, 404, "{what}");
        }
    }
}
