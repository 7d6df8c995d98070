//! Both ends of a real socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use seaworthy::core::event::Memory;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::client::AskError;
use super::peer::Peer;
use super::*;
use crate::config::Level;

const SECONDS: Duration = Duration::from_secs(5);

struct Running {
    control: Control,
    directory: TempDir,
    memory: Arc<Memory>,
}

impl Running {
    fn path(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    async fn connect(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(self.path()).await.unwrap())
    }

    async fn ask(&self, command: Command) -> Result<Reply, AskError> {
        let path = self.path();
        tokio::task::spawn_blocking(move || ask(&path, &command, SECONDS)).await.unwrap()
    }
}

fn running(requests: mpsc::Sender<ControlRequest>, may: fn(Peer, u32) -> bool) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let socket = ControlSocket::open(&directory.path().join("control.sock")).unwrap();
    let memory = Arc::new(Memory::default());
    let ours = rustix::process::geteuid().as_raw();
    let control = Control::serve_as(socket, requests, memory.clone(), ours, may).unwrap();
    Running { control, directory, memory }
}

/// A process that does as it is told, and says who told it.
fn obedient() -> Running {
    let (requests, mut asked) = mpsc::channel::<ControlRequest>(1);
    tokio::spawn(async move {
        while let Some(ControlRequest { command, by, reply }) = asked.recv().await {
            let answer = match command {
                Command::Status => Reply::Status(Box::new(Status { service: "api".to_owned(), ..Status::default() })),
                Command::Reload => Reply::Invalid { problems: vec!["a".to_owned(), "b".to_owned()] },
                Command::Resume => Reply::refused("it is not paused"),
                other => Reply::done(format!("{other:?} by {by}")),
            };
            let _ = reply.send(answer);
        }
    });
    running(requests, Peer::may)
}

async fn line(stream: &mut BufReader<UnixStream>, sent: &str) -> String {
    stream.get_mut().write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_command_reaches_the_process_with_the_name_of_who_asked() {
    let running = obedient();
    let me = format!("uid {} pid {}", rustix::process::geteuid().as_raw(), std::process::id());
    assert_eq!(running.ask(Command::Drain).await.unwrap(), Reply::done(format!("Drain by {me}")));
    let command = Command::LogLevel { level: Level::Debug, expires: Some(Duration::from_mins(10)) };
    let done = Reply::done(format!("LogLevel {{ level: Debug, expires: Some(600s) }} by {me}"));
    assert_eq!(running.ask(command).await.unwrap(), done);
}

#[tokio::test]
async fn every_kind_of_answer_comes_back_as_it_was_given() {
    let running = obedient();
    let Reply::Status(status) = running.ask(Command::Status).await.unwrap() else { panic!("a status") };
    assert_eq!(status.service, "api");
    let problems = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(running.ask(Command::Reload).await.unwrap(), Reply::Invalid { problems });
    assert_eq!(running.ask(Command::Resume).await.unwrap(), Reply::refused("it is not paused"));
}

#[tokio::test]
async fn one_connection_may_ask_many_times_and_mistakes_end_nothing() {
    let running = obedient();
    let mut stream = running.connect().await;
    assert!(line(&mut stream, "{\"do\":\"pause\"}\n").await.starts_with("{\"reply\":\"done\",\"message\":\"Pause by"));
    assert!(line(&mut stream, "what?\n").await.starts_with("{\"reply\":\"refused\",\"message\":\"not understood"));
    assert!(line(&mut stream, "\r\n{\"do\":\"status\"}\r\n").await.starts_with("{\"reply\":\"status\""));
}

#[tokio::test]
async fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let running = obedient();
    let mut stream = running.connect().await;
    let answer = line(&mut stream, &"x".repeat(64 * 1024)).await;
    assert!(answer.contains("longer than 65536 bytes"), "{answer}");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "and the connection ends");
}

#[tokio::test]
async fn whoever_is_neither_root_nor_our_user_is_refused_unheard() {
    let (requests, mut asked) = mpsc::channel(1);
    let running = running(requests, |_, _| false);
    let Reply::Refused { message } = running.ask(Command::Drain).await.unwrap() else { panic!("refused") };
    assert!(message.contains("is neither root nor"), "{message}");
    assert!(asked.try_recv().is_err(), "nothing was asked of the process");
    assert!(running.memory.said()[0].starts_with("refused on the control socket: uid"));
}

#[tokio::test]
async fn a_process_that_takes_no_commands_any_more_says_so() {
    let (requests, asked) = mpsc::channel(1);
    drop(asked);
    let running = running(requests, Peer::may);
    let Reply::Refused { message } = running.ask(Command::Drain).await.unwrap() else { panic!("refused") };
    assert!(message.contains("about to end"), "{message}");
}

#[tokio::test]
async fn clients_that_are_silent_keep_nobody_from_asking() {
    let running = obedient();
    let mut silent = Vec::new();
    for _ in 0..15 {
        silent.push(running.connect().await);
    }
    assert!(matches!(running.ask(Command::Status).await, Ok(Reply::Status(_))));
}

#[tokio::test]
async fn closing_takes_the_socket_away() {
    let running = obedient();
    let (path, control) = (running.path(), running.control);
    control.close().await;
    assert!(!path.exists());
    assert!(matches!(ask(&path, &Command::Status, SECONDS), Err(AskError::Absent { .. })));
}

#[test]
fn what_cannot_be_reached_is_said_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let said = |path: &Path| ask(path, &Command::Status, Duration::from_millis(50)).unwrap_err().to_string();
    assert!(said(&path).contains("--control"), "{}", said(&path));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(said(&path).contains("did not answer within 50ms"), "{}", said(&path));
    drop(listener);
    assert!(said(&path).contains("start it again"), "{}", said(&path));
}
