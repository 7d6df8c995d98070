//! The timeline as a picture that stands by itself: no script, no font, no link.

use std::fmt::Write as _;

use super::Timeline;
use crate::report::xml;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const ROW: f64 = 22.0;

impl Timeline {
    pub(crate) fn svg(&self) -> String {
        let (from, to) = self.bounds();
        let x = |at: f64| LEFT + (at - from) / (to - from) * (WIDTH - LEFT - 20.0);
        let lanes = self.spans.len() + 1;
        let axis = ROW * (lanes as f64 + 1.0);
        let height = axis + ROW * (self.moments.len() as f64 + 1.5);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <title>Timeline of the drain, in seconds from the stop signal</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"8\" y=\"{ROW}\">requests</text>\n"
        );
        for tenth in &self.tenths {
            let (colour, count) = if tenth.lost > 0 { ("#c0392b", tenth.lost) } else { ("#2e8b57", tenth.served) };
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"><title>{count} at {:+.1} s</title></circle>",
                x(tenth.at),
                ROW - 4.0,
                tenth.at
            );
        }
        for (row, span) in self.spans.iter().enumerate() {
            let y = ROW * (row as f64 + 2.0);
            let colour = if span.lost { "#c0392b" } else { "#2e8b57" };
            let width = (x(span.to) - x(span.from)).max(1.0);
            let _ = writeln!(
                out,
                "<text x=\"8\" y=\"{y}\">{}</text><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"8\" fill=\"{colour}\"/>",
                xml(&span.name),
                x(span.from),
                y - 9.0
            );
        }
        let _ = writeln!(out, "<path d=\"M{LEFT} {axis}H{:.1}\" stroke=\"#333\"/>", WIDTH - 20.0);
        for (row, moment) in self.moments.iter().enumerate() {
            let (x, y) = (x(moment.at), axis + ROW * (row as f64 + 1.0));
            let _ = writeln!(
                out,
                "<path d=\"M{x:.1} {:.1}V{:.1}\" stroke=\"#999\" stroke-dasharray=\"2 3\"/><text x=\"8\" y=\"{y:.1}\">{:+.3} s  {}</text>",
                ROW / 2.0,
                y - 4.0,
                moment.at,
                xml(&moment.what)
            );
        }
        out.push_str("</svg>\n");
        out
    }
}
