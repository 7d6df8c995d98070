use std::time::Duration;

use seaworthy::core::metric::Format;

use super::*;
use crate::metrics::tests::promtool;

const PATIENCE: Duration = Duration::from_secs(20);

fn page(store: &Store, now: Instant) -> String {
    let mut page = Exposition::new(Format::Text);
    store.write(&mut page, now);
    String::from_utf8(page.finish()).unwrap()
}

fn has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|shown| shown == *line), "no {line} in\n{page}");
    }
}

#[test]
fn each_type_becomes_the_family_that_prometheus_has_for_it() {
    let (store, now) = (Store::new(1000), Instant::now());
    store.packet(
        b"user.signups:2|c|@0.5|#plan:pro,b:2\nuser.signups:1|c|#b:2,plan:pro\nrevenue:19.9|c\nqueue:5|g\nqueue:-2|g\n\
          db.query:250:20|ms|@0.1\nsize:3|h\nprovision_seconds:0.2|d\nusers:a|s\nusers:b|s\nusers:a|s\n9-lives:1|g|#9:x,__le:y,le:z,flag",
        now,
    );
    let page = page(&store, now);
    has(
        &page,
        &[
            r#"user_signups_total{b="2",plan="pro"} 5"#,
            "# TYPE user_signups_total counter",
            "revenue_total 19.9",
            "queue 3",
            "# TYPE db_query_seconds histogram",
            "db_query_seconds_count 20",
            r#"db_query_seconds_bucket{le="0.025"} 10"#,
            r#"size_bucket{le="5"} 1"#,
            r#"provision_seconds_bucket{le="0.25"} 1"#,
            "users 2",
            r#"_9_lives{_9="x",flag="true",tag_le="y"} 1"#,
            r#"seaworthy_statsd_samples_total{type="gauge"} 3"#,
        ],
    );
    let (content, said) = promtool(&page);
    assert!(content && said.is_empty(), "{said}");
}

#[test]
fn garbage_and_conflicts_are_counted_by_why_and_spoil_nothing() {
    let (store, now) = (Store::new(1000), Instant::now());
    store.packet(b"a:1|c\na:x|c\n\xff\nb:1|g\nb:1|h\n_e{1,1}:a|b\na:1|c", now);
    has(
        &page(&store, now),
        &[
            "a_total 2",
            "b 1",
            r#"seaworthy_statsd_rejected_total{reason="value"} 1"#,
            r#"seaworthy_statsd_rejected_total{reason="encoding"} 1"#,
            r#"seaworthy_statsd_rejected_total{reason="conflict"} 1"#,
        ],
    );
}

#[test]
fn labels_and_names_without_end_are_counted_and_not_stored() {
    let (store, now) = (Store::new(10), Instant::now());
    for number in 0..2000 {
        store.packet(format!("hits:1|c|#user:{number}\nname{number}:1|g").as_bytes(), now);
    }
    let page = page(&store, now);
    assert_eq!(page.matches("\nhits_total{").count(), 10);
    // One of the families is that of the hits.
    assert_eq!(page.matches("\nname").count(), store::FAMILIES - 1);
    has(
        &page,
        &[
            r#"seaworthy_statsd_rejected_total{reason="series"} 1990"#,
            r#"seaworthy_statsd_rejected_total{reason="families"} 1001"#,
        ],
    );
}

#[test]
fn a_set_forgets_its_members_after_a_minute_or_two() {
    let (store, now) = (Store::new(1000), Instant::now());
    let minute = Duration::from_mins(1);
    store.packet(b"users:a|s\nusers:b|s", now);
    store.packet(b"users:c|s", now + minute);
    has(&page(&store, now + minute), &["users 3"]);
    has(&page(&store, now + 2 * minute), &["users 1"]);
    has(&page(&store, now + 5 * minute), &["users 0"]);
}

#[test]
fn packets_are_received_by_udp_and_by_a_unix_socket() {
    let udp = StatsD::start(&Address::Tcp("127.0.0.1:0".parse().unwrap()), 100).unwrap();
    let Bound::Tcp(address) = udp.bound() else { panic!("UDP") };
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"a:1|c", address).unwrap();
    until(&udp, "a_total 1");
    let held = StatsD::start(&Address::Tcp(*address), 100).unwrap_err();
    assert!(matches!(held, BindError::InUse { .. }), "{held}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("statsd.sock");
    // Left by a dead process.
    drop(UnixDatagram::bind(&path).unwrap());
    let unix = StatsD::start(&Address::Unix(path.clone()), 100).unwrap();
    UnixDatagram::unbound().unwrap().send_to(b"a:1|c", &path).unwrap();
    until(&unix, "a_total 1");
    assert!(matches!(StatsD::start(&Address::Unix(path.clone()), 100), Err(BindError::InUse { .. })));
    drop(unix);
    assert!(!path.exists());
}

fn until(statsd: &StatsD, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !page(&statsd.store, Instant::now()).lines().any(|shown| shown == line) {
        assert!(Instant::now() < deadline, "no {line}");
        std::thread::yield_now();
    }
}
