//! Which source wins, and what it is called.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use super::*;

#[test]
fn the_command_line_wins_over_the_environment_over_the_file_over_the_defaults() {
    let mut given = Given::default();
    assert_eq!(given.config().listen.to_string(), "0.0.0.0:8080");
    assert_eq!(given.origin("listen"), "default");

    given = given.with_file("seaworthy.toml", "\n\nlisten = \"127.0.0.1:1\"");
    assert_eq!(given.config().listen.to_string(), "127.0.0.1:1");
    assert_eq!(given.origin("listen"), "seaworthy.toml:3");

    given = given.variable("SEAWORTHY_LISTEN", "127.0.0.1:2");
    assert_eq!(given.config().listen.to_string(), "127.0.0.1:2");
    assert_eq!(given.origin("listen"), "env SEAWORTHY_LISTEN");

    given.command_line.listen = Some("127.0.0.1:3".to_owned());
    assert_eq!(given.config().listen.to_string(), "127.0.0.1:3");
    assert_eq!(given.origin("listen"), "flag --listen");
}

#[test]
fn each_key_of_a_table_is_decided_for_itself() {
    let given = file("[drain]\ndelay = \"1s\"\npolicy = \"reject\"").variable("SEAWORTHY_DRAIN__DELAY", "500ms");
    assert_eq!(given.config().drain.delay, Duration::from_millis(500));
    assert_eq!(given.config().drain.policy, DrainPolicy::Reject);
    assert_eq!(given.origin("drain.delay"), "env SEAWORTHY_DRAIN__DELAY");
    assert_eq!(given.origin("drain.policy"), "seaworthy.toml:3");
    assert_eq!(given.origin("drain.grace"), "default");
}

#[test]
fn the_file_is_the_one_of_the_flag_else_of_the_environment_else_of_the_directory() {
    let mut given = file("service = \"here\"").with_file("/etc/env.toml", "service = \"env\"");
    given = given.with_file("/etc/flag.toml", "service = \"flag\"");
    assert_eq!(given.config().service, "here");
    given = given.variable("SEAWORTHY_CONFIG", "/etc/env.toml");
    assert_eq!(given.config().service, "env");
    given.command_line.config = Some(PathBuf::from("/etc/flag.toml"));
    assert_eq!(given.config().service, "flag");
    assert_eq!(given.loaded().file, Some(PathBuf::from("/etc/flag.toml")));
}

#[test]
fn a_process_reads_its_own_files_up_to_a_size() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("any.toml");
    std::fs::write(&path, "service = \"api\"").expect("written");
    let command_line = CommandLine { config: Some(path.clone()), ..CommandLine::default() };
    let loaded = load(&Sources::of_process(command_line.clone())).expect("valid");
    assert_eq!((loaded.config.service.as_str(), loaded.file.as_ref()), ("api", Some(&path)));

    std::fs::write(&path, "#".repeat((4 << 20) + 1)).expect("written");
    let problems = load(&Sources::of_process(command_line)).expect_err("too large");
    assert!(problems.to_string().contains("larger than 4194304 bytes"), "{problems}");
}

#[test]
fn no_file_is_fine_unless_somebody_named_it() {
    assert_eq!(Given::default().loaded().file, None);
    let named = Given::default().variable("SEAWORTHY_CONFIG", "/etc/gone.toml");
    assert_eq!(named.problem(), "env SEAWORTHY_CONFIG: cannot read /etc/gone.toml: entity not found");
}

#[test]
fn a_port_that_the_platform_gives_is_ours_and_yields_to_the_file() {
    let given = Given::default().variable("PORT", "3000").variable("ADMIN_PORT", "3001");
    assert_eq!(given.config().listen.to_string(), "0.0.0.0:3000");
    assert_eq!(given.origin("listen"), "env PORT");
    assert_eq!(given.config().admin.expect("on").to_string(), "127.0.0.1:3001");
    assert_eq!(given.origin("admin"), "env ADMIN_PORT");

    let stated = given.with_file("seaworthy.toml", "listen = 4000\nadmin = \"off\"");
    assert_eq!(stated.config().listen.to_string(), "0.0.0.0:4000");
    assert_eq!(stated.config().admin, None);
}

#[test]
fn an_empty_variable_counts_as_none() {
    let given = Given::default().variable("PORT", "").variable("SEAWORTHY_LISTEN", "").variable("NODE_ENV", "");
    assert_eq!(given.config().listen.to_string(), "0.0.0.0:8080");
    assert_eq!(given.config().environment.to_string(), "production");
}

