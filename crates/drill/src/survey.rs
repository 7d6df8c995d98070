//! Finds its way about a service that nobody described: probes, a safe path, something slow.
//!
//! A path counts as found only when its answer differs from what the service says of a path that cannot exist:
//! a single-page application answers 200 to everything.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::exchange::drip;
use crate::client::{Answer, Connection, Failure, Outcome, Request, Target, fetch, http2};
use crate::plan::Plan;

/// Names that mean liveness, and nothing else.
const LIVE: &[&str] = &[
    "/livez",
    "/health/live",
    "/healthz/live",
    "/health/liveness",
    "/live",
    "/liveness",
    "/actuator/health/liveness",
    "/q/health/live",
    "/up",
];

/// Names that mean readiness, and nothing else.
const READY: &[&str] = &[
    "/readyz",
    "/health/ready",
    "/healthz/ready",
    "/health/readiness",
    "/ready",
    "/readiness",
    "/actuator/health/readiness",
    "/q/health/ready",
];

/// Names that may mean either.
const HEALTH: &[&str] = &["/healthz", "/health", "/actuator/health", "/api/health", "/status", "/ping"];

const SLOW: &[&str] = &["/slow", "/sleep", "/delay/2"];
const UPLOAD: &[&str] = &["/upload", "/echo"];
const METRICS: &[&str] = &["/metrics", "/actuator/prometheus", "/q/metrics"];

/// How long a service that says it is ready may fail all the same, before we give up.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request of this length is surely under way when the signal comes.
const LONG: Duration = Duration::from_millis(300);

/// A probe path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Probe {
    pub(crate) path: String,
    /// Declared, or of a name that has one meaning.
    pub(crate) certain: bool,
}

/// Something that takes a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slow {
    pub(crate) path: String,
    pub(crate) takes: Duration,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) safe: String,
    pub(crate) live: Option<Probe>,
    pub(crate) ready: Option<Probe>,
    pub(crate) slow: Option<Slow>,
    pub(crate) upload: Option<String>,
    pub(crate) metrics: Option<String>,
    /// HTTP/2: under TLS where it was chosen by ALPN, in the clear with prior knowledge.
    pub(crate) http2: bool,
    pub(crate) notes: Vec<String>,
}

impl Survey {
    /// The liveness path, where it is certain that it means liveness.
    pub(crate) fn certain_live(&self) -> Option<&str> {
        self.live.as_ref().filter(|probe| probe.certain).map(|probe| probe.path.as_str())
    }

    pub(crate) fn ready_path(&self) -> Option<&str> {
        self.ready.as_ref().map(|probe| probe.path.as_str())
    }
}

/// Why a service cannot be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SurveyError {
    #[error("the service speaks TLS: say --url https://…")]
    Tls,
    #[error(
        "the service speaks TLS, and its certificate is not believed ({0}): name its authority by --ca-file FILE, or believe any by --insecure"
    )]
    Untrusted(String),
    #[error("the service does not speak TLS ({0}): say --url http://…, or leave --https away")]
    NoTls(String),
    #[error("the service gives no HTTP answer on {path}: {failure}")]
    Silent { path: String, failure: Failure },
    #[error("every path answers {status}: give what it asks for with --header 'Authorization: …'")]
    Unauthorized { status: u16 },
    #[error("GET {path} answers {status}: name a path that works with --path")]
    Broken { path: String, status: u16 },
    #[error(
        "readiness {path} did not answer 2xx within {limit:.0?} (last: {last}): is something missing in its environment? (--env NAME=VALUE)"
    )]
    NeverReady { path: String, limit: Duration, last: String },
}

