//! The line of mosquitto's clients that does what a packet does.

use hexmq_wire::{
    Connect, ControlPacket, Properties, Property, Publish, QoS, RetainHandling, Subscribe, Version,
};

use super::session::{anonymous, read};
use super::shell::{printf, quoted};
use super::{ExportError, Session};

/// The line for a shell: `mosquitto_pub` for a PUBLISH, `mosquitto_sub` for a SUBSCRIBE; for a CONNECT
/// `mosquitto_sub -E`, which also subscribes to `hexmq/connect` since no client of mosquitto only
/// connects.
///
/// # Errors
/// What mosquitto's clients cannot do: other packets, wrong packets, filters with different options,
/// bytes 0 in arguments.
pub fn mosquitto(packet: &[u8], session: &Session<'_>) -> Result<String, ExportError> {
    let known = session.connect()?;
    let own = match read(packet, session.version)? {
        ControlPacket::Connect(connect) => {
            let mut line = Line::new("mosquitto_sub", session, &connect)?;
            line.words(&["-t", "hexmq/connect", "-E"]);
            return Ok(line.done());
        }
        other => other,
    };
    let connect = known.unwrap_or_else(|| anonymous(session.version));
    match own {
        ControlPacket::Publish(publish) => publish_line(session, &connect, &publish),
        ControlPacket::Subscribe(subscribe) => {
            let mut line = Line::new("mosquitto_sub", session, &connect)?;
            line.subscribe(&subscribe, session.version)?;
            Ok(line.done())
        }
        other => Err(ExportError::new(format!(
            "mosquitto's clients have no option that sends a {} alone; CONNECT, PUBLISH and SUBSCRIBE have one",
            other.packet_type().name()
        ))),
    }
}

fn publish_line(
    session: &Session<'_>,
    connect: &Connect<'_>,
    publish: &Publish<'_>,
) -> Result<String, ExportError> {
    if publish.topic_name.is_empty() {
        return Err(ExportError::new("mosquitto_pub needs a topic and handles topic aliases itself"));
    }
    let mut line = Line::new("mosquitto_pub", session, connect)?;
    line.option("-t", publish.topic_name)?;
    line.qos("-q", publish.qos());
    if publish.retain {
        line.words(&["-r"]);
    }
    line.properties("publish", publish.properties)?;
    let text = std::str::from_utf8(publish.payload).ok().filter(|text| !text.contains('\0'));
    match text {
        Some("") => line.words(&["-n"]),
        Some(text) => line.option("-m", text)?,
        None => {
            line.words(&["-s"]);
            return Ok(format!("printf {} | {}", printf(publish.payload), line.done()));
        }
    }
    Ok(line.done())
}

struct Line {
    text: String,
}

impl Line {
    /// The program with the options of the connection.
    fn new(program: &str, session: &Session<'_>, connect: &Connect<'_>) -> Result<Line, ExportError> {
        let mut line = Line { text: program.to_owned() };
        line.option("-h", session.host)?;
        line.option("-p", &session.port.to_string())?;
        line.option(
            "-V",
            match connect.version {
                Version::V3 => "mqttv31",
                Version::V4 => "mqttv311",
                Version::V5 => "mqttv5",
            },
        )?;
        if !connect.client_identifier.is_empty() {
            line.option("-i", connect.client_identifier)?;
        }
        if let Some(user_name) = connect.user_name {
            line.option("-u", user_name)?;
        }
        if let Some(password) = connect.password {
            let text = std::str::from_utf8(password)
                .map_err(|_| ExportError::new("mosquitto's -P takes text, and the password is none"))?;
            line.option("-P", text)?;
        }
        if connect.keep_alive_s != 60 {
            line.option("-k", &connect.keep_alive_s.to_string())?;
        }
        if !connect.clean_start {
            line.words(&["-c"]);
        }
        line.properties("connect", connect.properties)?;
        line.will(connect)?;
        Ok(line)
    }

