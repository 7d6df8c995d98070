//! Whatever is written, the answer is a configuration or problems: never a panic, and never a bug of ours.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::describe;

/// Values of every type, many of them nearly right.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just(String::new()),
        "[0-9]{1,22}(ms|s|m|h|d|B|KiB|TiB|B/s|)",
        "([0-9]{0,9}[dhms]){1,4}",
        "[0-9a-f:.]{0,20}/?[0-9]{0,4}",
        "(unix|http|h2c|https)://?[a-z0-9:@/\\[\\].]{0,20}",
        "off|auto|serve|reject|TERM|sigquit|true|/[ -~]{0,8}",
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..100_i64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = prop_oneof![
            Just("command".to_owned()),
            Just("env".to_owned()),
            Just("file".to_owned()),
            "[a-zA-Z /=]{0,6}"
        ];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(key, inner, 0..3).prop_map(|table| table.into_iter().collect()),
        ]
    })
    .prop_filter("TOML has no null", |value| !value.to_string().contains("null"))
}

/// A file of known keys with any values.
fn document() -> impl Strategy<Value = String> {
    let keys: Vec<(String, String)> = describe::tables(schema::root())
        .iter()
        .flat_map(|table| {
            let heading = if table.name.is_empty() { String::new() } else { table.heading() };
            table.keys.iter().map(move |key| (heading.clone(), key.name.to_owned())).collect::<Vec<_>>()
        })
        .collect();
    vec((proptest::sample::select(keys), value()), 0..12).prop_map(|entries| {
        let mut tables: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for ((heading, key), value) in entries {
            tables.entry(heading).or_default().insert(key, value);
        }
        let body = |table: &BTreeMap<String, Value>| {
            let lines = table.iter().map(|(key, value)| format!("{key} = {}", describe::toml(value)));
            lines.collect::<Vec<_>>().join("\n")
        };
        let tables = tables.into_iter().map(|(heading, table)| format!("{heading}\n{}", body(&table)));
        tables.collect::<Vec<_>>().join("\n")
    })
}

fn judged(given: &Given) -> Result<(), TestCaseError> {
    match given.load() {
        Ok(loaded) => {
            let config = &loaded.config;
            let parts = config.drain.delay + config.drain.timeout + config.stop.timeout + FLUSH;
            prop_assert!(parts <= config.drain.grace, "{config:?}");
            prop_assert_eq!(diff(&loaded, &loaded), []);
            prop_assert!(!show(&loaded, Format::Text).is_empty());
        }
        Err(problems) => {
            prop_assert!(!problems.0.is_empty());
            prop_assert!(!problems.to_string().contains("please report this"), "{problems}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_values_of_known_keys_are_judged(text in document()) {
        judged(&file(&text))?;
    }

    #[test]
    fn any_text_is_judged(text in "\\PC*") {
        judged(&file(&text))?;
    }

    #[test]
    fn anything_that_looks_like_a_file_is_judged(text in "([a-z]{1,6}|\\[|\\]|=|\"|\\.|[0-9]|\n|\\{|\\}|,|'''|#| ){0,60}") {
        judged(&file(&text))?;
    }

    #[test]
    fn any_environment_is_judged(name in "[A-Z_a-z0-9]{0,24}", text in ".{0,24}", known in value()) {
        let text = if text.is_empty() { known.to_string() } else { text };
        let given = Given::default()
            .variable(&format!("SEAWORTHY_{name}"), &text)
            .variable("PORT", &text)
            .variable("LOG_LEVEL", &text)
            .variable("STATE_DIRECTORY", &text);
        judged(&given)?;
    }

    #[test]
    fn any_value_in_the_variable_of_a_known_key_is_judged(
        key in proptest::sample::select(vec![
            "LISTEN", "ADMIN", "WORKERS", "TRUSTED_PROXIES", "STATE_DIR", "CONTROL", "APP__COMMAND", "APP__PORT", "APP__ENV",
            "APP__USER", "DRAIN", "DRAIN__GRACE", "DRAIN__ON_START", "STOP__SIGNAL", "MIGRATE", "PROBES__PUBLIC",
            "PROBES__PATHS", "LIMITS__BODY_SIZE", "LIMITS__BODY_MIN_RATE", "REQUEST_ID__HEADER", "UPSTREAM", "INFO__x",
        ]),
        value in value(),
    ) {
        let text = value.as_str().map_or_else(|| describe::toml(&value), str::to_owned);
        judged(&Given::default().variable(&format!("SEAWORTHY_{key}"), &text))?;
    }
}

#[test]
fn fuzz_any_file_is_judged() {
    seaworthy_fuzz::drive_text("config", |text| judged(&file(text)).unwrap_or_else(|failed| panic!("{failed}")));
}

#[test]
fn fuzz_any_environment_is_judged() {
    seaworthy_fuzz::drive_text("environment", |text| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let given = pairs.fold(Given::default(), |given, (name, value)| given.variable(name, value));
        judged(&given).unwrap_or_else(|failed| panic!("{failed}"));
    });
}
