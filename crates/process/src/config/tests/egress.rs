//! `[egress.NAME]`: presets, what is worked out, and what contradicts itself.

use seaworthy::breaker::Policy;
use seaworthy::hedge::{self, After, Methods, Percentile};

use super::*;

fn service(name: &str, keys: &str) -> Given {
    file(&format!("[egress.{name}]\nurl = \"https://api.example.com\"\n{keys}"))
}

fn policy(given: &Given) -> Policy {
    given.config().egress[0].breaker
}

#[test]
fn a_table_called_as_a_preset_has_its_numbers_and_a_key_goes_before_them() {
    let seconds = Duration::from_secs;
    for (name, failures, window, open) in [
        ("stripe", 3, 60, 30),
        ("twilio", 5, 300, 60),
        ("namesilo", 3, 600, 120),
        ("openai", 5, 120, 30),
        ("other", 5, 60, 30),
    ] {
        let policy = policy(&service(name, ""));
        let rule = policy.failures.unwrap();
        assert_eq!((rule.count.get(), rule.within), (failures, seconds(window)), "{name}");
        assert_eq!(policy.open.time.first, seconds(open), "{name}");
    }
    assert_eq!(policy(&service("pay", "preset = \"stripe\"")), policy(&service("stripe", "")));
    assert_eq!(policy(&service("stripe", "failures = 7")).failures.unwrap().count.get(), 7);
}

#[test]
fn what_is_worked_out_is_shown() {
    let given = service("stripe", "total-timeout = \"4s\"");
    let shown = |key: &str| given.setting(&format!("egress.stripe.{key}")).value;
    assert_eq!(shown("attempt-timeout"), "2s");
    assert_eq!(shown("connect-timeout"), "2s");
    assert_eq!(shown("failures"), 3);
    assert_eq!(shown("open-max"), "4m");
}

#[test]
fn what_contradicts_itself_is_refused_with_both_values() {
    for (keys, said) in [
        ("attempt-timeout = \"30s\"\ntotal-timeout = \"30s\"", "attempt 30s is not below total 30s"),
        ("attempt-timeout = \"1s\"\nconnect-timeout = \"2s\"", "connect 2s is longer than attempt 1s"),
        ("failure-window = \"15s\"", "window of 15s does not hold two attempts of 10s"),
        ("slow-percent = 50\nrate-window = \"15s\"", "window of 15s does not hold two attempts of 10s"),
        ("open = \"30s\"\nopen-max = \"20s\"", "open at most 20s, which is shorter than 30s"),
        ("open = \"0s\"", "open for 0s"),
        ("idle-timeout = \"0s\"", "idle is 0s"),
        ("retry-backoff = \"20s\"", "egress.pay.retry-backoff is 20s, egress.pay.retry-backoff-max is 10s"),
        ("fallback-body = \"x\"\nfallback-type = \"a\\nb\"", "is no media type"),
        ("fallback-body = \"x\"\nfallback-status = 204", "204 has no body"),
    ] {
        let problem = service("pay", keys).problem();
        assert!(problem.contains(said), "{keys}: {problem}");
    }
}

#[test]
fn a_name_becomes_a_path_and_a_variable_and_an_address_is_bound_once() {
    assert!(service("Pay_Me", "").problem().contains("is no name for a service"));
    assert!(service("pay", "listen = \"127.0.0.1:9090\"").problem().contains("cannot be bound beside admin"));
    let open = service("pay", "listen = \"0.0.0.0:9092\"").loaded();
    assert!(open.warnings.iter().any(|warning| warning.to_string().contains("other machines")), "{:?}", open.warnings);
    assert_eq!(service("pay", "").config().egress_listen.to_string(), "127.0.0.1:9091");
}

fn hedge(keys: &str) -> Option<hedge::Policy> {
    service("pay", keys).config().egress[0].hedge
}

#[test]
fn a_second_attempt_is_begun_only_where_it_is_asked_for() {
    let (delay, percentile) = (Duration::from_millis(200), Percentile::new(95.0).unwrap());
    assert_eq!(hedge(""), None);
    let after = |keys| hedge(keys).map(|policy| policy.after);
    assert_eq!(after("hedge-after = \"200ms\""), Some(After::Delay(delay)));
    assert_eq!(after("hedge-percentile = 95"), Some(After::Percentile { percentile, samples: 20 }));
    assert_eq!(
        after("hedge-after = \"200ms\"\nhedge-percentile = 95\nhedge-samples = 7"),
        Some(After::Either { delay, percentile, samples: 7 })
    );
    let methods = hedge("hedge-after = \"200ms\"\nhedge-methods = \"idempotent\"").map(|policy| policy.methods);
    assert_eq!(methods, Some(Methods::Idempotent));
    let shown = service("pay", "hedge-percentile = 95");
    assert_eq!(shown.setting("egress.pay.hedge-percentile").value, 95);
    assert_eq!(shown.setting("egress.pay.hedge-methods").value, "safe");
}

