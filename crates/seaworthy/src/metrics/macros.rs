//! Families as types: names and labels are checked when they are compiled, and a value that is missing is an error there.

/// Declares a family of counters as a type.
///
/// The doc comment is the help that scrapers see. Each label has a type; whatever is `AsRef<str>` will do, and one of
/// [`label!`](crate::metrics::label)'s keeps the values few.
///
/// ```
/// use seaworthy::metrics::{Metrics, counter, label};
///
/// label! {
///     /// How a job ended.
///     pub enum Ending { Done = "done", Failed = "failed" }
/// }
/// counter! {
///     /// Jobs, by queue and how they ended.
///     pub struct Jobs("jobs_total") { queue: &str, ending: Ending }
/// }
///
/// let metrics = Metrics::new("worker");
/// let jobs = Jobs::register(&metrics)?;
/// let done = jobs.with("mail", Ending::Done); // looked up once
/// done.inc(); // and then an addition
/// assert_eq!(done.get(), 1.0);
/// # Ok::<(), seaworthy::metrics::FamilyError>(())
/// ```
///
/// A name that breaks the rules does not compile:
///
/// ```compile_fail
/// seaworthy::metrics::counter! {
///     /// Its name does not end in `_total`.
///     pub struct Jobs("jobs") {}
/// }
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __seaworthy_counter {
    ($(#[doc = $help:literal])+ $visibility:vis struct $family:ident($name:literal)
        { $($label:ident : $kind:ty),* $(,)? }) => {
        const _: () = assert!($crate::core::metric::is_counter_name($name), "a counter's name is [a-zA-Z_:][a-zA-Z0-9_:]* and ends in _total");
        $crate::__seaworthy_family! {
            [$($help),+] $visibility struct $family($name) $crate::metrics::Counter, () , { $($label : $kind),* }
        }
    };
}

/// Declares a family of gauges as a type, as [`counter!`](crate::metrics::counter) does of counters.
#[macro_export]
#[doc(hidden)]
macro_rules! __seaworthy_gauge {
    ($(#[doc = $help:literal])+ $visibility:vis struct $family:ident($name:literal)
        { $($label:ident : $kind:ty),* $(,)? }) => {
        const _: () = assert!($crate::core::metric::is_metric_name($name), "a name is [a-zA-Z_:][a-zA-Z0-9_:]*");
        $crate::__seaworthy_family! {
            [$($help),+] $visibility struct $family($name) $crate::metrics::Gauge, () , { $($label : $kind),* }
        }
    };
}

/// Declares a family of histograms as a type, as [`counter!`](crate::metrics::counter) does of counters. Upper bounds of
/// buckets stand in brackets; without them they are those of durations of requests, in seconds.
///
/// ```
/// seaworthy::metrics::histogram! {
///     /// Size of what was uploaded, in bytes.
///     pub struct UploadSize("upload_size_bytes") [1e3, 1e4, 1e5, 1e6] { kind: &str }
/// }
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __seaworthy_histogram {
    ($(#[doc = $help:literal])+ $visibility:vis struct $family:ident($name:literal) $([$($bound:literal),+ $(,)?])?
        { $($label:ident : $kind:ty),* $(,)? }) => {
        const _: () = assert!($crate::core::metric::is_metric_name($name), "a name is [a-zA-Z_:][a-zA-Z0-9_:]*");
        $crate::__seaworthy_family! {
            [$($help),+] $visibility struct $family($name) $crate::metrics::Histogram,
            $crate::__seaworthy_buckets!($($($bound),+)?), { $($label : $kind),* }
        }
    };
}

/// Declares a label whose values are few: an enum and what each of them is called.
#[macro_export]
#[doc(hidden)]
macro_rules! __seaworthy_label {
    ($(#[$attribute:meta])* $visibility:vis enum $label:ident { $($(#[$of_value:meta])* $value:ident = $text:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visibility enum $label { $($(#[$of_value])* $value),+ }

        impl ::core::convert::AsRef<str> for $label {
            fn as_ref(&self) -> &str {
                match self { $(Self::$value => $text),+ }
            }
        }
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __seaworthy_buckets {
    () => { $crate::metrics::Buckets::default() };
    ($($bound:literal),+) => { $crate::metrics::Buckets::new(&[$($bound),+])? };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __seaworthy_family {
    ([$($help:literal),+] $visibility:vis struct $family:ident($name:literal) $instrument:ty, $settings:expr,
        { $($label:ident : $kind:ty),* }) => {
        $(#[doc = $help])+
        #[derive(Debug, Clone)]
        $visibility struct $family($crate::metrics::Family<$instrument>);

        #[allow(dead_code, reason = "not every family is used in every way")]
        impl $family {
            /// What it is called.
            $visibility const NAME: &'static str = $name;

            /// The family in `metrics`, where it is entered if it is not there yet.
            ///
            /// # Errors
            ///
            /// If another family has its name, or a label may not be called as it is.
            $visibility fn register(metrics: &$crate::metrics::Metrics) -> ::core::result::Result<Self, $crate::metrics::FamilyError> {
                let help = ::core::concat!($($help),+).trim();
                metrics.family($name, help, &[$(::core::stringify!($label)),*], $settings).map(Self)
            }

            /// The instrument of these values. Keep it where it is used often: it is looked up behind a lock.
            $visibility fn with(&self $(, $label: $kind)*) -> $instrument {
                self.0.with(&[$(::core::convert::AsRef::<str>::as_ref(&$label)),*])
            }
        }
    };
}
