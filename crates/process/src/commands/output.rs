//! What commands print, and in which form.

use std::io::{self, Write};

use rustix::stdio::{stderr, stdout};
use rustix::termios::isatty;

use crate::cli::{Form, OutputFormat};
use crate::exit_code::ExitCode;

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// `--quiet`: errors and results only.
    pub(crate) quiet: bool,
    /// Whether somebody reads results on a terminal.
    pub(crate) terminal: bool,
    /// Whether colours are welcome, where there is a terminal.
    pub(crate) colour: bool,
}

/// A meaning that a colour shows too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warning,
    Bad,
    Dim,
}

impl Output {
    /// Of this process: `NO_COLOR` (<https://no-color.org>) and a dumb terminal want no colours.
    pub(crate) fn of_process(quiet: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let colour = set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb");
        Self { quiet, terminal: isatty(stdout()), colour }
    }

    /// In which form to print.
    pub(crate) fn form(self, form: Form) -> OutputFormat {
        form.format.unwrap_or(if self.terminal { OutputFormat::Text } else { OutputFormat::Json })
    }

    /// Prints what was asked for.
    pub(crate) fn result(self, text: &str) -> ExitCode {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => ExitCode::Clean,
            // `seaworthy config sample | head` has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Clean,
            Err(error) => self.error(&format!("cannot write to stdout: {error}"), ExitCode::Failed),
        }
    }

    /// Prints a line that says that something was done.
    pub(crate) fn done(self, line: &str) -> ExitCode {
        if self.quiet { ExitCode::Clean } else { self.result(&format!("{line}\n")) }
    }

    /// Prints, beside the result, what is unwise.
    pub(crate) fn warning(self, message: &str) {
        if !self.quiet {
            let label = paint(self.colour && isatty(stderr()), Tone::Warning, "warning:");
            let _ = writeln!(io::stderr(), "{label} {message}");
        }
    }

    /// Prints why it was not done, and gives `code` back.
    pub(crate) fn error(self, message: &str, code: ExitCode) -> ExitCode {
        let label = paint(self.colour && isatty(stderr()), Tone::Bad, "error:");
        // Where stderr is gone there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{label} {message}");
        code
    }

    /// `text` in the colour of `tone`, where colours are wanted.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        paint(self.colour && self.terminal, tone, text)
    }
}

fn paint(colour: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Warning => 33,
        Tone::Bad => 31,
        Tone::Dim => 2,
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
