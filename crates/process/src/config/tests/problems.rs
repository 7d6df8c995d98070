//! What is said about a configuration that is wrong.

use super::*;

#[test]
fn all_problems_come_back_at_once_in_the_order_of_the_file() {
    let given = file(
        r#"listen = "nowhere"
servce = "api"

[drain]
delay = 5
time-out = "3s"

[limits]
head-size = "1KiB"

[[migrate]]
name = "schema"
"#,
    )
    .variable("SEAWORTHY_LOG__ACCESS", "perhaps");
    assert_eq!(
        given.load().expect_err("wrong in seven places").to_string(),
        r#"the configuration has 7 problems:
env SEAWORTHY_LOG__ACCESS: `log.access` = "perhaps" is not a yes or no
    write true or false
seaworthy.toml:1: `listen` = "nowhere" is not an address
    write "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses), "8080" or "unix:/path"
seaworthy.toml:2: `servce` is not a known key
    did you mean `service`?
seaworthy.toml:5: `drain.delay` = 5 is a time without a unit
    did you mean "5s"? write whole numbers with the units ms, s, m, h and d: "250ms", "5s", "1m30s"
seaworthy.toml:6: `drain.time-out` is not a known key
    did you mean `timeout`?
seaworthy.toml:9: `limits.head-size` = "1KiB" is out of range
    write a size from "8KiB" to "16MiB"
seaworthy.toml:11: `migrate[0]` has no `command`
    write command = ["npm", "run", "migrate"]"#
    );
}

#[test]
fn every_syntax_error_has_its_line_and_quotes_nothing() {
    let problems = file("a = \npassword = hunter2\n[drain\n").problems();
    assert!(problems.iter().any(|problem| problem.starts_with("seaworthy.toml:1: not TOML: ")), "{problems:#?}");
    assert!(problems.iter().any(|problem| problem.starts_with("seaworthy.toml:2: not TOML: ")), "{problems:#?}");
    assert!(!problems.iter().any(|problem| problem.contains("hunter2")), "{problems:#?}");
}

#[test]
fn a_key_in_the_wrong_table_is_sent_to_the_right_one() {
    assert_eq!(
        file("ready-path = \"/ready\"").problem(),
        "seaworthy.toml:1: `ready-path` is not a known key\n    did you mean `app.ready-path`?"
    );
}

#[test]
fn an_underscore_is_a_near_miss_of_a_dash() {
    let problem = file("trusted_proxies = []").problem();
    assert!(problem.ends_with("did you mean `trusted-proxies`?"), "{problem}");
}

#[test]
fn a_key_like_no_other_is_answered_with_all_that_are_known() {
    let problem = file("[require]\nzebra = 1").problem();
    assert_eq!(problem, "seaworthy.toml:2: `require.zebra` is not a known key\n    known here: env");
}

#[test]
fn a_table_of_a_later_version_is_refused_rather_than_passed_over() {
    for table in ["[tls]", "[rate-limit.api]", "[[route]]", "app.replicas = 2"] {
        let problem = file(table).problem();
        assert!(problem.contains("is not supported by this version yet"), "{table}: {problem}");
    }
    let problem = file("[[migrate]]\nname = \"a\"\ncommand = [\"b\"]\nlock = \"db\"").problem();
    assert!(
        problem.starts_with("seaworthy.toml:4: `migrate[0].lock` = \"db\" is the name of no check of the kind"),
        "{problem}"
    );
}

#[test]
fn a_liveness_that_names_a_dependency_is_refused_with_the_reason() {
    let problem = file("[[check]]\nname = \"db\"\nkind = \"memory\"\naffects = \"live\"").problem();
    assert!(
        problem
            .starts_with("seaworthy.toml:4: `check[0].affects` = \"live\" would restart the service when a dependency"),
        "{problem}"
    );
}

#[test]
fn what_is_wrong_with_a_check_is_said_at_its_key() {
    let check = |text: &str| file(&format!("[[check]]\nname = \"db\"\n{text}")).problem();
    let at = |text: &str, key: &str, words: &str| {
        let problem = check(text);
        assert!(problem.contains(&format!("`check[0]{key}`")) && problem.contains(words), "{problem}");
    };
    at("kind = \"postgre\"", ".kind", "did you mean \"postgres\"?");
    at("kind = \"tcp\"", "", "has no `address`, which the kind \"tcp\" needs");
    at("kind = \"memory\"\nquery = \"SELECT 1\"", ".query", "memory takes warn-percent");
    at("kind = \"memory\"\ninterval = \"10ms\"", ".interval", "write at least \"100ms\"");
    at("kind = \"memory\"\ntimeout = \"0s\"", ".timeout", "leaves no time at all");
    at("kind = \"memory\"\nstale-after = \"1s\"", ".stale-after", "is over before the next result");
    at("kind = \"memory\"\ndepends-on = [\"dp\"]", ".depends-on[0]", "did you mean \"db\"?");
    at("kind = \"memory\"\non-failure = { refusd = \"degraded\" }", ".on-failure.refusd", "did you mean `refused`?");
    at("kind = \"tcp\"\naddress = \"nowhere\"", ".address", "write it as \"host:port\"");
    at("kind = \"http\"\nurl = \"ftp://x\"", ".url", "begins with \"ftp:\"");
    at("kind = \"http\"\nurl = \"http://x\"\njson = \"a\"", ".json", "write a condition");
    at("kind = \"command\"\ncommand = [\"a\"]\ncondition = \"< b\"", ".condition", "is not a number");
    at("kind = \"tls\"\naddress = \"x:1\"\nwarn-days = 1", ".warn-days", "fail-days is 3");
    let circle = check("kind = \"memory\"\ndepends-on = [\"db\"]");
    assert!(circle.contains("db → db depend on each other in a circle"), "{circle}");
    let twice = check("kind = \"memory\"\n[[check]]\nname = \"db\"\nkind = \"memory\"");
    assert!(twice.contains("`check[1].name` = \"db\" is the name of an earlier check too"), "{twice}");
}

