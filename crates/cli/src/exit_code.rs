//! How the process ends.

use std::fmt;

/// How the process ends. The numbers are a contract with scripts and orchestrators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// 0: done, or stopped in order.
    Clean,
    /// 1: a shutdown that was forced or failed, or a command that was not carried out.
    Failed,
    /// 2: the command line cannot be understood.
    Usage,
    /// 64: the configuration is invalid.
    Config,
    /// 65: an address is in use.
    AddressInUse,
    /// 69: the start gave up on a dependency.
    Dependency,
    /// 70: the program did not become ready.
    NotReady,
    /// 126: the program cannot be executed.
    CannotExecute,
    /// 127: the program was not found.
    NotFound,
    /// The program's own: its exit code, or 128 + signal.
    Program(u8),
}

impl ExitCode {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 64,
            Self::AddressInUse => 65,
            Self::Dependency => 69,
            Self::NotReady => 70,
            Self::CannotExecute => 126,
            Self::NotFound => 127,
            Self::Program(code) => code,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}
