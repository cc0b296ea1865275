//! `hexmq sub`: subscribes and prints the messages that come.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hexmq_client::{Event, Message};
use hexmq_topic::{TopicFilter, TopicName};
use hexmq_wire::{
    Properties, PropertiesBuf, Publish, QoS, RetainHandling, Suback, SubscriptionOptions, SubscriptionsBuf,
    TopicFiltersBuf, Version,
};
use jiff::Zoned;

use super::client::format::{Format, Output};
use super::client::{
    Command, ConnectionArgs, Conversation, EXIT_TIMEOUT, Happened, Trouble, qos, reason, tell, topic_filter,
    wrong_property,
};

/// Subscribe and print the messages that come
#[derive(Debug, clap::Args)]
#[command(version, disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Topic filter to subscribe to; repeatable
    #[arg(short, long, value_name = "FILTER", value_parser = topic_filter)]
    topic: Vec<String>,
    /// Topic filter to unsubscribe from, after subscribing; repeatable
    #[arg(short = 'U', long, value_name = "FILTER", value_parser = topic_filter)]
    unsubscribe: Vec<String>,
    /// Do not print messages whose topic matches; repeatable
    #[arg(short = 'T', long, value_name = "FILTER", value_parser = plain_filter)]
    filter_out: Vec<String>,
    /// Highest QoS of the messages
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = qos)]
    qos: QoS,
    /// End after this many messages
    #[arg(short = 'C', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this many seconds, with exit code 27
    #[arg(short = 'W', value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// End when the subscriptions are acknowledged
    #[arg(short = 'E')]
    end_when_subscribed: bool,
    /// Do not print retained messages
    #[arg(short = 'R', conflicts_with = "retained_only")]
    no_retained: bool,
    /// Print only retained messages, and end at the first other one
    #[arg(long)]
    retained_only: bool,
    /// Delete each retained message that comes, unless -T filters it out
    #[arg(long)]
    remove_retained: bool,
    /// MQTT 5: messages keep the RETAIN flag they were published with
    #[arg(long)]
    retain_as_published: bool,
    /// MQTT 5: which retained messages are sent on subscribing: always, new or never
    #[arg(long, value_name = "WHEN", value_parser = retain_handling)]
    retain_handling: Option<RetainHandling>,
    #[command(flatten)]
    output: OutputArgs,
}

/// How messages are printed.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Print the topic before the payload
    #[arg(short, long)]
    verbose: bool,
    /// Output format, see FORMAT below
    #[arg(short = 'F', value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<Format>,
    /// Do not end each message with a new line
    #[arg(short = 'N')]
    no_end_of_line: bool,
    /// JSON of -F %j and %J on several lines
    #[arg(long)]
    pretty: bool,
}

/// The part of `--help` about `-F`.
pub(crate) const FORMAT_HELP: &str = "FORMAT:
  %t topic   %p payload   %x %X payload in hex   %l its length   %q QoS   %r retained   %m packet identifier
  %j JSON with the payload as a string   %J JSON with the payload as JSON   %I ISO 8601 time   %U Unix time
  MQTT 5: %A topic alias   %C content type   %D correlation data   %E message expiry   %F payload format
          %P user properties   %R response topic   %S subscription identifier
  %% a percent sign; - 0 WIDTH .MAXIMUM go between % and the letter
  @X the time as strftime's %X, @N nanoseconds, @@ an at sign; \\\\ \\0 \\a \\e \\n \\r \\t \\v as in C";

impl OutputArgs {
    pub(crate) fn output(&self) -> Output {
        Output {
            format: self.format.clone(),
            verbose: self.verbose,
            end_of_line: !self.no_end_of_line,
            pretty: self.pretty,
        }
    }
}

