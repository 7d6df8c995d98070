//! A real Prometheus, which scrapes and is asked.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::until;

/// A child that does not outlive its test.
#[derive(Debug)]
pub(crate) struct Prometheus(Child, SocketAddr);

impl Prometheus {
    /// Scrapes `target`, in whatever format it prefers.
    pub(crate) fn scraping(target: SocketAddr, directory: &std::path::Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let config = directory.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
             scrape_configs: [{{job_name: app, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(&config, text).expect("it can be written");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is there: `cargo xtask test` installs it");
        Self(child, free)
    }

    /// The first value of an answer, once there is one.
    #[track_caller]
    pub(crate) fn value(&self, query: &str) -> f64 {
        let query = percent_encode(query.as_bytes(), NON_ALPHANUMERIC).to_string();
        let mut curl = Command::new("curl");
        curl.args(["--silent", &format!("http://{}/api/v1/query?query={query}", self.1)]);
        until("Prometheus answers", || {
            let output = curl.output().expect("curl runs");
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
            answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `promtool check metrics` has to say against a page.
pub(crate) fn promtool(page: &[u8]) -> Result<(), String> {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool is there: `cargo xtask test` installs it");
    promtool.stdin.take().expect("it is piped").write_all(page).expect("it reads");
    let judged = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&judged.stderr).into_owned() + &String::from_utf8_lossy(&judged.stdout);
    if judged.status.success() && said.is_empty() { Ok(()) } else { Err(said) }
}
