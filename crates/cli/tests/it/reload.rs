//! SIGHUP: a new configuration while requests run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::bed::{Client, Seaworthy, until};

#[test]
fn a_reload_is_in_force_from_the_next_request_on_a_kept_connection() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    assert_eq!(client.get("/").header("x-frame-options"), None);
    service.configure("[headers]\npreset = \"strict\"");
    service.signal(Signal::HUP);
    let reloaded = service.log.event("config_reloaded");
    assert!(reloaded["changed"].as_str().is_some_and(|keys| keys.contains("headers.preset")), "{reloaded}");
    assert_eq!(client.get("/").header("x-frame-options"), Some("DENY"));
}

#[test]
fn an_invalid_file_is_refused_whole_and_the_old_one_stays() {
    let service = Seaworthy::app().config("[headers]\npreset = \"strict\"").ready();
    service.configure("[headers]\npreset = \"off\"\n[limits]\nbody-size = \"much\"");
    service.signal(Signal::HUP);
    let refused = service.log.event("config_refused");
    assert!(refused.to_string().contains("limits.body-size"), "{refused}");
    assert_eq!(service.get("/").header("x-frame-options"), Some("DENY"));
    assert!(service.metric("seaworthy_config_reload_failures_total") > 0.0);
}

#[test]
fn what_needs_a_restart_is_said() {
    let service = Seaworthy::app().ready();
    service.configure("workers = 3");
    service.signal(Signal::HUP);
    let reloaded = service.log.event("config_reloaded");
    assert!(reloaded["needs_restart"].as_str().is_some_and(|keys| keys.contains("workers")), "{reloaded}");
}

#[test]
fn reloads_under_load_lose_no_request_and_no_connection() {
    let service = Seaworthy::app().ready();
    let (public, done) = (service.public, Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let done = done.clone();
            std::thread::spawn(move || {
                let (mut client, mut served) = (Client::connect(public), 0);
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.get("/json").status, 200);
                    served += 1;
                }
                served
            })
        })
        .collect();
    for times in 1..=10 {
        service.configure(&format!("[limits]\nbody-size = \"{times}MiB\""));
        service.signal(Signal::HUP);
        service.log.until("it was reloaded", |lines| {
            (lines.iter().filter(|line| line.contains("\"config_reloaded\"")).count() >= times).then_some(())
        });
    }
    until("all were reloaded", || (service.metric("seaworthy_config_reloads_total") >= 10.0).then_some(()));
    done.store(true, Ordering::Relaxed);
    let served: usize = clients.into_iter().map(|client| client.join().expect("no request is lost")).sum();
    assert!(served > 0);
}
