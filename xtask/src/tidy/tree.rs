//! The repository as the rules see it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command;

/// The map of the code, with the reason for every dependency.
pub(super) const MAP: &str = "ARCHITECTURE.md";

/// A text file that is, or would be, committed.
#[derive(Debug)]
pub(super) struct File {
    /// From the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// Its lines, with their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    pub(super) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    pub(super) fn is_markdown(&self) -> bool {
        self.has_extension("md")
    }

    fn has_extension(&self, extension: &str) -> bool {
        std::path::Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }
}

/// All of them, and what cargo says of the packages.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) files: Vec<File>,
    /// `Cargo.toml` of the workspace.
    pub(super) manifest: toml::Table,
    /// `Cargo.lock`.
    pub(super) lock: toml::Table,
    /// `deny.toml`.
    pub(super) deny: toml::Table,
    /// The text of [`MAP`].
    pub(super) map: String,
    metadata: Value,
}

impl Tree {
    pub(super) fn read() -> Result<Self> {
        let root = command::root();
        // A checkout may belong to somebody else than who tests it, as in a container.
        let list = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = command::read(command::at_root("git").args(list))?;
        let read = |path: &str| {
            // What is listed may be deleted and not yet committed so; what is not text has no lines to look at.
            let text = String::from_utf8(std::fs::read(root.join(path)).ok()?).ok()?;
            Some(File { path: path.to_owned(), text })
        };
        let files: Vec<_> = listed.split_terminator('\0').filter_map(read).collect();
        let text = |path: &str| {
            let file = files.iter().find(|file| file.path == path);
            file.map(|file| file.text.clone()).with_context(|| format!("there is no {path}"))
        };
        let table = |path: &str| text(path)?.parse().with_context(|| format!("{path} is not TOML"));
        let (manifest, lock, deny) = (table("Cargo.toml")?, table("Cargo.lock")?, table("deny.toml")?);
        let map = text(MAP)?;
        let metadata =
            command::read(command::cargo().args(["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
        let metadata = serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
        Ok(Self { root, files, manifest, lock, deny, map, metadata })
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(super) fn markdown(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_markdown())
    }

    /// The packages of this workspace.
    pub(super) fn packages(&self) -> impl Iterator<Item = Package<'_>> {
        self.metadata["packages"].as_array().into_iter().flatten().map(Package)
    }
}

/// What cargo says of one package.
#[derive(Debug, Clone, Copy)]
pub(super) struct Package<'a>(&'a Value);

impl<'a> Package<'a> {
    pub(super) fn name(self) -> &'a str {
        self.0["name"].as_str().unwrap_or_default()
    }

    /// Whether it is a service of `examples/`.
    pub(super) fn is_example(self) -> bool {
        self.0["manifest_path"].as_str().is_some_and(|path| path.contains("/examples/"))
    }

    /// The names of what it depends on, for tests and build scripts too.
    pub(super) fn dependencies(self) -> impl Iterator<Item = &'a str> {
        let dependencies = self.0["dependencies"].as_array().into_iter().flatten();
        dependencies.filter_map(|dependency| dependency["name"].as_str())
    }

    /// The names of what users of it get with it.
    pub(super) fn shipped(self) -> impl Iterator<Item = &'a str> {
        let dependencies = self.0["dependencies"].as_array().into_iter().flatten();
        let shipped = dependencies.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
        shipped.filter_map(|dependency| dependency["name"].as_str())
    }
}
