//! A thousand checks, once a second.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::peer::{Peer, Setup};
use super::subject::{redis, seaworthy};

const CHECKS: u32 = 1000;

/// Until all of them have connected, and the memory has its size.
const WARM_UP: Duration = Duration::from_secs(4);

/// Prints CPU and memory for kinds that connect each time, and for one that keeps its connection.
pub(super) fn measure(origin: &Peer, seconds: u32, setup: &Setup) -> Result<()> {
    let (_redis, port) = redis(setup)?;
    let web = origin.port();
    let kinds = [
        ("tcp", format!("address = \"127.0.0.1:{web}\"")),
        ("http", format!("url = \"http://127.0.0.1:{web}/\"")),
        ("redis", format!("url = \"redis://127.0.0.1:{port}\"")),
    ];
    for (kind, target) in kinds {
        let mut config = String::new();
        for number in 0..CHECKS {
            // Writing to a string cannot fail.
            let _ = write!(config, "[[check]]\nname = \"c{number}\"\nkind = \"{kind}\"\ninterval = \"1s\"\n{target}\n");
        }
        let (subject, _) = seaworthy(&config, setup)?;
        std::thread::sleep(WARM_UP);
        let (before, began) = (subject.cpu(), Instant::now());
        std::thread::sleep(Duration::from_secs(u64::from(seconds.max(5))));
        let share = subject.cpu().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
        let peak = subject.peak() as f64 / 1e6;
        println!("{CHECKS} × `{kind}` at 1 s: {:.1} % of a core, {peak:.1} MB", share * 100.0);
    }
    Ok(())
}
