//! The table `[audit]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{As, FilePath, SecretSource};

/// The audit trail: who stopped, started, changed or was refused what, and when. One JSON line an entry, written to the disk
/// before the next one, each with the hash of the one before; `seaworthy audit verify` finds what was tampered with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Audit {
    /// The file that entries are appended to; without one there is no trail. A second file beside it, with `.head` at its end,
    /// remembers the last entry, so that a trail that was cut short is noticed.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "x-restart" = true, "examples" = ["/var/lib/seaworthy/audit.jsonl"])))]
    pub(crate) path: Option<As<FilePath>>,

    /// With a key hashes are sealed with it (HMAC): whoever can write the file, but does not know the key, cannot make a
    /// trail that verifies.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "x-restart" = true, "examples" = [{ "file": "/run/secrets/audit-key" }])))]
    pub(crate) key: Option<As<SecretSource>>,
}
