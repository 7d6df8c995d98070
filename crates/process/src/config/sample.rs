//! A commented file with every key: its meaning, its default, and a value to start from.

use super::describe::{self, Form, Key, Table};

const HEAD: &str = "\
# seaworthy.toml: every key, with its meaning and its default.
# Nothing here is needed: take the # away from what is to be different.
# Times are written \"250ms\" \"5s\" \"1m30s\", sizes \"64KiB\" \"10MB\".
# Any key can be set in the environment too: SEAWORTHY_DRAIN__DELAY=2s.
";

const WIDTH: usize = 100;

/// The sample, which is itself a valid file.
pub(crate) fn sample() -> String {
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    for table in describe::tables(&super::schema::read()) {
        lines.push(String::new());
        section(&table, &mut lines);
    }
    lines.join("\n") + "\n"
}

fn section(table: &Table<'_>, lines: &mut Vec<String>) {
    if !table.name.is_empty() {
        comment(&describe::description(table.schema), lines);
        // One of several tables would have to be complete.
        lines.push(format!("{}{}", if table.form == Form::One { "" } else { "#" }, table.heading()));
    }
    for (index, key) in table.keys.iter().enumerate() {
        if index > 0 || !table.name.is_empty() {
            lines.push(String::new());
        }
        entry(*key, lines);
    }
}

fn entry(key: Key<'_>, lines: &mut Vec<String>) {
    comment(&describe::description(key.schema), lines);
    let words = describe::words(key.schema).into_iter().map(|line| format!("  {line}"));
    comment(&words.collect::<Vec<_>>(), lines);
    comment(&[format!("Default: {}", key.default().replace('`', ""))], lines);
    lines.push(format!("#{} = {}", key.name, describe::toml(&key.example())));
}

/// Comments have a space after the #, keys have none: that tells them apart.
fn comment(paragraphs: &[String], lines: &mut Vec<String>) {
    for paragraph in paragraphs {
        let indent = paragraph.len() - paragraph.trim_start().len();
        let mut line = format!("# {}", " ".repeat(indent));
        let margin = line.len();
        let mut in_code = false;
        for word in paragraph.split_whitespace() {
            // What is between backticks stays on one line.
            if line.len() > margin && line.len() + word.len() > WIDTH && !in_code {
                lines.push(std::mem::replace(&mut line, format!("# {}", " ".repeat(indent))));
            }
            if line.len() > margin {
                line.push(' ');
            }
            line.push_str(word);
            in_code ^= word.matches('`').count() % 2 == 1;
        }
        lines.push(line);
    }
}
