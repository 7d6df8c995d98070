//! How each kind is read and written.

use std::fmt::Debug;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn read<T: Kind>(value: impl Into<Value>) -> Result<T, String> {
    T::read(&value.into()).map_err(|complaint| complaint.to_string())
}

/// The complaint about each value, which must have one.
fn refused<T: Kind + Debug>(values: &[Value]) {
    for value in values {
        let complaint = T::read(value).expect_err(&format!("{value} is no {}", T::name()));
        assert!(complaint.hint.is_some(), "{value}: no hint");
    }
}

#[test]
fn times_are_read_with_their_units() {
    for (text, millis) in [
        ("250ms", 250),
        ("5s", 5_000),
        ("1m30s", 90_000),
        ("2h", 7_200_000),
        ("1d12h", 129_600_000),
        ("1m500ms", 60_500),
        ("0s", 0),
        ("0ms", 0),
        ("90s", 90_000),
        (" 5s ", 5_000),
        ("366d", 31_622_400_000),
    ] {
        assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    let texts =
        ["", " ", "s", "5 s", "5sec", "-5s", "1.5s", "30s1m", "1s1s", "5s5", "367d", "99999999999999999999s", "5µs"];
    refused::<Duration>(&texts.map(Value::from));
    refused::<Duration>(&[serde_json::json!(true), serde_json::json!(["5s"]), serde_json::json!({})]);
}

#[test]
fn a_bare_number_where_a_unit_is_needed_names_the_units() {
    let time = "is a time without a unit; did you mean \"5s\"? \
                write whole numbers with the units ms, s, m, h and d: \"250ms\", \"5s\", \"1m30s\"";
    assert_eq!(read::<Duration>(5), Err(time.to_owned()));
    assert_eq!(read::<Duration>("5"), Err(time.to_owned()));
    let size = read::<Size>(10).expect_err("no unit");
    assert!(size.contains("did you mean \"10B\"?") && size.contains("KiB, MiB"), "{size}");
    let rate = read::<ByteRate>(240).expect_err("no unit");
    assert!(rate.contains("did you mean \"240B/s\"?"), "{rate}");
}

#[test]
fn sizes_are_read_in_powers_of_1000_and_of_1024() {
    for (text, bytes) in [
        ("0B", 0),
        ("512B", 512),
        ("10MB", 10_000_000),
        ("64KiB", 65_536),
        ("64kib", 65_536),
        ("1 GB", 1_000_000_000),
        ("16TiB", 17_592_186_044_416),
    ] {
        assert_eq!(read(text), Ok(Size(bytes)), "{text}");
    }
    assert_eq!(read("1KiB/s"), Ok(ByteRate(1024)));
    refused::<Size>(&["", "B", "10", "10X", "10 M B", "-1B", "1.5KiB", "16777216TiB"].map(Value::from));
    refused::<ByteRate>(&["240B", "240B/min", "/s", "240/s"].map(Value::from));
}

#[test]
fn addresses_are_read_in_every_notation() {
    let to = |text: &str| Ok(Bind::To(Address::Tcp(text.parse().expect("an address"))));
    assert_eq!(read("127.0.0.1:80"), to("127.0.0.1:80"));
    assert_eq!(read("[::]:80"), to("[::]:80"));
    assert_eq!(read(":80"), to("0.0.0.0:80"));
    assert_eq!(read("*:80"), to("0.0.0.0:80"));
    assert_eq!(read("localhost:80"), to("127.0.0.1:80"));
    assert_eq!(read("80"), Ok(Bind::Port(80)));
    assert_eq!(read(0), Ok(Bind::Port(0)));
    assert_eq!(read("unix:/run/a.sock"), Ok(Bind::To(Address::Unix(PathBuf::from("/run/a.sock")))));
    refused::<Bind>(
        &["", "a", "a:b", "example.com:80", "1.2.3.4", "1.2.3.4:65536", "::1:80", "unix:"].map(Value::from),
    );
    refused::<Bind>(&[
        serde_json::json!(-1),
        serde_json::json!(65_536),
        serde_json::json!(1.5),
        serde_json::json!(true),
        serde_json::json!(format!("unix:/{}", "a".repeat(107))),
    ]);
}

#[test]
fn a_port_alone_takes_the_host_of_its_key() {
    let host: IpAddr = [127, 0, 0, 1].into();
    assert_eq!(Bind::Port(9090).resolve(host).to_string(), "127.0.0.1:9090");
    assert_eq!(read::<Bind>(":9090").map(|bind| bind.resolve(host).to_string()), Ok("0.0.0.0:9090".to_owned()));
}

#[test]
fn a_network_contains_its_addresses_and_no_others() {
    let contains = |network: &str, address: &str| {
        let network: Cidr = read(network).expect("a network");
        network.contains(address.parse().expect("an address"))
    };
    assert!(contains("10.0.0.0/8", "10.255.255.255"));
    assert!(!contains("10.0.0.0/8", "11.0.0.0"));
    assert!(contains("0.0.0.0/0", "203.0.113.9"));
    assert!(!contains("0.0.0.0/0", "::1"), "an IPv4 network holds no IPv6 address");
    assert!(contains("::/0", "2001:db8::1"));
    assert!(contains("192.0.2.7", "192.0.2.7"));
    assert!(!contains("192.0.2.7", "192.0.2.6"));
    assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
    assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"), "an IPv4 peer of an IPv6 socket is an IPv4 peer");
    refused::<Cidr>(
        &["", "10", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.1/8", "a/8", "10.0.0.0/"].map(Value::from),
    );
}

#[test]
fn a_line_for_a_shell_is_no_command() {
    assert_eq!(read(serde_json::json!(["node", "a b.js"])), Ok(Argv(vec!["node".to_owned(), "a b.js".to_owned()])));
    assert_eq!(
        read::<Argv>("node server.js"),
        Err("is a line, not a list of arguments; no shell is run; did you mean [\"node\", \"server.js\"]?".to_owned())
    );
    refused::<Argv>(&[
        serde_json::json!([]),
        serde_json::json!([""]),
        serde_json::json!(["a", 1]),
        serde_json::json!(["a\0"]),
        serde_json::json!(1),
        serde_json::json!({}),
    ]);
}

#[test]
fn a_hook_is_a_command_or_a_table_with_one() {
    let hook = |timeout| HookCommand { command: Argv(vec!["./a".to_owned()]), timeout };
    assert_eq!(read(serde_json::json!(["./a"])), Ok(hook(None)));
    assert_eq!(
        read(serde_json::json!({ "command": ["./a"], "timeout": "1s" })),
        Ok(hook(Some(Duration::from_secs(1))))
    );
    refused::<HookCommand>(&[
        serde_json::json!({}),
        serde_json::json!({ "timeout": "1s" }),
        serde_json::json!({ "command": ["a"], "time": "1s" }),
        serde_json::json!([]),
    ]);
    refused::<HookCommand>(&[serde_json::json!({ "command": ["a"], "timeout": 1 })]);
}

#[test]
fn signals_have_three_notations() {
    for text in ["QUIT", "SIGQUIT", "quit"] {
        assert_eq!(read(text), Ok(Signal::Quit));
    }
    assert_eq!(rustix::process::Signal::from(Signal::Quit), rustix::process::Signal::QUIT);
    refused::<Signal>(&[
        serde_json::json!("STOP"),
        serde_json::json!("SIGSIGQUIT"),
        serde_json::json!(""),
        serde_json::json!(15),
    ]);
}

#[test]
fn upstreams_are_plain_http_to_a_host_or_a_socket() {
    let shown = |text: &str| read::<Target>(text).map(|target| target.to_string());
    assert_eq!(shown("http://127.0.0.1:3000/"), Ok("http://127.0.0.1:3000".to_owned()));
    assert_eq!(shown("http://App.Internal"), Ok("http://app.internal:80".to_owned()));
    assert_eq!(shown("h2c://[::1]:3000"), Ok("h2c://[::1]:3000".to_owned()));
    assert_eq!(shown("http://[::1]"), Ok("http://[::1]:80".to_owned()));
    assert_eq!(shown("unix:/run/app.sock"), Ok("unix:/run/app.sock".to_owned()));
    let texts = [
        "",
        "127.0.0.1:3000",
        "https://a",
        "ftp://a",
        "http://",
        "http://:3000",
        "http://a:0",
        "http://a:b",
        "http://a/b",
    ];
    refused::<Target>(&texts.map(Value::from));
    refused::<Target>(
        &["http://me:pw@a", "http://a b", "http://[::1", "http://::1:80", "unix:", "http://a?b"].map(Value::from),
    );
    let with_password = read::<Target>("http://me:hunter2@a").expect_err("carries a password");
    assert!(!with_password.contains("hunter2"), "{with_password}");
}

#[test]
fn users_are_names_or_numbers() {
    let user = |user, group| Ok(User { user, group });
    let name = |name: &str| Account::Name(name.to_owned());
    assert_eq!(read(10001), user(Account::Id(10001), None));
    assert_eq!(read("10001:10002"), user(Account::Id(10001), Some(Account::Id(10002))));
    assert_eq!(read("app:www-data"), user(name("app"), Some(name("www-data"))));
    refused::<User>(&["", ":", "app:", ":app", "a b", "a:b:c", "4294967296"].map(Value::from));
    refused::<User>(&[serde_json::json!(-1), serde_json::json!(4_294_967_296_u64), serde_json::json!(false)]);
}

#[test]
fn off_is_a_word_of_its_own() {
    assert_eq!(read::<OrOff<Size>>("off"), Ok(OrOff::Off));
    assert_eq!(read::<OrOff<Size>>(false), Ok(OrOff::Off));
    assert_eq!(read::<OrOff<Size>>("1B").map(OrOff::on), Ok(Some(Size(1))));
    refused::<OrOff<Size>>(&[serde_json::json!("none"), serde_json::json!(0), serde_json::json!(true)]);
}

#[test]
fn a_port_of_the_program_is_a_number_or_false() {
    assert_eq!(read(false), Ok(AppPort::None));
    assert!(matches!(read(3000), Ok(AppPort::Fixed(port)) if port.get() == 3000));
    refused::<AppPort>(&[
        serde_json::json!(0),
        serde_json::json!(65_536),
        serde_json::json!(true),
        serde_json::json!("3000"),
        serde_json::json!("none"),
    ]);
}

#[test]
fn paths_of_urls_carry_nothing_but_a_path() {
    assert_eq!(read("/a%20b"), Ok(UrlPath("/a%20b".to_owned())));
    refused::<UrlPath>(&["", "a", "/a b", "/a?b", "/a#b", "/ä", "http://a/b"].map(Value::from));
    assert_eq!(read(serde_json::json!(["/a"])), Ok(PublicProbes::Paths(vec!["/a".to_owned()])));
    refused::<PublicProbes>(&[serde_json::json!(["a"]), serde_json::json!("/a"), serde_json::json!(1)]);
    refused::<HeaderName>(&["", "a b", "a:", "ä"].map(Value::from));
    refused::<FilePath>(&["", "a\0"].map(Value::from));
}

#[test]
fn a_secret_prints_as_its_mask() {
    let secret = Secret::new("hunter2".to_owned());
    assert_eq!((format!("{secret}"), format!("{secret:?}")), (MASK.to_owned(), MASK.to_owned()));
    assert_eq!(secret.expose(), "hunter2");
    let source: SecretSource = read("hunter2").expect("a literal");
    assert_eq!((format!("{source:?}"), source.write()), ("Literal(***)".to_owned(), MASK.into()));
    refused::<SecretSource>(&[
        serde_json::json!(1),
        serde_json::json!({}),
        serde_json::json!({ "env": "" }),
        serde_json::json!({ "env": "A", "file": "b" }),
        serde_json::json!({ "a": "b" }),
    ]);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(millis in 0..31_622_400_000_u64, bytes: u64, bits: u128, prefix in 0..=128_u8) {
        let time = Duration::from_millis(millis);
        prop_assert_eq!(read(time.write()), Ok(time));
        prop_assert_eq!(read(Size(bytes).write()), Ok(Size(bytes)));
        prop_assert_eq!(read(ByteRate(bytes).write()), Ok(ByteRate(bytes)));
        let network = bits & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        let network = Cidr { network: IpAddr::V6(network.into()), prefix };
        prop_assert_eq!(read(network.write()), Ok(network));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let value = Value::from(text);
        // Reading must not panic; what it says is held by the tests above.
        let _ = (Duration::read(&value), Size::read(&value), Bind::read(&value), Cidr::read(&value), Target::read(&value));
        let _ = (User::read(&value), Signal::read(&value), UrlPath::read(&value), ByteRate::read(&value));
    }
}

#[test]
fn fuzz_what_is_read_is_written_so_that_it_reads_as_the_same() {
    fn same<T: Kind + PartialEq + Debug>(value: &Value) {
        if let Ok(read) = T::read(value) {
            let written = read.write();
            assert_eq!(T::read(&written).ok(), Some(read), "{value} was written as {written}");
        }
    }
    seaworthy_fuzz::drive_text("units", |text| {
        // Each line by itself, as text and as what else it may be.
        for line in text.lines() {
            let text = Value::from(line);
            let values = std::iter::once(text).chain(serde_json::from_str(line));
            for value in values {
                same::<Duration>(&value);
                same::<Size>(&value);
                same::<ByteRate>(&value);
                same::<Cidr>(&value);
                same::<Bind>(&value);
                same::<Argv>(&value);
                same::<HookCommand>(&value);
                same::<AppPort>(&value);
                same::<PublicProbes>(&value);
                same::<Signal>(&value);
                same::<StatusRange>(&value);
                same::<Target>(&value);
                same::<UrlPath>(&value);
                same::<FilePath>(&value);
                same::<HeaderName>(&value);
                same::<User>(&value);
            }
        }
    });
}