#[test]
fn the_password_of_a_check_is_in_no_problem_and_in_no_setting() {
    for url in ["postgres://app:hunter2@db:port/x", "redis://app:hunter2@db", "postgres://:hunter2@db/x"] {
        let problem = file(&format!("[[check]]\nname = \"db\"\nkind = \"postgres\"\nurl = \"{url}\"")).problem();
        assert!(problem.contains("`check[0].url`") && !problem.contains("hunter2"), "{problem}");
    }
    let loaded = file("[[check]]\nname = \"db\"\nkind = \"postgres\"\nurl = \"postgres://app:hunter2@db/x\"").loaded();
    let shown = format!("{:?} {}", loaded.config, show(&loaded, Format::Text));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_word_that_is_nearly_right_is_answered_with_the_right_one() {
    assert_eq!(
        file("drain.policy = \"regect\"").problem(),
        "seaworthy.toml:1: `drain.policy` = \"regect\" is not a word known here\n    \
         did you mean \"reject\"? write one of \"serve\", \"reject\""
    );
}

#[test]
fn a_table_where_a_value_belongs_and_the_reverse_are_said() {
    assert!(file("drain = 3").problem().contains("`drain` is not a table\n    write it as [drain]"));
    assert!(
        file("[upstream]\nurl = \"unix:/a\"")
            .problem()
            .contains("`upstream` is not a list\n    write it as [[upstream]]")
    );
    assert!(file("[service]\nname = \"a\"").problem().contains("`service` = {\"name\":\"a\"} is not text"));
    assert!(
        file("connection-limit.total = 4294967296").problem().contains("write a whole number from 1 to 4294967295")
    );
    assert!(file("workers = -1").problem().contains("= -1 is not a number that fits"));
    assert!(file("workers = 99999999999999999999").problem().contains("is not a number that fits"));
}

#[test]
fn an_item_of_a_list_is_named_by_its_place_and_its_own_line() {
    let problem = file("trusted-proxies = [\n  \"10.0.0.0/8\",\n  \"10.0.0.1/8\",\n]").problem();
    assert_eq!(
        problem,
        "seaworthy.toml:3: `trusted-proxies[1]` = \"10.0.0.1/8\" is an address in a network, not a network\n    \
         write \"10.0.0.0/8\", or \"10.0.0.1\" for the one address"
    );
}

#[test]
fn a_variable_that_sets_no_key_is_answered_with_the_nearest_one() {
    assert_eq!(
        Given::default().variable("SEAWORTHY_DRIAN__DELAY", "2s").problem(),
        "env SEAWORTHY_DRIAN__DELAY: sets no known key\n    did you mean SEAWORTHY_DRAIN__DELAY?"
    );
    assert_eq!(
        Given::default().variable("SEAWORTHY_LISTEN__PORT", "2").problem(),
        "env SEAWORTHY_LISTEN__PORT: sets no known key\n    unset it: it would have no effect"
    );
}

#[test]
fn a_mistake_is_not_held_against_what_depends_on_it() {
    // With the default in its place, the delay would not fit into so short a grace.
    let problem = file("[drain]\ngrace = \"3s\"\ndelay = \"soon\"\ntimeout = \"1s\"").problem();
    assert!(problem.contains("`drain.delay` = \"soon\" is not a time"), "{problem}");
}

#[test]
fn a_path_of_an_odd_key_is_quoted_and_control_characters_are_escaped() {
    let problem = file("\"\\u001b[31m\" = 1").problem();
    assert!(problem.starts_with("seaworthy.toml:1: `\"\\u{1b}[31m\"` is not a known key"), "{problem}");
}

#[test]
fn a_platform_port_that_is_none_is_refused_by_the_name_of_its_variable() {
    let problem = Given::default().variable("PORT", "http").problem();
    assert_eq!(
        problem,
        "env PORT: `listen` = \"http\" is not a port from 0 to 65535\n    unset PORT, or set listen itself"
    );
    assert!(file("listen = 1").variable("PORT", "http").load().is_ok(), "nobody asks for a port that is not used");
}

#[test]
fn a_file_nested_without_end_is_refused() {
    let deep = format!("info = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(!file(&deep).problems().is_empty());
    let tables = format!("info = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000));
    assert!(!file(&tables).problems().is_empty());
    let dotted = format!("{} = 1", vec!["a"; 100_000].join("."));
    assert!(!file(&dotted).problems().is_empty());
}
