//! Which facts are of interest to whoever asks later who did what.

use seaworthy_core::event::{Event, Value};
use serde_json::{Map, Value as Json};

use super::line::Entry;

/// The entry of a fact, if it belongs into a trail.
pub(super) fn entry(event: &Event) -> Option<Entry> {
    if !is_of_interest(event) {
        return None;
    }
    let (mut by, mut details) = (None, Map::new());
    event.each_field(|name, value| match value {
        Value::Text(who) if name == "by" => by = Some(who.to_owned()),
        Value::Text("") => {}
        value => {
            details.insert(name.to_owned(), json(value));
        }
    });
    let mut entry = Entry::new(event.name(), event.to_string());
    (entry.by, entry.details) = (by, details);
    Some(entry)
}

fn is_of_interest(event: &Event) -> bool {
    matches!(
        event,
        // How it stopped, and what that cost.
        Event::StopBegan { .. }
            | Event::StopForced
            | Event::StopEnded { .. }
            | Event::RequestCut { .. }
            | Event::WorkerLost { .. }
            // The program: starts, restarts, deaths.
            | Event::AppStarted { .. }
            | Event::AppReady { .. }
            | Event::AppStopped { .. }
            | Event::AppKilled { .. }
            | Event::AppDied { .. }
            | Event::AppHangs { .. }
            | Event::AppRestarting { .. }
            | Event::AppGaveUp { .. }
            | Event::AppNotReady { .. }
            | Event::ProgramFailed { .. }
            // What was run beside it, as migrations are.
            | Event::CommandRan { .. }
            | Event::CommandFailed { .. }
            // What people asked for, or were refused.
            | Event::ControlAsked { .. }
            | Event::ControlRefused { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::LogLevelChanged { .. }
            | Event::ConfigReloaded { .. }
            | Event::ConfigRefused { .. }
            | Event::BreakerReset { .. }
            | Event::BreakerOverruled { .. }
    )
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Text(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Flag(flag) => flag.into(),
        Value::Seconds(time) => time.as_secs_f64().into(),
    }
}
