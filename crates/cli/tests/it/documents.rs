//! What the documents say is tried: their configurations are loaded, their commands exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = std::fs::read_dir(root.join("docs")).expect("there is a guide").flatten().map(|entry| entry.path());
    let pages = guide.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let documents: Vec<_> = pages.chain([root.join("README.md")]).collect();
    documents.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).expect("it can be read"))).collect()
}

/// The fenced blocks of `language`, with the line at which each begins.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let (mut blocks, mut open): (Vec<(usize, String)>, Option<bool>) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), open) {
            (Some(found), None) => {
                open = Some(found == language);
                if found == language {
                    blocks.push((number, String::new()));
                }
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                if let Some((_, block)) = blocks.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            (None, _) => {}
        }
    }
    blocks
}

/// The addresses among the secrets that examples name. All others are of no meaning.
const ADDRESSES: [(&str, &str); 3] = [
    ("DATABASE_URL", "postgres://app@db.internal/app"),
    ("MYSQL_URL", "mysql://app@db.internal/app"),
    ("REDIS_URL", "redis://cache.internal"),
];

/// The variables that `block` takes secrets from, all set.
fn secrets(block: &str) -> impl Iterator<Item = (&str, &'static str)> {
    let names = block.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| {
        let address = ADDRESSES.iter().find(|(known, _)| *known == name);
        (name, address.map_or("0123456789abcdef0123456789abcdef", |(_, address)| address))
    })
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = directory.path().join("seaworthy.toml");
    let mut tried = 0;
    for (path, text) in documents() {
        for (line, block) in blocks(&text, "toml") {
            // The drill has a file of its own; its examples begin with its name.
            if block.starts_with("# drill.toml") {
                continue;
            }
            std::fs::write(&file, &block).expect("it can be written");
            let mut check = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
            // As under Kubernetes, which the examples speak of: its grace is the longest.
            check
                .env_clear()
                .env("KUBERNETES_SERVICE_HOST", "10.0.0.1")
                .envs(secrets(&block))
                .args(["config", "check", "--config"])
                .arg(&file);
            let checked = check.output().expect("it runs");
            let said = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{}:{line}: {said}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 5, "the documents have examples");
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut named = BTreeSet::new();
    for (_, text) in documents() {
        let code = ["sh", "console"].iter().flat_map(|language| blocks(&text, language));
        let code = code.map(|(_, block)| block).collect::<String>();
        let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("seaworthy "));
        let lines = code
            .lines()
            .map(|line| line.trim_start_matches("$ "))
            .chain(spans)
            .flat_map(|line| line.split(['|', ';', '&']))
            .map(str::trim);
        let words =
            lines.filter_map(|line| line.strip_prefix("seaworthy ")?.split_whitespace().next().map(str::to_owned));
        named.extend(words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }
    for command in &named {
        let help = Command::new(env!("CARGO_BIN_EXE_seaworthy")).args([command, "--help"]).output().expect("it runs");
        assert!(help.status.success(), "seaworthy {command}: {}", String::from_utf8_lossy(&help.stderr));
    }
    assert!(named.contains("run") && named.contains("probe"), "{named:?}");
}
