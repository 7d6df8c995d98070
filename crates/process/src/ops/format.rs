//! The shapes that a verdict can take. A shape is a file, and a row of [`FORMATS`].

mod actuator;
mod ietf;
mod library;
mod microprofile;

use super::answer::Answer;
use crate::config::ProbeFormat;
use seaworthy::probes::Report;
use seaworthy_core::accept::Accept;

/// One shape.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) format: ProbeFormat,
    /// In `?format=` and `probes.format`.
    pub(super) name: &'static str,
    /// A client that names this media type gets this shape. Empty where the shape has none of its own.
    pub(super) media_type: &'static str,
    pub(super) write: fn(&Report<'_>) -> Answer,
}

/// Every shape, the default first.
pub(super) const FORMATS: [Row; 5] = [
    Row { format: ProbeFormat::Default, name: "default", media_type: "application/json", write: library::json },
    Row { format: ProbeFormat::Kubernetes, name: "kubernetes", media_type: "text/plain", write: library::kubernetes },
    Row { format: ProbeFormat::Actuator, name: "actuator", media_type: actuator::MEDIA_TYPE, write: actuator::write },
    Row { format: ProbeFormat::Microprofile, name: "microprofile", media_type: "", write: microprofile::write },
    Row { format: ProbeFormat::Ietf, name: "ietf", media_type: ietf::MEDIA_TYPE, write: ietf::write },
];

static TABLE: [Row; FORMATS.len()] = FORMATS;

pub(super) fn by_name(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// The names of all shapes, for people.
pub(super) fn names() -> String {
    let [first @ .., last] = FORMATS.map(|row| row.name);
    format!("{} or {last}", first.join(", "))
}

/// The shape that a client names in its `Accept`.
pub(super) fn named(accept: &Accept<'_>) -> Option<&'static Row> {
    let named = accept.named(&FORMATS.map(|row| row.media_type))?;
    TABLE.iter().find(|row| row.media_type == named)
}

/// The one that the config names.
pub(super) fn of(format: ProbeFormat) -> &'static Row {
    TABLE.iter().find(|row| row.format == format).unwrap_or(&TABLE[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_the_config_has_a_row_and_the_same_name() {
        for row in &TABLE {
            assert_eq!(serde_json::to_value(row.format).unwrap(), row.name);
            assert_eq!(of(row.format).name, row.name);
        }
        // The config is read from words: one without a row would be found here.
        let schema: serde_json::Value = serde_json::from_str(crate::config::schema()).unwrap();
        let words = schema["properties"]["probes"]["properties"]["format"]["oneOf"].as_array().unwrap();
        let words: Vec<_> = words.iter().map(|word| word["const"].as_str().unwrap()).collect();
        assert_eq!(words, FORMATS.map(|row| row.name));
    }

    #[test]
    fn a_media_type_is_taken_by_its_name_and_a_star_names_none() {
        let name = |accept: &str| named(&Accept::parse(accept)).map(|row| row.name);
        assert_eq!(name("application/json"), Some("default"));
        assert_eq!(name("text/plain"), Some("kubernetes"));
        assert_eq!(name("*/*"), None);
        assert_eq!(name("text/html, */*;q=0.8"), None);
    }
}
