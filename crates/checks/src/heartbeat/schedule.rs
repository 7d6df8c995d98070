//! When a job is due: a time after the last, or by a cron expression in a time zone.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::later;

/// When a job is due.
#[derive(Clone)]
pub enum Schedule {
    /// So long after its last success.
    Every(Duration),
    Cron(Box<Expression>),
}

/// A cron expression of five fields, in a time zone.
#[derive(Clone)]
pub struct Expression {
    text: String,
    cron: Cron,
    zone: TimeZone,
}

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error(
        "is no cron expression ({0}): write minute, hour, day of the month, month, day of the week, as in \"0 3 * * MON-FRI\""
    )]
    Cron(String),
    #[error("is never due: no such day exists")]
    Never,
    #[error("names the time zone {0:?}, which is unknown: write it as \"Europe/Berlin\", or \"UTC\"")]
    Zone(String),
}

impl Schedule {
    /// By the expression `text`, read as cron does, in the time zone `zone` of the IANA database.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] if one of them is none, or if nothing is ever due.
    pub fn cron(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser
            .parse(text)
            .map_err(|error| ScheduleError::Cron(error.to_string().trim_end_matches('.').to_owned()))?;
        let zone = TimeZone::get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        let schedule = Self::Cron(Box::new(Expression { text: text.to_owned(), cron, zone }));
        schedule.after(Timestamp::now()).map(|_| schedule).ok_or(ScheduleError::Never)
    }

    /// When the job is due that was last there at `last`; `None` where that is never.
    #[must_use]
    pub fn after(&self, last: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(time) => Some(later(last, *time)),
            Self::Cron(expression) => {
                let last = last.to_zoned(expression.zone.clone());
                expression.cron.find_next_occurrence(&last, false).ok().map(|next| next.timestamp())
            }
        }
    }
}

/// As it was written.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(time) => write!(f, "every {time:?}"),
            Self::Cron(expression) => {
                write!(f, "by \"{}\" {}", expression.text, expression.zone.iana_name().unwrap_or("UTC"))
            }
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every(one), Self::Every(other)) => one == other,
            (Self::Cron(one), Self::Cron(other)) => one.text == other.text && one.zone == other.zone,
            (Self::Every(_), Self::Cron(_)) | (Self::Cron(_), Self::Every(_)) => false,
        }
    }
}

impl Eq for Schedule {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
