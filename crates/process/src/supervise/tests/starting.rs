//! What a program is given when it starts.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::config::{Account, Secret, User};

#[tokio::test]
async fn arguments_reach_the_program_unchanged_but_for_the_port() {
    let odd = OsString::from_vec(b"\xff a\n'\"$HOME".to_vec());
    let script = "printf '%s' \"$1\" | od -An -tx1; echo \"port $2 $PORT $ADMIN_PORT\"; exec sleep 300";
    let mut command = sh(script);
    command.extend(["name".into(), odd, "--listen=[::]:{port}".into()]);
    let mut harness = setup(command, AppPort::Pick).start();
    let Report::Started { port: Some(port), .. } = harness.report().await else { panic!("started with a port") };
    harness.recorder.said(" ff 20 61 0a 27 22 24 48 4f 4d 45").await;
    let ports = harness.recorder.said_after("port ").await;
    let ports: Vec<&str> = ports.split(' ').collect();
    assert_eq!(ports[..2], [format!("--listen=[::]:{port}").as_str(), port.to_string().as_str()]);
    assert!(ports[2].parse::<u16>().is_ok_and(|admin| admin != port), "{ports:?}");
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_worker_is_ready_as_it_runs_and_gets_what_is_configured_and_nothing_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    let mut built = worker("pwd; echo \"token $TOKEN port ${PORT-none}\"; exec sleep 300");
    built.setup.app.env.insert("TOKEN".to_owned(), Secret::new("hunter2".to_owned()));
    built.setup.app.cwd = Some(directory.path().to_owned());
    let mut harness = built.start();
    let (_, address) = harness.ready().await;
    assert_eq!(address, None);
    harness.recorder.said(directory.path().canonicalize().unwrap().to_str().unwrap()).await;
    harness.recorder.said("token hunter2 port none").await;
    harness.stop(LONG).await;
    assert!(!format!("{:?}{:?}", harness.recorder.texts(), harness.supervisor).contains("hunter2"));
}

#[tokio::test]
async fn no_signal_is_ignored_or_blocked_in_the_program() {
    let mut harness = setup(words(&["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]), AppPort::None).start();
    harness.failure().await;
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    for mask in ["SigBlk:\t", "SigIgn:\t"] {
        let read = |text: &str| u64::from_str_radix(text.trim(), 16).unwrap();
        let signals = read(&harness.recorder.said_after(mask).await);
        // What somebody ignored on purpose before us stays so, as under nohup; SIGPIPE only Rust ignores. Those from 32 on
        // are the C library's own affair.
        let before = read(own.lines().find_map(|line| line.strip_prefix(mask)).unwrap()) & !(1 << 12);
        assert_eq!(signals & 0x7fff_ffff & !before, 0, "{mask}{signals:x}");
    }
}

#[tokio::test]
async fn the_program_leads_a_group_of_its_own() {
    let mut harness = worker("echo \"group $(cut -d' ' -f5 /proc/$$/stat)\"; exec sleep 300").start();
    let (pid, _) = harness.ready().await;
    assert_eq!(harness.recorder.said_after("group ").await, pid.to_string());
    harness.stop(LONG).await;
}

#[tokio::test]
async fn another_user_is_taken_on_with_its_groups_or_refused_with_the_reason() {
    let mut built = worker("echo \"$(id -u):$(id -g):$(id -G) $HOME\"");
    built.setup.app.user = Some(User { user: Account::Id(54_321), group: Some(Account::Id(54_322)) });
    let mut harness = built.start();
    let failure = harness.failure().await;
    if rustix::process::geteuid().is_root() {
        harness.recorder.said("54321:54322:54322 /").await;
    } else {
        assert_eq!((failure.kind, failure.code), (FailureKind::CannotStart, ExitCode::CannotExecute));
        assert!(failure.reason.starts_with("app.user cannot be taken on"), "{}", failure.reason);
    }
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_127_and_one_that_is_none_126() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("noise");
    std::fs::write(&path, [0x7f, b'E', b'L', b'F', 0, 0, 0, 0]).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (program, code) in [("/no/such/program", ExitCode::NotFound), (path.to_str().unwrap(), ExitCode::CannotExecute)]
    {
        let mut harness = setup(words(&[program]), AppPort::None).start();
        let failure = harness.failure().await;
        assert_eq!((failure.kind, failure.code), (FailureKind::CannotStart, code), "{}", failure.reason);
        assert!(failure.reason.contains(program), "{}", failure.reason);
    }
}
