//! What an answer must be like: `= ok`, `> 10`, `contains ready`.

use std::cmp::Ordering;
use std::fmt;

/// What an answer must be like.
///
/// ```
/// use seaworthy_checks::Condition;
///
/// let condition: Condition = "< 100".parse()?;
/// assert!(condition.holds("99.5") && !condition.holds("100") && !condition.holds("many"));
/// assert!("ok".parse::<Condition>()?.holds("ok"));
/// # Ok::<(), seaworthy_checks::ConditionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
    Contains,
    ContainsNot,
}

/// Longer ones first: `<=` begins with `<`.
const OPERATORS: [(&str, Operator); 10] = [
    ("not contains", Operator::ContainsNot),
    ("contains", Operator::Contains),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("==", Operator::Equal),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::More),
    ("", Operator::Equal),
];

/// Text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error("is empty: write \"= ok\", \"> 10\" or \"contains ready\"")]
    Empty,
    #[error("compares with {0:?}, which is not a number: write \"< 100\", or = for text")]
    NotANumber(String),
}

impl std::str::FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        let split = |(name, operator): &(&str, Operator)| {
            let rest = text.strip_prefix(name)?;
            // `containsall` is a word of its own.
            let whole = !name.ends_with('s') || rest.starts_with(char::is_whitespace);
            whole.then(|| (*operator, rest.trim().to_owned()))
        };
        let (operator, value) = OPERATORS.iter().find_map(split).ok_or(ConditionError::Empty)?;
        if value.is_empty() {
            return Err(ConditionError::Empty);
        }
        let orders = matches!(operator, Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast);
        if orders && number(&value).is_none() {
            return Err(ConditionError::NotANumber(value));
        }
        Ok(Self { operator, value })
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

impl Condition {
    /// Whether `answer` is as demanded. Two numbers are compared as numbers: `1.0` is `1`.
    #[must_use]
    pub fn holds(&self, answer: &str) -> bool {
        let answer = answer.trim();
        let order = number(answer).zip(number(&self.value)).and_then(|(a, b)| a.partial_cmp(&b));
        let equal = order.map_or(answer == self.value, |order| order == Ordering::Equal);
        match self.operator {
            Operator::Equal => equal,
            Operator::NotEqual => !equal,
            Operator::Less => order == Some(Ordering::Less),
            Operator::AtMost => order.is_some_and(Ordering::is_le),
            Operator::More => order == Some(Ordering::Greater),
            Operator::AtLeast => order.is_some_and(Ordering::is_ge),
            Operator::Contains => answer.contains(&self.value),
            Operator::ContainsNot => !answer.contains(&self.value),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = OPERATORS.iter().rev().find(|(name, known)| !name.is_empty() && *known == self.operator);
        write!(f, "{} {}", name.map_or("=", |(name, _)| name), self.value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(condition: &str, answer: &str) -> bool {
        condition.parse::<Condition>().unwrap().holds(answer)
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_text_as_text() {
        assert!(holds("= 1", "1.0") && holds("1", "1") && holds("!= 2", "1"));
        assert!(holds("<= 10", "10") && !holds("< 10", "10") && holds(">= 10", "10") && !holds("> 10", "9"));
        assert!(!holds("> 10", "a lot"));
        assert!(holds("ok", " ok\n") && holds("contains ready", "is ready now") && holds("not contains error", "fine"));
        assert!(!holds("containsall", "all"), "an operator ends at its word");
    }

    #[test]
    fn a_condition_that_can_never_hold_is_refused() {
        let refused = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
        assert_eq!(refused("< many"), "compares with \"many\", which is not a number: write \"< 100\", or = for text");
        assert_eq!(refused("  "), "is empty: write \"= ok\", \"> 10\" or \"contains ready\"");
        assert_eq!(refused("="), refused(""));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same(text in "\\PC{0,20}", answer in "\\PC{0,20}") {
            if let Ok(condition) = text.parse::<Condition>() {
                let again: Condition = condition.to_string().parse().unwrap();
                prop_assert_eq!(again.holds(&answer), condition.holds(&answer));
            }
        }
    }

    #[test]
    fn fuzz_a_condition_reads_as_it_is_shown() {
        seaworthy_fuzz::drive_text("condition", |text| {
            let (condition, answer) = text.split_once('\n').unwrap_or((text, ""));
            if let Ok(condition) = condition.parse::<Condition>() {
                let again: Condition = condition.to_string().parse().unwrap();
                assert_eq!(again.holds(answer), condition.holds(answer), "{condition}");
            }
        });
    }
}
