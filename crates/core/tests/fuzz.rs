//! What strangers send, against the readers of this crate.

use std::net::{IpAddr, Ipv4Addr};

use seaworthy_core::address::{IpNet, Trusted};
use seaworthy_core::redact::Redactor;
use seaworthy_core::websocket::Frames;

#[test]
fn fuzz_no_header_makes_a_stranger_somebody_else() {
    let proxies: [IpNet; 2] = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().expect("a network"));
    let trusted = Trusted::new(proxies);
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    seaworthy_fuzz::drive("forwarded", |text| {
        // Lines of X-Forwarded-For, an empty one, lines of Forwarded.
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let (before, after) = lines.split_at(lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len()));
        let client = |peer| trusted.client(peer, before.iter().copied(), after.iter().copied());
        assert_eq!(client(stranger), stranger);
        assert_eq!(client(proxy), client(proxy).to_canonical());
    });
}

#[test]
fn fuzz_frames_end_where_they_end_however_they_are_cut() {
    seaworthy_fuzz::drive("websocket", |stream| {
        let (mut whole, mut cut, mut stopping) = (Frames::default(), Frames::default(), Frames::default());
        whole.feed(stream);
        stream.chunks(3).for_each(|piece| cut.feed(piece));
        let mut rest = stream;
        while !rest.is_empty() {
            let taken = stopping.feed_until_between(rest);
            assert!((1..=rest.len()).contains(&taken));
            rest = &rest[taken..];
        }
        for other in [&cut, &stopping] {
            assert_eq!((other.between(), other.closed()), (whole.between(), whole.closed()));
        }
    });
}

#[test]
fn fuzz_no_secret_is_shown_whatever_stands_beside_it() {
    const SECRET: &str = "hunter2hunter2";
    let redactor = Redactor::new(["ssn", "x-*-id"]);
    seaworthy_fuzz::drive_text("redact", |text| {
        let hidden = [
            redactor.url(&format!("postgres://app:{SECRET}@{text}")).into_owned(),
            redactor.url(&format!("https://host/?a=b&token={SECRET}&{text}")).into_owned(),
            redactor.query(&format!("{text}&ssn={SECRET}")).into_owned(),
            redactor.query(&format!("{text};api_key={SECRET}")).into_owned(),
            redactor.text(&format!("{text} password={SECRET}")).into_owned(),
            redactor.text(&format!("{text} redis://:{SECRET}@host {text}")).into_owned(),
        ];
        assert!(!hidden.iter().any(|shown| shown.contains(SECRET)), "{hidden:?}");
        // What was hidden stays hidden, and nothing more is.
        let once = redactor.query(text).into_owned();
        assert_eq!(redactor.query(&once), once);
    });
}

#[test]
fn fuzz_any_pattern_is_held_against_any_name() {
    seaworthy_fuzz::drive_text("redact-pattern", |text| {
        let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
        let redactor = Redactor::new([pattern]);
        let _ = redactor.is_secret(name);
        assert!(redactor.is_secret(&pattern.replace('*', "")), "{pattern:?} matches itself without its stars");
    });
}
