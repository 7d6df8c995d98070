//! Headers of answers, cookies, CORS and errors.

use std::time::Duration;

use super::{Findings, Rehearsal, Touch};
use crate::catalogue::Level;
use crate::client::{Answer, Request, Target, fetch};
use crate::context::Context;
use crate::finding::Finding;
use crate::secrets;

pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    name: "headers",
    covers: &[
        "headers.nosniff",
        "headers.framing",
        "headers.csp",
        "headers.hsts-under-tls",
        "headers.referrer",
        "headers.no-powered-by",
        "headers.cors-not-universal",
        "headers.cookies-flagged",
        "headers.errors-generic",
    ],
    touch: Touch::Ask,
    run: |context| Box::pin(run(context)),
};

const LIMIT: Duration = Duration::from_secs(10);

/// Nobody's page: `.invalid` is reserved (RFC 2606).
const STRANGER: &str = "https://stranger.invalid";

async fn run(context: &Context) -> Findings {
    let place = context.place().await?;
    let target = &place.target;
    let safe = &context.survey.safe;
    let answer = fetch(target, &Request::get(safe).header("accept", "text/html, */*"), LIMIT).await;
    let answer = answer.map_err(|failure| crate::context::Trouble::Other(format!("GET {safe}: {failure}")))?;
    Ok(vec![
        nosniff(&answer, safe),
        protected(&answer, "headers.framing", |answer| {
            let csp = answer.header("content-security-policy").unwrap_or_default();
            answer.header("x-frame-options").is_some() || csp.contains("frame-ancestors")
        }),
        protected(&answer, "headers.csp", |answer| answer.header("content-security-policy").is_some()),
        hsts(&answer, target.tls.is_some()),
        referrer(&answer),
        powered_by(&answer),
        cors(target, safe).await,
        cookies(context, target).await,
        errors(context, target).await,
    ])
}

fn is_html(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}

fn nosniff(answer: &Answer, path: &str) -> Finding {
    const ID: &str = "headers.nosniff";
    match answer.header("x-content-type-options") {
        Some(value) if value.eq_ignore_ascii_case("nosniff") => Finding::pass(ID, format!("GET {path} says nosniff")),
        Some(other) => Finding::fail(ID, format!("GET {path} says {other:?} instead of nosniff")),
        None if answer.length == 0 => Finding::not_applicable(ID, format!("GET {path} has no body")),
        None => Finding::fail(ID, format!("GET {path} does not say nosniff")),
    }
}

/// What protects pages: of an answer that is none it is only good manners.
fn protected(answer: &Answer, id: &str, holds: impl Fn(&Answer) -> bool) -> Finding {
    if holds(answer) {
        return Finding::pass(id, "the header is there");
    }
    if is_html(answer) {
        return Finding::fail(id, "an HTML page without it");
    }
    let kind = answer.header("content-type").unwrap_or("nothing").to_owned();
    Finding::fail(id, format!("not there; the answer is {kind}, not HTML")).at(Level::May)
}

/// Half a year: less is forgotten between two visits.
const HSTS_AGE: u64 = 15_768_000;

fn hsts(answer: &Answer, under_tls: bool) -> Finding {
    const ID: &str = "headers.hsts-under-tls";
    match (answer.header("strict-transport-security"), under_tls) {
        (Some(value), true) => match max_age(value) {
            Some(age) if age >= HSTS_AGE => Finding::pass(ID, value.to_owned()),
            Some(0) | None => Finding::fail(ID, format!("Strict-Transport-Security {value:?} protects nobody")),
            Some(_) => Finding::fail(ID, format!("Strict-Transport-Security {value:?} is for less than half a year"))
                .at(Level::May),
        },
        (None, true) => Finding::fail(ID, "an answer under TLS without Strict-Transport-Security"),
        (Some(value), false) => {
            Finding::fail(ID, format!("Strict-Transport-Security {value:?} in the clear, where it must be ignored"))
                .at(Level::May)
        }
        (None, false) => Finding::not_applicable(ID, "no TLS here, and no HSTS"),
    }
}

