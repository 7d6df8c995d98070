//! Those that we tell of ourselves: programs that write down what they were told.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Log, program};

/// A Python program that listens and writes a line of JSON for each thing that reaches it. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Receiver {
    child: Child,
    pub(crate) log: Log,
    pub(crate) port: u64,
}

impl Receiver {
    #[track_caller]
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(program(script)).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {script}: {error}"));
        let log = Log::of(child.stdout.take().expect("it is piped"));
        let port = log.line("it listens", |line| line.get("port").is_some())["port"].as_u64().expect("a port");
        Self { child, log, port }
    }

    /// Everything so far for which `is` holds.
    pub(crate) fn all(&self, is: impl Fn(&Value) -> bool) -> Vec<Value> {
        let lines = self.log.so_far();
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(|line| is(line)).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
