//! What a service uses, and what it needs of the machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Request, Target, fetch};
use crate::context::Context;
use crate::finding::Finding;
use crate::plan::Subject;
use crate::program::{Instance, proc};

const COVERS: &[&str] = &["resources.fds-return", "resources.memory-returns"];

pub(crate) const GROWTH: Rehearsal =
    Rehearsal { name: "resources", covers: COVERS, touch: Touch::Strain, run: |context| Box::pin(growth(context)) };

pub(crate) const NEEDS: Rehearsal = Rehearsal {
    name: "privileges",
    covers: &["resources.readonly-rootfs", "resources.non-root"],
    touch: Touch::Control,
    run: |context| Box::pin(needs(context)),
};

const ROUND: usize = 300;
const ROUNDS: usize = 4;
/// A runtime's heap grows in steps; a leak of less than this a request takes days to matter.
const LEAK: u64 = 64 * 1024;

async fn growth(context: &Context) -> Findings {
    let place = context.place().await?;
    let pids = || match (&place.stage, &context.plan.subject) {
        (Some(stage), _) => stage.instance.processes().iter().map(|process| process.pid).collect(),
        (None, Subject::Running { pid: Some(pid), .. }) => vec![*pid],
        _ => Vec::new(),
    };
    if pids().is_empty() {
        let none = |id: &&str| Finding::not_applicable(id, "the process is not known: give it with --pid");
        return Ok(COVERS.iter().map(none).collect());
    }
    // The first round is the warm-up: pools, caches and compilers take their share.
    round(&place.target, &context.survey.safe).await;
    round(&place.target, &context.survey.safe).await;
    let (mut files, mut memory) = (vec![proc::open_files(&pids())], vec![proc::resident(&pids())]);
    for _ in 0..ROUNDS {
        let answered = round(&place.target, &context.survey.safe).await;
        if answered == 0 {
            let none = |id: &&str| Finding::error(id, "the service was not reached");
            return Ok(COVERS.iter().map(none).collect());
        }
        // Connections that were just closed are still being put away.
        sleep(Duration::from_millis(300)).await;
        files.push(proc::open_files(&pids()));
        memory.push(proc::resident(&pids()));
    }
    Ok(vec![fds(&files), resident(&memory)])
}

async fn round(target: &Target, path: &str) -> usize {
    let mut senders = JoinSet::new();
    for _ in 0..4 {
        let (target, request) = (target.clone(), Request::get(path));
        senders.spawn(async move {
            let mut answered = 0;
            for _ in 0..ROUND / 4 {
                answered += usize::from(fetch(&target, &request, Duration::from_secs(10)).await.is_ok());
            }
            answered
        });
    }
    senders.join_all().await.iter().sum()
}

fn fds(counts: &[usize]) -> Finding {
    const ID: &str = "resources.fds-return";
    let list: Vec<String> = counts.iter().map(ToString::to_string).collect();
    let seen = format!("open files after each round of {ROUND} requests: {}", list.join(", "));
    // Each round must add: a pool that fills once is none.
    let steady = counts.windows(2).all(|pair| pair[1] >= pair[0] + ROUND / 20);
    if steady { Finding::fail(ID, seen) } else { Finding::pass(ID, seen) }
}

fn resident(sizes: &[u64]) -> Finding {
    const ID: &str = "resources.memory-returns";
    let list: Vec<String> = sizes.iter().map(|bytes| format!("{:.0}", *bytes as f64 / 1_048_576.0)).collect();
    let seen = format!("MiB of resident memory after each round of {ROUND} requests: {}", list.join(", "));
    let steady = sizes.windows(2).all(|pair| pair[1] > pair[0] + LEAK * ROUND as u64);
    if steady { Finding::fail(ID, seen) } else { Finding::pass(ID, seen) }
}

async fn needs(context: &Context) -> Findings {
    let Subject::Program(launch) = &context.plan.subject else { return Err(crate::context::Trouble::NoControl) };
    let directory = launch.dir.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("."));
    let before = files(&directory);
    let stage = context.fresh().await?;
    for _ in 0..20 {
        let _ = fetch(&stage.target, &Request::get(&context.survey.safe), Duration::from_secs(10)).await;
    }
    let root = runs_as_root(&stage.instance);
    stage.instance.kill().await;
    let written: Vec<String> = files(&directory)
        .into_iter()
        .filter(|(path, at)| before.get(path) != Some(at))
        .map(|(path, _)| path.display().to_string())
        .collect();
    let readonly = if written.is_empty() {
        Finding::pass("resources.readonly-rootfs", format!("nothing was written below {}", directory.display()))
    } else {
        Finding::fail(
            "resources.readonly-rootfs",
            format!("{} files were written below {}", written.len(), directory.display()),
        )
        .with(written)
    };
    Ok(vec![readonly, non_root(context, root).await])
}

/// Files and their times, three levels deep, at most some thousands.
fn files(directory: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            // Caches of build tools are not the program's.
            let ignored = name.to_str().is_some_and(|name| matches!(name, ".git" | "node_modules" | "target"));
            if kind.is_dir() && depth < 3 && !ignored {
                waiting.push((entry.path(), depth + 1));
            } else if kind.is_file() && found.len() < 5000 {
                let modified = entry.metadata().and_then(|metadata| metadata.modified());
                found.insert(entry.path(), modified.unwrap_or(SystemTime::UNIX_EPOCH));
            }
        }
    }
    found
}

fn runs_as_root(instance: &Instance) -> bool {
    let uid = proc::status(instance.pid, "Uid");
    uid.is_some_and(|uid| uid.split_whitespace().nth(1) == Some("0"))
}

async fn non_root(context: &Context, root: bool) -> Finding {
    const ID: &str = "resources.non-root";
    if !root {
        return Finding::pass(ID, "it served without being root");
    }
    let prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"].map(str::to_owned);
    match context.fresh_behind(&prefix).await {
        Ok(stage) if !runs_as_root(&stage.instance) => Finding::pass(ID, "it served as nobody"),
        Ok(_) => Finding::not_proven(ID, "it could not be started as another user"),
        // Its files may not be readable to nobody here, which says nothing of an image.
        Err(trouble) => {
            let why = trouble.to_string();
            Finding::not_proven(ID, "it did not serve as nobody here; its files may not be readable for that user")
                .with(why.lines().take(6).map(str::to_owned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn a_step_is_no_leak_and_a_steady_climb_is() {
        assert_eq!(fds(&[20, 80, 80, 81, 80]).verdict, Verdict::Pass);
        assert_eq!(fds(&[20, 320, 620, 920, 1220]).verdict, Verdict::Fail);
        let mib = |sizes: [u64; 5]| resident(&sizes.map(|size| size << 20)).verdict;
        assert_eq!(mib([50, 90, 91, 120, 119]), Verdict::Pass);
        assert_eq!(mib([50, 200, 350, 500, 650]), Verdict::Fail);
    }
}
