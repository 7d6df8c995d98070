//! The configuration: where it comes from, what it means, and what is wrong with it.
//!
//! # Stages
//!
//! 1. [`sources`]: command line, environment and file are laid over each other in a [`tree`] whose nodes know where they
//!    were given.
//! 2. [`check`] holds the tree against the [`rules`] of the [`schema`], which the [`raw`] tables describe themselves with, and takes out what
//!    is wrong.
//! 3. [`validate`] fills in the defaults that depend on the machine, finds the secrets, refuses what contradicts itself, and
//!    hands out a [`Config`]. Sockets, pools and processes are built from that by whoever uses them.
//!
//! Every stage goes on after a mistake, so that all of them come back at once; only a file that is not TOML ends it early.
//!
//! # Rules
//!
//! - Precedence: command line, environment, file, default. Each key is decided for itself.
//! - No key is passed over in silence: an unknown one, or one that a later version will read, is an error.
//! - No message, log or page shows a secret, nor the value of a key that is unknown.
//!
//! # Example
//!
//! ```ignore
//! match config::load(&Sources::of_process(command_line)) {
//!     Ok(loaded) => run(loaded.config),
//!     Err(problems) => eprintln!("{problems}"), // and exit with 64
//! }
//! ```

mod check;
mod describe;
#[cfg(test)]
mod kinds;
pub(crate) mod nearest;
mod problem;
mod raw;
#[cfg(test)]
mod reference;
mod rules;
mod sample;
mod schema;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod validate;
mod validated;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) use self::problem::{Problem, Problems};
#[cfg(test)]
pub(crate) use self::reference::reference;
pub(crate) use self::sample::sample;
pub(crate) use self::settings::{ChangedKey, Format, Setting, diff, show};
pub(crate) use self::sources::{CommandLine, Sources};
pub(crate) use self::tree::Origin;
pub(crate) use self::units::{
    Account, Address, AppPort, Bind, Cidr, Destination, Host, Kind, PublicProbes, Secret, Signal, Target, User,
    duration,
};
use self::validate::Review;
pub(crate) use self::validated::*;

/// A valid configuration, and how it came about.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Every key with its value in force and its origin; secrets are masked.
    pub(crate) settings: Vec<Setting>,
    /// What is unwise, but works.
    pub(crate) warnings: Vec<Problem>,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// The values behind the masks, by path: [`diff`] tells a changed one by them.
    secrets: BTreeMap<String, Secret>,
}

/// Makes a configuration from `sources`, or says everything that is wrong with them.
pub(crate) fn load(sources: &Sources<'_>) -> Result<Loaded, Problems> {
    let rules = rules::read();
    let mut layers = sources.layers(&rules)?;
    let found = check::check(&mut layers.tree, &rules);
    let mut problems = layers.problems;
    problems.extend(found.problems);
    let Ok(mut raw) = serde_json::from_value::<raw::Root>(layers.tree.value()) else {
        // A test holds that what the schema allows can be typed. The error is not shown: it may quote a secret.
        problems.push(Problem::new(
            Origin::Default,
            "",
            "allowed by the schema but not by its types: please report this",
        ));
        return Err(Problems(problems));
    };
    let mut review = Review {
        sources,
        origins: layers.tree.origins(),
        broken: found.broken,
        secrets: BTreeMap::new(),
        problems,
        warnings: layers.warnings,
    };
    let config = review.config(&mut raw);
    let Review { origins, secrets, mut problems, warnings, .. } = review;
    if !problems.is_empty() {
        problems.sort_by_key(|problem| match &problem.origin {
            Origin::File { line, .. } => *line,
            _ => 0,
        });
        return Err(Problems(problems));
    }
    let settings = settings::settings(&raw, &origins, &rules);
    Ok(Loaded { config, settings, warnings, file: layers.file, secrets })
}

/// What `sources` say, right or wrong; nothing where a file cannot be read.
pub(crate) fn given(sources: &Sources<'_>) -> serde_json::Value {
    sources.layers(&rules::read()).map(|layers| layers.tree.value()).unwrap_or_default()
}

/// The JSON Schema of the file, for editors.
pub(crate) fn schema() -> &'static str {
    schema::text()
}
