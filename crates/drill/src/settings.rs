//! `drill.toml`: what the drill cannot find out by itself, and what somebody decided to live with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::catalogue::Level;
use crate::plan::{ConfigPromises, Dependency, Paths};
use crate::waiver::Waiver;

/// The file as it is written. Unknown keys are refused: a waiver with a typing error must not waive by luck.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) command: Option<Vec<String>>,
    pub(crate) path: Option<String>,
    pub(crate) live: Option<String>,
    pub(crate) ready: Option<String>,
    pub(crate) slow_path: Option<String>,
    pub(crate) upload_path: Option<String>,
    pub(crate) metrics: Option<String>,
    pub(crate) websocket_path: Option<String>,
    pub(crate) error_path: Option<String>,
    pub(crate) json_path: Option<String>,
    pub(crate) grace: Option<String>,
    pub(crate) lag: Option<String>,
    pub(crate) pre_stop: Option<String>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) start_timeout: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) parallel: Option<usize>,
    pub(crate) level: Option<Level>,
    pub(crate) grpc: bool,
    pub(crate) https: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) insecure: bool,
    pub(crate) server_name: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) skip: Vec<Skip>,
    pub(crate) dependency: Vec<RawDependency>,
    pub(crate) waiver: Vec<RawWaiver>,
    pub(crate) config: RawConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skip {
    pub(crate) check: String,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDependency {
    env: String,
    value: Option<String>,
    path: Option<String>,
    affects: Option<Affects>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Affects {
    Ready,
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWaiver {
    check: String,
    reason: String,
    #[serde(deserialize_with = "date")]
    until: jiff::civil::Date,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawConfig {
    invalid: Option<Invalid>,
    overrides: Option<Overrides>,
    secret_file: Option<Invalid>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invalid {
    env: String,
    value: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overrides {
    env: String,
    value: String,
    path: String,
    contains: String,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{0}")]
    Invalid(String),
}

impl Settings {
    pub(crate) fn read(path: &Path) -> Result<Self, SettingsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| SettingsError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths {
            safe: self.path.clone(),
            live: self.live.clone(),
            ready: self.ready.clone(),
            slow: self.slow_path.clone(),
            upload: self.upload_path.clone(),
            metrics: self.metrics.clone(),
            websocket: self.websocket_path.clone(),
            error: self.error_path.clone(),
            json: self.json_path.clone(),
        }
    }

    pub(crate) fn waivers(&self) -> Result<Vec<Waiver>, SettingsError> {
        let checked = self.waiver.iter().map(|raw| {
            let waiver = Waiver { check: raw.check.clone(), reason: raw.reason.clone(), until: raw.until };
            known(&waiver.check)?;
            if waiver.reason.trim().is_empty() {
                return Err(SettingsError::Invalid(format!("the waiver of {} has no reason", waiver.check)));
            }
            Ok(waiver)
        });
        checked.collect()
    }

    /// The dependencies; an address that is not in the file is taken from the variables that were given, and then
    /// from our own environment.
    pub(crate) fn dependencies(&self, given: &[(String, String)]) -> Result<Vec<Dependency>, SettingsError> {
        let resolved = self.dependency.iter().map(|raw| {
            let given = given.iter().rev().find(|(name, _)| *name == raw.env).map(|(_, value)| value.clone());
            let own = given.or_else(|| self.env.get(&raw.env).cloned()).or_else(|| std::env::var(&raw.env).ok());
            let Some(value) = raw.value.clone().or(own) else {
                let message = format!("dependency {}: it has no value here; set the variable, or `value`", raw.env);
                return Err(SettingsError::Invalid(message));
            };
            let affects_ready = raw.affects.map(|affects| matches!(affects, Affects::Ready));
            Ok(Dependency { env: raw.env.clone(), value, path: raw.path.clone(), affects_ready })
        });
        resolved.collect()
    }

    pub(crate) fn config(&self) -> ConfigPromises {
        ConfigPromises {
            invalid: self.config.invalid.clone().map(|raw| (raw.env, raw.value)),
            secret_file: self.config.secret_file.clone().map(|raw| (raw.env, raw.value)),
            overrides: self.config.overrides.clone().map(|raw| (raw.env, raw.value, raw.path, raw.contains)),
        }
    }
}

/// A pattern that names nothing is a typing error.
pub(crate) fn known(pattern: &str) -> Result<(), SettingsError> {
    if crate::catalogue::all().any(|check| crate::catalogue::names(pattern, check.id)) {
        return Ok(());
    }
    Err(SettingsError::Invalid(format!("{pattern:?} names no check: see --list")))
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<jiff::civil::Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no date: write \"2026-03-31\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_waiver_needs_a_known_check_a_reason_and_a_date() {
        let of = |check: &str, reason: &str| {
            let text = format!("[[waiver]]\ncheck = \"{check}\"\nreason = \"{reason}\"\nuntil = \"2026-12-31\"");
            parse(&text).unwrap().waivers()
        };
        assert_eq!(of("drain.*", "ticket 7").unwrap().len(), 1);
        assert!(of("drian.*", "ticket 7").unwrap_err().to_string().contains("\"drian.*\" names no check"));
        assert!(of("drain.*", " ").is_err());
        let no_date = parse("[[waiver]]\ncheck = \"drain.*\"\nreason = \"x\"\nuntil = \"soon\"").unwrap_err();
        assert!(no_date.to_string().contains("\"soon\" is no date"), "{no_date}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(parse("gracee = \"3s\"").is_err());
    }

    #[test]
    fn fuzz_any_file_is_settings_or_refused() {
        seaworthy_fuzz::drive_text("drill-settings", |text| {
            if let Ok(settings) = parse(text) {
                let _ = (settings.waivers(), settings.paths(), settings.dependencies(&[]), settings.config());
            }
        });
    }
}
