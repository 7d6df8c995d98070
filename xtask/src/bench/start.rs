//! What a start costs: from the start of the process to the first answer, of a program alone and of the same one behind
//! Seaworthy.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::peer::{Kind, Setup, answers, free_port};

/// Prints the medians, and their difference.
pub(super) fn measure(title: &str, rounds: u32, setup: &Setup) -> Result<()> {
    let (mut alone, mut behind) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let port = free_port()?;
        let config = setup.configure(Kind::Origin, port)?;
        alone.push(first_answer(&mut nginx(&config), port)?);

        let (public, port) = (free_port()?, free_port()?);
        let config = setup.configure(Kind::Origin, port)?;
        let mut command = Command::new(&setup.binary);
        command.args(["run", "--admin", "127.0.0.1:0", "--listen"]).arg(format!("127.0.0.1:{public}"));
        command.arg("--app-port").arg(port.to_string()).args(["--", "nginx", "-c"]).arg(config);
        behind.push(first_answer(&mut command, public)?);
    }
    let (alone, behind) = (median(alone), median(behind));
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!("\n{title}");
    println!("nginx alone {:.1} ms, behind seaworthy {:.1} ms", millis(alone), millis(behind));
    println!("{:.1} ms more", millis(behind) - millis(alone));
    Ok(())
}

fn nginx(config: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-c").arg(config);
    command
}

/// How long `command` takes until `port` answers. It is stopped afterwards.
fn first_answer(command: &mut Command, port: u16) -> Result<Duration> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let answered = loop {
        if answers(port) {
            break Ok(began.elapsed());
        }
        if began.elapsed() > Duration::from_secs(10) {
            break Err(());
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    stop(&mut child)?;
    match answered {
        Ok(time) => Ok(time),
        Err(()) => bail!("nothing answered on port {port} within 10 s"),
    }
}

fn stop(child: &mut Child) -> Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
    kill_process(pid, Signal::TERM)?;
    child.wait()?;
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
