//! `amqp`: RabbitMQ lets us in, and the named queues are there; how long they are, and who consumes them
//! (AMQP 0-9-1, <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>).
//!
//! A check needs a dozen of the protocol's methods. A client library would bring consumers, confirms and a task that drives
//! them.

mod close;
mod frame;
mod method;
mod server;

use seaworthy_core::health::Measure;

use self::frame::Frames;
use self::method::{Arguments, Method};
pub use self::server::{Server, ServerError};
use crate::cursor::Cursor;
use crate::kept::{Conversation, Question};
use crate::probe::{Failure, Report};
use crate::surroundings::Surroundings;

/// The bytes of the longest name that a queue can have.
pub const LONGEST_NAME: usize = 255;

/// The only channel that we open.
const CHANNEL: u16 = 1;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    pub queues: Vec<String>,
    /// More messages that wait in a queue are a warning.
    pub warn_pending: Option<u64>,
    /// Fewer consumers of a queue are a failure.
    pub min_consumers: Option<u32>,
}

/// A connection that is open, without a channel.
#[derive(Debug)]
pub(crate) struct Connection {
    frames: Frames,
    /// What the server calls itself.
    version: Option<String>,
}

impl Conversation for Settings {
    type Connection = Connection;

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        self.server.connect(surroundings).await
    }

    /// A channel each time: that one can be opened is the proof, and one error of a queue closes it.
    async fn ask(&self, connection: &mut Connection, _: Question) -> Result<Report, Failure> {
        let Connection { frames, version } = connection;
        frames.write(CHANNEL, &Arguments::of(Method::ChannelOpen).short("")).await?;
        frames.expect(CHANNEL, Method::ChannelOpenOk).await?;
        let mut report = Report::default();
        for queue in &self.queues {
            let Depth { messages, consumers } = depth(frames, queue).await?;
            self.judge(queue, messages, consumers, &mut report)?;
        }
        frames.write(CHANNEL, &Arguments::of(Method::ChannelClose).short_number(200).short("").empty_cause()).await?;
        frames.expect(CHANNEL, Method::ChannelCloseOk).await?;
        if let Some(version) = version {
            report = report.fact("version", version.as_str());
        }
        Ok(report)
    }

    /// Without it the server would log that a client was lost.
    fn farewell(&self, connection: &mut Connection) {
        connection.frames.post(&Arguments::of(Method::ConnectionClose).short_number(200).short("").empty_cause());
    }
}

impl Settings {
    fn judge(&self, queue: &str, messages: u32, consumers: u32, report: &mut Report) -> Result<(), Failure> {
        let measure = |metric, value: u32| Measure::new(metric, f64::from(value)).with("queue", queue);
        report.measures.push(measure("health_amqp_queue_messages", messages));
        report.measures.push(measure("health_amqp_queue_consumers", consumers));
        if let Some(least) = self.min_consumers.filter(|least| consumers < *least) {
            return Err(Failure::condition(format!("{consumers} consumers read from {queue:?}, fewer than {least}")));
        }
        if let Some(most) = self.warn_pending.filter(|most| u64::from(messages) > *most) {
            report.warn(format!("{messages} messages wait in {queue:?}, more than {most}"));
        }
        Ok(())
    }
}

/// What waits in a queue, and who reads from it.
struct Depth {
    messages: u32,
    consumers: u32,
}

/// A passive declaration: it makes nothing, and needs no right to.
async fn depth(frames: &mut Frames, queue: &str) -> Result<Depth, Failure> {
    const PASSIVE: u8 = 1;
    let declare = Arguments::of(Method::QueueDeclare).short_number(0).short(queue).byte(PASSIVE).table(&[]);
    frames.write(CHANNEL, &declare).await?;
    let answer = frames.expect(CHANNEL, Method::QueueDeclareOk).await?;
    let read = || {
        let mut cursor = Cursor(&answer);
        method::short(&mut cursor)?;
        let mut number = || cursor.array().map(u32::from_be_bytes);
        Some(Depth { messages: number()?, consumers: number()? })
    };
    read().ok_or_else(frame::nonsense)
}
