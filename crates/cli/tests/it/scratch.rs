//! As in an image `FROM scratch`: the binary alone in a root that cannot be written to, as a user that no file knows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::bed::{Log, Upstream, descendants, get, output, until};

/// Makes `$0` the root, read-only but for what the kernel shows in `/proc`, and runs the rest in it.
const ENTER: &str = "set -e; mount --bind \"$0\" \"$0\"; mount -t proc proc \"$0/proc\"; mount -o remount,bind,ro \"$0\"; \
                     exec chroot $USERSPEC \"$0\" \"$@\"";

fn in_root(root: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["sh", "-c", ENTER]).arg(root).args(words);
    // Whoever is not root can be nobody else in a namespace of its own.
    let user = if is_root { "--userspec=10001:10001" } else { "--userspec=0:0" };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("USERSPEC", user);
    command
}

/// A root with nothing in it but the binary.
fn root() -> TempDir {
    let root = tempfile::tempdir().expect("a directory can be made");
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    std::fs::create_dir(root.path().join("proc")).expect("a directory can be made");
    std::fs::copy(env!("CARGO_BIN_EXE_seaworthy"), root.path().join("seaworthy")).expect("it can be copied");
    root
}

/// Serves `target`, answers the health check of an image, and stops in order.
#[track_caller]
fn serves(command: &[&str], target: &str) {
    let root = root();
    let words = [&["/seaworthy"][..], command, &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]].concat();
    let mut starting = in_root(root.path(), &words);
    starting.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = starting.spawn().expect("unshare is there: `cargo xtask test` installs it");
    let log = Log::of(child.stdout.take().expect("it is piped"));
    let banner = log.event("listening");
    let address = |key: &str| banner[key].as_str().expect("an address").parse().expect("an address");
    let (public, ops) = (address("public"), address("admin"));
    until("it is ready", || (get(ops, "/health/ready").status == 200).then_some(()));
    assert_eq!(get(public, target).status, 200);

    let probe = format!("http://{ops}/health/live");
    assert_eq!(output(&mut in_root(root.path(), &["/seaworthy", "probe", &probe])), format!("{probe}: alive (200)\n"));

    let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let init = descendants(child.id()).into_iter().find(|pid| name(pid).trim() == "seaworthy").expect("it runs");
    let pid = i32::try_from(init).ok().and_then(Pid::from_raw).expect("a process has a number");
    kill_process(pid, Signal::TERM).expect("it takes signals");
    let ended = until("it ended", || child.try_wait().expect("it can be waited for"));
    assert_eq!(ended.code(), Some(0), "{}", log.all());
    assert!(log.all().contains("Graceful shutdown complete"), "{}", log.all());
}

#[test]
fn it_stands_in_front_of_something_from_an_empty_root_that_is_read_only() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    serves(&["run", "--upstream", &upstream.url()], "/");
}

#[test]
fn the_demo_needs_nothing_but_the_binary() {
    serves(&["demo"], "/hello");
}

/// A build looks at every member of the workspace, and at the schema, whatever it builds.
#[test]
fn the_context_of_the_image_holds_all_that_a_build_reads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("it is JSON");
    let members = metadata["packages"].as_array().expect("packages").iter();
    let manifests = members.map(|member| member["manifest_path"].as_str().expect("a path").to_owned());
    let ignored = std::fs::read_to_string(root.join(".dockerignore")).expect("it can be read");
    let taken: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).map(|path| root.join(path)).collect();
    for needed in manifests.chain([root.join("docs/reference/seaworthy.schema.json").display().to_string()]) {
        assert!(taken.iter().any(|path| Path::new(&needed).starts_with(path)), "{needed} is not in .dockerignore");
    }
}
