//! What a configuration is made from, kept so that a reload reads it again.

use std::io;
use std::path::Path;

use crate::config::{CommandLine, Sources};

/// Where the configuration comes from, for as long as the process runs.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    command_line: CommandLine,
    /// A configuration file that is built in. Then no file is looked for.
    built_in: Option<String>,
}

impl Inputs {
    /// The command line, the environment and the file system.
    pub(crate) fn of_process(command_line: CommandLine) -> Self {
        Self { command_line, built_in: None }
    }

    /// The command line, the environment, and `file` in place of a file.
    pub(crate) fn built_in(command_line: CommandLine, file: String) -> Self {
        Self { command_line, built_in: Some(file) }
    }

    /// Whether this is a demo: who runs one wants to be told what to try.
    pub(crate) fn is_demo(&self) -> bool {
        self.built_in.is_some()
    }

    /// Reads the sources as they are now and hands them to `use_them`.
    pub(crate) fn with<T>(&self, use_them: impl FnOnce(&Sources<'_>) -> T) -> T {
        let mut sources = Sources::of_process(self.command_line.clone());
        let Some(file) = &self.built_in else { return use_them(&sources) };
        sources.environment.remove("SEAWORTHY_CONFIG");
        let read = |path: &Path| match path.to_str() {
            Some("seaworthy.toml") => Ok(file.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let sources = Sources { read: &read, ..sources };
        use_them(&sources)
    }
}
