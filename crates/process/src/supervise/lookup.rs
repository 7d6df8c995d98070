//! Which file a command names, found before it is started, so that an error can say more than "no such file".

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::nearest;
use crate::exit_code::ExitCode;

/// What execvp(3) takes where PATH is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a command names nothing that can be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("{program:?} was not found{hint}")]
    NotFound { program: OsString, hint: String },
    #[error("{} is a directory, not a program", .0.display())]
    Directory(PathBuf),
    #[error("{path} may not be executed: make it executable with chmod +x {path}", path = .0.display())]
    NotExecutable(PathBuf),
    #[error("{} wants to be run by {interpreter:?}, which does not exist: mend its first line, or install that", .path.display())]
    NoInterpreter { path: PathBuf, interpreter: OsString },
    #[error("app.cwd is {}, which is not a directory", .0.display())]
    NoDirectory(PathBuf),
}

impl LookupError {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotFound { .. } => ExitCode::NotFound,
            Self::Directory(_) | Self::NotExecutable(_) | Self::NoInterpreter { .. } | Self::NoDirectory(_) => {
                ExitCode::CannotExecute
            }
        }
    }
}

/// The file that `program` names: as it stands when there is a slash in it, else in the directories of `search`.
pub(crate) fn find(program: &OsStr, search: Option<&OsStr>, cwd: Option<&Path>) -> Result<PathBuf, LookupError> {
    if let Some(cwd) = cwd
        && !cwd.is_dir()
    {
        return Err(LookupError::NoDirectory(cwd.to_owned()));
    }
    let from = |path: &Path| cwd.map_or_else(|| path.to_owned(), |cwd| cwd.join(path));
    if program.as_bytes().contains(&b'/') {
        let path = from(Path::new(program));
        let missing = || LookupError::NotFound { program: program.to_owned(), hint: String::new() };
        return executable(&path)?.then_some(path).ok_or_else(missing);
    }
    let search = search.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut refused = None;
    for directory in std::env::split_paths(search) {
        let path = from(&directory).join(program);
        match executable(&path) {
            Ok(true) => return Ok(path),
            Ok(false) => {}
            // A later directory may hold one that can be executed; only if none does, this is why.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    // A directory of that name somewhere on the path is not what was meant.
    let refused = refused.filter(|error| !matches!(error, LookupError::Directory(_)));
    Err(refused.unwrap_or_else(|| LookupError::NotFound {
        program: program.to_owned(),
        hint: hint(program, search, &from(Path::new(""))),
    }))
}

/// Whether `path` exists, as something that can be executed.
fn executable(path: &Path) -> Result<bool, LookupError> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(false) };
    if metadata.is_dir() {
        return Err(LookupError::Directory(path.to_owned()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(LookupError::NotExecutable(path.to_owned()));
    }
    match interpreter(path) {
        Some(interpreter) if !Path::new(&interpreter).exists() => {
            Err(LookupError::NoInterpreter { path: path.to_owned(), interpreter })
        }
        _ => Ok(true),
    }
}

/// What follows `#!`. The kernel reads no more than 256 bytes of a file to find it.
fn interpreter(path: &Path) -> Option<OsString> {
    let mut head = Vec::new();
    fs::File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let word = line.trim_ascii().split(|byte| matches!(byte, b' ' | b'\t')).next()?;
    word.starts_with(b"/").then(|| OsString::from_vec(word.to_vec()))
}

/// What somebody may have meant by a program that does not exist.
fn hint(program: &OsStr, search: &OsStr, cwd: &Path) -> String {
    let Some(text) = program.to_str() else { return String::new() };
    if text.split_whitespace().nth(1).is_some() {
        return format!(": no shell is run, so write the arguments apart: -- {text}");
    }
    if cwd.join(program).is_file() {
        return format!(" on the PATH: did you mean ./{text}?");
    }
    let mut names: Vec<String> = std::env::split_paths(search)
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    match nearest::to(text, names.iter().map(String::as_str)) {
        Some(near) => format!(" on the PATH: did you mean {near:?}?"),
        None => format!(" on the PATH, which is {:?}", search.to_string_lossy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path, name: &str, mode: u32, content: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_first_executable_on_the_path_is_taken() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        file(first.path(), "app", 0o644, "");
        let expected = file(second.path(), "app", 0o755, "");
        let search = std::env::join_paths([first.path(), second.path()]).unwrap();
        assert_eq!(find("app".as_ref(), Some(&search), None), Ok(expected));
    }

    #[test]
    fn a_missing_program_is_127_with_the_nearest_name() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "gunicorn", 0o755, "");
        let search = directory.path().as_os_str();
        let refused = find("gunicron".as_ref(), Some(search), None).unwrap_err();
        assert_eq!(refused.exit_code(), ExitCode::NotFound);
        assert_eq!(refused.to_string(), r#""gunicron" was not found on the PATH: did you mean "gunicorn"?"#);
    }

    #[test]
    fn a_whole_line_and_a_program_in_the_directory_are_recognised() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "server", 0o755, "");
        let find = |program: &str| find(program.as_ref(), Some("/bin".as_ref()), Some(directory.path())).unwrap_err();
        assert!(find("node server.js").to_string().ends_with("-- node server.js"), "{}", find("node server.js"));
        assert!(find("server").to_string().ends_with("did you mean ./server?"), "{}", find("server"));
    }

    #[test]
    fn what_exists_but_cannot_run_is_126() {
        let directory = tempfile::tempdir().unwrap();
        let plain = file(directory.path(), "plain", 0o644, "");
        let script = file(directory.path(), "script", 0o755, "#! /no/such/python -u\n");
        for path in [directory.path(), &plain, &script] {
            let refused = find(path.as_os_str(), None, None).unwrap_err();
            assert_eq!(refused.exit_code(), ExitCode::CannotExecute, "{refused}");
            assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
        }
        let missing = find("true".as_ref(), None, Some(&plain)).unwrap_err();
        assert_eq!(missing, LookupError::NoDirectory(plain));
    }
}
