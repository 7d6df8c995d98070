//! Methods, types and lengths that nobody should send.

use std::time::{Duration, Instant};

use super::super::{Findings, Rehearsal, Touch};
use super::LIMIT;
use crate::client::{Connection, Failure, Request, Target, fetch};
use crate::context::Context;
use crate::finding::Finding;

pub(crate) const STRANGE: Rehearsal = Rehearsal {
    name: "strange requests",
    covers: &["limits.method-405", "limits.type-415", "limits.ambiguous-length-safe"],
    touch: Touch::Strain,
    run: |context| Box::pin(strange(context)),
};

async fn strange(context: &Context) -> Findings {
    let place = context.place().await?;
    let target = &place.target;
    Ok(vec![
        method(target, &context.survey.safe).await,
        kind(context, target).await,
        ambiguous(target, &context.survey.safe).await,
    ])
}

async fn method(target: &Target, safe: &str) -> Finding {
    const ID: &str = "limits.method-405";
    match fetch(target, &Request::new("BREW", safe), LIMIT).await {
        Ok(answer) if answer.status < 400 => Finding::fail(ID, format!("BREW {safe} succeeded: {}", answer.status)),
        Ok(answer) if answer.status >= 500 && answer.status != 501 => {
            Finding::fail(ID, format!("BREW {safe} was answered {}", answer.status))
        }
        Ok(answer) => Finding::pass(ID, format!("BREW {safe} was answered {}", answer.status)),
        Err(Failure::Timeout { limit, .. }) => Finding::fail(ID, format!("BREW {safe}: no answer within {limit:.0?}")),
        Err(failure) => Finding::pass(ID, format!("BREW {safe} was refused: {failure}")),
    }
}

async fn kind(context: &Context, target: &Target) -> Finding {
    const ID: &str = "limits.type-415";
    let Some(path) = &context.plan.paths.json else {
        return Finding::not_applicable(ID, "no --json-path was declared");
    };
    match fetch(target, &Request::post(path, "text/plain", "{\"drill\":1}"), LIMIT).await {
        Ok(answer) if (400..500).contains(&answer.status) => {
            Finding::pass(ID, format!("text/plain was answered {}", answer.status))
        }
        Ok(answer) => Finding::fail(ID, format!("text/plain was answered {}", answer.status)),
        Err(failure) => Finding::error(ID, failure.to_string()),
    }
}

/// GETs, so that a handler that looks at no body would answer them with success.
async fn ambiguous(target: &Target, safe: &str) -> Finding {
    const ID: &str = "limits.ambiguous-length-safe";
    let forms = [
        ("two Content-Lengths", "Content-Length: 4\r\nContent-Length: 7\r\n\r\nabcdefg"),
        ("a signed Content-Length", "Content-Length: +4\r\n\r\nabcd"),
        ("a space before the colon", "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("chunked that is not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ];
    let (mut taken, mut told) = (Vec::new(), Vec::new());
    for (name, rest) in forms {
        let bytes = format!("GET {safe} HTTP/1.1\r\nHost: {}\r\n{rest}", target.host);
        let answer = async {
            let mut connection = Connection::open(target, LIMIT).await?;
            connection.send(bytes.as_bytes(), LIMIT).await?;
            connection.answer(&Request::get(safe), Instant::now() + Duration::from_secs(5)).await
        };
        match answer.await {
            Ok(answer) if answer.status < 400 => taken.push(format!("{name}: answered {}", answer.status)),
            Ok(answer) => told.push(format!("{name}: {}", answer.status)),
            Err(Failure::Refused | Failure::Unreachable(_)) => {
                return Finding::error(ID, "the service was not reached");
            }
            // Ended or left waiting: not taken.
            Err(_) => told.push(format!("{name}: no answer")),
        }
    }
    if taken.is_empty() {
        return Finding::pass(ID, told.join("; "));
    }
    Finding::fail(ID, "a request whose length can be read in two ways was accepted").with(taken)
}
