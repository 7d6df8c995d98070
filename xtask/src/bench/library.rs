//! What the library costs a request in the process, beside the layers that people put together for the same.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command;

const MANIFEST: &str = "xtask/bench-library/Cargo.toml";

/// At most so much over the bare service: what a promise is worth that nobody holds.
struct Bar {
    stack: &'static str,
    nanos: f64,
    allocations: f64,
}

const BARS: [Bar; 3] = [
    Bar { stack: "seaworthy: id, trace, metrics, log line", nanos: 1200.0, allocations: 6.0 },
    Bar { stack: "seaworthy: the same, spans sampled at 0", nanos: 1200.0, allocations: 6.0 },
    Bar { stack: "seaworthy: all layers", nanos: 1500.0, allocations: 6.0 },
];

const BARE: &str = "bare axum";
const USUAL: &str = "tower-http, axum-prometheus, tower_governor";

#[derive(Debug, Clone, Copy)]
struct Cost {
    nanos: f64,
    allocations: f64,
}

/// Measures all stacks in one run, prints them, and holds the bars.
pub(super) fn measure(title: &str, rounds: u32) -> Result<()> {
    let turns = (rounds * 10).to_string();
    let (costs, allocations) = (told(&["cost", "--", &turns])?, told(&["allocations"])?);
    let of = |stack: &str| -> Result<Cost> {
        let number = |lines: &[Value], key: &str| {
            let line = lines.iter().find(|line| line["stack"] == stack);
            line.and_then(|line| line[key].as_f64()).with_context(|| format!("{stack}: no {key} were measured"))
        };
        Ok(Cost { nanos: number(&costs, "nanos")?, allocations: number(&allocations, "allocations")? })
    };
    let bare = of(BARE)?;
    println!("\n{title}");
    println!("{:<46} {:>8} {:>8} {:>8} {:>8}", "", "ns", "more", "allocs", "more");
    for stack in costs.iter().filter_map(|line| line["stack"].as_str()) {
        let Cost { nanos, allocations } = of(stack)?;
        let more = (nanos - bare.nanos, allocations - bare.allocations);
        println!("{stack:<46} {nanos:>8.0} {:>8.0} {allocations:>8.1} {:>8.1}", more.0, more.1);
    }
    let usual = of(USUAL)?;
    for Bar { stack, nanos, allocations } in BARS {
        let cost = of(stack)?;
        let more = (cost.nanos - bare.nanos, cost.allocations - bare.allocations);
        if more.0 > nanos || more.1 > allocations {
            bail!("{stack}: {:.0} ns and {:.1} allocations more, at most {nanos} and {allocations}", more.0, more.1);
        }
        if cost.nanos >= usual.nanos {
            bail!("{stack}: {:.0} ns, which is not ahead of {:.0} ns", cost.nanos, usual.nanos);
        }
    }
    Ok(())
}

/// Runs one of its binaries: the lines that it writes.
fn told(binary: &[&str]) -> Result<Vec<Value>> {
    let mut cargo = command::cargo();
    cargo.args(["run", "--quiet", "--release", "--locked", "--manifest-path", MANIFEST, "--bin"]).args(binary);
    let text = command::read(&mut cargo)?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))).collect()
}