fn max_age(value: &str) -> Option<u64> {
    value.split(';').find_map(|directive| {
        let (name, age) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| age.trim().trim_matches('"').parse().ok())?
    })
}

fn referrer(answer: &Answer) -> Finding {
    const ID: &str = "headers.referrer";
    match answer.header("referrer-policy") {
        Some(value) if !value.contains("unsafe-url") => Finding::pass(ID, value.to_owned()),
        Some(value) => Finding::fail(ID, format!("Referrer-Policy {value:?}")),
        None => Finding::fail(ID, "no Referrer-Policy"),
    }
}

fn powered_by(answer: &Answer) -> Finding {
    const ID: &str = "headers.no-powered-by";
    let telling = ["x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-runtime-version"];
    let mut told: Vec<String> =
        telling.iter().filter_map(|name| Some(format!("{name}: {}", answer.header(name)?))).collect();
    if let Some(server) = answer.header("server")
        && server.split('/').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        told.push(format!("server: {server}"));
    }
    if told.is_empty() {
        return Finding::pass(ID, "neither X-Powered-By nor a version in Server");
    }
    Finding::fail(ID, "the answer tells what it runs on").with(told)
}

async fn cors(target: &Target, path: &str) -> Finding {
    const ID: &str = "headers.cors-not-universal";
    let (mut open, mut read) = (Vec::new(), 0);
    for origin in [STRANGER, "null"] {
        let plain = Request::get(path).header("origin", origin);
        let preflight = Request::new("OPTIONS", path)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        for request in [plain, preflight] {
            let Ok(answer) = fetch(target, &request, LIMIT).await else { continue };
            read += 1;
            let allowed = answer.header("access-control-allow-origin").unwrap_or_default();
            let credentials = answer.header("access-control-allow-credentials").unwrap_or_default();
            if allowed == origin && credentials.eq_ignore_ascii_case("true") {
                open.push(format!("{request} with Origin {origin}: allowed with credentials"));
            }
        }
    }
    if !open.is_empty() {
        return Finding::fail(ID, "any origin may read with the user's credentials").with(open);
    }
    if read == 0 {
        return Finding::error(ID, "no answer to a request with an Origin");
    }
    Finding::pass(ID, format!("{read} answers to strangers: none with credentials"))
}

async fn cookies(context: &Context, target: &Target) -> Finding {
    const ID: &str = "headers.cookies-flagged";
    let mut cookies = Vec::new();
    let mut read = 0;
    for path in [context.survey.safe.as_str(), "/login"] {
        let Ok(answer) = fetch(target, &Request::get(path), LIMIT).await else { continue };
        read += 1;
        let set = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        cookies.extend(set.map(|(_, value)| value.clone()));
    }
    if read == 0 {
        return Finding::error(ID, "no answer to look at");
    }
    let sessions: Vec<&String> = cookies.iter().filter(|cookie| is_session(cookie)).collect();
    if sessions.is_empty() {
        return Finding::not_applicable(ID, "no session cookie was set on the paths that were asked");
    }
    let under_tls = target.tls.is_some();
    let bare: Vec<String> = sessions.iter().filter_map(|cookie| lacking(cookie, under_tls)).collect();
    if bare.is_empty() {
        let flags = if under_tls { "HttpOnly, SameSite and Secure" } else { "HttpOnly and SameSite" };
        return Finding::pass(ID, format!("{} session cookies have {flags}", sessions.len()));
    }
    Finding::fail(ID, "session cookies without their flags").with(bare)
}

/// By its name. A token against forged requests must be readable by scripts.
fn is_session(cookie: &str) -> bool {
    let name = cookie.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let forged = name.contains("csrf") || name.contains("xsrf");
    !forged && (["sess", "token", "auth", "jwt"].iter().any(|part| name.contains(part)) || name.ends_with("sid"))
}

