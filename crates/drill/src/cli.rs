//! The drill as a command: from arguments to a report and an exit code.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

mod arguments;
mod plan;

pub use self::arguments::Arguments;
use self::plan::{baseline, plan};
use crate::context::{Context, Trouble};
use crate::finding::Verdict;
use crate::plan::{Plan, Subject};
use crate::program::{Instance, end_all, end_strays, roll};
use crate::progress::Progress;
use crate::pulse::Pulse;
use crate::report::{Format, Report, text};
use crate::settings::SettingsError;
use crate::survey::{Survey, SurveyError};
use crate::{explain, runner, survey, waiver};

/// How a drill ended, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// 0: nothing that counts is broken.
    Held,
    /// 1: a promise that counts is broken.
    Broken,
    /// 2: the command line or a file makes no sense.
    Usage,
    /// 3: the service could not be rehearsed.
    NotRun,
    /// 3 as well: the drill was told to stop.
    Interrupted,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Held => 0,
            Ending::Broken => 1,
            Ending::Usage => 2,
            Ending::NotRun | Ending::Interrupted => 3,
        })
    }
}

/// Holds the drill. Reports to stdout, progress and errors to stderr.
pub fn run(arguments: &Arguments) -> Ending {
    if arguments.list {
        return say(&explain::list());
    }
    if let Some(id) = &arguments.explain {
        return match crate::catalogue::find(id) {
            Some(check) => say(&explain::page(check)),
            None => usage(&SettingsError::Invalid(format!("{id:?} names no check: see --list"))),
        };
    }
    let plan = match plan(arguments) {
        Ok(plan) => plan,
        Err(error) => return usage(&error),
    };
    let known_broken = match baseline(arguments) {
        Ok(known) => known,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: no runtime: {error}");
            return Ending::NotRun;
        }
    };
    roll::watch_orphans();
    let ending = runtime.block_on(async {
        tokio::select! {
            ending = hold(arguments, plan, known_broken) => ending,
            () = interrupted() => {
                let _ = writeln!(std::io::stderr(), "interrupted: what was started is being killed");
                end_all();
                Ending::Interrupted
            }
        }
    });
    // What still runs in the runtime is dropped with it, and each instance kills its group when it is dropped.
    drop(runtime);
    for stray in end_strays() {
        let name = text::clean(&stray.name);
        let _ = writeln!(std::io::stderr(), "ended what an instance had left behind: {name} (pid {})", stray.pid);
    }
    ending
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

async fn hold(arguments: &Arguments, plan: Plan, known: Vec<String>) -> Ending {
    let begun = Instant::now();
    let progress = Progress::new(arguments.quiet);
    let subject = subject_name(&plan.subject, plan.https);
    let (level, waivers) = (plan.level, plan.waivers.clone());
    progress.begin("looking around");
    let surveyed = survey_subject(plan).await;
    progress.over("looking around");
    let context = match surveyed {
        Ok(context) => Arc::new(context),
        Err(trouble) => {
            progress.finish();
            let _ = writeln!(std::io::stderr(), "error: {}", text::clean(&trouble.to_string()));
            return Ending::NotRun;
        }
    };
    let mut findings = runner::hold(context.clone(), &progress).await;
    progress.finish();
    waiver::apply(&waivers, jiff::Zoned::now().date(), &mut findings);
    let timeline = context.take_timeline();
    let report = Report {
        subject,
        level,
        findings,
        notes: context.survey.notes.clone(),
        timeline,
        took: begun.elapsed(),
        known,
    };
    match deliver(arguments, &report) {
        Ok(()) => ending(&report),
        Err(error) => usage(&error),
    }
}

fn ending(report: &Report) -> Ending {
    if report.fatal().next().is_some() {
        return Ending::Broken;
    }
    let unjudged =
        report.findings.iter().any(|finding| finding.verdict == Verdict::Error && finding.level <= report.level);
    // Nothing that was asked for is there: a typing error in --only must not look like success.
    if unjudged || report.findings.is_empty() { Ending::NotRun } else { Ending::Held }
}

fn deliver(arguments: &Arguments, report: &Report) -> Result<(), SettingsError> {
    let write = |path: &PathBuf, text: &str| {
        let written = std::fs::write(path, text);
        written.map_err(|error| SettingsError::Invalid(format!("{} cannot be written: {error}", path.display())))
    };
    if let (Some(path), Some(timeline)) = (&arguments.timeline, &report.timeline) {
        write(path, &timeline.svg())?;
    }
    if let Some(path) = &arguments.report {
        write(path, &report.render(arguments.format))?;
        // Whoever looks at the terminal is told all the same.
        if !arguments.quiet {
            say(&text::render(report, std::io::stdout().is_terminal()));
        }
        return Ok(());
    }
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let rendered =
        if arguments.format == Format::Text { text::render(report, colour) } else { report.render(arguments.format) };
    say(&rendered);
    Ok(())
}

/// Starts the service once and looks around.
async fn survey_subject(plan: Plan) -> Result<Context, Trouble> {
    let pulse = Pulse::start();
    let mut context = Context::new(plan, pulse);
    if let Subject::Running { address, host, .. } = &context.plan.subject {
        let (address, host) = (*address, host.clone());
        if context.plan.https {
            context.tls = Some(context.plan.tls(&host)?);
        }
        let target = context.target_at(address, host);
        context.survey = survey::survey(&target, &context.plan, Instant::now()).await?;
        return Ok(context);
    }
    let mut instance = context.spawn(None, &[])?;
    instance.listening(context.plan.start_timeout).await?;
    let found = tokio::select! {
        found = survey_instance(&mut context, &instance) => found,
        exit = instance.ended() => return Err(Trouble::Other(format!("the program ended ({exit}) while it was looked at{}", instance.tail()))),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(Trouble::Other(format!("{error}{}", instance.tail()))),
    };
    context.survey = found;
    instance.kill().await;
    Ok(context)
}

/// Looks around, and once more under TLS where it turns out to speak that.
async fn survey_instance(context: &mut Context, instance: &Instance) -> Result<Survey, Trouble> {
    if context.plan.https {
        context.tls = Some(context.plan.tls("localhost")?);
    }
    let target = context.target(instance);
    match survey::survey(&target, &context.plan, instance.spawned).await {
        Err(SurveyError::Tls) if target.tls.is_none() => {
            context.tls = Some(context.plan.tls("localhost")?);
            Ok(survey::survey(&context.target(instance), &context.plan, instance.spawned).await?)
        }
        found => Ok(found?),
    }
}

fn subject_name(subject: &Subject, https: bool) -> String {
    match subject {
        Subject::Program(launch) => {
            let words: Vec<_> = launch.argv.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        }
        Subject::Running { host, .. } => format!("{}://{host}", if https { "https" } else { "http" }),
    }
}

fn say(text: &str) -> Ending {
    // A reader that has gone away (`| head`) is no error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ending::Held
}

fn usage(error: &SettingsError) -> Ending {
    let _ = writeln!(std::io::stderr(), "error: {error}");
    Ending::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_coherent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
