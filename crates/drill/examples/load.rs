//! The load generator by itself: `load IP:PORT PATH RATE SECONDS CONNECTIONS`, to hold it against other tools.

use std::time::Duration;

use seaworthy_drill::client::{Request, Target};
use seaworthy_drill::load::{Load, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, rate, seconds, connections] = arguments.as_slice() else {
        return Err("load IP:PORT PATH RATE SECONDS CONNECTIONS".into());
    };
    let load = Load {
        target: Target::new(address.parse()?),
        request: Request::get(path),
        rate: rate.parse()?,
        duration: Duration::from_secs_f64(seconds.parse()?),
        connections: connections.parse()?,
        limit: Duration::from_secs(10),
    };
    let measured = run(&load)?;
    println!("due {} ok {} lost {} unsent {}", measured.due, measured.ok, measured.lost, measured.unsent);
    println!("outcomes {:?} in {:.2?}", measured.outcomes, measured.elapsed);
    for (name, histogram) in [("latency", &measured.latency), ("schedule error", &measured.schedule_error)] {
        let quantile = |share| histogram.quantile(share);
        println!(
            "{name}: p50 {:?} p99 {:?} p99.9 {:?} max {:?}",
            quantile(0.5),
            quantile(0.99),
            quantile(0.999),
            histogram.longest()
        );
    }
    Ok(())
}
