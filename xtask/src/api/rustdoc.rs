//! What rustdoc knows of a crate, as JSON.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command;

/// The version of the JSON that our `public-api` reads.
const FORMAT: u64 = 57;

/// Rustdoc, allowed to write JSON, which it does not yet promise to write the same for ever. Cargo itself is not told of it: build scripts
/// ask for this variable, and every dependency would be built anew for this one task.
const ALLOWED: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec \"${ALLOWED_RUSTDOC:-rustdoc}\" \"$@\"\n";

/// The compiler that cargo uses.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// Major and minor version: a patch does not change what is printed.
    pub(super) release: String,
    /// The triple of this machine.
    host: String,
}

impl Toolchain {
    pub(super) fn here() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let said = command::read(command::at_root(rustc).arg("-vV"))?;
        Self::parse(&said).with_context(|| format!("rustc -vV does not say what it is: {said:?}"))
    }

    fn parse(said: &str) -> Option<Self> {
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let release = field("release")?;
        // A nightly is not what will be released.
        let release = if release.contains('-') { release } else { release.rsplit_once('.')?.0 };
        Some(Self { release: release.to_owned(), host: field("host")?.to_owned() })
    }
}

/// Where the JSON of this package is, made anew where its sources have changed.
pub(super) fn json(toolchain: &Toolchain, package: &str) -> Result<PathBuf> {
    let metadata =
        command::read(command::cargo().args(["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
    let target = Path::new(metadata["target_directory"].as_str().context("cargo metadata names no target directory")?);
    let mut cargo = command::cargo();
    if let Some(theirs) = std::env::var_os("RUSTDOC") {
        cargo.env("ALLOWED_RUSTDOC", theirs);
    }
    // No flags of the documentation step: its warnings are not looked for here.
    cargo.env("RUSTDOC", allowed(target)?).env_remove("RUSTDOCFLAGS");
    cargo.args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--package", package]);
    cargo.args(["--target", &toolchain.host, "--", "-Z", "unstable-options", "--output-format", "json"]);
    command::run(&mut cargo)?;
    let json = target.join(&toolchain.host).join("doc").join(package.replace('-', "_")).with_extension("json");
    let text = fs::read_to_string(&json).with_context(|| format!("rustdoc left no {}", json.display()))?;
    match format(&text)? {
        FORMAT => Ok(json),
        other => bail!(
            "rustdoc {} writes format {other}, and public-api reads {FORMAT}: take the release of public-api that reads {other} into xtask/Cargo.toml",
            toolchain.release
        ),
    }
}

fn format(json: &str) -> Result<u64> {
    let json: Value = serde_json::from_str(json).context("rustdoc did not write JSON")?;
    json["format_version"].as_u64().context("the JSON of rustdoc does not say its version")
}

/// The place of [`ALLOWED`]. It is always the same one, since cargo documents anew what another rustdoc has documented.
fn allowed(target: &Path) -> Result<PathBuf> {
    let path = target.join("xtask").join("rustdoc");
    if fs::read(&path).is_ok_and(|text| text == ALLOWED.as_bytes()) {
        return Ok(path);
    }
    let directory = target.join("xtask");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    // Whole from the first moment: another run may be about to start it.
    let file = tempfile::NamedTempFile::new_in(&directory)?;
    fs::write(file.path(), ALLOWED)?;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755))?;
    file.persist(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_of_the_toolchain_is_the_same_and_a_nightly_is_another() {
        let of = |release: &str| Toolchain::parse(&format!("rustc\nhost: a-b-c\nrelease: {release}\n")).unwrap();
        assert_eq!(of("1.95.0").release, of("1.95.2").release);
        assert_ne!(of("1.95.0").release, of("1.95.0-nightly").release);
        assert_eq!(of("1.95.0").host, "a-b-c");
        assert!(Toolchain::parse("rustc 1.95.0").is_none());
    }

    #[test]
    fn the_version_of_the_json_is_asked_for() {
        assert_eq!(format(r#"{"root": 0, "format_version": 57}"#).unwrap(), 57);
        assert!(format("{}").is_err());
    }
}
