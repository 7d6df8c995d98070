//! What a service uses, and what it needs of the machine.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

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
    let stage = context.fresh().await?;
    let root = runs_as_root(&stage.instance);
    stage.instance.kill().await;
    Ok(vec![readonly(context, &directory).await, non_root(context, root).await])
}

/// Binds the directory upon itself, read-only, and goes on as the program.
const READ_ONLY: &str =
    "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && cd \"$1\" && shift && exec \"$@\"";

async fn readonly(context: &Context, directory: &Path) -> Finding {
    const ID: &str = "resources.readonly-rootfs";
    let ways: [&[&str]; 2] = [&["unshare", "--mount"], &["unshare", "--user", "--map-root-user", "--mount"]];
    if std::env::temp_dir().starts_with(directory) {
        // Temporary files may be written, in an image too.
        return Finding::not_proven(ID, "its directory holds the directory of temporary files");
    }
    let Some(directory) = directory.to_str() else {
        return Finding::not_proven(ID, "the name of its directory is not UTF-8");
    };
    for way in ways {
        let prefix: Vec<String> =
            way.iter().chain(&["sh", "-c", READ_ONLY, "sh", directory]).map(|&word| word.to_owned()).collect();
        if !runs(prefix.iter().map(String::as_str).chain(["true"])).await {
            continue;
        }
        return match context.fresh_behind(&prefix).await {
            Ok(_) => Finding::pass(ID, format!("it served with {directory} read-only")),
            Err(trouble) => Finding::fail(ID, format!("it does not serve with {directory} read-only"))
                .with(trouble.to_string().lines().take(6).map(str::to_owned)),
        };
    }
    Finding::not_proven(ID, "no mount namespace can be made here")
}

/// Whether a command ends well.
async fn runs<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    let mut words = words.map(str::to_owned);
    let Some(program) = words.next() else { return false };
    let mut command = std::process::Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.status().is_ok_and(|status| status.success())).await;
    ended.unwrap_or(false)
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