#[test]
fn a_second_attempt_that_cannot_be_is_refused_and_one_that_hardly_can_is_warned_about() {
    for (keys, said) in [
        ("hedge-after = \"10s\"", "egress.pay.hedge-after is 10s, egress.pay.attempt-timeout is 10s"),
        ("hedge-after = \"3s\"\ntotal-timeout = \"4s\"", "hedge-after is 3s, egress.pay.attempt-timeout is 2s"),
        ("hedge-after = \"0s\"", "would make each call twice"),
        ("hedge-percentile = 95\nconcurrency = 1", "leaves a second attempt no place beside the first"),
        ("hedge-percentile = 100", "write a whole number from 1 to 99"),
        ("hedge-methods = \"POST\"", "write one of \"safe\", \"idempotent\""),
        ("hedge-methods = [\"GET\"]", "write one of \"safe\", \"idempotent\""),
    ] {
        let problem = service("pay", keys).problem();
        assert!(problem.contains(said), "{keys}: {problem}");
    }
    let all = service("pay", "hedge-after = \"20s\"\nhedge-samples = 0\nconcurrency = 1").problems();
    assert_eq!(all.len(), 3, "{all:#?}");
    for (keys, said) in [
        ("hedge-samples = 7", "hedge-samples` has no effect without hedge-percentile"),
        ("hedge-methods = \"safe\"", "hedge-methods` has no effect without hedge-percentile or hedge-after"),
        ("hedge-percentile = 50", "a second attempt for 50 of a hundred calls, where retry-budget-percent allows 20"),
    ] {
        let warnings: Vec<_> = service("pay", keys).loaded().warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(said), "{keys}: {warnings:?}");
    }
}

#[test]
fn credentials_are_found_replaced_as_a_whole_and_shown_to_nobody() {
    let secret = "sk_live_51";
    let given = service("pay", "bearer = { env = \"KEY\" }\nheaders = { x-api-key = { file = \"/key\" } }");
    let given = given.variable("KEY", secret).with_file("/key", "sk_live_51\n");
    let loaded = given.loaded();
    assert_eq!(loaded.config.app.withheld, ["KEY"], "the program does not inherit it");
    let credentials = &loaded.config.egress[0].credentials;
    let sent: Vec<_> = credentials.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(sent, [("x-api-key", secret), ("authorization", "Bearer sk_live_51")]);
    let printed = format!("{loaded:?}{}{}", show(&loaded, Format::Text), show(&loaded, Format::Json));
    assert!(!printed.contains(secret));
    let other = service("pay", "bearer = { env = \"KEY\" }\nheaders = { x-api-key = { file = \"/key\" } }");
    let other = other.variable("KEY", "sk_live_52").with_file("/key", secret).loaded();
    let changed: Vec<_> = diff(&loaded, &other).into_iter().map(|key| key.path).collect();
    assert_eq!(changed, ["egress.pay.bearer"]);
    assert_ne!(loaded.config.egress, other.config.egress, "so that a reload builds it anew");
}

#[test]
fn a_credential_that_cannot_be_sent_is_refused_and_never_quoted() {
    let secret = "hunter2";
    for (keys, said) in [
        ("bearer = { env = \"GONE\" }", "names the environment variable \"GONE\""),
        ("bearer = \"hunter2\\nx: y\"", "egress.pay.bearer` cannot be sent in a header"),
        ("headers = { a = \"\" }", "egress.pay.headers.a` cannot be sent in a header"),
        ("headers = { \"a b\" = \"hunter2\" }", "is not the name of a header"),
        ("headers = { Host = \"hunter2\" }", "is made anew for each hop"),
        ("headers = { Connection = \"hunter2\" }", "is made anew for each hop"),
        ("headers = { x-a = \"hunter2\", X-A = \"b\" }", "stands there twice"),
        ("bearer = \"hunter2\"\nheaders = { Authorization = \"b\" }", "stands beside headers.authorization"),
    ] {
        let problem = service("pay", keys).problem();
        assert!(problem.contains(said) && !problem.contains(secret), "{keys}: {problem}");
    }
    let warned = |url: &str, keys: &str| {
        let text = format!("[egress.pay]\nurl = {url:?}\nheaders = {{ x-a = {{ env = \"A\" }} }}\n{keys}");
        let warnings = file(&text).variable("A", secret).loaded().warnings;
        warnings.iter().any(|warning| warning.to_string().contains("in plain text"))
    };
    assert!(warned("http://api.example.com", "") && warned("http://8.8.8.8", ""));
    for (url, keys) in [
        ("https://api.example.com", ""),
        ("http://localhost:81", ""),
        ("http://10.0.0.7", ""),
        ("http://api.internal", "private = [\"10.0.0.0/8\"]"),
    ] {
        assert!(!warned(url, keys), "{url}");
    }
}
