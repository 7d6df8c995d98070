//! What changed between two configurations.

use serde_json::json;

use super::*;

#[test]
fn only_what_changed_is_named_and_what_needs_a_restart_is_said() {
    let old = file("listen = 1\n[drain]\ndelay = \"1s\"").loaded();
    let new = file("listen = 2\n[drain]\ndelay = \"1000ms\"\npolicy = \"reject\"\n[info]\nmode = \"primary\"").loaded();
    let changed = diff(&old, &new);
    let key = |path: &str, old, new, restart| ChangedKey { path: path.to_owned(), old, new, restart };
    assert_eq!(
        changed,
        [
            key("drain.policy", json!("serve"), json!("reject"), false),
            key("info", json!({}), json!(null), false),
            key("info.mode", json!(null), json!("primary"), false),
            key("listen", json!("0.0.0.0:1"), json!("0.0.0.0:2"), true),
        ]
    );
}

#[test]
fn a_secret_that_changed_is_named_without_being_shown() {
    let given = file("[app.env]\nA = { env = \"FROM\" }\nB = \"same\"");
    let old = given.clone().variable("FROM", "one").loaded();
    let new = given.variable("FROM", "two").loaded();
    let changed = diff(&old, &new);
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].path.as_str(), changed[0].restart), ("app.env.A", true));
    assert_eq!((&changed[0].old, &changed[0].new), (&json!("***"), &json!("***")));
}

#[test]
fn a_default_that_follows_another_key_is_a_change_too() {
    let changed = diff(&file("").loaded(), &file("drain.grace = \"20s\"").loaded());
    let paths: Vec<_> = changed.iter().map(|key| key.path.as_str()).collect();
    assert_eq!(paths, ["drain.grace", "drain.timeout", "drain.websocket-spread", "stop.timeout"]);
}

#[test]
fn the_same_sources_change_nothing() {
    let loaded = file("[[upstream]]\nurl = \"unix:/a\"").loaded();
    assert_eq!(diff(&loaded, &loaded), []);
}

#[test]
fn every_key_is_shown_with_its_value_and_its_origin() {
    let loaded = file("service = \"api\"").variable("SEAWORTHY_DRAIN__DELAY", "1s").loaded();
    let text = show(&loaded, Format::Text);
    let line = |key: &str| text.lines().find(|line| line.split_whitespace().next() == Some(key)).expect("shown");
    assert_eq!(line("service").split_whitespace().collect::<Vec<_>>(), ["service", "\"api\"", "seaworthy.toml:1"]);
    assert_eq!(
        line("drain.delay").split_whitespace().collect::<Vec<_>>(),
        ["drain.delay", "\"1s\"", "env", "SEAWORTHY_DRAIN__DELAY"]
    );
    assert_eq!(line("app.cwd").split_whitespace().collect::<Vec<_>>(), ["app.cwd", "-", "default"]);

    let shown: serde_json::Value = serde_json::from_str(&show(&loaded, Format::Json)).expect("JSON");
    assert_eq!(
        shown["drain.delay"],
        json!({ "value": "1s", "origin": "env SEAWORTHY_DRAIN__DELAY", "needs-restart": false })
    );
    assert_eq!(shown["listen"]["needs-restart"], true);
}
