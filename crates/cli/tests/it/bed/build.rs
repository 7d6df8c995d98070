//! Programs that are built before they run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::{output, program};

/// The directory of the binary under test.
fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_seaworthy")).parent().expect("a program lies in a directory")
}

/// One of the examples of this package. `cargo test` built it already, unless it was told to build this test alone.
#[track_caller]
pub(crate) fn example(name: &str) -> PathBuf {
    let profile = built().file_name().and_then(|name| name.to_str()).expect("cargo names it by the profile");
    let profile = if profile == "debug" { "dev" } else { profile };
    // target / triple / profile, as .cargo/config.toml has it.
    let target = built().ancestors().nth(2).expect("the directory of the target");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", env!("CARGO_PKG_NAME"), "--example", name]);
    build.args(["--profile", profile, "--target-dir"]).arg(target);
    output(build.current_dir(env!("CARGO_MANIFEST_DIR")));
    built().join("examples").join(name)
}

/// A program in Go, of one file. What was built stays, as all that is built.
#[track_caller]
pub(crate) fn go(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let binary =
        built().join("examples").join(Path::new(name).with_extension("go-binary").file_name().expect("a file"));
    std::fs::create_dir_all(built().join("examples")).expect("a directory can be made");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&binary).arg(program(name)).env("GOCACHE", built().join("go-cache"));
    // Nothing of the C library, and nothing from the network.
    output(build.env("CGO_ENABLED", "0").env("GOFLAGS", "").env("GOTOOLCHAIN", "local"));
    binary
}
