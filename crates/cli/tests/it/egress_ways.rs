//! Calls with credentials that the program does not hold, and calls as of a forward proxy.

use std::process::Command;

use rustix::process::Signal;

use crate::bed::{Client, Flaky, Seaworthy, until};
use crate::egress::{call, calling, nothing, place};

const SECRET: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

#[test]
fn a_call_carries_what_the_program_does_not_hold_and_nothing_shows_it() {
    let flaky = Flaky::http();
    let keys = "bearer = { env = \"PAY_KEY\" }\nheaders = { X-Api-Key = { file = \"key\" } }\nretries = 0";
    let starting = calling(&flaky, keys).variable("PAY_KEY", SECRET);
    let file = starting.directory().join("key");
    std::fs::write(&file, format!("{SECRET}-of-file\n")).expect("it can be written");
    let seaworthy = starting.listening();
    let own =
        "Authorization: Basic b3duOm93bg==\r\nx-api-key: own\r\nX-API-KEY: own-too\r\nConnection: Authorization\r\n";
    assert_eq!(call(&seaworthy, "GET", "/", own).status, 200);
    let headers = |name: &str| -> Vec<String> {
        let seen = flaky.seen().pop().expect("it was called");
        let named = seen.headers.into_iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value).collect()
    };
    assert_eq!(headers("authorization"), [format!("Bearer {SECRET}")]);
    assert_eq!(headers("x-api-key"), [format!("{SECRET}-of-file")]);

    // Another one, from the next call on: the file alone has changed.
    std::fs::write(&file, "rotated").expect("it can be written");
    seaworthy.signal(Signal::HUP);
    let reloaded = seaworthy.log.event("config_reloaded");
    assert!(reloaded.to_string().contains("egress.pay.headers.X-Api-Key"), "{reloaded}");
    assert_eq!(call(&seaworthy, "GET", "/", "").status, 200);
    assert_eq!(headers("x-api-key"), ["rotated"]);

    flaky.answers(500);
    assert_eq!(call(&seaworthy, "GET", "/", "").status, 500);
    let mut show = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    show.args(["config", "show", "--config", &seaworthy.config_path()]).env("PAY_KEY", SECRET);
    let shown = show.current_dir(file.parent().expect("it is in one")).output().expect("it starts");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("egress.pay.bearer") && !shown.contains(SECRET), "{shown}");
    seaworthy.tell(&["breakers"]).with_code(0);
    let exit = seaworthy.stop().with_code(0);
    assert!(!exit.output.contains(SECRET) && !exit.output.contains("rotated"), "{}", exit.output);
}

/// A program that says what it knows of a key, and what it is answered by the service.
const KEYLESS: &str = "
const http = require('http');
http.createServer((request, response) => {
  http.get(process.env.EGRESS_PAY_URL + '/', (answer) => {
    answer.resume().on('end', () => response.end(`${process.env.PAY_KEY} ${process.env.OTHER_KEY} ${answer.statusCode}`));
  });
}).listen(process.env.PORT, '127.0.0.1');
";

#[test]
fn the_program_calls_with_a_key_that_it_never_got() {
    let flaky = Flaky::http();
    let keys = "bearer = { env = \"PAY_KEY\" }\nheaders = { x-other = { env = \"OTHER_KEY\" } }";
    let config = format!("egress-listen = \"127.0.0.1:0\"\n[egress.pay]\nurl = {:?}\n{keys}\n", flaky.url());
    let config = config + "[app.env]\nOTHER_KEY = { env = \"OTHER_KEY\" }";
    let starting = Seaworthy::run(["node", "-e", KEYLESS]).config(&config);
    let seaworthy = starting.variable("PAY_KEY", SECRET).variable("OTHER_KEY", "by-name").ready();
    assert_eq!(seaworthy.get("/").text(), "undefined by-name 200");
    assert_eq!(flaky.seen()[0].header("authorization"), Some(&*format!("Bearer {SECRET}")));
}

#[test]
fn a_service_may_be_called_by_its_own_address_as_of_a_proxy() {
    let (flaky, other) = (Flaky::http(), Flaky::http());
    let users = format!("[egress.users]\nurl = \"{}/v2/users\"\nbearer = \"of-users\"", flaky.url());
    let seaworthy = calling(&flaky, "bearer = \"of-pay\"").config(&users).listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let proxied = |url: &str| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %header{location}",
        ]);
        let said =
            curl.args(["--noproxy", "", "--proxy", &format!("http://{address}"), url]).output().expect("curl runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    assert_eq!(proxied(&format!("{}/v1/charges?a=1", flaky.url())), "200");
    assert_eq!(proxied(&format!("{}/v2/users/7", flaky.url())), "200");
    let seen: Vec<_> = flaky
        .seen()
        .into_iter()
        .map(|seen| (seen.target.clone(), seen.header("authorization").map(str::to_owned)))
        .collect();
    let with = |target: &str, token: &str| (target.to_owned(), Some(format!("Bearer {token}")));
    assert_eq!(seen, [with("/v1/charges?a=1", "of-pay"), with("/v2/users/7", "of-users")], "the nearest one");
    assert!(flaky.seen().iter().all(|seen| seen.header("proxy-connection").is_none()));

    assert_eq!(proxied(&format!("http://{address}{prefix}/by-name")), "200", "the listener itself is no other server");
    assert_eq!(flaky.seen().pop().map(|seen| seen.target), Some("/by-name".to_owned()));

    flaky.redirects_to(&format!("{}/next", flaky.url()));
    let redirected = proxied(&format!("{}/redirect", flaky.url()));
    assert_eq!(redirected, format!("302 {}/next", flaky.url()), "whoever calls by the address follows to the address");

    for url in [format!("{}/", other.url()), "http://169.254.169.254/latest/meta-data/".to_owned()] {
        assert_eq!(proxied(&url), "502", "{url}");
    }
    let mut client = Client::connect(address);
    client.request("GET", &format!("{}/", other.url()), "");
    let refused = client.answer();
    assert_eq!(refused.json()["type"], "urn:seaworthy:problem:destination_forbidden", "{}", refused.text());
    client.request("CONNECT", &flaky.address.to_string(), "");
    assert_eq!(client.head().status, 405);
    assert!(other.seen().is_empty(), "nobody was sent there");
}

#[test]
fn a_proxied_name_that_leads_inside_is_refused_unless_its_network_is_named() {
    let flaky = Flaky::http();
    let url = format!("http://pay.localhost:{}", flaky.address.port());
    let ask = |seaworthy: &Seaworthy| {
        let mut client = Client::connect(place(seaworthy, "pay").0);
        client.request("GET", &format!("{url}/"), "");
        client.answer().status
    };
    let service =
        |keys: &str| nothing().config(&format!("[egress.pay]\nurl = {url:?}\nretries = 0\n{keys}")).listening();
    assert_eq!(ask(&service("")), 502);
    assert!(flaky.seen().is_empty());
    assert_eq!(ask(&service("private = [\"127.0.0.0/8\", \"::1\"]")), 200);
    until("it was asked", || (flaky.seen().len() == 1).then_some(()));
}
