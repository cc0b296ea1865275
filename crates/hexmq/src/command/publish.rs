//! `hexmq pub`: publishes messages and ends when they are acknowledged.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hexmq_client::{Event, Message};
use hexmq_wire::{PropertiesBuf, QoS, Version};

use super::client::payload::PayloadArgs;
use super::client::{
    Command, ConnectionArgs, Conversation, Happened, Trouble, qos, reason, tell, topic_name, wrong_property,
};

/// Bytes that wait for the kernel before no more is published.
const UNSENT_MAX: usize = 256 * 1024;
/// Messages that wait for room in flight before no more is read.
const QUEUED_MAX: usize = 256;

/// Publish messages
#[derive(Debug, clap::Args)]
#[command(version, disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Topic to publish to
    #[arg(short, long, value_name = "TOPIC", value_parser = topic_name)]
    topic: Option<String>,
    #[command(flatten)]
    payload: PayloadArgs,
    /// Each line of stdin is a message, sent as it comes
    #[arg(short = 'l', long, group = "payload")]
    stdin_line: bool,
    /// QoS of the messages
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = qos)]
    qos: QoS,
    /// The server keeps the message for later subscribers
    #[arg(short, long)]
    retain: bool,
    /// Publish the message this many times
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "stdin_line")]
    repeat: u64,
    /// Seconds between repetitions; may have a fraction
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    repeat_delay: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "seconds, such as 1 or 0.25".into())
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match publish(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => trouble.report(args.connection.quiet),
    }
}

fn publish(args: &Args) -> Result<(), Trouble> {
    let topic = args.topic.as_deref().or(args.connection.url_topic()).ok_or_else(|| {
        Trouble::new("no topic", "a message is published to a topic", "-t TOPIC, or -L mqtt://HOST/TOPIC")
    })?;
    let topic = topic_name(topic)
        .map_err(|why| Trouble::new(format!("`{topic}` is no topic name"), why, "-t TOPIC"))?;
    let payload = args.payload.read()?;
    let source = match payload {
        Some(payload) => Source::Repeat { payload, left: args.repeat, delay: args.repeat_delay, due: None },
        None if args.stdin_line => Source::Lines { lines: VecDeque::new(), begun: Vec::new(), ended: false },
        None => {
            return Err(Trouble::new(
                "no payload",
                "a message has a payload, which may be empty",
                "-m PAYLOAD, -f FILE, -l or -s for stdin, -n for an empty one",
            ));
        }
    };
    let properties = args.connection.properties().of(Command::Publish).map_err(wrong_property)?;
    let conversation = Conversation::open(&args.connection, Version::V4, None, |_| {})?;
    Publisher { args, topic, properties, source, conversation, published: 0 }.run()
}

struct Publisher<'a> {
    args: &'a Args,
    topic: String,
    properties: PropertiesBuf,
    source: Source,
    conversation: Conversation,
    /// Messages given to the client.
    published: u64,
}

enum Source {
    /// One payload, several times.
    Repeat { payload: Vec<u8>, left: u64, delay: Duration, due: Option<Instant> },
    /// Lines of stdin.
    Lines { lines: VecDeque<Vec<u8>>, begun: Vec<u8>, ended: bool },
}

impl Publisher<'_> {
    fn run(mut self) -> Result<(), Trouble> {
        loop {
            if self.conversation.is_connected() {
                self.publish_what_is_there()?;
                let client = self.conversation.driver.client();
                if self.source.is_done() && client.pending() == 0 && self.conversation.driver.unsent() == 0 {
                    self.conversation.leave();
                    return Ok(());
                }
            }
            let stdin = std::io::stdin();
            let wake = (self.conversation.is_connected() && self.has_room() && self.source.wants_stdin())
                .then(|| stdin.as_fd());
            let quiet = self.args.connection.quiet;
            match self.conversation.step(wake, self.source.due())? {
                Happened::Woken => self.source.read()?,
                Happened::Interrupted => {
                    self.conversation.leave();
                    return Ok(());
                }
                Happened::Event(Event::Published { ticket, reason_code, properties })
                    if reason_code.is_error() =>
                {
                    let why = reason(reason_code, properties);
                    tell(quiet, &format!("warning: the server refused message {}: {why}", ticket.0 + 1));
                }
                Happened::Event(Event::GivenUp { ticket, error }) => {
                    return Err(not_published(ticket.0 + 1, &error));
                }
                Happened::Event(_) | Happened::Nothing | Happened::TimedOut => {}
            }
        }
    }

    fn has_room(&self) -> bool {
        let driver = &self.conversation.driver;
        driver.unsent() < UNSENT_MAX && driver.client().queued() < QUEUED_MAX
    }

    fn publish_what_is_there(&mut self) -> Result<(), Trouble> {
        while self.has_room() {
            let Some(payload) = self.source.next() else { break };
            let message = Message {
                topic_name: &self.topic,
                payload: &payload,
                qos: self.args.qos,
                retain: self.args.retain,
                properties: self.properties.as_properties(),
            };
            self.published += 1;
            let number = self.published;
            self.conversation.driver.publish(message).map_err(|error| not_published(number, &error))?;
        }
        // What cannot be sent now is sent, and a loss noticed, by the next step.
        self.conversation.driver.flush().ok();
        Ok(())
    }
}

fn not_published(number: u64, error: &hexmq_client::PublishError) -> Trouble {
    Trouble::new(
        format!("message {number} cannot be published"),
        error,
        "a smaller payload, a lower -q or no -r, as the server allows",
    )
}

impl Source {
    /// The next message, if it is its time.
    fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Source::Repeat { left: 0, .. } => None,
            Source::Repeat { due: Some(due), .. } if Instant::now() < *due => None,
            Source::Repeat { payload, left, delay, due } => {
                *left -= 1;
                *due = (!delay.is_zero()).then(|| Instant::now() + *delay);
                Some(payload.clone())
            }
            Source::Lines { lines, .. } => lines.pop_front(),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Source::Repeat { left, .. } => *left == 0,
            Source::Lines { lines, ended, .. } => *ended && lines.is_empty(),
        }
    }

    /// When the next message is due, if it is only a matter of time.
    fn due(&self) -> Option<Instant> {
        match self {
            Source::Repeat { left: 1.., due, .. } => *due,
            _ => None,
        }
    }

    fn wants_stdin(&self) -> bool {
        matches!(self, Source::Lines { lines, ended: false, .. } if lines.is_empty())
    }

    /// Reads what stdin has and cuts it into lines; the last one may lack its end.
    fn read(&mut self) -> Result<(), Trouble> {
        let Source::Lines { lines, begun, ended } = self else { return Ok(()) };
        let mut buffer = [0; 16 * 1024];
        // Not through `Stdin`: its buffer would hide from `poll` what it has read ahead.
        let count = rustix::io::read(std::io::stdin(), &mut buffer)
            .or_else(|error| if error == rustix::io::Errno::INTR { Ok(usize::MAX) } else { Err(error) })
            .map_err(|error| Trouble::new("cannot read stdin", error, "-f FILE, or -m PAYLOAD"))?;
        if count == usize::MAX {
            return Ok(());
        }
        if count == 0 {
            *ended = true;
            if !begun.is_empty() {
                lines.push_back(std::mem::take(begun));
            }
            return Ok(());
        }
        for piece in buffer.get(..count).unwrap_or_default().split_inclusive(|&byte| byte == b'\n') {
            begun.extend_from_slice(piece);
            if begun.last() == Some(&b'\n') {
                begun.pop();
                lines.push_back(std::mem::take(begun));
            }
        }
        Ok(())
    }
}
