//! Shells and package runners: processes that start the service and swallow the signal meant for it.
//!
//! `npm start` runs a shell that runs node. A TERM for npm or the shell ends it, and node is left without having heard of
//! it; so the whole group is told.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use rustix::process::Pid;

/// Their names, without a suffix such as `.js` or `-cli`.
const RUNNERS: &[&str] = &[
    "ash",
    "bash",
    "bundle",
    "bundler",
    "concurrently",
    "dash",
    "doas",
    "fish",
    "foreman",
    "honcho",
    "hupper",
    "ksh",
    "make",
    "mksh",
    "nodemon",
    "npm",
    "npm-run-all",
    "npx",
    "overmind",
    "pdm",
    "pipenv",
    "pnpm",
    "pnpx",
    "poetry",
    "rake",
    "sh",
    "sudo",
    "su",
    "ts-node-dev",
    "tsx",
    "turbo",
    "watchexec",
    "yarn",
    "yarnpkg",
    "zsh",
];

/// Tools that run a program only with one of these words.
const WITH_A_WORD: &[(&str, &[&str])] = &[
    ("bun", &["run", "x"]),
    ("cargo", &["run", "watch"]),
    ("deno", &["task"]),
    ("dotnet", &["run", "watch"]),
    ("go", &["run"]),
    ("uv", &["run"]),
    ("uvx", &[""]),
];

/// What runs scripts: there the name of the script counts.
const INTERPRETERS: &[&str] = &["node", "nodejs", "bun", "deno", "perl", "php", "python", "ruby"];

/// Whether a process is one of them.
pub(crate) fn is_runner(pid: Pid) -> bool {
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let (comm, command_line) = (file("comm"), file("cmdline"));
    let arguments: Vec<&[u8]> = command_line.split(|&byte| byte == 0).collect();
    recognised(exe.as_os_str().as_bytes(), &comm, &arguments)
}

fn recognised(exe: &[u8], comm: &[u8], arguments: &[&[u8]]) -> bool {
    let exe = plain_name(exe);
    let first = arguments.first().copied().unwrap_or_default();
    // npm writes a title over its arguments: "npm start".
    let titles = [comm, first].map(|title| plain_name(title.split(u8::is_ascii_whitespace).next().unwrap_or(title)));
    let script = INTERPRETERS.contains(&without_version(&exe)).then(|| {
        let script = arguments.iter().skip(1).find(|argument| !argument.starts_with(b"-"));
        plain_name(script.copied().unwrap_or_default())
    });
    let names = || [Some(&exe), Some(&titles[0]), Some(&titles[1]), script.as_ref()].into_iter().flatten();
    if names().any(|name| RUNNERS.contains(&name.as_str())) {
        return true;
    }
    let word = arguments.iter().skip(1).find(|argument| !argument.starts_with(b"-")).copied().unwrap_or_default();
    let runs = |name: &&String| {
        let words = WITH_A_WORD.iter().find(|(tool, _)| tool == name).map(|(_, words)| *words);
        words.is_some_and(|words| words.iter().any(|known| known.is_empty() || known.as_bytes() == word))
    };
    names().any(|name| runs(&name))
}

/// The last part of a path, without what packagers append.
fn plain_name(path: &[u8]) -> String {
    let path = path.trim_ascii().strip_prefix(b"-").unwrap_or(path.trim_ascii());
    let name = std::path::Path::new(OsStr::from_bytes(path)).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let name = [".js", ".cjs", ".mjs", ".py", ".rb", " (deleted)"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(&name);
    name.strip_suffix("-cli").unwrap_or(name).to_owned()
}

/// `python` for `python3.12`.
fn without_version(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    fn recognised(exe: &str, comm: &str, arguments: &[&str]) -> bool {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        super::recognised(exe.as_bytes(), comm.as_bytes(), &arguments)
    }

    #[test]
    fn shells_and_package_runners_are_recognised_by_any_of_their_names() {
        for (exe, comm, arguments) in [
            ("/usr/bin/dash", "sh\n", &["sh", "-c", "node server.js"][..]),
            ("/usr/bin/bash", "start.sh\n", &["/bin/bash", "./start.sh"]),
            ("/bin/busybox", "ash\n", &["ash", "/start.sh"]),
            ("/usr/bin/bash", "bash\n", &["-bash"]),
            ("/usr/bin/node", "npm start\n", &["npm start"]),
            ("/usr/bin/node", "node\n", &["node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "start"]),
            ("/usr/bin/node", "node\n", &["node", "--no-warnings", "/opt/yarn/bin/yarn.js", "start"]),
            ("/usr/bin/python3.12", "pipenv\n", &["/usr/bin/python3", "/usr/bin/pipenv", "run", "serve"]),
            ("/usr/local/go/bin/go", "go\n", &["go", "run", "."]),
        ] {
            assert!(recognised(exe, comm, arguments), "{exe} {comm} {arguments:?}");
        }
    }

    #[test]
    fn services_are_not() {
        for (exe, comm, arguments) in [
            ("/usr/bin/node", "node\n", &["node", "server.js"][..]),
            ("/usr/bin/python3.12", "gunicorn\n", &["/usr/bin/python3", "/usr/bin/gunicorn", "app:app"]),
            ("/usr/sbin/nginx", "nginx\n", &["nginx: master process nginx -g daemon off;"]),
            ("/bin/busybox", "httpd\n", &["httpd", "-f"]),
            ("/usr/bin/dotnet", "dotnet\n", &["dotnet", "app.dll"]),
            ("/usr/bin/bun", "bun\n", &["bun", "server.ts"]),
            ("", "", &[]),
        ] {
            assert!(!recognised(exe, comm, arguments), "{exe} {comm} {arguments:?}");
        }
    }
}
