//! What metrics are called, how many of them there may be, and how they are written out.
//!
//! # Rules
//!
//! - A label takes its values from a bounded set: a method that the RFCs do not know is [`OTHER`], a path that nobody
//!   claimed is [`UNMATCHED`], and a family has at most as many series as its [`SeriesLimit`] says.
//! - Two formats are written: the text format 0.0.4, which everything reads, and OpenMetrics 1.0 for whoever asks. They
//!   differ in names, numbers and escapes; [`Exposition`] knows where.
//!
//! # Example
//!
//! ```
//! use seaworthy_core::metric::{Exposition, Format, Kind};
//!
//! let mut exposition = Exposition::new(Format::Text);
//! exposition.family("jobs_total", Kind::Counter, "Jobs done.").sample(&[("queue", "mail")], 3_u64);
//! let text = "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total{queue=\"mail\"} 3\n";
//! assert_eq!(exposition.finish(), text.as_bytes());
//! ```

mod exposition;
mod format;
mod label;
mod name;
mod scraped;

pub use exposition::{Exemplar, Exposition, Family, Kind, Number, Observed};
pub use format::Format;
pub use label::{METHODS, OTHER, SeriesLimit, UNMATCHED, method, route};
pub use name::{is_counter_name, is_label_name, is_metric_name};
pub use scraped::{Scraped, Unreadable};

/// Upper bounds of durations of requests, in seconds: those of OpenTelemetry's semantic conventions for HTTP
/// (`http.server.request.duration`). What took longer falls under `+Inf`.
pub const DURATIONS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
