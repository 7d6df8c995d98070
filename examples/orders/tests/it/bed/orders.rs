//! The service as a process.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Answer, Client, Log, get, until};

/// A service that runs until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Orders {
    child: Child,
    pub(crate) log: Log,
    /// What it said to whoever started it.
    pub(crate) guide: Log,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Drop for Orders {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With these variables, and none that the machine has set.
fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orders"));
    for ours in [
        "ALERT_WEBHOOK",
        "AUDIT_FILE",
        "DATABASE_URL",
        "DATABASE_CONNECTIONS",
        "DATA_DIR",
        "KUBERNETES_SERVICE_HOST",
        "LOG_LEVEL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "PAYMENTS_URL",
        "RATE_LIMIT",
        "REDIS_URL",
        "SENTRY_DSN",
    ] {
        command.env_remove(ours);
    }
    command.env("PORT", "0").env("ADMIN_PORT", "0").env("CHECKS_EVERY", "1").envs(variables.iter().copied());
    command
}

impl Orders {
    /// Serving, and perhaps not ready.
    #[track_caller]
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = command(variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let log = Log::of(child.stdout.take().expect("it is piped"));
        let guide = Log::of(child.stderr.take().expect("it is piped"));
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut orders = Self { child, log, guide, public: nowhere, admin: nowhere };
        let listening = orders.log.event("listening");
        let port = |which: &str| {
            let address: SocketAddr = listening[which].as_str().expect("a text").parse().expect("an address");
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
        };
        (orders.public, orders.admin) = (port("public"), port("admin"));
        orders
    }

    /// Ready.
    #[track_caller]
    pub(crate) fn ready(variables: &[(&str, &str)]) -> Self {
        let orders = Self::start(variables);
        orders.probes("/readyz", 200);
        orders
    }

    /// Where it does not get so far: all that it said.
    pub(crate) fn refused(variables: &[(&str, &str)]) -> Output {
        command(variables).output().expect("it starts")
    }

    /// Waits until a probe answers so.
    #[track_caller]
    pub(crate) fn probes(&self, path: &str, status: u16) {
        until(&format!("{path} is {status}"), || (get(self.admin, path).status == status).then_some(()));
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.public, path)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.post_with(path, "", body)
    }

    /// With these headers, each with its end of line.
    #[track_caller]
    pub(crate) fn post_with(&self, path: &str, headers: &str, body: &str) -> Answer {
        try_post(self.public, path, headers, body).expect("a whole answer")
    }

    /// Places an order and gives its id.
    #[track_caller]
    pub(crate) fn place(&self) -> String {
        let answer = self.post("/orders", "{\"item\":\"anchor\"}");
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until an order is fulfilled.
    #[track_caller]
    pub(crate) fn fulfilled(&self, id: &str) {
        until("the order is fulfilled", || {
            let listed = self.get("/orders").json();
            let order = listed["orders"].as_array()?.iter().find(|order| order["id"] == id)?.clone();
            (order["status"] == "fulfilled").then_some(())
        });
    }

    /// What a sample of its metrics says; 0 where there is none.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let page = get(self.admin, "/metrics").text();
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Waits until a sample of its metrics says this.
    #[track_caller]
    pub(crate) fn counts(&self, sample: &str, value: f64) {
        until(&format!("{sample} is {value}"), || ((self.metric(sample) - value).abs() < 1e-9).then_some(()));
    }

    /// A check as `/health` shows it.
    pub(crate) fn check(&self, name: &str) -> Value {
        get(self.admin, "/health").json()["checks"][name].clone()
    }

    /// Waits until a check stands so.
    #[track_caller]
    pub(crate) fn stands(&self, name: &str, status: &str) {
        until(&format!("check {name} is {status}"), || (self.check(name)["status"] == status).then_some(()));
    }

    /// Tells the bundled payment server how to behave.
    #[track_caller]
    pub(crate) fn payments(&self, mode: &str) {
        let place = self.guide.until("where the payment server is", |lines| {
            let line = lines.iter().find_map(|line| line.split_once("-X PUT http://"))?.1;
            line.split_once('/').and_then(|(address, _)| address.parse::<SocketAddr>().ok())
        });
        let mut client = Client::connect(place);
        client.request("PUT", &format!("/mode/{mode}"), "Content-Length: 0\r\nConnection: close\r\n");
        assert_eq!(client.answer().status, 200);
    }

    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
    }

    /// As a machine that loses its power.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it can be waited for");
    }

    /// Waits for its end, and gives all that it logged.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let all = self.log.all();
        (self.child.wait().expect("it can be waited for"), all)
    }
}

/// A request on a connection of its own.
pub(crate) fn try_post(to: SocketAddr, path: &str, headers: &str, body: &str) -> std::io::Result<Answer> {
    let mut client = Client::try_connect(to)?;
    let length = body.len();
    client.try_send(format!(
        "POST {path} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))?;
    client.read_answer(true)
}
