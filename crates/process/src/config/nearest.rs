//! The known word that somebody probably meant.

/// The nearest of `known` to `word`, unless none is near.
pub(crate) fn to<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // The comparison takes the product of both lengths; no known word is this long.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase().replace('_', "-");
    // A third of the word may be wrong: more, and everything looks like everything.
    let tolerable = (word.chars().count() / 3).max(1);
    let distance = |known: &'k str| (strsim::damerau_levenshtein(&word, known), known);
    known.map(distance).filter(|(distance, _)| *distance <= tolerable).min().map(|(_, known)| known)
}
