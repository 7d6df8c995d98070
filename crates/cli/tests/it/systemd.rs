//! As a unit of systemd: sockets that are handed over, and what the manager is told.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::bed::{PATIENCE, Seaworthy, get};

/// Listens, and becomes what it is given with the socket as descriptor 3, as a service manager does.
const ACTIVATE: &str = "import os, socket, sys\n\
    listener = socket.socket()\n\
    listener.bind(('127.0.0.1', 0))\n\
    listener.listen()\n\
    os.dup2(listener.fileno(), 3)\n\
    os.set_inheritable(3, True)\n\
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
    open('port', 'w').write(str(listener.getsockname()[1]))\n\
    os.execv(sys.argv[1], sys.argv[1:])\n";

#[test]
fn a_socket_that_is_handed_over_is_served_and_not_handed_on() {
    let starting = Seaworthy::run([
        "node",
        "-e",
        "require('http').createServer((q, r) => r.end(String(process.env.LISTEN_FDS))).listen(process.env.PORT, '127.0.0.1')",
    ]);
    let port = starting.directory().join("port");
    let service = starting.under(&["/usr/bin/python3", "-c", ACTIVATE]).ready();
    let port = std::fs::read_to_string(port).expect("it was written");
    assert_eq!(service.public.port().to_string(), port);
    assert_eq!(service.get("/").text(), "undefined");
    service.stop().with_code(0);
}

#[test]
fn the_manager_is_told_of_readiness_reloads_and_the_stop() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket can be bound");
    manager.set_read_timeout(Some(PATIENCE)).expect("it has timeouts");
    let told = |word: &str| {
        let mut message = [0; 4096];
        loop {
            let length = manager.recv(&mut message).unwrap_or_else(|error| panic!("it was never told {word}: {error}"));
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if text.lines().any(|line| line.starts_with(word)) {
                return text;
            }
        }
    };
    let service = Seaworthy::app().variable("NOTIFY_SOCKET", &path.display().to_string()).listening();
    assert_eq!(told("EXTEND_TIMEOUT_USEC="), "EXTEND_TIMEOUT_USEC=30000000");
    let ready = told("READY=1");
    assert!(ready.contains(&format!("MAINPID={}", service.pid())), "{ready}");
    assert_eq!(get(service.ops, "/health/ready").status, 200);
    service.signal(Signal::HUP);
    assert!(told("RELOADING=1").contains("MONOTONIC_USEC="));
    told("READY=1");
    service.signal(Signal::TERM);
    // However short TimeoutStopSec is: it waits for the whole grace.
    assert!(told("STOPPING=1").contains("EXTEND_TIMEOUT_USEC=10000000\n"));
    service.exit().with_code(0);
}
