//! Programs of the world that need more than a command.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Seaworthy, Starting, program, until};

/// A master and one worker, which is up when it has answered. Of two, the second may be in the middle of its start when the
/// stop comes, and gunicorn 20 then loses the signal for it.
pub(crate) fn gunicorn() -> Starting {
    let bind = ["--bind", "127.0.0.1:{port}", "--workers", "1"];
    let application = program("");
    Seaworthy::run(["gunicorn", "--chdir", &application].into_iter().chain(bind).chain(["wsgi:application"]))
}

/// A master and two workers, which stop in order by QUIT. `/digits` are a hundred of them.
pub(crate) fn nginx() -> Starting {
    let starting = Seaworthy::run(NGINX);
    let port = configure(starting.directory()).port();
    starting.config(&format!("[app]\nport = {port}\n[stop]\nsignal = \"QUIT\""))
}

const NGINX: [&str; 7] = ["nginx", "-e", "stderr", "-p", ".", "-c", "nginx.conf"];

/// Writes `nginx.conf`. It takes no port from the environment, so it is told one that is free.
fn configure(directory: &Path) -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = free.local_addr().expect("it has an address");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {0}/{name};", directory.display()))
        .join(" ");
    let config = format!(
        "daemon off; worker_processes 2; pid {0}/pid; error_log stderr notice; events {{}}\n\
         http {{ access_log off; {temporary} server {{ listen {address}; root {0}; client_max_body_size 0; \
         dav_methods PUT; }} }}\n",
        directory.display()
    );
    std::fs::write(directory.join("nginx.conf"), config).expect("it can be written");
    std::fs::write(directory.join("digits"), "0123456789".repeat(10)).expect("it can be written");
    // Its workers are nobody where the tests are root; they read here, and write what is uploaded.
    std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
    address
}

/// nginx by itself. Dropped, it is stopped.
#[derive(Debug)]
pub(crate) struct Nginx {
    directory: TempDir,
    address: SocketAddr,
    child: Child,
}

impl Nginx {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let address = configure(directory.path());
        let mut command = Command::new(NGINX[0]);
        command.args(&NGINX[1..]).current_dir(directory.path()).stdin(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nginx starts");
        until("nginx listens", || TcpStream::connect(address).ok());
        Self { directory, address, child }
    }

    /// What it serves.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM and not KILL, which would leave its workers behind.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// `npm start`, which starts a shell, which starts Node.
pub(crate) fn npm() -> Starting {
    let starting = Seaworthy::run(["npm", "start", "--silent"]).variable("npm_config_update_notifier", "false");
    let manifest = format!("{{\"name\":\"service\",\"scripts\":{{\"start\":\"node {}\"}}}}", program("app.js"));
    std::fs::write(starting.directory().join("package.json"), manifest).expect("it can be written");
    let home = starting.directory().display().to_string();
    starting.variable("HOME", &home)
}

/// A shell that waits for Node, and does not pass signals on.
pub(crate) fn shell() -> Starting {
    Seaworthy::run(["sh", "-c", "node \"$0\"; echo shell ends", &program("app.js")])
}