#[test]
fn a_variable_is_read_as_its_key_wants_it() {
    let given = Given::default()
        .variable("SEAWORTHY_WORKERS", "3")
        .variable("SEAWORTHY_LOG__ACCESS", "false")
        .variable("SEAWORTHY_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7")
        .variable("SEAWORTHY_APP__COMMAND", r#"["node", "server.js"]"#)
        .variable("SEAWORTHY_APP__PORT", "false")
        .variable("SEAWORTHY_APP__ENV__Mixed_Case", "kept")
        .variable("SEAWORTHY_UPSTREAM", r#"[{ url = "unix:/run/app.sock" }]"#)
        .variable("SEAWORTHY_LIMITS__BODY_SIZE", "off")
        .variable("SEAWORTHY_SERVICE", "1");
    let config = given.config();
    assert_eq!(config.workers.map(std::num::NonZeroUsize::get), Some(3));
    assert!(!config.log.access);
    assert_eq!(
        config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "192.0.2.7/32"]
    );
    assert_eq!(config.app.command, ["node", "server.js"]);
    assert_eq!(config.app.port, AppPort::None);
    assert_eq!(config.app.env["Mixed_Case"].expose(), "kept");
    assert_eq!(config.upstream.expect("given").target, Target::Unix(PathBuf::from("/run/app.sock")));
    assert_eq!(config.limits.body_size, None);
    assert_eq!(config.service, "1", "text stays text, whatever it looks like");
}

#[test]
fn what_kubernetes_puts_beside_a_service_called_seaworthy_is_no_key() {
    let given = Given::default()
        .variable("SEAWORTHY_SERVICE_HOST", "10.1.2.3")
        .variable("SEAWORTHY_SERVICE_PORT", "80")
        .variable("SEAWORTHY_SERVICE_PORT_HTTP", "80")
        .variable("SEAWORTHY_PORT", "tcp://10.1.2.3:80")
        .variable("SEAWORTHY_PORT_80_TCP", "tcp://10.1.2.3:80")
        .variable("SEAWORTHY_PORT_80_TCP_ADDR", "10.1.2.3")
        .variable("SEAWORTHY_DEMO_SERVICE_HOST", "10.1.2.3")
        .variable("SEAWORTHY_DEMO_PORT_80_TCP_PROTO", "tcp");
    assert_eq!(given.config(), Given::default().config());
}

#[test]
fn the_log_level_of_the_platform_wins_over_the_file_and_ours_over_both() {
    let given = file("log.level = \"error\"").variable("LOG_LEVEL", "WARNING");
    assert_eq!(given.config().log.level, Level::Warn);
    assert_eq!(given.origin("log.level"), "env LOG_LEVEL");
    assert_eq!(given.variable("SEAWORTHY_LOG__LEVEL", "trace").config().log.level, Level::Trace);
}

#[test]
fn a_log_level_of_another_program_is_a_warning_and_no_more() {
    let loaded = Given::default().variable("LOG_LEVEL", "silly").loaded();
    assert_eq!(loaded.config.log.level, Level::Info);
    assert_eq!(
        loaded.warnings[0].to_string(),
        "env LOG_LEVEL: `log.level` = \"silly\" is not a level known here; it is passed over\n    \
         write trace, debug, info, warn or error"
    );
}

#[test]
fn development_means_pretty_logs_at_debug_and_a_terminal_means_pretty() {
    let development = Given::default().variable("NODE_ENV", "development");
    assert_eq!((development.config().log.level, development.config().log.format), (Level::Debug, LogFormat::Pretty));
    assert_eq!(development.origin("environment"), "env NODE_ENV");

    let staging = development.variable("SEAWORTHY_ENVIRONMENT", "staging");
    assert_eq!((staging.config().log.level, staging.config().log.format), (Level::Info, LogFormat::Json));

    let terminal = Given { terminal: true, ..Given::default() };
    assert_eq!((terminal.config().log.level, terminal.config().log.format), (Level::Info, LogFormat::Pretty));
}

#[test]
fn the_command_of_the_command_line_is_passed_on_byte_for_byte() {
    let odd = OsString::from_vec(vec![b'x', 0xff]);
    let mut given = file("app.command = [\"other\"]");
    given.command_line.command = vec!["/usr/bin/server".into(), odd.clone()];
    assert_eq!(given.config().app.command, [OsString::from("/usr/bin/server"), odd]);
    assert_eq!(given.config().service, "server", "a service is called after its program");
    assert_eq!(given.origin("app.command"), "flag --");
}

#[test]
fn upstreams_of_the_command_line_take_the_place_of_the_files() {
    let mut given = file("[[upstream]]\nurl = \"http://127.0.0.1:1\"");
    given.command_line.upstream = vec!["h2c://app.internal:2".to_owned()];
    let upstream = given.config().upstream.expect("given");
    assert_eq!(upstream.target.to_string(), "h2c://app.internal:2");
    assert_eq!(upstream.protocol, Protocol::H2c);
    assert_eq!(given.origin("upstream[0].url"), "flag --upstream");
}

#[test]
fn state_is_kept_where_the_service_manager_says_else_where_the_user_keeps_it_else_nowhere() {
    let nowhere = Given::default();
    assert_eq!((nowhere.config().state_dir, nowhere.config().control), (None, None));

    let user = nowhere.variable("XDG_STATE_HOME", "/home/me/.state");
    assert_eq!(user.config().state_dir, Some(PathBuf::from("/home/me/.state/seaworthy")));
    assert_eq!(user.config().control, Some(PathBuf::from("/home/me/.state/seaworthy/control.sock")));

    let systemd = user.variable("STATE_DIRECTORY", "/var/lib/one:/var/lib/two");
    assert_eq!(systemd.config().state_dir, Some(PathBuf::from("/var/lib/one")));
    assert_eq!(systemd.origin("state-dir"), "env STATE_DIRECTORY");

    let off = systemd.with_file("seaworthy.toml", "control = \"off\"");
    assert_eq!(off.config().control, None);
}
