//! An entry of `[[migrate]]`.

use std::collections::BTreeMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use crate::config::units::{Argv, As, SecretSource};

/// A command that runs before each start. It must be idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Migrate {
    /// What it is called in logs and errors. Unique.
    #[cfg_attr(test, schemars(length(min = 1), extend("examples" = ["schema"])))]
    pub(crate) name: String,

    /// The program and its arguments; no shell is run.
    #[cfg_attr(test, schemars(extend("examples" = [["npm", "run", "migrate"]])))]
    pub(crate) command: As<Argv>,

    /// Of several replicas one migrates at a time: the name of a check of the kind `postgres`, in whose database an advisory
    /// lock is held meanwhile. The others wait, for as long as `timeout`. Not through a pooler that hands out transactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["database"])))]
    pub(crate) lock: Option<String>,

    /// How long it may take; after that the start fails.
    #[serde(default = "five_minutes")]
    pub(crate) timeout: Time,

    /// Environment variables for this command, besides those of the program.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("examples" = [{ "PGPASSWORD": { "env": "MIGRATION_PASSWORD" } }])))]
    pub(crate) env: BTreeMap<String, As<SecretSource>>,
}

fn five_minutes() -> Time {
    super::seconds(300)
}
