//! `hexmq rr`: publishes a request and prints the response.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use hexmq_client::{Event, Message};
use hexmq_wire::{
    PropertiesBuf, Property, PropertyId, Publish, QoS, SubscriptionOptions, SubscriptionsBuf, Version,
};

use super::client::format::Output;
use super::client::payload::PayloadArgs;
use super::client::{
    Command, ConnectionArgs, Conversation, EXIT_TIMEOUT, Happened, Trouble, qos, reason, tell, topic_name,
    wrong_property,
};
use super::subscribe::{OutputArgs, granted, print};

/// Publish a request and print the response
#[derive(Debug, clap::Args)]
#[command(version, disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Topic of the request
    #[arg(short, long, value_name = "TOPIC", value_parser = topic_name)]
    topic: Option<String>,
    /// Topic where the response will come; in MQTT 5 the request names it
    #[arg(short = 'e', long, value_name = "TOPIC", value_parser = topic_name)]
    response_topic: String,
    #[command(flatten)]
    payload: PayloadArgs,
    /// QoS of request and response
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = qos)]
    qos: QoS,
    /// End after this many seconds without a response, with exit code 27
    #[arg(short = 'W', value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// A retained message is no response
    #[arg(short = 'R')]
    no_retained: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match request(args) {
        Ok(code) => code,
        Err(trouble) => trouble.report(args.connection.quiet),
    }
}

fn request(args: &Args) -> Result<ExitCode, Trouble> {
    let topic = args.topic.as_deref().or(args.connection.url_topic()).ok_or_else(|| {
        Trouble::new("no topic", "a request is published to a topic", "-t TOPIC, or -L mqtt://HOST/TOPIC")
    })?;
    let topic = topic_name(topic)
        .map_err(|why| Trouble::new(format!("`{topic}` is no topic name"), why, "-t TOPIC"))?;
    let payload = args.payload.read()?.ok_or_else(|| {
        Trouble::new(
            "no payload",
            "a request has a payload, which may be empty",
            "-m PAYLOAD, -f FILE, -s for stdin, -n for an empty one",
        )
    })?;
    let given = args.connection.properties();
    if given.has(Command::Publish, PropertyId::ResponseTopic) {
        return Err(wrong_property("`response-topic` is what -e says".into()));
    }
    let mut properties = given.of(Command::Publish).map_err(wrong_property)?;
    let subscribe_properties = given.of(Command::Subscribe).map_err(wrong_property)?;
    let conversation = Conversation::open(&args.connection, Version::V5, None, |_| {})?;
    if conversation.version() == Version::V5 {
        properties
            .push(Property::ResponseTopic(&args.response_topic))
            .map_err(|error| wrong_property(error.to_string()))?;
    }
    let requester = Requester {
        args,
        topic,
        payload,
        properties,
        subscribe_properties,
        output: args.output.output(),
        until: args.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        conversation,
        sent: false,
    };
    requester.run()
}

struct Requester<'a> {
    args: &'a Args,
    topic: String,
    payload: Vec<u8>,
    properties: PropertiesBuf,
    subscribe_properties: PropertiesBuf,
    output: Output,
    until: Option<Instant>,
    conversation: Conversation,
    /// The request is with the client, which repeats it as its QoS demands.
    sent: bool,
}

enum Next {
    GoOn,
    Subscribe,
    Publish,
    End,
}

impl Requester<'_> {
    fn run(mut self) -> Result<ExitCode, Trouble> {
        let quiet = self.args.connection.quiet;
        loop {
            let until = self.until;
            let next = match self.conversation.step(None, until)? {
                Happened::Event(Event::Connected(_)) => Next::Subscribe,
                // The response can only be received once the subscription stands.
                Happened::Event(Event::Subscribed(suback)) => {
                    granted(&suback, &[&self.args.response_topic], quiet)?;
                    if self.sent { Next::GoOn } else { Next::Publish }
                }
                Happened::Event(Event::Message(message))
                    if is_response(self.args, &self.properties, &message) =>
                {
                    print(&self.output, &message)?;
                    Next::End
                }
                Happened::Event(Event::Published { reason_code, properties, .. })
                    if reason_code.is_error() =>
                {
                    return Err(Trouble::new(
                        "the server refused the request",
                        reason(reason_code, properties),
                        "another topic, or a user who may publish to it (-u, -P)",
                    ));
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
                Next::Subscribe => self.subscribe()?,
                Next::Publish => self.publish()?,
                Next::End => {
                    self.conversation.leave();
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
    }

    fn subscribe(&mut self) -> Result<(), Trouble> {
        let cannot =
            |why: &dyn std::fmt::Display| Trouble::new("cannot subscribe", why, "a shorter response topic");
        let options = SubscriptionOptions { qos: self.args.qos, ..SubscriptionOptions::default() };
        let mut subscriptions = SubscriptionsBuf::default();
        let version = self.conversation.version();
        subscriptions.push(&self.args.response_topic, options, version).map_err(|error| cannot(&error))?;
        let properties = self.subscribe_properties.as_properties();
        self.conversation.driver.subscribe(&subscriptions, properties).map_err(|error| cannot(&error))?;
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Trouble> {
        let message = Message {
            topic_name: &self.topic,
            payload: &self.payload,
            qos: self.args.qos,
            retain: false,
            properties: self.properties.as_properties(),
        };
        self.conversation.driver.publish(message).map_err(|error| {
            Trouble::new("the request cannot be published", error, "a smaller payload or a lower -q")
        })?;
        self.sent = true;
        Ok(())
    }
}

/// A message on the response topic is the response, unless it is stale or carries the correlation
/// data of another request.
fn is_response(args: &Args, request: &PropertiesBuf, message: &Publish<'_>) -> bool {
    let stale = args.no_retained && message.retain;
    let others = match (request.as_properties().correlation_data(), message.properties.correlation_data()) {
        (Some(ours), Some(theirs)) => ours != theirs,
        _ => false,
    };
    !stale && !others
}
