//! CPU time a request, in turns: one line of JSON a stack.

use anyhow::{Context as _, Result};
use bench_library::{Stack, Stacked, cpu, runtime, serve};

/// Requests a turn.
const REQUESTS: u32 = 20_000;

fn main() -> Result<()> {
    let rounds: u32 = std::env::args().nth(1).context("how many rounds?")?.parse()?;
    let only = std::env::args().nth(2);
    let stacks = Stack::ALL.into_iter().filter(|stack| only.as_ref().is_none_or(|only| stack.name().contains(only)));
    let runtime = runtime()?;
    // Some of them start tasks while they are built.
    let mut services: Vec<(Stack, Stacked, Vec<f64>)> = runtime
        .block_on(async { stacks.map(|stack| Ok((stack, stack.build()?, Vec::new()))).collect::<Result<_>>() })?;
    runtime.block_on(async {
        for (stack, service, _) in &mut services {
            serve(*stack, service, REQUESTS).await?;
        }
        for _ in 0..rounds {
            for (stack, service, costs) in &mut services {
                let before = cpu();
                serve(*stack, service, REQUESTS).await?;
                costs.push((cpu().saturating_sub(before)).as_secs_f64() * 1e9 / f64::from(REQUESTS));
            }
        }
        Ok::<_, anyhow::Error>(())
    })?;
    for (stack, _, mut costs) in services {
        costs.sort_by(f64::total_cmp);
        println!("{{\"stack\":{:?},\"nanos\":{:.0}}}", stack.name(), costs[costs.len() / 2]);
    }
    Ok(())
}