fn plain_filter(text: &str) -> Result<String, String> {
    TopicFilter::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn retain_handling(text: &str) -> Result<RetainHandling, String> {
    match text {
        "always" => Ok(RetainHandling::Send),
        "new" => Ok(RetainHandling::SendIfNew),
        "never" => Ok(RetainHandling::DoNotSend),
        _ => Err("always, new or never".into()),
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match subscribe(args) {
        Ok(code) => code,
        Err(trouble) => trouble.report(args.connection.quiet),
    }
}

fn subscribe(args: &Args) -> Result<ExitCode, Trouble> {
    let mut topics: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    if let Some(topic) = args.connection.url_topic() {
        topic_filter(topic)
            .map_err(|why| Trouble::new(format!("`{topic}` is no topic filter"), why, "-t FILTER"))?;
        topics.push(topic);
    }
    if topics.is_empty() && args.unsubscribe.is_empty() {
        return Err(Trouble::new(
            "no topic filter",
            "without one no message would come",
            "-t FILTER; -t '#' is everything",
        ));
    }
    let needs = if args.retain_as_published {
        Some("--retain-as-published")
    } else {
        args.retain_handling.map(|_| "--retain-handling")
    };
    let properties = args.connection.properties();
    let subscribe_properties = properties.of(Command::Subscribe).map_err(wrong_property)?;
    let unsubscribe_properties = properties.of(Command::Unsubscribe).map_err(wrong_property)?;
    let conversation = Conversation::open(&args.connection, Version::V4, needs, |_| {})?;
    let subscriber = Subscriber {
        args,
        topics,
        subscribe_properties,
        unsubscribe_properties,
        output: args.output.output(),
        until: args.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        conversation,
        printed: 0,
    };
    subscriber.run()
}

struct Subscriber<'a> {
    args: &'a Args,
    topics: Vec<&'a str>,
    subscribe_properties: PropertiesBuf,
    unsubscribe_properties: PropertiesBuf,
    output: Output,
    until: Option<Instant>,
    conversation: Conversation,
    printed: u64,
}

/// What a message or an acknowledgement leads to.
enum Next {
    GoOn,
    /// Delete the retained message of this topic, and perhaps end.
    Remove {
        topic: String,
        end: bool,
    },
    Ask,
    End,
}

impl Subscriber<'_> {
    fn run(mut self) -> Result<ExitCode, Trouble> {
        let quiet = self.args.connection.quiet;
        loop {
            let until = self.until;
            let next = match self.conversation.step(None, until)? {
                Happened::Event(Event::Connected(_)) => Next::Ask,
                Happened::Event(Event::Message(message)) => {
                    message_came(self.args, &self.output, &mut self.printed, &message)?
                }
                Happened::Event(Event::Subscribed(suback)) => {
                    granted(&suback, &self.topics, quiet)?;
                    if self.args.end_when_subscribed { Next::End } else { Next::GoOn }
                }
                Happened::TimedOut if until.is_some_and(|until| until <= Instant::now()) => {
                    tell(quiet, "Timed out");
                    self.conversation.leave();
                    return Ok(ExitCode::from(EXIT_TIMEOUT));
                }
                Happened::Interrupted => Next::End,
                Happened::Event(_) | Happened::Nothing | Happened::Woken | Happened::TimedOut => Next::GoOn,
            };
            match next {
                Next::GoOn => {}
                Next::Ask => self.ask()?,
                Next::End => {
                    self.conversation.leave();
                    return Ok(ExitCode::SUCCESS);
                }
                Next::Remove { topic, end } => {
                    self.remove(&topic);
                    if end {
                        self.conversation.leave();
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
        }
    }

    /// Subscribes, and then unsubscribes, on each connection.
    fn ask(&mut self) -> Result<(), Trouble> {
        let too_long =
            |why: &dyn std::fmt::Display| Trouble::new("cannot subscribe", why, "fewer or shorter filters");
        let version = self.conversation.version();
        let options = SubscriptionOptions {
            qos: self.args.qos,
            no_local: false,
            retain_as_published: self.args.retain_as_published,
            retain_handling: self.args.retain_handling.unwrap_or_default(),
        };
        let mut subscriptions = SubscriptionsBuf::default();
        for topic in &self.topics {
            subscriptions.push(topic, options, version).map_err(|error| too_long(&error))?;
        }
        if !self.topics.is_empty() {
            let properties = self.subscribe_properties.as_properties();
            self.conversation
                .driver
                .subscribe(&subscriptions, properties)
                .map_err(|error| too_long(&error))?;
        }
        if self.args.unsubscribe.is_empty() {
            return Ok(());
        }
        let mut filters = TopicFiltersBuf::default();
        for filter in &self.args.unsubscribe {
            filters.push(filter).map_err(|error| too_long(&error))?;
        }
        let properties = self.unsubscribe_properties.as_properties();
        self.conversation.driver.unsubscribe(&filters, properties).map_err(|error| too_long(&error))?;
        Ok(())
    }

    fn remove(&mut self, topic_name: &str) {
        let message = Message {
            topic_name,
            payload: b"",
            qos: QoS::AtMostOnce,
            retain: true,
            properties: Properties::EMPTY,
        };
        if let Err(error) = self.conversation.driver.publish(message) {
            tell(self.args.connection.quiet, &format!("warning: {topic_name} is not removed: {error}"));
        }
    }
}

fn message_came(
    args: &Args,
    output: &Output,
    printed: &mut u64,
    message: &Publish<'_>,
) -> Result<Next, Trouble> {
    if args.retained_only && !message.retain {
        return Ok(Next::End);
    }
    let name = TopicName::parse(message.topic_name);
    let is_out = |filter: &String| match (&name, TopicFilter::parse(filter)) {
        (Ok(name), Ok(filter)) => filter.matches(*name),
        _ => false,
    };
    if args.filter_out.iter().any(is_out) {
        return Ok(Next::GoOn);
    }
    let mut end = false;
    if !(message.retain && args.no_retained) {
        if !print(output, message)? {
            return Ok(Next::End);
        }
        *printed += 1;
        end = args.count == Some(*printed);
    }
    Ok(match (args.remove_retained && message.retain, end) {
        (true, end) => Next::Remove { topic: message.topic_name.to_owned(), end },
        (false, true) => Next::End,
        (false, false) => Next::GoOn,
    })
}

/// Prints a message at once. False: whoever read stdout has gone, so nothing is left to do.
pub(crate) fn print(output: &Output, message: &Publish<'_>) -> Result<bool, Trouble> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let written = output.print(message, &Zoned::now(), &mut stdout, &mut io::stderr());
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Trouble::new("cannot write to stdout", error, "a file or pipe with room")),
    }
}

/// Tells refused subscriptions; an error if none was granted.
pub(crate) fn granted(suback: &Suback<'_>, topics: &[&str], quiet: bool) -> Result<(), Trouble> {
    let codes: Vec<_> = suback.codes().collect();
    let refused: Vec<String> = codes
        .iter()
        .zip(topics)
        .filter(|(code, _)| code.is_error())
        .map(|(code, topic)| format!("{topic}: {}", reason(*code, suback.properties)))
        .collect();
    if !refused.is_empty() && refused.len() == codes.len() {
        return Err(Trouble::new(
            "the server refused every subscription",
            refused.join("; "),
            "another topic filter, or a user who may subscribe to it (-u, -P)",
        ));
    }
    for line in refused {
        tell(quiet, &format!("warning: the server refused the subscription to {line}"));
    }
    Ok(())
}