/// The name of the cookie and what it lacks; never its value.
fn lacking(cookie: &str, under_tls: bool) -> Option<String> {
    let mut parts = cookie.split(';').map(str::trim);
    let name = parts.next()?.split('=').next()?.to_owned();
    let flags: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    let mut lacks = Vec::new();
    if !flags.iter().any(|flag| flag == "httponly") {
        lacks.push("HttpOnly");
    }
    if !flags.iter().any(|flag| flag.starts_with("samesite=")) {
        lacks.push("SameSite");
    }
    // Where TLS ends elsewhere, Secure may be added there.
    if under_tls && !flags.iter().any(|flag| flag == "secure") {
        lacks.push("Secure");
    }
    (!lacks.is_empty()).then(|| format!("{name} lacks {}", lacks.join(" and ")))
}

async fn errors(context: &Context, target: &Target) -> Finding {
    const ID: &str = "headers.errors-generic";
    let unknown = "/drill-no-such-path";
    let mut requests: Vec<Request> =
        ["/%", "/%ff%fe", unknown, "/..%2f..%2fetc", "/?drill[]=%00&drill=%"].map(Request::get).into();
    requests.extend(context.plan.paths.error.as_deref().map(Request::get));
    if let Some(path) = &context.survey.upload {
        requests.push(Request::post(path, "application/json", "{\"drill\":"));
    }
    let (mut telling, mut read, mut failed) = (Vec::new(), 0, 0);
    for request in &requests {
        let Ok(answer) = fetch(target, request, LIMIT).await else { continue };
        if answer.status < 400 {
            continue;
        }
        read += 1;
        failed += usize::from(answer.status >= 500);
        let text = answer.text();
        let trace = secrets::stack_trace(&text).map(|language| format!("a {language} stack trace"));
        let shown = trace.into_iter().chain(secrets::in_text(&text, &context.plan));
        telling.extend(shown.map(|what| format!("{request} answered {} with {what}", answer.status)));
    }
    if !telling.is_empty() {
        return Finding::fail(ID, "error answers show the inside").with(telling);
    }
    if failed == 0 {
        let seen = format!("{read} client errors tell nothing; no 500 could be provoked: name one with --error-path");
        return Finding::not_proven(ID, seen);
    }
    Finding::pass(ID, format!("{read} error answers were read, {failed} of them 5xx"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn a_session_cookie_is_told_by_its_name_and_its_value_is_never_shown() {
        assert!(is_session("connect.sid=x") && is_session("auth_token=x") && is_session("PHPSESSID=1"));
        assert!(!is_session("csrf_token=x") && !is_session("theme=dark"));
        assert_eq!(lacking("sid=s3cret; Path=/", false).as_deref(), Some("sid lacks HttpOnly and SameSite"));
        assert_eq!(lacking("sid=s3cret; HttpOnly; SameSite=Lax", false), None);
        assert_eq!(lacking("sid=s3cret; HttpOnly; SameSite=Lax", true).as_deref(), Some("sid lacks Secure"));
    }

    #[test]
    fn hsts_must_be_there_under_tls_and_last() {
        let with = |value: Option<&str>| Answer {
            status: 200,
            headers: value
                .map(|value| ("Strict-Transport-Security".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            body: Vec::new(),
            length: 0,
            ended: std::time::Instant::now(),
            close: false,
        };
        let judged = |value| {
            let finding = hsts(&with(value), true);
            (finding.verdict, finding.level)
        };
        assert_eq!(judged(Some("includeSubDomains; Max-Age=\"31536000\"")).0, Verdict::Pass);
        assert_eq!(judged(Some("max-age=600")), (Verdict::Fail, Level::May));
        assert_eq!(judged(Some("max-age=0")), (Verdict::Fail, Level::Should));
        assert_eq!(judged(None), (Verdict::Fail, Level::Should));
        assert_eq!(hsts(&with(None), false).verdict, Verdict::NotApplicable);
    }
}
