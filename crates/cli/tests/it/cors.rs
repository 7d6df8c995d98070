//! Pages of other origins.

use std::net::SocketAddr;
use std::process::Command;

use rustix::process::Signal;

use crate::bed::{Answer, Client, Closed, Flaky, Seaworthy, free_port, get, until};

const PAGE: &str = "https://app.example.com";

const SHARING: &str = "[cors]\norigins = [\"https://app.example.com\"]\ncredentials = true";

const PREFLIGHT: &str = "Origin: https://app.example.com\r\nAccess-Control-Request-Method: PUT\r\n\
                         Access-Control-Request-Headers: content-type\r\n";

fn from_page(client: &mut Client, method: &str, target: &str) -> Answer {
    client.request(method, target, &format!("Origin: {PAGE}\r\n"));
    client.answer()
}

fn preflight(client: &mut Client) -> Answer {
    client.request("OPTIONS", "/orders", PREFLIGHT);
    client.answer()
}

#[track_caller]
fn assert_shared(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
    assert!(varies(answer), "{answer:?}");
}

fn varies(answer: &Answer) -> bool {
    let vary = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("vary"));
    vary.flat_map(|(_, value)| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

fn says_nothing(answer: &Answer) -> bool {
    !answer.headers.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"))
}

/// What curl is answered to a preflight as browsers send it, with all of its headers.
fn as_a_browser(to: SocketAddr, origin: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--request", "OPTIONS"]);
    for header in [
        &format!("Origin: {origin}"),
        "Access-Control-Request-Method: DELETE",
        "Access-Control-Request-Headers: authorization,content-type",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Dest: empty",
        "Accept: */*",
    ] {
        curl.args(["--header", header]);
    }
    let said = curl.arg(format!("http://{to}/orders/7")).output().expect("curl runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).to_ascii_lowercase()
}

#[test]
fn a_preflight_is_answered_without_asking_the_program() {
    let app = Flaky::http();
    let seaworthy = Seaworthy::before(&app.url()).config(SHARING).ready();
    let allowed = as_a_browser(seaworthy.public, PAGE);
    assert!(allowed.starts_with("http/1.1 204"), "{allowed}");
    for line in [
        "access-control-allow-origin: https://app.example.com\r\n",
        "access-control-allow-credentials: true\r\n",
        "access-control-allow-methods: get, head, post, put, patch, delete\r\n",
        "access-control-allow-headers: authorization, content-type\r\n",
        "access-control-max-age: 600\r\n",
        "vary: origin, access-control-request-method, access-control-request-headers\r\n",
        "x-request-id: ",
    ] {
        assert!(allowed.contains(line), "{line:?} is not in {allowed}");
    }
    let other = as_a_browser(seaworthy.public, "https://evil.example");
    assert!(other.starts_with("http/1.1 204") && !other.contains("access-control-allow-"), "{other}");
    assert!(!app.seen().iter().any(|seen| seen.method == "OPTIONS"), "{:?}", app.seen());
}

#[test]
fn an_answer_may_be_read_by_the_pages_that_are_named_whatever_the_program_says() {
    let app = Flaky::http();
    let seaworthy = Seaworthy::before(&app.url()).config(SHARING).ready();
    let mut client = seaworthy.client();
    // It says `access-control-allow-origin: *` and `vary: Accept`.
    let answer = from_page(&mut client, "GET", "/sharing");
    assert_shared(&answer);
    assert!(answer.header("access-control-expose-headers").is_some_and(|names| names.contains("retry-after")));
    assert!(answer.headers.iter().any(|(_, value)| value == "Accept"), "its own `Vary` stands: {answer:?}");
    for origin in
        ["", "Origin: https://evil.example\r\n", "Origin: null\r\n", "Origin: https://app.example.com.evil\r\n"]
    {
        client.request("GET", "/sharing", origin);
        let answer = client.answer();
        assert!(answer.status == 200 && says_nothing(&answer) && varies(&answer), "{origin:?}: {answer:?}");
    }
}

#[test]
fn a_refusal_can_be_read_by_the_page_that_met_it() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let starting = Seaworthy::before(&nobody).config(SHARING).listening();
    let answer = from_page(&mut starting.client(), "GET", "/");
    assert_eq!(answer.json()["type"], "urn:seaworthy:problem:starting", "{answer:?}");
    assert_shared(&answer);
    assert_eq!(preflight(&mut starting.client()).status, 204, "nothing has to be there for it");

    let app = Flaky::http();
    let limits = "[limits]\nbody-size = \"1B\"\nrequest-timeout = \"200ms\"\nconnect-timeout = \"100ms\"";
    let seaworthy = Seaworthy::before(&app.url()).config(&format!("{SHARING}\n{limits}")).ready();
    let mut client = seaworthy.client();
    client.request("POST", "/", &format!("Origin: {PAGE}\r\nContent-Length: 2\r\n"));
    let too_large = client.answer();
    assert_eq!(too_large.status, 413);
    assert_shared(&too_large);
    let too_late = from_page(&mut seaworthy.client(), "GET", "/hang");
    assert_eq!(too_late.status, 504);
    assert_shared(&too_late);
}

#[test]
fn a_preflight_during_the_drain_tells_its_client_to_leave() {
    let starting = Seaworthy::app().config(SHARING).drain("grace = \"30s\"\ndelay = \"2s\"\npolicy = \"reject\"");
    let seaworthy = starting.ready();
    let mut kept = seaworthy.client();
    assert_eq!(preflight(&mut kept).header("connection"), None);
    seaworthy.signal(Signal::TERM);
    seaworthy.log.event("draining");
    let answer = preflight(&mut kept);
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    assert_shared(&answer);
    assert_eq!(kept.closed(), (Closed::Ended, Vec::new()));
    let refused = from_page(&mut seaworthy.client(), "GET", "/");
    assert_eq!((refused.status, refused.header("connection")), (503, Some("close")));
    assert_shared(&refused);
    seaworthy.exit().with_code(0);
}

#[test]
fn a_reload_names_a_page_and_takes_its_leave_again_on_a_kept_connection() {
    let app = Flaky::http();
    let seaworthy = Seaworthy::before(&app.url()).ready();
    let reload = |times: usize, text: &str| {
        seaworthy.configure(&format!("upstream = [{{ url = {:?} }}]\n{text}", app.url()));
        seaworthy.signal(Signal::HUP);
        seaworthy.log.until("it was reloaded", |lines| {
            (lines.iter().filter(|line| line.contains("\"config_reloaded\"")).count() >= times).then_some(())
        });
    };
    let mut client = seaworthy.client();
    let own = preflight(&mut client);
    assert!(own.text() == "answered" && says_nothing(&own), "it is the program's own affair: {own:?}");
    let own = from_page(&mut client, "GET", "/sharing");
    assert_eq!(own.header("access-control-allow-origin"), Some("*"), "and so is what it says of sharing");
    assert!(!varies(&own));
    reload(1, SHARING);
    until("it is in force", || (preflight(&mut client).status == 204).then_some(()));
    assert_shared(&from_page(&mut client, "GET", "/"));
    reload(2, "");
    until("it is in force", || (preflight(&mut client).status == 200).then_some(()));

    seaworthy
        .configure(&format!("upstream = [{{ url = {:?} }}]\n[cors]\norigins = [\"*\"]\ncredentials = true", app.url()));
    seaworthy.signal(Signal::HUP);
    let refused = seaworthy.log.event("config_refused");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("cors.credentials is true")), "{refused}");
    assert_eq!(get(seaworthy.public, "/").status, 200);
}
