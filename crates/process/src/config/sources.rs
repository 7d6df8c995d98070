//! What a configuration is made from, and the order in which one source is laid over another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::problem::{Problem, Problems};
use super::rules::Rules;
use super::tree::{self, Node, Origin};
use super::variables;

/// Looked for in the current directory when nobody names a file.
const DEFAULT_FILE: &str = "seaworthy.toml";

/// A larger file is none of ours.
const LARGEST_FILE: u64 = 4 << 20;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--listen`
    pub(crate) listen: Option<String>,
    /// `--admin`
    pub(crate) admin: Option<String>,
    /// `--app-port`: a port, or `false`
    pub(crate) app_port: Option<String>,
    /// `--upstream`, each time it was given
    pub(crate) upstream: Vec<String>,
    /// What follows `--`, unchanged
    pub(crate) command: Vec<OsString>,
}

/// Everything that [`load`](super::load) looks at, so that a test needs no process of its own.
pub(crate) struct Sources<'a> {
    pub(crate) command_line: CommandLine,
    pub(crate) environment: BTreeMap<String, String>,
    /// Reads the configuration file and the files of secrets.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Whether somebody is watching on a terminal.
    pub(crate) terminal: bool,
}

impl Sources<'static> {
    /// The environment of this process and its file system.
    pub(crate) fn of_process(command_line: CommandLine) -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            command_line,
            environment: std::env::vars_os().filter_map(text).collect(),
            read: &read_file,
            terminal: rustix::termios::isatty(rustix::stdio::stdout()),
        }
    }
}

impl Default for Sources<'_> {
    /// No file, no environment, no terminal.
    fn default() -> Self {
        Self {
            command_line: CommandLine::default(),
            environment: BTreeMap::new(),
            read: &|_| Err(io::ErrorKind::NotFound.into()),
            terminal: false,
        }
    }
}

impl fmt::Debug for Sources<'_> {
    /// The environment stays out: it is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command_line, terminal, .. } = self;
        f.debug_struct("Sources")
            .field("command_line", command_line)
            .field("terminal", terminal)
            .finish_non_exhaustive()
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {LARGEST_FILE} bytes")));
    }
    Ok(text)
}

/// The sources laid over each other: command line over environment over file.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) tree: Node,
    pub(crate) file: Option<PathBuf>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Sources<'_> {
    /// The value of an environment variable; an empty one counts as none, as `${NAME:-}` in a Compose file leaves it.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn kubernetes(&self) -> bool {
        self.variable("KUBERNETES_SERVICE_HOST").is_some()
    }

    /// Fails only when the file cannot be read or is not TOML: then nothing can be said about the rest.
    pub(crate) fn layers(&self, rules: &Rules<'_>) -> Result<Layers, Problems> {
        let (mut tree, file) = self.file()?.map_or_else(|| (Node::empty(), None), |(tree, path)| (tree, Some(path)));
        let mut variables = variables::read(self, rules);
        tree.overlay(variables.tree);
        tree.overlay(self.flags());
        variables.problems.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Layers { tree, file, problems: variables.problems, warnings: variables.warnings })
    }

    fn file(&self) -> Result<Option<(Node, PathBuf)>, Problems> {
        let variable = "SEAWORTHY_CONFIG";
        let (path, named_by) = match (&self.command_line.config, self.variable(variable)) {
            (Some(path), _) => (path.clone(), Some(Origin::Flag("--config".to_owned()))),
            (None, Some(path)) => (PathBuf::from(path), Some(Origin::Variable(variable.to_owned()))),
            (None, None) => (PathBuf::from(DEFAULT_FILE), None),
        };
        match (self.read)(&path) {
            Ok(text) => {
                let tree = tree::parse(&text, &path).map_err(Problems)?;
                Ok(Some((tree, path)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && named_by.is_none() => Ok(None),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                Err(Problems(vec![Problem::new(named_by.unwrap_or(Origin::Default), "", message)]))
            }
        }
    }

    fn flags(&self) -> Node {
        let CommandLine { config: _, listen, admin, app_port, upstream, command } = &self.command_line;
        let mut tree = Node::empty();
        let mut set = |key: &[&str], flag: &str, value: Value| {
            let path: Vec<_> = key.iter().map(|&key| key.to_owned()).collect();
            tree.set(&path, &Origin::Flag(flag.to_owned()), value);
        };
        if let Some(listen) = listen {
            set(&["listen"], "--listen", listen.as_str().into());
        }
        if let Some(admin) = admin {
            set(&["admin"], "--admin", admin.as_str().into());
        }
        if let Some(port) = app_port {
            set(&["app", "port"], "--app-port", tree::parse_value(port).unwrap_or_else(|| port.as_str().into()));
        }
        if !upstream.is_empty() {
            let entries: Vec<_> = upstream.iter().map(|url| json!({ "url": url })).collect();
            set(&["upstream"], "--upstream", entries.into());
        }
        if !command.is_empty() {
            let arguments: Vec<_> = command.iter().map(|argument| argument.to_string_lossy()).collect();
            set(&["app", "command"], "--", json!(arguments));
        }
        tree
    }
}
