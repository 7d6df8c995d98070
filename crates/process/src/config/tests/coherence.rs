//! What is right by itself, and wrong together.

use super::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_default_budget_fits_everywhere() {
    let plain = Given::default().config();
    assert_eq!((plain.drain.grace, plain.drain.delay), (millis(10_000), millis(2_500)));
    assert_eq!((plain.stop.timeout, plain.drain.timeout), (millis(3_334), millis(3_166)));

    let terminal = Given { terminal: true, ..Given::default() }.config();
    assert_eq!(
        (terminal.drain.grace, terminal.drain.delay, terminal.drain.timeout),
        (millis(10_000), millis(0), millis(5_666))
    );

    let kubernetes = Given::default().variable("KUBERNETES_SERVICE_HOST", "10.0.0.1").config();
    assert_eq!((kubernetes.drain.grace, kubernetes.drain.delay), (millis(30_000), millis(5_000)));
    assert_eq!((kubernetes.stop.timeout, kubernetes.drain.timeout), (millis(10_000), millis(14_000)));

    for config in [plain, terminal, kubernetes] {
        let sum = config.drain.delay + config.drain.timeout + config.stop.timeout + FLUSH;
        assert_eq!(sum, config.drain.grace);
        assert!(config.drain.websocket_spread <= config.drain.timeout);
    }
}

#[test]
fn a_drain_that_exceeds_the_grace_is_refused_with_the_sum_shown() {
    assert_eq!(
        file("[drain]\ngrace = \"10s\"\ntimeout = \"8s\"").problem(),
        "seaworthy.toml:3: `drain.timeout` does not fit: drain.delay 2s500ms + drain.timeout 8s + stop.timeout 3s334ms + 1s \
         to write out logs = 14s834ms, and drain.grace is 10s\n    \
         shorten a part, or raise drain.grace together with what the platform allows before it kills"
    );
    assert!(file("[drain]\ngrace = \"14834ms\"\ntimeout = \"8s\"\n[stop]\ntimeout = \"3334ms\"").load().is_ok());
    assert!(file("[drain]\ngrace = \"14833ms\"\ntimeout = \"8s\"\n[stop]\ntimeout = \"3334ms\"").load().is_err());
}

#[test]
fn a_grace_that_leaves_no_time_for_requests_is_refused() {
    let problem = file("drain.grace = \"3s\"").problem();
    assert!(
        problem.starts_with("seaworthy.toml:1: `drain.grace` leaves no time for requests in flight: "),
        "{problem}"
    );
    // Nobody can want that by leaving a key out, but anybody may say so.
    assert!(file("[drain]\ngrace = \"4s\"\ntimeout = \"0s\"\ndelay = \"1s\"").load().is_ok());
}

#[test]
fn a_spread_longer_than_the_drain_is_refused() {
    let problem = file("[drain]\ntimeout = \"1s\"\nwebsocket-spread = \"2s\"").problem();
    assert!(problem.contains("drain.websocket-spread is 2s, drain.timeout is 1s"), "{problem}");
}

#[test]
fn hooks_must_leave_the_program_time_to_stop() {
    let one = file("stop.before = [[\"./flush.sh\"]]").config();
    assert_eq!(one.stop.before, [Hook { command: vec!["./flush.sh".to_owned()], timeout: millis(2_000) }]);

    let two = file("stop.before = [[\"./a.sh\"]]\nstop.after = [{ command = [\"./b.sh\"], timeout = \"1500ms\" }]");
    let problem = two.problem();
    assert!(problem.contains("the hooks may take 3s500ms, and stop.timeout is 3s334ms"), "{problem}");
}

#[test]
fn restarts_that_could_never_be_given_up_are_refused() {
    assert!(file("restart.window = \"1500ms\"").problem().contains("`restart.window` never gives up"));
    assert!(file("restart.window = \"1501ms\"").load().is_ok(), "0.5 s and 1 s lie between three deaths");
    assert!(file("restart.deaths = 4000000000").problem().contains("`restart.deaths` never gives up"));
    assert!(file("restart = { deaths = 4000000000, backoff = \"0s\" }").load().is_ok());
    assert!(file("restart.backoff = \"11s\"").problem().contains("restart.backoff is 11s, restart.max-backoff is 10s"));
}

