//! The stop as HTTP/2 connections and WebSockets see it.

use std::time::{Duration, Instant};

use super::{Findings, Rehearsal, Touch};
use crate::client::Failure;
use crate::client::exchange::offset;
use crate::client::http2::Http2;
use crate::client::websocket::{Farewell, WebSocket};
use crate::context::{Context, Trouble};
use crate::finding::Finding;

pub(crate) const HTTP2: Rehearsal = Rehearsal {
    name: "stop with HTTP/2",
    covers: &["drain.h2-goaway"],
    touch: Touch::Control,
    run: |context| Box::pin(http2(context)),
};

pub(crate) const WEBSOCKET: Rehearsal = Rehearsal {
    name: "stop with a WebSocket",
    covers: &["drain.websocket-close-frame"],
    touch: Touch::Control,
    run: |context| Box::pin(websocket(context)),
};

const LIMIT: Duration = Duration::from_secs(10);

fn trouble(failure: &Failure) -> Trouble {
    Trouble::Other(format!("a fresh instance did not serve: {failure}"))
}

async fn http2(context: &Context) -> Findings {
    const ID: &str = "drain.h2-goaway";
    if !context.survey.http2 {
        return Ok(vec![Finding::not_applicable(ID, "it speaks no HTTP/2, neither by ALPN nor with prior knowledge")]);
    }
    let stage = context.fresh().await?;
    let mut http2 = Http2::open(&stage.target, LIMIT).await.map_err(|failure| trouble(&failure))?;
    let stream = http2.get(&stage.target, &context.survey.safe, LIMIT).await.map_err(|failure| trouble(&failure))?;
    loop {
        let frame = http2.frame(LIMIT).await.map_err(|failure| trouble(&failure))?;
        if frame.stream == stream && frame.ends_stream() {
            break;
        }
    }
    let signal = stage.instance.signal(context.plan.stop_signal);
    let deadline = signal + context.plan.grace;
    let finding = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match http2.frame(left).await {
            Ok(frame) if frame.is_goaway() => {
                break Finding::pass(ID, format!("GOAWAY came {}", offset(Instant::now(), signal)));
            }
            Ok(_) => {}
            Err(Failure::Timeout { .. }) => {
                break Finding::fail(ID, format!("no GOAWAY within {:.0?} of the signal", context.plan.grace));
            }
            Err(failure) => {
                break Finding::fail(
                    ID,
                    format!("the connection ended {} without GOAWAY: {failure}", offset(Instant::now(), signal)),
                );
            }
        }
    };
    stage.instance.kill().await;
    Ok(vec![finding])
}

async fn websocket(context: &Context) -> Findings {
    const ID: &str = "drain.websocket-close-frame";
    let Some(path) = &context.plan.paths.websocket else {
        return Ok(vec![Finding::not_applicable(ID, "no --websocket-path was given")]);
    };
    let stage = context.fresh().await?;
    let mut socket = match WebSocket::open(&stage.target, path, LIMIT).await {
        Ok(socket) => socket,
        Err(failure) => return Ok(vec![Finding::not_proven(ID, format!("{path} opens no WebSocket: {failure}"))]),
    };
    if !socket.is_open().await {
        return Ok(vec![Finding::not_proven(ID, format!("the WebSocket on {path} was closed before the signal"))]);
    }
    let signal = stage.instance.signal(context.plan.stop_signal);
    let farewell = socket.farewell(context.plan.grace).await;
    let at = offset(Instant::now(), signal);
    stage.instance.kill().await;
    Ok(vec![match farewell {
        Farewell::Close(Some(code)) if matches!(code, 1000 | 1001 | 1012) => {
            Finding::pass(ID, format!("a close frame with code {code} came {at}"))
        }
        Farewell::Close(code) => Finding::fail(ID, format!("a close frame came {at} with code {code:?}, not 1001")),
        Farewell::Cut => Finding::fail(ID, format!("the connection was cut {at} without a close frame")),
        Farewell::Open => Finding::fail(ID, "neither close frame nor end within the grace"),
    }])
}
