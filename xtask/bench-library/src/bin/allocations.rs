//! Allocations a request: one line of JSON a stack. Apart from the costs, since counting costs too.

use std::alloc::System;

use anyhow::Result;
use bench_library::{Stack, runtime, serve};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: u32 = 10_000;

fn main() -> Result<()> {
    for stack in Stack::ALL {
        let runtime = runtime()?;
        // Some of them start tasks while they are built.
        let mut service = runtime.block_on(async { stack.build() })?;
        let allocations = runtime.block_on(async {
            // What is made once is not a request's.
            serve(stack, &mut service, 1000).await?;
            let region = Region::new(ALLOCATOR);
            serve(stack, &mut service, REQUESTS).await?;
            let change = region.change();
            Ok::<_, anyhow::Error>(change.allocations + change.reallocations)
        })?;
        let (name, each) = (stack.name(), allocations as f64 / f64::from(REQUESTS));
        println!("{{\"stack\":{name:?},\"allocations\":{each:.2}}}");
    }
    Ok(())
}
