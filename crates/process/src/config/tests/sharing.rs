//! `[cors]`: whose pages may read answers, and what contradicts itself.

use super::*;

fn cors(keys: &str) -> Given {
    file(&format!("[cors]\norigins = [\"https://app.example.com\"]\n{keys}"))
}

#[test]
fn nobody_may_read_unless_an_origin_is_named() {
    assert_eq!(Given::default().config().cors, None);
    assert_eq!(file("[cors]\norigins = []").config().cors, None);
    let policy = cors("").config().cors.expect("an origin is named");
    assert_eq!(policy, seaworthy::cors::Policy::new(["https://app.example.com"]).unwrap(), "the library's defaults");
    let given =
        cors("credentials = true\nmax-age = \"2h\"\nmethods = [\"PUT\"]\nheaders = [\"*\"]\nexposed-headers = []");
    let policy = given.config().cors.expect("an origin is named");
    assert!(policy.allows_credentials());
    assert_eq!(
        (policy.method_list().as_str(), policy.header_list(), policy.exposed_list().as_str()),
        ("PUT", None, "")
    );
    assert_eq!(policy.remembered_for(), Duration::from_hours(2));
    assert_eq!(given.setting("cors.max-age").value, "2h");
}

#[test]
fn what_browsers_would_not_believe_is_refused_all_at_once() {
    for (text, said) in [
        ("[cors]\norigins = [\"https://a.example/\"]", "`cors.origins[0]` = \"https://a.example/\" is no origin"),
        ("[cors]\norigins = [\"null\"]", "would allow every sandboxed frame"),
        ("[cors]\norigins = [\"*\", \"https://a.example\"]", "\"*\" stands beside other origins"),
        ("[cors]\norigins = \"https://a.example\"", "is not a list"),
        ("[cors]\norigins = [\"*\"]\ncredentials = true", "cors.origins holds \"*\", cors.credentials is true"),
        ("[cors]\norigins = [\"*\"]\nmethods = [\"put\"]", "`cors.methods[0]` = \"put\" is no method"),
        ("[cors]\norigins = [\"*\"]\nmax-age = \"1500ms\"", "is no whole number of seconds"),
    ] {
        let problem = file(text).problem();
        assert!(problem.contains(said), "{text}: {problem}");
    }
    let problems = file(
        "[cors]\norigins = [\"*\"]\nmethods = [\"*\"]\nexposed-headers = [\"*\"]\ncredentials = true\nmax-age = \"1ms\"",
    );
    assert_eq!(problems.problems().len(), 4);
}

#[test]
fn what_has_no_effect_is_warned_about() {
    let loaded = file("[cors]\ncredentials = true\nmax-age = \"1h\"").loaded();
    let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warned, ["cors.credentials", "cors.max-age"]);
}
