//! A request head that never ends.

use std::time::{Duration, Instant};

use super::super::{Findings, Rehearsal, Touch};
use super::LIMIT;
use crate::client::{Connection, Ending};
use crate::context::Context;
use crate::finding::Finding;

pub(crate) const SLOW: Rehearsal = Rehearsal {
    name: "too slow",
    covers: &["limits.slowloris-cut"],
    touch: Touch::Strain,
    run: |context| Box::pin(slow(context)),
};

async fn slow(context: &Context) -> Findings {
    const ID: &str = "limits.slowloris-cut";
    const PATIENCE: Duration = Duration::from_secs(65);
    let place = context.place().await?;
    let mut connection = match Connection::open(&place.target, LIMIT).await {
        Ok(connection) => connection,
        Err(failure) => return Ok(vec![Finding::error(ID, failure.to_string())]),
    };
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\nX-Slow: ", context.survey.safe, place.target.host);
    let begun = Instant::now();
    let mut sent = connection.send(head.as_bytes(), LIMIT).await;
    while sent.is_ok() && begun.elapsed() < PATIENCE {
        if connection.ending(Duration::from_millis(500)).await != Ending::Open {
            break;
        }
        sent = connection.send(b"x", LIMIT).await;
    }
    let after = begun.elapsed();
    Ok(vec![if after < PATIENCE {
        Finding::pass(ID, format!("a head that does not end was cut after {:.0} s", after.as_secs_f64()))
    } else {
        Finding::fail(ID, format!("a head sent byte by byte was still waited for after {PATIENCE:.0?}"))
    }])
}