/// Looks around. `since` is when the service was started.
pub(crate) async fn survey(target: &Target, plan: &Plan, since: Instant) -> Result<Survey, SurveyError> {
    let deadline = since + plan.start_timeout;
    let mut found = Survey::default();
    let unknown = first_answer(target, deadline).await?;
    let ask = Asking { target, unknown: &unknown };

    found.live = match &plan.paths.live {
        Some(path) => Some(Probe { path: path.clone(), certain: true }),
        None => ask.first(LIVE).await.map(|path| Probe { path, certain: true }),
    };
    found.ready = match &plan.paths.ready {
        Some(path) => Some(Probe { path: path.clone(), certain: true }),
        None => ask.first(READY).await.map(|path| Probe { path, certain: true }),
    };
    if found.live.is_none() || found.ready.is_none() {
        let health = ask.first(HEALTH).await.map(|path| Probe { path, certain: false });
        if let Some(probe) = &health {
            found
                .notes
                .push(format!("{} may mean liveness or readiness: declare it with --live or --ready", probe.path));
        }
        found.ready = found.ready.or_else(|| health.clone());
        found.live = found.live.or(health);
    }
    if let Some(path) = found.ready_path() {
        until_ready(target, path, deadline, plan.start_timeout).await?;
    }

    found.safe = plan.paths.safe.clone().unwrap_or_else(|| "/".to_owned());
    match until_well(target, &found.safe, deadline).await {
        Err(failure) => return Err(SurveyError::Silent { path: found.safe, failure }),
        Ok(answer) if matches!(answer.status, 401 | 403) && found.live.is_none() => {
            return Err(SurveyError::Unauthorized { status: answer.status });
        }
        Ok(answer) if answer.status >= 500 => {
            return Err(SurveyError::Broken { path: found.safe, status: answer.status });
        }
        Ok(answer) if (300..400).contains(&answer.status) => {
            let to = answer.header("location").unwrap_or("elsewhere").to_owned();
            let all = (300..400).contains(&unknown.status);
            let hint = if all && to.starts_with("https://") {
                "; everything is redirected, so little can be judged: where TLS ends before it, say --header 'X-Forwarded-Proto: https'"
            } else if all {
                "; everything is redirected, so little can be judged: name a --path that is not"
            } else {
                ""
            };
            found.notes.push(format!("GET {} redirects to {to}: the redirect counts as its answer{hint}", found.safe));
        }
        Ok(answer) if answer.status >= 400 => {
            found.notes.push(format!("GET {} answers {}: name a better path with --path", found.safe, answer.status));
        }
        Ok(_) => {}
    }
    found.slow = slow(&ask, plan, &mut found.notes).await;
    found.upload = upload(&ask, plan, &mut found.notes).await;
    found.metrics = match &plan.paths.metrics {
        Some(path) => Some(path.clone()),
        None => ask.first(METRICS).await,
    };
    found.http2 = http2::spoken(target).await;
    Ok(found)
}

