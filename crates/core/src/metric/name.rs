//! What metrics and labels may be called (Prometheus data model; OpenMetrics 1.0, 4.5).

/// Whether it matches `[a-zA-Z_:][a-zA-Z0-9_:]*`.
#[must_use]
pub const fn is_metric_name(name: &str) -> bool {
    is_name(name.as_bytes(), true)
}

/// Whether it is a metric's name and ends in `_total`, as OpenMetrics demands of counters.
#[must_use]
pub const fn is_counter_name(name: &str) -> bool {
    is_metric_name(name) && matches!(name.as_bytes(), [_, .., b'_', b't', b'o', b't', b'a', b'l'])
}

/// Whether it matches `[a-zA-Z_][a-zA-Z0-9_]*` and does not begin with `__`, which Prometheus keeps for itself.
#[must_use]
pub const fn is_label_name(name: &str) -> bool {
    is_name(name.as_bytes(), false) && !matches!(name.as_bytes(), [b'_', b'_', ..])
}

const fn is_name(name: &[u8], colons: bool) -> bool {
    let mut index = 0;
    while index < name.len() {
        let byte = name[index];
        let letter = byte.is_ascii_alphabetic() || byte == b'_' || colons && byte == b':';
        if !letter && (index == 0 || !byte.is_ascii_digit()) {
            return false;
        }
        index += 1;
    }
    index > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_data_model() {
        assert_eq!(
            ["a", "_a1", "a:b", "", "1a", "a-b", "é"].map(is_metric_name),
            [true, true, true, false, false, false, false]
        );
        assert_eq!(["a", "_a1", "a:b", "__a", ""].map(is_label_name), [true, true, false, false, false]);
        assert_eq!(["a_total", "_total", "total", "a"].map(is_counter_name), [true, false, false, false]);
    }
}
