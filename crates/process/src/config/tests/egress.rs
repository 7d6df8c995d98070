//! `[egress.NAME]`: presets, what is worked out, and what contradicts itself.

use seaworthy::breaker::Policy;

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