#[test]
fn both_listeners_cannot_be_one() {
    assert!(file("listen = 9090").problem().contains("listen is 0.0.0.0:9090, admin is 127.0.0.1:9090"));
    assert!(file("listen = \"unix:/a\"\nadmin = \"unix:/a\"").problem().contains("cannot be bound beside"));
    assert!(file("listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"").load().is_ok(), "0 is two different ports");
    assert!(file("listen = \"127.0.0.2:9090\"").load().is_ok());
}

#[test]
fn an_upstream_and_a_port_of_the_program_exclude_each_other() {
    let problem = file("app.port = 3000\n[[upstream]]\nurl = \"http://127.0.0.1:3000\"").problem();
    assert!(problem.starts_with("seaworthy.toml:1: `app.port` is set beside an upstream"), "{problem}");
}

#[test]
fn several_upstreams_are_refused_for_now() {
    let problem = file("[[upstream]]\nurl = \"unix:/a\"\n[[upstream]]\nurl = \"unix:/b\"").problem();
    assert!(problem.contains("`upstream` has 2 entries; this version forwards to one"), "{problem}");
}

#[test]
fn what_the_program_speaks_must_be_what_the_upstream_says() {
    let text = "app.protocol = \"http1\"\n[[upstream]]\nurl = \"h2c://127.0.0.1:3000\"";
    assert!(file(text).problem().contains("`app.protocol` is \"http1\", and the upstream is h2c://"));
}

#[test]
fn a_program_without_a_port_cannot_be_asked_over_http() {
    let problem = file("[app]\nport = false\nready-path = \"/ready\"").problem();
    assert!(problem.contains("`app.ready-path` asks a program that has no port"), "{problem}");
}

#[test]
fn the_port_of_the_program_is_not_set_behind_our_back() {
    assert!(file("app.env.PORT = \"1\"").problem().ends_with("set app.port instead"));
}

#[test]
fn migrations_have_names_of_their_own() {
    let entry = "[[migrate]]\nname = \"a\"\ncommand = [\"true\"]\n";
    let problem = file(&format!("{entry}{entry}")).problem();
    assert!(problem.starts_with("seaworthy.toml:5: `migrate[1].name` = \"a\" is the name of an earlier"), "{problem}");
}

#[test]
fn times_that_leave_no_time_are_refused() {
    for key in ["start.timeout", "app.live-interval", "limits.head-timeout", "limits.request-timeout", "restart.window"]
    {
        let problems = file(&format!("{key} = \"0s\"")).problems();
        assert!(problems[0].contains(&format!("`{key}` = \"0s\" leaves no time at all")), "{problems:#?}");
    }
}

#[test]
fn connecting_must_fit_into_the_request() {
    let problem = file("limits.request-timeout = \"2s\"").problem();
    assert!(problem.contains("limits.connect-timeout is 3s, limits.request-timeout is 2s"), "{problem}");
}

#[test]
fn only_probes_can_be_public_probes() {
    assert!(file("probes.public = [\"/readyz\", \"/ok\"]\nprobes.paths = { \"/ok\" = \"live\" }").load().is_ok());
    assert!(file("probes.public = [\"/ok\"]").problem().contains("holds \"/ok\", which is no probe"));
    assert!(file("probes.paths = { \"ok\" = \"live\" }").problem().contains("`probes.paths.ok` does not begin with /"));
    assert!(file("probes.paths = { \"/metrics\" = \"live\" }").problem().contains("is taken on the ops listener"));
}

#[test]
fn a_control_socket_in_a_directory_too_deep_is_refused_at_load() {
    let problem = file(&format!("state-dir = \"/{}\"", "d".repeat(100))).problem();
    assert!(problem.contains("`state-dir` makes a control socket that cannot be"), "{problem}");
}

#[test]
fn a_network_of_everybody_is_no_network_of_proxies() {
    let loaded = file("trusted-proxies = [\"10.0.0.0/8\", \"::/0\"]").loaded();
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warnings, ["trusted-proxies[1]"]);
}

#[test]
fn a_drain_without_a_delay_is_warned_about_under_kubernetes_only() {
    let given = file("admin = \":9090\"\ndrain.delay = \"0s\"");
    assert!(given.loaded().warnings.is_empty());
    let warned = given.variable("KUBERNETES_SERVICE_HOST", "10.0.0.1").loaded().warnings;
    assert_eq!(warned.iter().map(|warning| warning.path.as_str()).collect::<Vec<_>>(), ["drain.delay"]);
}

#[test]
fn a_loopback_ops_listener_under_kubernetes_is_warned_about() {
    let given = Given::default().variable("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    assert!(given.loaded().warnings[0].to_string().contains("neither the kubelet nor Prometheus can reach it"));
    assert!(given.variable("SEAWORTHY_ADMIN", ":9090").loaded().warnings.is_empty());
}
