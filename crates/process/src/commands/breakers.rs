//! `seaworthy breakers`: how the breakers are, and closing one by hand.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::output::{Output, Tone};
use super::tell::{ask, tell, unexpected};
use crate::cli::{BreakerAction, Breakers, OutputFormat};
use crate::config::duration;
use crate::control::{Command, Reply};
use crate::egress::BreakerView;
use crate::exit_code::ExitCode;

pub(super) fn breakers(breakers: &Breakers, output: Output) -> ExitCode {
    if let Some(BreakerAction::Reset { name, reach }) = &breakers.action {
        return tell(reach, &Command::ResetBreaker { name: name.clone() }, output);
    }
    match ask(&breakers.reach, &Command::Breakers, output) {
        Ok(Reply::Breakers { breakers: views }) => match output.form(breakers.form) {
            OutputFormat::Json => output.result(&format!("{}\n", json!({ "breakers": views }))),
            OutputFormat::Text if views.is_empty() => output.result("no service is called: see [egress.NAME]\n"),
            OutputFormat::Text => output.result(&table(&views, |_| true, output)),
        },
        Ok(other) => unexpected(&other, output),
        Err(code) => code,
    }
}

/// A line for each that `shown` says.
pub(super) fn table(views: &[BreakerView], shown: impl Fn(&BreakerView) -> bool, output: Output) -> String {
    let width = views.iter().filter(|view| shown(view)).map(|view| view.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for view in views.iter().filter(|view| shown(view)) {
        let (mark, tone) = match view.state.as_str() {
            "closed" if !view.is_open() => ("✓", Tone::Good),
            "half_open" => ("…", Tone::Warning),
            _ => ("✗", Tone::Bad),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "{} {:width$}  {:9}", output.paint(tone, mark), view.name, view.state.replace('_', "-"));
        if let Some(after) = view.retry_after {
            let after = Duration::from_secs_f64(after.max(0.0).ceil());
            let _ = write!(text, "  for {} more", duration::written(after));
        }
        if view.mode != "automatic" {
            let _ = write!(text, "  {}", view.mode);
        }
        let BreakerView { succeeded, failed, refused, opened, .. } = view;
        let _ = writeln!(text, "  {succeeded} succeeded, {failed} failed, {refused} refused, opened {opened} times");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Output = Output { quiet: false, terminal: true, colour: false };

    #[test]
    fn an_open_breaker_says_for_how_long_and_what_it_kept_back() {
        let view = |name: &str, state: &str| BreakerView {
            name: name.to_owned(),
            state: state.to_owned(),
            mode: "automatic".to_owned(),
            succeeded: 7,
            ..BreakerView::default()
        };
        let open = BreakerView { retry_after: Some(28.2), failed: 3, refused: 40, opened: 1, ..view("stripe", "open") };
        let forced = BreakerView { mode: "forced-open".to_owned(), ..view("mail", "closed") };
        let views = [view("openai", "closed"), open, forced, view("twilio", "half_open")];
        assert_eq!(
            table(&views, |_| true, PLAIN),
            "\
✓ openai  closed     7 succeeded, 0 failed, 0 refused, opened 0 times
✗ stripe  open       for 29s more  7 succeeded, 3 failed, 40 refused, opened 1 times
✗ mail    closed     forced-open  7 succeeded, 0 failed, 0 refused, opened 0 times
… twilio  half-open  7 succeeded, 0 failed, 0 refused, opened 0 times
"
        );
        assert_eq!(table(&views, BreakerView::is_open, PLAIN).lines().count(), 3);
    }
}
