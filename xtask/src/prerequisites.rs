//! What the build and the tests need on a machine, and how it gets there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::command;

/// A Debian package, what proves that it is there, and what it is needed for.
struct Prerequisite {
    package: &'static str,
    /// Names are looked up in `PATH` and in the directories of the system; paths are taken as they are.
    proof: &'static str,
    purpose: &'static str,
}

const fn needed(package: &'static str, proof: &'static str, purpose: &'static str) -> Prerequisite {
    Prerequisite { package, proof, purpose }
}

const PREREQUISITES: &[Prerequisite] = &[
    needed("gcc", "cc", "the linker, and the C parts of dependencies"),
    needed("libc6-dev", "/usr/include/stdio.h", "the static C library"),
    needed("curl", "curl", "HTTP/2 without TLS, from a client that is not ours"),
    needed("procps", "ps", "processes, as others see them"),
    needed("util-linux", "unshare", "PID 1 in a namespace of its own"),
    needed("iproute2", "ss", "who listens where"),
    needed("python3", "/usr/bin/python3", "programs to stand in front of"),
    needed("python3-websockets", "/usr/lib/python3/dist-packages/websockets", "a WebSocket server and client"),
    needed("python3-grpcio", "/usr/lib/python3/dist-packages/grpc", "a gRPC server and client"),
    needed("python3-statsd", "/usr/lib/python3/dist-packages/statsd", "a client of StatsD"),
    needed(
        "python3-prometheus-client",
        "/usr/lib/python3/dist-packages/prometheus_client",
        "metrics of a program's own",
    ),
    needed("python3-pip", "/usr/lib/python3/dist-packages/pip", "what Debian has no package of"),
    needed("gunicorn", "/usr/bin/gunicorn", "a server with workers of its own"),
    needed("nodejs", "node", "programs to stand in front of"),
    needed("npm", "npm", "a package runner, which swallows signals"),
    needed("golang-go", "go", "programs to stand in front of"),
    needed("nginx", "nginx", "a program that stops in order by QUIT, and the peer of the benchmark"),
    needed("postgresql", "/usr/lib/postgresql", "a database to check"),
    needed("pgbouncer", "pgbouncer", "a pooler to check"),
    needed("mariadb-server", "mariadbd", "a database to check"),
    needed("mariadb-client", "mariadb", "what sets up a replica"),
    needed("redis-server", "redis-server", "a cache to check"),
    needed("nats-server", "nats-server", "a broker to check"),
    needed("rabbitmq-server", "/usr/lib/rabbitmq/lib", "a broker to check"),
    needed("python3-pika", "/usr/lib/python3/dist-packages/pika", "a client that fills the broker's queues"),
    needed("openssl", "openssl", "an authority of the tests' own"),
    needed("valgrind", "valgrind", "counts the instructions of a request"),
    needed("prometheus", "promtool", "the judge of the metrics' format"),
];

/// A package from `PyPI`, for Debian's Python, and the module that proves that it is there.
struct Module {
    package: &'static str,
    name: &'static str,
    purpose: &'static str,
}

const MODULES: &[Module] = &[Module {
    package: "opentelemetry-proto==1.20.0",
    name: "opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc",
    purpose: "a decoder of spans that is not ours",
}];

/// Installs what is missing where that can be done, and says what is missing where it cannot.
pub(crate) fn provide() -> Result<()> {
    for component in ["fmt", "clippy"] {
        if command::read(command::cargo().args([component, "--version"])).is_err() {
            bail!("cargo {component} is missing: `rustup component add rustfmt clippy`");
        }
    }
    packages_of_debian()?;
    modules_of_python()
}

fn modules_of_python() -> Result<()> {
    let python = || command::at_root("/usr/bin/python3");
    for Module { package, name, purpose } in MODULES {
        let is_there = || {
            let mut import = python();
            import.args(["-c", &format!("import {name}")]).stdout(Stdio::null()).stderr(Stdio::null());
            import.status().is_ok_and(|status| status.success())
        };
        // Where it may not be installed, what follows says so.
        if !is_there() && is_root() {
            let mut pip = python();
            pip.args(["-m", "pip", "install", "--quiet", "--break-system-packages", "--no-deps", package]);
            command::run(pip.env("PIP_ROOT_USER_ACTION", "ignore"))?;
        }
        if !is_there() {
            bail!("missing: {name} for /usr/bin/python3 ({purpose}): `pip install --no-deps {package}`");
        }
    }
    Ok(())
}

fn packages_of_debian() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() && find("apt-get").is_some() {
        install(&missing)?;
    }
    let missing = self::missing();
    if missing.is_empty() {
        return Ok(());
    }
    for Prerequisite { package, proof, purpose } in &missing {
        eprintln!("missing: {proof} (Debian package {package}): {purpose}");
    }
    bail!("install what is missing: `apt-get install {}`", packages(&missing).join(" "));
}

fn missing() -> Vec<&'static Prerequisite> {
    PREREQUISITES.iter().filter(|needed| find(needed.proof).is_none()).collect()
}

fn packages(missing: &[&Prerequisite]) -> Vec<&'static str> {
    missing.iter().map(|needed| needed.package).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Where a program is. The administrator's directories are looked at too: a user's `PATH` often lacks them.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn is_root() -> bool {
    command::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn install(missing: &[&Prerequisite]) -> Result<()> {
    let _no_daemons = NoDaemons::ask();
    let apt = || {
        let mut command = command::at_root("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    command::run(apt().arg("update"))?;
    command::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages(missing)))
}

/// While it lives, packages do not start the daemons that they bring: those would take ports, and the tests start
/// their own.
struct NoDaemons(Option<PathBuf>);

impl NoDaemons {
    fn ask() -> Self {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Self(None);
        }
        let written = std::fs::write(policy, "#!/bin/sh\nexit 101\n")
            .and_then(|()| command::run(Command::new("chmod").arg("755").arg(policy)).map_err(std::io::Error::other));
        if let Err(error) = &written {
            eprintln!("packages may start daemons: cannot write {}: {error}", policy.display());
        }
        Self(written.is_ok().then(|| policy.to_owned()))
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if let Some(policy) = &self.0 {
            // What stays behind would silence the daemons of packages that somebody installs later.
            if let Err(error) = std::fs::remove_file(policy) {
                eprintln!("remove {} by hand: {error}", policy.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_and_a_path_is_taken_as_it_is() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("/nonexistent/sh"), None);
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
