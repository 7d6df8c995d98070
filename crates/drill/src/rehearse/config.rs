//! What `drill.toml` declares of the program's configuration.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Request, exchange, fetch};
use crate::context::{Context, Trouble};
use crate::finding::Finding;

pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    name: "configuration",
    covers: &["config.env-overrides", "config.invalid-config-refused", "config.secret-from-file"],
    touch: Touch::Control,
    run: |context| Box::pin(run(context)),
};

/// Who has not refused by then and serves has accepted.
const REFUSES: Duration = Duration::from_secs(15);

async fn run(context: &Context) -> Findings {
    Ok(vec![overrides(context).await?, invalid(context).await?, secret_file(context).await?])
}

async fn overrides(context: &Context) -> Result<Finding, Trouble> {
    const ID: &str = "config.env-overrides";
    let Some((name, value, path, text)) = &context.plan.config.overrides else {
        return Ok(Finding::not_applicable(ID, "no [config.overrides] was declared in drill.toml"));
    };
    let stage = context.fresh_on(None, &[(name.clone(), value.clone())]).await?;
    Ok(match fetch(&stage.target, &Request::get(path), Duration::from_secs(10)).await {
        Ok(answer) if answer.text().contains(text.as_str()) => {
            Finding::pass(ID, format!("with {name} set, GET {path} says so"))
        }
        Ok(answer) => {
            Finding::fail(ID, format!("with {name} set, GET {path} ({}) does not contain {text:?}", answer.status))
        }
        Err(failure) => Finding::fail(ID, format!("with {name} set, GET {path}: {failure}")),
    })
}

async fn invalid(context: &Context) -> Result<Finding, Trouble> {
    const ID: &str = "config.invalid-config-refused";
    let Some((name, value)) = &context.plan.config.invalid else {
        return Ok(Finding::not_applicable(ID, "no [config.invalid] was declared in drill.toml"));
    };
    let instance = context.spawn(None, &[(name.clone(), value.clone())])?;
    let target = context.target(&instance);
    let path = context.survey.ready_path().unwrap_or(&context.survey.safe);
    let deadline = Instant::now() + REFUSES.min(context.plan.start_timeout);
    while Instant::now() < deadline {
        if let Some(exit) = instance.exit() {
            let tail: Vec<String> = instance.log.tail(3).iter().map(|line| format!("log: {line}")).collect();
            return Ok(match exit.code {
                Some(0) => {
                    Finding::fail(ID, format!("with an invalid {name} it ended with code 0, as if all were well"))
                        .with(tail)
                }
                _ => Finding::pass(ID, format!("with an invalid {name} it ended ({exit})")).with(tail),
            });
        }
        let asked = exchange(&target, &Request::get(path), Duration::from_secs(5)).await;
        if asked.status.is_some_and(|status| (200..300).contains(&status)) {
            return Ok(Finding::fail(ID, format!("with an invalid {name} it started, and GET {path} answers 2xx")));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Finding::pass(ID, format!("with an invalid {name} it did not become ready")))
}

async fn secret_file(context: &Context) -> Result<Finding, Trouble> {
    const ID: &str = "config.secret-from-file";
    let Some((name, secret)) = &context.plan.config.secret_file else {
        return Ok(Finding::not_applicable(ID, "no [config.secret-file] was declared in drill.toml"));
    };
    let path = std::env::temp_dir().join(format!("drill-secret-{:016x}", fastrand::u64(..)));
    let written = write_private(&path, secret);
    written.map_err(|error| Trouble::Other(format!("{} cannot be written: {error}", path.display())))?;
    let started = context.fresh_on(None, &[(name.clone(), path.display().to_string())]).await;
    let _ = std::fs::remove_file(&path);
    Ok(match started {
        Ok(_) => Finding::pass(ID, format!("with the secret in the file that {name} names it started")),
        Err(trouble) => Finding::fail(ID, format!("with the secret in the file that {name} names it did not start"))
            .with(trouble.to_string().lines().map(str::to_owned)),
    })
}

fn write_private(path: &std::path::Path, secret: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())
}
