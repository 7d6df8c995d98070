//! How the process ends: what its exit code tells a shell, a platform or a script.

use std::process::Termination;

use seaworthy_core::event::Ending;

/// The exit codes. Each command documents which of them it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ExitCode {
    /// 0: all went well; a stop was graceful.
    Clean,
    /// 1: a stop had to be forced, or what was asked for failed.
    Failed,
    /// 2: the command line makes no sense.
    Usage,
    /// 3: a drill could not be held; nothing was judged.
    NotJudged,
    /// 64: the configuration is not valid. Nothing was started.
    Config,
    /// 65: an address that we were to listen on is in use.
    AddressInUse,
    /// 69: something that the start depends on did not come.
    DependencyMissing,
    /// 70: the program did not become ready.
    NotReady,
    /// 126: the program exists but cannot be executed.
    CannotExecute,
    /// 127: the program was not found.
    NotFound,
    /// The program's own: its code, or 128 + the number of the signal that ended it.
    Program(i32),
}

impl ExitCode {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotJudged => 3,
            Self::Config => 64,
            Self::AddressInUse => 65,
            Self::DependencyMissing => 69,
            Self::NotReady => 70,
            Self::CannotExecute => 126,
            Self::NotFound => 127,
            // The kernel keeps eight bits. One that does not fit is a failure all the same, never a 0.
            Self::Program(code) => u8::try_from(code).unwrap_or(u8::MAX),
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::Program(ending.code())
    }
}

impl From<seaworthy_drill::Ending> for ExitCode {
    fn from(ending: seaworthy_drill::Ending) -> Self {
        match ending {
            seaworthy_drill::Ending::Held => Self::Clean,
            seaworthy_drill::Ending::Broken => Self::Failed,
            seaworthy_drill::Ending::Usage => Self::Usage,
            seaworthy_drill::Ending::NotRun | seaworthy_drill::Ending::Interrupted => Self::NotJudged,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}

impl Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_documentation() {
        use ExitCode::{
            AddressInUse, CannotExecute, Clean, Config, DependencyMissing, Failed, NotFound, NotReady, Usage,
        };
        let codes = [Clean, Failed, Usage, Config, AddressInUse, DependencyMissing, NotReady, CannotExecute, NotFound];
        assert_eq!(codes.map(ExitCode::number), [0, 1, 2, 64, 65, 69, 70, 126, 127]);
    }

    #[test]
    fn a_program_passes_its_code_on_and_a_signal_becomes_128_more() {
        assert_eq!(ExitCode::from(Ending::Exited(7)).number(), 7);
        assert_eq!(ExitCode::from(Ending::Signalled(9)).number(), 137);
        assert_eq!(ExitCode::Program(256).number(), 255);
    }
}
