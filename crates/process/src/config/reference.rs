//! The reference for the user guide, in Markdown.

use std::fmt::Write as _;

use super::describe::{self, Key, Table};

const HEAD: &str = "\
# Configuration reference

Made from the doc comments of the configuration by `cargo xtask docs`; change those, not this page.

No file is needed: every key has a default. A file is found by `--config`, then `SEAWORTHY_CONFIG`, then as `seaworthy.toml`
in the current directory. The command line wins over the environment, the environment over the file, the file over the
defaults; `seaworthy config show` says what is in force and where it came from. An unknown key is an error, and all errors
are reported at once.

| what | how it is written |
| --- | --- |
| duration | `\"250ms\"`, `\"5s\"`, `\"1m30s\"`, `\"12h\"`, `\"7d\"`; whole numbers, the largest unit first |
| size | `\"512B\"`, `\"10MB\"` (powers of 1000), `\"64KiB\"` (powers of 1024) |
| byte rate | a size a second: `\"240B/s\"` |
| address | `\"127.0.0.1:8080\"`, `\"[::1]:8080\"`, `\":8080\"` (all addresses), `8080`, `\"unix:/path\"` |
| network | `\"10.0.0.0/8\"`, `\"2001:db8::/32\"`, or one address |
| command | `[\"node\", \"server.js\"]`; no shell is run |
| hook | a command, or `{ command = [\"./hook.sh\"], timeout = \"2s\" }` |
| secret | `{ env = \"NAME\" }`, `{ file = \"/run/secrets/name\" }`, or text; no output ever shows one |
| in the environment | `SEAWORTHY_DRAIN__DELAY=2s` is `drain.delay`: `__` goes into a table, `_` is `-`; lists by commas or as in TOML |

A reload (`SIGHUP`, `seaworthy reload`) takes up every change except to the keys marked \"restart\".
";

/// The whole page.
pub(crate) fn reference() -> String {
    let mut page = HEAD.to_owned();
    let tables = describe::tables(super::schema::root());
    for table in &tables {
        section(table, &mut page);
    }
    page.push_str("\n## All defaults\n\n| key | default |\n| --- | --- |\n");
    for table in &tables {
        for key in &table.keys {
            row(&mut page, &[&format!("`{}`", table.path(*key)), &key.default()]);
        }
    }
    page
}

fn section(table: &Table<'_>, page: &mut String) {
    // Writing to a string cannot fail.
    let _ = match table.name {
        "" => write!(page, "\n## {}\n\n", table.heading()),
        _ => write!(page, "\n## `{}`\n\n{}\n\n", table.heading(), describe::description(table.schema).join("\n\n")),
    };
    page.push_str("| key | kind | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in &table.keys {
        let restart = key.schema["x-restart"] == true;
        row(page, &[&format!("`{}`", key.name), &key.kind(), &key.default(), &meaning(*key, restart)]);
    }
}

fn meaning(key: Key<'_>, restart: bool) -> String {
    let mut meaning = describe::description(key.schema).join(" ");
    for line in describe::words(key.schema) {
        let _ = write!(meaning, "<br>{line}");
    }
    if key.schema.get("default").is_none_or(|default| key.example() != *default) {
        let _ = write!(meaning, "<br>Example: `{} = {}`", key.name, describe::toml(&key.example()));
    }
    if restart {
        meaning.push_str(" **Restart.**");
    }
    meaning
}

fn row(page: &mut String, cells: &[&str]) {
    for cell in cells {
        let _ = write!(page, "| {} ", cell.replace('|', "\\|"));
    }
    page.push_str("|\n");
}
