//! The public API of the library, one item a line: what it was is committed, so that what it becomes is seen in a review.
//!
//! The library hands out the whole of core as `seaworthy::core`, so core's items stand in the list as well. Left out is what follows from
//! the rest: blanket implementations, the methods of traits that are implemented, and that a type is `Send` and `Sync`; that one is not,
//! or only where its parts are, stands there.

mod rustdoc;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use public_api::{PublicApi, PublicItem};

use crate::command;
use rustdoc::Toolchain;

/// The list, from the root.
pub(crate) const LIST: &str = "docs/reference/public-api.txt";

/// What is published.
const CRATES: [&str; 2] = ["seaworthy", "seaworthy-core"];

/// What stands before the toolchain in the first line.
const MADE_WITH: &str = "# Written by `cargo xtask api`, with rustc ";

/// The auto traits that users need.
const AUTO: [&str; 2] = ["core::marker::Send", "core::marker::Sync"];

/// What has changed since the list was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) added: Vec<String>,
    /// With the numbers of their lines.
    pub(crate) removed: Vec<(usize, String)>,
}

/// Writes the list anew: the change is meant.
pub(crate) fn write() -> Result<()> {
    let toolchain = Toolchain::here()?;
    let path = command::root().join(LIST);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let now = list(&toolchain)?;
    fs::write(&path, &now).with_context(|| format!("cannot write {LIST}"))?;
    let Difference { added, removed } = difference(&before, &now);
    for (_, line) in &removed {
        println!("- {line}");
    }
    for line in &added {
        println!("+ {line}");
    }
    println!("{LIST}: {} added, {} removed", added.len(), removed.len());
    Ok(())
}

/// Why the list cannot be compared with what this machine would write. Another toolchain prints the same API in other words, and a
/// stranger's is not ours to choose.
pub(crate) fn incomparable() -> Result<Option<String>> {
    let (committed, toolchain) = (committed()?, Toolchain::here()?);
    let Some(made_with) = made_with(&committed).filter(|made_with| *made_with != toolchain.release) else {
        return Ok(None);
    };
    Ok(Some(format!("{LIST} was made with rustc {made_with}, and this is {}", toolchain.release)))
}

/// Compares the list with the library.
pub(crate) fn compare() -> Result<Difference> {
    Ok(difference(&committed()?, &list(&Toolchain::here()?)?))
}

fn committed() -> Result<String> {
    fs::read_to_string(command::root().join(LIST)).with_context(|| format!("there is no {LIST}"))
}

fn made_with(list: &str) -> Option<&str> {
    list.lines().next()?.strip_prefix(MADE_WITH)
}

fn list(toolchain: &Toolchain) -> Result<String> {
    let mut list = format!("{MADE_WITH}{}\n", toolchain.release);
    for name in CRATES {
        let json = rustdoc::json(toolchain, name)?;
        list.push('\n');
        for line in items(&json)? {
            list.push_str(&line);
            list.push('\n');
        }
    }
    Ok(list)
}

/// The items of one crate, in the order in which they belong together.
fn items(json: &Path) -> Result<Vec<String>> {
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build();
    let api = api.with_context(|| format!("cannot read {}", json.display()))?;
    if api.items().next().is_none() {
        bail!("{} holds no public item", json.display());
    }
    Ok(chosen(&api))
}

fn chosen(api: &PublicApi) -> Vec<String> {
    let of_traits: HashSet<_> =
        api.items().filter(|item| is_of_a_trait(&item.to_string())).map(PublicItem::id).collect();
    let methods_of_traits = |item: &&PublicItem, line: &str| {
        item.parent_id().is_some_and(|parent| of_traits.contains(&parent)) && line.contains(" fn ")
    };
    let lines = api.items().map(|item| (item, item.to_string()));
    let chosen = lines.filter(|(item, line)| !methods_of_traits(item, line) && tells(line));
    let mut seen = HashSet::new();
    // What is reached in two ways is listed twice, but what belongs to it is the same.
    chosen.map(|(_, line)| line).filter(|line| seen.insert(line.clone())).collect()
}

/// Whether it is the head of an implementation of a trait.
fn is_of_a_trait(line: &str) -> bool {
    line.starts_with("impl") && line.contains(" for ")
}

/// Whether an implementation says something that is not to be expected: of auto traits few do.
fn tells(line: &str) -> bool {
    let Some((head, _)) = line.split_once(" for ").filter(|_| line.starts_with("impl")) else { return true };
    let Some(name) = head.rsplit(' ').next() else { return true };
    let is_auto = name.trim_start_matches('!').starts_with("core::marker::") && !name.ends_with("::Copy")
        || name.contains("panic::unwind_safe::");
    let conditional = line.contains(" where ");
    !is_auto || (AUTO.contains(&name.trim_start_matches('!')) && (name.starts_with('!') || conditional))
}

fn difference(before: &str, now: &str) -> Difference {
    let items =
        |text: &str| -> BTreeSet<String> { text.lines().filter(|line| is_item(line)).map(str::to_owned).collect() };
    let (old, new) = (items(before), items(now));
    let added = now.lines().filter(|line| is_item(line) && !old.contains(*line)).map(str::to_owned);
    let removed = (1..).zip(before.lines()).filter(|(_, line)| is_item(line) && !new.contains(*line));
    Difference { added: added.collect(), removed: removed.map(|(number, line)| (number, line.to_owned())).collect() }
}

fn is_item(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_what_came_and_where_what_went_stood() {
        let before = "# Written\n\npub fn a()\npub fn b()\n";
        let now = "# Written later\n\npub fn b()\npub fn c()\n";
        let added = vec!["pub fn c()".to_owned()];
        assert_eq!(difference(before, now), Difference { added, removed: vec![(3, "pub fn a()".to_owned())] });
        assert_eq!(difference(now, now), Difference { added: vec![], removed: vec![] });
    }

    #[test]
    fn of_auto_traits_the_unexpected_is_told() {
        assert!(tells("impl !core::marker::Send for a::A"));
        assert!(tells("impl<S> core::marker::Sync for a::A<S> where S: core::marker::Sync"));
        assert!(!tells("impl core::marker::Send for a::A"));
        assert!(!tells("impl core::marker::Unpin for a::A"));
        assert!(!tells(
            "impl<S> core::panic::unwind_safe::UnwindSafe for a::A<S> where S: core::panic::unwind_safe::UnwindSafe"
        ));
        assert!(tells("impl core::marker::Copy for a::A"));
        assert!(tells("impl core::fmt::Debug for a::A"));
        assert!(tells("pub fn a::wait_for(core::time::Duration)"));
    }

    #[test]
    fn the_first_line_says_which_toolchain_wrote_the_list() {
        assert_eq!(made_with(&format!("{MADE_WITH}1.95\n\npub fn a()\n")), Some("1.95"));
        assert_eq!(made_with("pub fn a()\n"), None);
        assert_eq!(made_with(""), None);
    }
}