/// The answer to a path that cannot exist: the first sign of HTTP.
async fn first_answer(target: &Target, deadline: Instant) -> Result<Answer, SurveyError> {
    let path = format!("/drill-{:016x}", fastrand::u64(..));
    let patience = deadline.min(Instant::now() + PATIENCE);
    loop {
        match fetch(target, &Request::get(&path), Duration::from_secs(10)).await {
            Ok(answer) if target.tls.is_none() && speaks_tls(&answer) => return Err(SurveyError::Tls),
            // What answers for a program that is still starting says this to everything, and nothing could be told apart.
            Ok(answer) if matches!(answer.status, 502..=504) && Instant::now() < patience => {
                sleep(Duration::from_millis(50)).await;
            }
            Ok(answer) => return Ok(answer),
            Err(Failure::Untrusted(why)) => return Err(SurveyError::Untrusted(why)),
            Err(Failure::Handshake(why)) => return Err(SurveyError::NoTls(why)),
            Err(Failure::Malformed(why)) if why.contains("\\u{15}\\u{3}") => return Err(SurveyError::Tls),
            // Node ends a plain connection without a word where it speaks TLS.
            Err(Failure::Closed { got: 0 } | Failure::Reset { got: 0 })
                if target.tls.is_none() && answers_tls(target).await =>
            {
                return Err(SurveyError::Tls);
            }
            Err(failure) if Instant::now() >= deadline => return Err(SurveyError::Silent { path, failure }),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The answer to the safe path. A service that only claims to be ready may need a moment yet.
async fn until_well(target: &Target, path: &str, deadline: Instant) -> Result<Answer, Failure> {
    let deadline = deadline.min(Instant::now() + PATIENCE);
    loop {
        let answer = fetch(target, &Request::get(path), Duration::from_secs(30)).await;
        if answer.as_ref().is_ok_and(|answer| answer.status < 500) || Instant::now() >= deadline {
            return answer;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Whether a broken `ClientHello` is answered by a record of TLS: an alert.
async fn answers_tls(target: &Target) -> bool {
    const LIMIT: Duration = Duration::from_secs(2);
    // A handshake record of five bytes: a ClientHello of one byte, which is too short.
    const HELLO: &[u8] = &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let answer = async {
        let mut connection = Connection::open(target, LIMIT).await?;
        connection.send(HELLO, LIMIT).await?;
        connection.raw(LIMIT).await
    };
    matches!(answer.await.as_deref(), Ok([0x15 | 0x16, 3, ..]))
}

/// nginx and Go tell a plain client so, in words.
fn speaks_tls(answer: &Answer) -> bool {
    let text = answer.text();
    answer.status == 400
        && (text.contains("plain HTTP request was sent to HTTPS port")
            || text.contains("HTTP request to an HTTPS server"))
}

/// Waits until readiness says yes.
pub(crate) async fn until_ready(
    target: &Target,
    path: &str,
    deadline: Instant,
    limit: Duration,
) -> Result<(), SurveyError> {
    loop {
        let answer = fetch(target, &Request::get(path), Duration::from_secs(5)).await;
        let last = match answer {
            Ok(answer) if answer.is_success() => return Ok(()),
            Ok(answer) => format!("answered {}", answer.status),
            Err(failure) => failure.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(SurveyError::NeverReady { path: path.to_owned(), limit, last });
        }
        sleep(Duration::from_millis(20)).await;
    }
}

struct Asking<'a> {
    target: &'a Target,
    unknown: &'a Answer,
}

impl Asking<'_> {
    /// The first of `paths` that exists. All are asked at once: one after another they would hold up a slow service for minutes.
    async fn first(&self, paths: &[&str]) -> Option<String> {
        let mut asked = JoinSet::new();
        for (place, path) in paths.iter().enumerate() {
            let (target, request) = (self.target.clone(), Request::get(path));
            asked.spawn(async move { (place, fetch(&target, &request, Duration::from_secs(10)).await) });
        }
        let answers = asked.join_all().await.into_iter();
        let found = answers.filter_map(|(place, answer)| self.exists(&answer.ok()?).then_some(place)).min();
        found.and_then(|place| paths.get(place)).map(|path| (*path).to_owned())
    }

    /// 2xx or 503 (not ready yet), and not what everything answers.
    fn exists(&self, answer: &Answer) -> bool {
        let same = self.unknown.status == answer.status
            && (self.unknown.body == answer.body
                || self.unknown.header("content-type") == answer.header("content-type"));
        (answer.is_success() || answer.status == 503) && !same
    }
}

async fn slow(ask: &Asking<'_>, plan: &Plan, notes: &mut Vec<String>) -> Option<Slow> {
    let declared = plan.paths.slow.as_deref();
    let candidates = declared.as_ref().map_or(SLOW, std::slice::from_ref);
    for path in candidates {
        let begun = Instant::now();
        let answer = fetch(ask.target, &Request::get(path), Duration::from_secs(30)).await;
        let takes = begun.elapsed();
        let answers = answer.as_ref().is_ok_and(|answer| answer.status < 400);
        if answers && takes >= LONG {
            return Some(Slow { path: (*path).to_owned(), takes });
        }
        if declared.is_some() {
            let what =
                answer.map_or_else(|failure| failure.to_string(), |answer| format!("answered {}", answer.status));
            notes.push(format!("--slow-path {path}: {what} after {takes:.1?}; it should succeed and take 1 to 5 s"));
        }
    }
    None
}

/// A path that reads an upload to its end before it answers. Only declared and telling names are tried: a POST may do something.
async fn upload(ask: &Asking<'_>, plan: &Plan, notes: &mut Vec<String>) -> Option<String> {
    let declared = plan.paths.upload.as_deref();
    let candidates = declared.as_ref().map_or(UPLOAD, std::slice::from_ref);
    for path in candidates {
        let (tried, early) = drip(ask.target, path, 3, Duration::from_millis(40), Duration::from_secs(10)).await;
        let accepted = tried.status.is_some_and(|status| status < 400);
        if !early && accepted && tried.outcome == Outcome::Ok {
            return Some((*path).to_owned());
        }
        if declared.is_some() {
            let what = tried.evidence(tried.begun);
            notes.push(format!("--upload-path {path} does not take an upload: {what}"));
        }
    }
    None
}
