//! The library is learnt from its documents: every public module of it has an example on its page. That every public item has a
//! document at all is the compiler's (`missing_docs` in `crates/seaworthy/src/lib.rs`).

use super::Finding;
use super::tree::Tree;

/// Where the library is.
const SOURCES: &str = "crates/seaworthy/src/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.rust().filter(|file| file.path.starts_with(SOURCES));
    let files: Vec<_> = sources.map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let text = |path: &str| files.iter().find(|(known, _)| *known == path).map(|(_, text)| *text);
    let mut findings = Vec::new();
    // From the front page on, through modules that anybody can name.
    let mut pages = vec![format!("{SOURCES}lib.rs")];
    while let Some(page) = pages.pop() {
        let Some(code) = text(&page) else { continue };
        if !has_example(code) {
            let what = "the page of this module has no example";
            findings.push(Finding::new(page.as_str(), 1, what, "show in its `//!` documents how it is used"));
        }
        let below = page.strip_suffix("lib.rs").map_or_else(|| page.replace(".rs", "/"), str::to_owned);
        pages.extend(public_modules(code).map(|name| format!("{below}{name}.rs")));
    }
    findings
}

/// Whether the documents at the head of a file have code in them that is compiled: no text, no JSON.
fn has_example(code: &str) -> bool {
    let page = code.lines().take_while(|line| line.starts_with("//!"));
    let fences = page.filter_map(|line| line.strip_prefix("//! ```")).step_by(2);
    fences.into_iter().any(|language| matches!(language, "" | "no_run" | "should_panic"))
}

/// The modules that a file declares for everybody. Those of tests are not for everybody.
fn public_modules(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_code_that_is_compiled() {
        assert!(has_example("//! Says.\n//!\n//! ```\n//! run();\n//! ```\n"));
        assert!(has_example("//! ```json\n//! {}\n//! ```\n//! ```no_run\n//! run();\n//! ```\n"));
        assert!(!has_example("//! ```json\n//! {}\n//! ```\n"));
        assert!(!has_example("//! Says.\n\n/// ```\n/// run();\n/// ```\nfn run() {}\n"));
    }

    #[test]
    fn modules_that_nobody_else_can_name_need_none() {
        let code = "pub mod limit;\nmod clock;\npub(crate) mod server;\n    pub mod within;\n";
        assert_eq!(public_modules(code).collect::<Vec<_>>(), ["limit"]);
    }
}
