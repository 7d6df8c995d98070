//! Programs of the world that need more than a command.

use super::{Seaworthy, Starting, program};

/// A master and one worker, which is up when it has answered. Of two, the second may be in the middle of its start when the
/// stop comes, and gunicorn 20 then loses the signal for it.
pub(crate) fn gunicorn() -> Starting {
    let bind = ["--bind", "127.0.0.1:{port}", "--workers", "1"];
    let application = program("");
    Seaworthy::run(["gunicorn", "--chdir", &application].into_iter().chain(bind).chain(["wsgi:application"]))
}

/// A master and two workers, which stop in order by QUIT. `/digits` are a hundred of them.
pub(crate) fn nginx() -> Starting {
    let starting = Seaworthy::run(["nginx", "-e", "stderr", "-p", ".", "-c", "nginx.conf"]);
    let directory = starting.directory().to_owned();
    // It takes no port from the environment, so it is told one that is free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("it has an address").port();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {0}/{name};", directory.display()))
        .join(" ");
    let config = format!(
        "daemon off; worker_processes 2; pid {0}/pid; error_log stderr notice; events {{}}\n\
         http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; root {0}; }} }}\n",
        directory.display()
    );
    std::fs::write(directory.join("nginx.conf"), config).expect("it can be written");
    std::fs::write(directory.join("digits"), "0123456789".repeat(10)).expect("it can be written");
    // Its workers are nobody, and the directory is that of whoever tests.
    std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    starting.config(&format!("[app]\nport = {port}\n[stop]\nsignal = \"QUIT\""))
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
