//! The zoo: every named defect must be found, and nothing in a clean twin.
//!
//! `cargo run -p seaworthy-drill --example zoo [-- FILTER [RUNS]]` prints the table defect → check and fails where it does not
//! hold. `ZOO_PYTHON` names a Python that has flask and gunicorn; a server that is not installed is named and left out,
//! unless `ZOO_ALL=1` makes that a failure. `ZOO_JOBS` drills run at a time (2).
//!
//! The member `seaworthy` needs a built one: `cargo build` before, or `ZOO_SEAWORTHY=path/to/seaworthy`.
//!
//! `ZOO_BEHIND=path/to/seaworthy` puts each defect behind `seaworthy run` and prints, as a table, what that mends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use seaworthy_drill::{Arguments, Ending, run};
use serde::Deserialize;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Zoo {
    server: Vec<Server>,
    defect: Vec<Defect>,
    /// For the reference of the checks.
    #[serde(rename = "unfailing")]
    _unfailing: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    name: String,
    command: Vec<String>,
    needs: Vec<String>,
    /// Commands that are run once, before.
    #[serde(default)]
    builds: Vec<Vec<String>>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    admits: Vec<String>,
    /// Never stood in front of: it ends TLS itself, or is ours.
    #[serde(default)]
    alone: bool,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Defect {
    server: String,
    name: String,
    title: Option<String>,
    finds: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    findings: Vec<Found>,
    seconds: f64,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    verdict: String,
    seen: String,
    evidence: Vec<String>,
}

struct Place {
    zoo: PathBuf,
    /// What is built once.
    built: PathBuf,
    /// Files of this run alone.
    own: PathBuf,
    /// Where our own examples are built, this one among them.
    examples: PathBuf,
    python: String,
    /// The binary that stands in front of the members.
    behind: Option<String>,
}

impl Place {
    fn fill(&self, word: &str) -> String {
        word.replace("{zoo}", &self.zoo.display().to_string())
            .replace("{built}", &self.built.display().to_string())
            .replace("{python}", &self.python)
            .replace("{own}", &self.own.display().to_string())
            .replace("{examples}", &self.examples.display().to_string())
            .replace("{seaworthy}", &self.seaworthy())
    }

    /// Ours: named by `ZOO_SEAWORTHY`, or as `cargo build` leaves it.
    fn seaworthy(&self) -> String {
        let built = self.examples.with_file_name("seaworthy").display().to_string();
        std::env::var("ZOO_SEAWORTHY").unwrap_or(built)
    }

    fn call(&self, words: &[String]) -> bool {
        let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// One drill in this process; its report.
    fn drill(&self, server: &Server, defect: Option<&Defect>, number: usize) -> Result<Report, Error> {
        let report = self.own.join(format!("report-{number}.json"));
        let mut words: Vec<String> =
            ["drill", "--quiet", "--level", "may", "--grace", "8s", "--start-timeout", "30s"].map(str::to_owned).into();
        words.extend(["--format".to_owned(), "json".to_owned(), "--report".to_owned(), report.display().to_string()]);
        words.extend(server.args.iter().map(|word| self.fill(word)));
        let gunicorn = Path::new(&self.python).with_file_name("gunicorn");
        let gunicorn = if self.python.contains('/') { gunicorn.display().to_string() } else { "gunicorn".to_owned() };
        words.push(format!("--env=ZOO_GUNICORN={gunicorn}"));
        words.push(format!("--env=ZOO_PYTHON={}", self.python));
        if let Some(defect) = defect {
            words.extend(defect.args.iter().map(|word| self.fill(word)));
            words.push(format!("--env=DEFECT={}", defect.name));
            words.extend(defect.finds.iter().map(|id| format!("--only={id}")));
        }
        if self.behind.is_some() {
            words.push("--grace=20s".to_owned());
            let settings = ["PROBES__PUBLIC=true", "DRAIN__GRACE=20s", "DRAIN__DELAY=3500ms"];
            words.extend(settings.map(|setting| format!("--env=SEAWORTHY_{setting}")));
        }
        words.push("--".to_owned());
        if let Some(seaworthy) = &self.behind {
            let run = [seaworthy, "run", "--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:0", "--"];
            words.extend(run.map(str::to_owned));
        }
        words.extend(server.command.iter().map(|word| self.fill(word)));
        let arguments = Arguments::try_parse_from(words)?;
        let ending = run(&arguments);
        if ending == Ending::Interrupted {
            return Err("interrupted".into());
        }
        let text = std::fs::read_to_string(&report).map_err(|error| format!("no report ({ending:?}): {error}"))?;
        std::fs::remove_file(&report)?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// What is wrong with what was found; empty when all is as it should be.
fn judge(report: &Report, server: &Server, defect: Option<&Defect>) -> Vec<String> {
    let describe = |found: &Found| format!("{} {}: {} {:?}", found.verdict, found.id, found.seen, found.evidence);
    if let Some(defect) = defect {
        let missed = defect.finds.iter().filter_map(|id| {
            let found = report.findings.iter().find(|found| found.id == *id);
            match found {
                Some(found) if found.verdict == "fail" => None,
                Some(found) => Some(describe(found)),
                None => Some(format!("{id} was not judged")),
            }
        });
        missed.collect()
    } else {
        let wrong = report.findings.iter().filter(|found| matches!(found.verdict.as_str(), "fail" | "error"));
        wrong.filter(|found| !server.admits.contains(&found.id)).map(describe).collect()
    }
}

fn main() -> Result<ExitCode, Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.first().cloned().unwrap_or_default();
    let runs: usize = arguments.get(1).map_or(Ok(1), |runs| runs.parse())?;
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo");
    let members: Zoo = toml::from_str(&std::fs::read_to_string(zoo.join("members.toml"))?)?;
    let built = std::env::temp_dir().join("seaworthy-drill-zoo");
    std::fs::create_dir_all(&built)?;
    let behind = std::env::var("ZOO_BEHIND").ok();
    let own = built.join(format!("run-{}", std::process::id()));
    std::fs::create_dir_all(&own)?;
    let examples = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
    let python = std::env::var("ZOO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let place = Place { zoo, built, own, examples, python, behind };

    let dependency = echo()?;
    let config = format!(
        "[[dependency]]\nenv = \"DEPENDENCY\"\nvalue = \"{dependency}\"\npath = \"/dependency\"\naffects = \"ready\"\n\n\
         [config]\ninvalid = {{ env = \"POOL_SIZE\", value = \"many\" }}\n\
         overrides = {{ env = \"GREETING\", value = \"the zoo\", path = \"/\", contains = \"the zoo\" }}\n\
         secret-file = {{ env = \"TOKEN_FILE\", value = \"a token of the zoo\" }}\n"
    );
    std::fs::write(place.own.join("dependency.toml"), config)?;
    std::fs::write(place.own.join("grpc.toml"), "grpc = true\n")?;

    let mut servers = HashMap::new();
    let mut broken = 0;
    for server in &members.server {
        let wanted = members
            .defect
            .iter()
            .any(|defect| label(server, Some(defect)).contains(&filter) && defect.server == server.name);
        if !wanted && !label(server, None).contains(&filter) {
            continue;
        }
        if !place.call(&server.needs) || !server.builds.iter().all(|build| place.call(build)) {
            println!("{}: not installed, left out", server.name);
            broken += usize::from(std::env::var_os("ZOO_ALL").is_some());
            continue;
        }
        servers.insert(server.name.clone(), server);
    }
    let mut tasks: Vec<(&Server, Option<&Defect>)> = Vec::new();
    for _ in 0..runs {
        tasks.extend(
            members.server.iter().filter(|server| servers.contains_key(&server.name)).map(|server| (server, None)),
        );
        tasks.extend(members.defect.iter().filter_map(|defect| Some((*servers.get(&defect.server)?, Some(defect)))));
    }
    if place.behind.is_some() {
        tasks.retain(|(server, defect)| defect.is_some() && !server.alone);
        println!("| server | defect | check | alone | behind seaworthy |\n| --- | --- | --- | --- | --- |");
    }
    tasks.retain(|(server, defect)| label(server, *defect).contains(&filter));

    let (next, failed, out) = (AtomicUsize::new(0), AtomicUsize::new(broken), Mutex::new(()));
    let jobs: usize = std::env::var("ZOO_JOBS").ok().map_or(Ok(2), |jobs| jobs.parse())?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((server, defect)) = tasks.get(number) else { return };
                    let (wrong, seconds) = match place.drill(server, *defect, number) {
                        Ok(report) => (judge(&report, server, *defect), report.seconds),
                        Err(error) if error.to_string() == "interrupted" => {
                            next.store(tasks.len(), Ordering::Relaxed);
                            return;
                        }
                        Err(error) => (vec![error.to_string()], 0.0),
                    };
                    let _line = out.lock();
                    if let (Some(defect), true) = (defect, place.behind.is_some()) {
                        mended(server, defect, &wrong);
                        continue;
                    }
                    let finds = defect.map_or("nothing".to_owned(), |defect| defect.finds.join(", "));
                    let verdict = if wrong.is_empty() { "ok  " } else { "BAD " };
                    println!("{verdict} {seconds:>5.1} s  {} → {finds}", label(server, *defect));
                    for line in &wrong {
                        println!("       {line}");
                    }
                    failed.fetch_add(usize::from(!wrong.is_empty()), Ordering::Relaxed);
                }
            });
        }
    });
    let failed = failed.into_inner();
    std::fs::remove_dir_all(&place.own)?;
    println!("{} drills, {failed} wrong, {:.0?}", tasks.len(), begun.elapsed());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A row of what standing behind us mends: what is not found any more.
fn mended(server: &Server, defect: &Defect, gone: &[String]) {
    let title = defect.title.as_deref().unwrap_or(&defect.name);
    for id in &defect.finds {
        let now =
            gone.iter().find_map(|line| line.split_once(&format!(" {id}:")).map(|(verdict, _)| verdict.to_owned()));
        println!("| {} | {title} | `{id}` | fail | {} |", server.name, now.as_deref().unwrap_or("fail"));
    }
}

/// A dependency that answers each line with that line.
fn echo() -> Result<std::net::SocketAddr, Error> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let Ok(mut back) = stream.try_clone() else { return };
                let _ = std::io::copy(&mut &stream, &mut back);
            });
        }
    });
    Ok(address)
}

fn label(server: &Server, defect: Option<&Defect>) -> String {
    let what = defect.map_or("clean twin", |defect| defect.title.as_deref().unwrap_or(&defect.name));
    format!("{}: {what}", server.name)
}