    fn will(&mut self, connect: &Connect<'_>) -> Result<(), ExportError> {
        let Some(will) = &connect.will else { return Ok(()) };
        self.option("--will-topic", will.topic)?;
        let payload = std::str::from_utf8(will.payload)
            .map_err(|_| ExportError::new("mosquitto's --will-payload takes text, and this will is none"))?;
        if !payload.is_empty() {
            self.option("--will-payload", payload)?;
        }
        self.qos("--will-qos", will.qos);
        if will.retain {
            self.words(&["--will-retain"]);
        }
        self.properties("will", will.properties)
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>, version: Version) -> Result<(), ExportError> {
        let mut subscriptions = subscribe.subscriptions.iter();
        let first = subscriptions.next().map(|subscription| subscription.options).unwrap_or_default();
        if subscriptions.any(|other| other.options != first) {
            let message =
                "mosquitto_sub has one QoS and one set of options for all filters, and here they differ";
            return Err(ExportError::new(message));
        }
        if first.no_local {
            return Err(ExportError::new("mosquitto_sub has no option for No Local"));
        }
        for subscription in subscribe.subscriptions.iter() {
            self.option("-t", subscription.topic_filter)?;
        }
        self.qos("-q", first.qos);
        if version == Version::V5 {
            if first.retain_as_published {
                self.words(&["--retain-as-published"]);
            }
            match first.retain_handling {
                RetainHandling::Send => {}
                RetainHandling::SendIfNew => self.words(&["--retain-handling", "new"]),
                RetainHandling::DoNotSend => self.words(&["--retain-handling", "never"]),
            }
        }
        self.properties("subscribe", subscribe.properties)
    }

    fn qos(&mut self, option: &str, qos: QoS) {
        if qos != QoS::AtMostOnce {
            self.words(&[option, if qos == QoS::AtLeastOnce { "1" } else { "2" }]);
        }
    }

    fn properties(&mut self, command: &str, properties: Properties<'_>) -> Result<(), ExportError> {
        for property in properties.iter() {
            let name = property.id().name().replace('_', "-");
            self.words(&["-D", command, &name]);
            match property {
                Property::UserProperty(key, value) => {
                    self.word(key)?;
                    self.word(value)?;
                }
                Property::CorrelationData(bytes) | Property::AuthenticationData(bytes) => {
                    let text = std::str::from_utf8(bytes)
                        .map_err(|_| ExportError::new(format!("{name} is no text, and -D takes text")))?;
                    self.word(text)?;
                }
                other => self.word(&value(other))?,
            }
        }
        Ok(())
    }

    fn option(&mut self, option: &str, value: &str) -> Result<(), ExportError> {
        self.words(&[option]);
        self.word(value)
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.text.push(' ');
            self.text.push_str(&quoted(word));
        }
    }

    fn word(&mut self, word: &str) -> Result<(), ExportError> {
        if word.contains('\0') {
            return Err(ExportError::new("no argument of a program can contain the byte 0"));
        }
        self.words(&[word]);
        Ok(())
    }

    fn done(self) -> String {
        self.text + "\n"
    }
}

/// A property's number or text.
fn value(property: Property<'_>) -> String {
    match property {
        Property::PayloadFormatIndicator(number)
        | Property::RequestProblemInformation(number)
        | Property::RequestResponseInformation(number)
        | Property::MaximumQoS(number)
        | Property::RetainAvailable(number)
        | Property::WildcardSubscriptionAvailable(number)
        | Property::SubscriptionIdentifierAvailable(number)
        | Property::SharedSubscriptionAvailable(number) => number.to_string(),
        Property::ServerKeepAlive(number)
        | Property::ReceiveMaximum(number)
        | Property::TopicAliasMaximum(number)
        | Property::TopicAlias(number) => number.to_string(),
        Property::MessageExpiryInterval(number)
        | Property::SubscriptionIdentifier(number)
        | Property::SessionExpiryInterval(number)
        | Property::WillDelayInterval(number)
        | Property::MaximumPacketSize(number) => number.to_string(),
        Property::ContentType(text)
        | Property::ResponseTopic(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => text.to_owned(),
        Property::CorrelationData(_) | Property::AuthenticationData(_) | Property::UserProperty(..) => {
            String::new()
        }
    }
}
