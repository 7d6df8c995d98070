//! The timeline for a terminal.

use std::fmt::Write as _;

use super::Timeline;

const WIDTH: f64 = 60.0;

impl Timeline {
    /// One line a lane, and one a moment.
    pub(crate) fn text(&self) -> String {
        let (from, to) = self.bounds();
        let column = |at: f64| column_of((at - from) / (to - from) * (WIDTH - 1.0));
        let mut out = String::new();
        let mut lane = vec![' '; column_of(WIDTH)];
        for tenth in &self.tenths {
            if let Some(cell) = lane.get_mut(column(tenth.at)) {
                *cell = if tenth.lost > 0 || *cell == 'x' { 'x' } else { '·' };
            }
        }
        let _ = writeln!(out, "  requests  {}", lane.iter().collect::<String>());
        for span in &self.spans {
            let mut lane = vec![' '; column_of(WIDTH)];
            let (start, end) = (column(span.from), column(span.to));
            for cell in lane.iter_mut().take(end + 1).skip(start) {
                *cell = '─';
            }
            if let Some(cell) = lane.get_mut(end) {
                *cell = if span.lost { 'x' } else { '●' };
            }
            let name: String = span.name.chars().take(9).collect();
            let _ = writeln!(out, "  {name:<9} {}", lane.iter().collect::<String>());
        }
        let mut lane = vec!['─'; column_of(WIDTH)];
        for (index, moment) in self.moments.iter().enumerate() {
            if let Some(cell) = lane.get_mut(column(moment.at)) {
                *cell = char::from_digit(u32::try_from(index + 1).unwrap_or(9).min(9), 10).unwrap_or('9');
            }
        }
        let _ = writeln!(out, "            {}", lane.iter().collect::<String>());
        for (index, moment) in self.moments.iter().enumerate() {
            let _ = writeln!(out, "  {} {:>+8.3} s  {}", index + 1, moment.at, moment.what);
        }
        out
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns are between 0 and WIDTH")]
fn column_of(position: f64) -> usize {
    position.clamp(0.0, WIDTH) as usize
}

#[cfg(test)]
mod tests {
    use crate::timeline::{Moment, Span, Tenth, Timeline};

    pub(crate) fn sample() -> Timeline {
        Timeline {
            moments: vec![
                Moment { at: 0.0, what: "stop signal".to_owned() },
                Moment { at: 0.012, what: "first connection refused".to_owned() },
                Moment { at: 2.0, what: "exit code 0".to_owned() },
            ],
            spans: vec![Span { from: -0.25, to: 1.5, name: "GET /slow".to_owned(), lost: false }],
            tenths: vec![Tenth { at: -0.2, served: 3, lost: 0 }, Tenth { at: 0.3, served: 0, lost: 2 }],
        }
    }

    #[test]
    fn served_and_lost_requests_and_every_moment_are_drawn() {
        let text = sample().text();
        let requests = text.lines().next().unwrap();
        assert!(requests.find('·').unwrap() < requests.find('x').unwrap(), "{text}");
        assert!(text.contains("GET /slow"), "{text}");
        assert!(text.contains("first connection refused") && text.contains("+2.000 s  exit code 0"), "{text}");
    }

    #[test]
    fn the_svg_is_well_formed_and_names_each_moment() {
        let svg = sample().svg();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.contains("first connection refused"));
    }
}
