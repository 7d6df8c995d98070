//! The configuration as a whole, from its sources to what is handed out. The kinds of values are tested beside them.

mod coherence;
mod documents;
mod egress;
mod precedence;
mod problems;
mod properties;
mod reload;
mod secrets;
mod sharing;
mod telemetry;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::*;

/// The certificate of an authority that signs nothing.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\n\
    MIIBmTCCAT+gAwIBAgIUcJak+NlzawlsM6UROio0JPU0HrYwCgYIKoZIzj0EAwIw\n\
    ITEfMB0GA1UEAwwWYXV0aG9yaXR5IG9mIHRoZSB0ZXN0czAgFw0yNjExMjExNDUz\n\
    MjZaGA8yMTI2MTAyODE0NTMyNlowITEfMB0GA1UEAwwWYXV0aG9yaXR5IG9mIHRo\n\
    ZSB0ZXN0czBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDUQ6poaFRzd6VdwGKer\n\
    k2XqnHCT1TNRD2ZiJ2TfSsf30ojvF8S0oAbbkSlYvG5o5PBRIl1CIU8bkxm5WtgK\n\
    kQujUzBRMB0GA1UdDgQWBBQP97+KDGRgS4RBZ94DUPIQigj20jAfBgNVHSMEGDAW\n\
    gBQP97+KDGRgS4RBZ94DUPIQigj20jAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49\n\
    BAMCA0gAMEUCIBFXRC/D98sYA2eowHDtIAVEA9I9wi/CMmcKm72CPKK3AiEA/W+t\n\
    Hw9ucnmW4JTbPEMbSBD+3pwxWkygMSbhNldR734=\n\
    -----END CERTIFICATE-----\n";

/// A process that never was: its files, environment and arguments.
#[derive(Debug, Clone, Default)]
struct Given {
    files: BTreeMap<&'static str, String>,
    environment: BTreeMap<String, String>,
    command_line: CommandLine,
    terminal: bool,
}

fn file(text: &str) -> Given {
    Given::default().with_file("seaworthy.toml", text)
}

impl Given {
    fn with_file(mut self, path: &'static str, text: &str) -> Self {
        self.files.insert(path, text.to_owned());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        let read = |path: &Path| {
            let text = path.to_str().and_then(|path| self.files.get(path)).cloned();
            text.ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        load(&Sources {
            command_line: self.command_line.clone(),
            environment: self.environment.clone(),
            read: &read,
            terminal: self.terminal,
        })
    }

    /// The configuration, which must be valid.
    fn config(&self) -> Config {
        self.loaded().config
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Each problem as it is written; there must be one.
    fn problems(&self) -> Vec<String> {
        let problems = self.load().map(|loaded| loaded.config).expect_err("this is not valid");
        problems.0.iter().map(ToString::to_string).collect()
    }

    /// The one problem.
    fn problem(&self) -> String {
        let mut problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.remove(0)
    }

    fn origin(&self, path: &str) -> String {
        self.setting(path).origin.to_string()
    }

    fn setting(&self, path: &str) -> Setting {
        let loaded = self.loaded();
        loaded.settings.into_iter().find(|setting| setting.path == path).unwrap_or_else(|| panic!("no key {path}"))
    }
}
