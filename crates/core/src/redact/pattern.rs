//! A name with `*` for anything.

/// Parts that must follow one another, with anything between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Box<str>>,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        Self { parts: pattern.split('*').map(Into::into).collect() }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let [first, between @ .., last] = &*self.parts else {
            return self.parts.iter().all(|part| part.eq_ignore_ascii_case(name));
        };
        let Some(mut rest) = strip_prefix(name.as_bytes(), first.as_bytes()) else { return false };
        for part in between {
            // The earliest place leaves the most for the parts that follow.
            let Some(at) = find(rest, part.as_bytes()) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.len() >= last.len() && rest[rest.len() - last.len()..].eq_ignore_ascii_case(last.as_bytes())
    }
}

/// Whether `text` has `part` in it, in any case.
pub(super) fn contains(text: &str, part: &str) -> bool {
    find(text.as_bytes(), part.as_bytes()).is_some()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window.eq_ignore_ascii_case(part))
}

fn strip_prefix<'t>(text: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}
