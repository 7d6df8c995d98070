//! What is wrong with a shape, and where.

use minijinja::ErrorKind;

use super::contract::Unknown;

/// Why a template is no shape. It goes on after the name of its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ShapeError {
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// Why a shape gave no body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    #[error("{}", told(.0))]
    Template(#[from] minijinja::Error),
    #[error("line {line}, column {column} of what it gives is no JSON ({problem}): {excerpt}")]
    Json { line: usize, column: usize, problem: String, excerpt: String },
}

/// So much of a line is shown.
const EXCERPT: usize = 60;

impl RenderError {
    pub(super) fn json(body: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line().max(1), error.column());
        let text = body.lines().nth(line - 1).unwrap_or_default();
        let from = column.saturating_sub(EXCERPT / 2);
        let excerpt = text.chars().skip(from).take(EXCERPT).collect();
        let problem = error.to_string();
        let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
        Self::Json { line, column, problem, excerpt }
    }
}

impl ShapeError {
    /// Of a template that cannot be read, or that fails with values of a trial.
    pub(super) fn of(source: &str, error: &minijinja::Error) -> Self {
        let place = error.range().map(|range| place(source, range.start));
        let place = place.or_else(|| error.line().map(|line| format!("line {line}"))).unwrap_or_default();
        let part = error.range().and_then(|range| source.get(range)).map(str::trim).unwrap_or_default();
        let part = if part.is_empty() || part.len() > EXCERPT { String::new() } else { format!(" in `{part}`") };
        let hint = match error.kind() {
            ErrorKind::SyntaxError => "a value is {{ name }}, a condition {% if name %}…{% endif %}",
            ErrorKind::InvalidOperation => {
                "what is not known yet is null: write what stands for it, as in {{ (name or 0) // 2 }}"
            }
            ErrorKind::UndefinedError => "the names are listed in the page about probes",
            ErrorKind::OutOfFuel => "a probe has to be answered at once: take the loop out",
            _ => "the filters and functions are those of Jinja",
        };
        Self { message: format!("{place}: {}{part}", told(error)), hint: hint.to_owned() }
    }

    /// Of a name that does not exist.
    pub(super) fn unknown(source: &str, name: &str, unknown: Unknown) -> Self {
        let Unknown { message, hint } = unknown;
        let message = match find(source, name) {
            Some(offset) => format!("{}: {message}", place(source, offset)),
            None => message,
        };
        Self { message, hint }
    }

    /// Of what a trial gave.
    pub(super) fn trial(source: &str, error: &RenderError, when: &str) -> Self {
        match error {
            RenderError::Template(error) => {
                let Self { message, hint } = Self::of(source, error);
                Self { message: format!("{message} ({when})"), hint }
            }
            RenderError::Json { .. } => {
                let hint = "a value brings its own quotes: write {{ status }}, and not \"{{ status }}\"; no comma after the last";
                Self { message: format!("{error} ({when})"), hint: hint.to_owned() }
            }
        }
    }
}

/// The kind of an error and what is said of it.
fn told(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn place(source: &str, offset: usize) -> String {
    let before = source.get(..offset).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// Where `name` stands by itself.
fn find(source: &str, name: &str) -> Option<usize> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices(name).map(|(offset, _)| offset).find(|offset| {
        let before = source[..*offset].chars().next_back();
        let after = source[offset + name.len()..].chars().next();
        !before.is_some_and(|c| in_word(c) || c == '.') && !after.is_some_and(in_word)
    })
}
