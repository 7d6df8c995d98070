//! PID 1 of a namespace, as in a container.

use crate::bed::{Seaworthy, Starting, children, gunicorn, nginx, npm, program, shell, until};

/// The first process of a PID namespace with a `/proc` of its own.
fn contained(starting: Starting) -> Starting {
    let mut words = vec!["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    if !rustix::process::geteuid().is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    starting.under(&words)
}

fn zombies(parent: u32) -> usize {
    let state = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    children(parent).iter().filter(|pid| state(pid).contains("State:\tZ")).count()
}

#[test]
fn orphans_are_reaped() {
    let service = contained(Seaworthy::run(["/usr/bin/python3".to_owned(), program("forking.py")])).ready();
    for _ in 0..20 {
        assert_eq!(service.get("/orphan").text(), "forked\n");
    }
    let init = service.pid();
    until("no zombie is left", || (zombies(init) == 0 && children(init).len() == 1).then_some(()));
    service.stop().with_code(0);
}

#[test]
fn orphans_are_reaped_where_we_are_not_pid_1_too() {
    let service = Seaworthy::run(["/usr/bin/python3".to_owned(), program("forking.py")]).ready();
    assert_eq!(service.get("/orphan").text(), "forked\n");
    let above = service.pid();
    until("no zombie is left", || (zombies(above) == 0 && children(above).len() == 1).then_some(()));
}

#[test]
fn node_stops_in_order() {
    contained(Seaworthy::app()).ready().stop().with_code(0).saying(&["app got SIGTERM", "Graceful shutdown complete"]);
}

#[test]
fn servers_with_workers_and_runners_that_swallow_signals_stop_in_order() {
    for (starting, target, words) in [
        (gunicorn(), "/", "Handling signal: term"),
        (nginx(), "/digits", "signal 3 (SIGQUIT) received"),
        (npm(), "/", "app got SIGTERM"),
        (shell(), "/", "app got SIGTERM"),
    ] {
        let service = contained(starting).ready();
        assert_eq!(service.get(target).status, 200);
        service.stop().with_code(0).saying(&[words, "Graceful shutdown complete"]);
    }
}

#[test]
fn the_exit_code_of_the_program_is_passed_on() {
    let config = "[restart]\npolicy = \"never\"";
    contained(Seaworthy::run(["sh", "-c", "exit 42"])).config(config).exit().with_code(42);
}
