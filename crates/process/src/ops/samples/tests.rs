use seaworthy::core::event::{Memory, Nowhere};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::{Config, Sources, load};
use crate::gateway::{Address, Protocol};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(30);

fn config(shape: &str) -> Config {
    let probes =
        format!("[probes]\napp-path = \"/stats\"\nsample-interval = \"20ms\"\nshapes.\"/health\" = '''{shape}'''");
    let read = move |path: &Path| match path.to_str() {
        Some("seaworthy.toml") => Ok(probes.clone()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    load(&Sources { read: &read, ..Sources::default() }).unwrap().config
}

fn sampler(sink: Arc<dyn Sink>) -> Sampler {
    Sampler::new(Samples::default(), Arc::new(Vec::new), sink)
}

/// Answers every connection with `answer`.
async fn program(answer: &'static str) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::new(Address::Tcp(listener.local_addr().unwrap()), Protocol::Auto);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    upstream
}

async fn until(samples: &Samples, holds: impl Fn(&Sample) -> bool) {
    let wait = async {
        while !holds(&samples.last()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("never so: {:?}", samples.last()));
}

#[tokio::test]
async fn what_the_program_says_is_known_while_it_says_it() {
    let memory = Arc::new(Memory::default());
    let mut sampler = sampler(memory.clone());
    sampler.set(&config("{{ app.jobs }}").probes);
    let ok = program("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 10\r\n\r\n{\"jobs\":7}").await;
    sampler.forward_to(Some(&ok));
    until(&sampler.samples, |sample| sample.app.as_ref().is_some_and(|app| app["jobs"] == 7)).await;
    let garbage = program("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    sampler.forward_to(Some(&garbage));
    until(&sampler.samples, |sample| sample.app.is_none()).await;
    until(&sampler.samples, |_| memory.said().iter().any(|said| said.contains("it answers no JSON"))).await;
}

#[tokio::test]
async fn numbers_are_there_at_once_and_nothing_is_looked_at_that_no_shape_uses() {
    let mut sampler = sampler(Arc::new(Nowhere));
    sampler.set(&config("{{ passes }}").probes);
    assert_eq!(*sampler.samples.last(), Sample::default());
    assert!(sampler.task.is_none());
    sampler.set(&config("{{ process.rss }}").probes);
    let sample = sampler.samples.last();
    let process = sample.process.as_ref().unwrap();
    assert!(process.rss > 0 && process.threads > 0 && process.count == 1, "{process:?}");
    let system = sample.system.as_ref().unwrap();
    assert!(system.memory_total > system.memory_free && system.cpus > 0 && !system.hostname.is_empty(), "{system:?}");
}
