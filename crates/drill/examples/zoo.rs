//! The zoo: every named defect must be found, and nothing in a clean twin.
//!
//! `cargo run -p seaworthy-drill --example zoo [-- FILTER [RUNS]]` prints the table defect → check and fails where it does not
//! hold. `ZOO_PYTHON` names a Python that has flask and gunicorn; a server that is not installed is named and left out,
//! unless `ZOO_ALL=1` makes that a failure. `ZOO_JOBS` drills run at a time (2).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use seaworthy_drill::{Arguments, run};
use serde::Deserialize;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Zoo {
    server: Vec<Server>,
    defect: Vec<Defect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    name: String,
    command: Vec<String>,
    needs: Vec<String>,
    build: Option<Vec<String>>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    admits: Vec<String>,
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
    built: PathBuf,
    python: String,
}

impl Place {
    fn fill(&self, word: &str) -> String {
        word.replace("{zoo}", &self.zoo.display().to_string())
            .replace("{built}", &self.built.display().to_string())
            .replace("{python}", &self.python)
            .replace("{dependency}", &self.built.join("dependency.toml").display().to_string())
    }

    fn call(&self, words: &[String]) -> bool {
        let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// One drill in this process; its report.
    fn drill(&self, server: &Server, defect: Option<&Defect>, number: usize) -> Result<Report, Error> {
        let report = self.built.join(format!("report-{}-{number}.json", std::process::id()));
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
        words.push("--".to_owned());
        words.extend(server.command.iter().map(|word| self.fill(word)));
        let arguments = Arguments::try_parse_from(words)?;
        let ending = run(&arguments);
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
    let place = Place { zoo, built, python: std::env::var("ZOO_PYTHON").unwrap_or_else(|_| "python3".to_owned()) };

    let dependency = echo()?;
    let config = format!(
        "[[dependency]]\nenv = \"DEPENDENCY\"\nvalue = \"{dependency}\"\npath = \"/dependency\"\naffects = \"ready\"\n\n\
         [config]\ninvalid = {{ env = \"POOL_SIZE\", value = \"many\" }}\n"
    );
    std::fs::write(place.built.join("dependency.toml"), config)?;

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
        if !place.call(&server.needs) || server.build.as_ref().is_some_and(|build| !place.call(build)) {
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
                        Err(error) => (vec![error.to_string()], 0.0),
                    };
                    let _line = out.lock();
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
    println!("{} drills, {failed} wrong, {:.0?}", tasks.len(), begun.elapsed());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
