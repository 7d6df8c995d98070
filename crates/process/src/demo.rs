//! `seaworthy demo`: the whole thing with a built-in sample service, and what to try.

mod sample;

use std::path::Path;

use tempfile::TempDir;

use crate::cli::Demo;
use crate::commands::Output;
use crate::config::CommandLine;
use crate::exit_code::ExitCode;
use crate::run::{self, Inputs};

/// The configuration of the demo. What the command line and the environment say goes before.
const CONFIG: &str = r#"service = "demo"
version = "1.0.0"

[app]
ready-path = "/hello"
live-path = "/hello"

[probes]
details = "always"
"#;

/// Runs the demo, or, in the process that it starts, the sample service.
pub(crate) fn demo(demo: Demo, output: Output) -> ExitCode {
    let Demo { listen, admin, serve } = demo;
    if let Some(port) = serve {
        return match sample::serve(port) {
            Ok(()) => ExitCode::Clean,
            Err(error) => output.error(&format!("the sample service: {error}"), ExitCode::Failed),
        };
    }
    let executable = match std::env::current_exe() {
        Ok(executable) => executable,
        Err(error) => return output.error(&format!("the sample service cannot be found: {error}"), ExitCode::Failed),
    };
    // A scratch image has no directory for temporary files; all but the control socket does without.
    let directory = tempfile::Builder::new().prefix("seaworthy-demo-").tempdir().ok();
    let command = [executable.into_os_string(), "demo".into(), "--serve".into(), "{port}".into()];
    let command_line = CommandLine { listen, admin, command: Vec::from(command), ..CommandLine::default() };
    let code = run::serve(&Inputs::built_in(command_line, config(directory.as_ref().map(TempDir::path))), output);
    // What is left in a directory for temporary files harms nobody.
    let _ = directory.map(TempDir::close);
    code
}

/// With a place for the control socket where there is one, so that `seaworthy status` and the like work.
fn config(directory: Option<&Path>) -> String {
    let Some(directory) = directory else { return CONFIG.to_owned() };
    let control = directory.join("control.sock");
    let control = toml::Value::from(control.to_string_lossy().into_owned());
    format!("control = {control}\n{CONFIG}")
}

/// What to try, given where it is.
pub(crate) fn hints(public: &str, admin: &str, control: Option<&str>) -> String {
    let status = control.map(|path| format!("  seaworthy status --control {path}\n")).unwrap_or_default();
    format!(
        "
Try, in another terminal:
  curl {public}/hello                   a small JSON answer; with -i, its headers
  curl {public}/headers                 what the program was given on the way
  curl {public}/flaky                   every third one fails: watch the log and the metrics
  curl -N {public}/events               server-sent events, unbuffered
  curl -T - {public}/echo               what you type comes back
  curl {admin}/health/ready             the probe that a balancer asks
  curl {admin}/metrics                  what Prometheus scrapes
  curl {public}/crash; curl -i {public}/hello     it dies, comes back, and the second request waits for it
{status}
And the point of it all: start `curl {public}/slow?seconds=3`, press Ctrl-C here, and see it answered.

"
    )
}
