//! Dialogues with a scripted server.

use hexmq_wire::{
    Ack, Connack, Delivery, Frame, FrameStatus, Leniency, NoTrace, PropertiesBuf, Property, Publish,
    SubscriptionOptions, decode, scan_frame,
};

use super::*;

mod ending;

/// A client and what it has said since last asked, as the server reads it.
struct Dialogue {
    client: Client,
    out: Vec<u8>,
    now: Mono,
}

fn id(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).unwrap()
}

fn ack(number: u16) -> Ack<'static> {
    Ack::success(id(number))
}

fn properties(list: &[Property<'_>]) -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    list.iter().for_each(|property| properties.push(*property).unwrap());
    properties
}

fn connack(session_present: bool, properties: &PropertiesBuf) -> ControlPacket<'_> {
    let properties = properties.as_properties();
    ControlPacket::Connack(Connack { session_present, reason_code: ReasonCode::Success, properties })
}

fn publish<'a>(delivery: Delivery, topic_name: &'a str, properties: &'a PropertiesBuf) -> ControlPacket<'a> {
    let properties = properties.as_properties();
    ControlPacket::Publish(Publish {
        dup: false,
        delivery,
        retain: false,
        topic_name,
        properties,
        payload: b"m",
    })
}

impl Dialogue {
    fn begin(options: Options) -> Dialogue {
        let mut dialogue = Dialogue { client: Client::new(options), out: Vec::new(), now: Mono(0) };
        dialogue.client.connected(dialogue.now, &mut dialogue.out).unwrap();
        dialogue
    }

    /// Connected, with nothing said yet.
    fn connected(options: Options, limits: &[Property<'_>]) -> Dialogue {
        let mut dialogue = Dialogue::begin(options);
        assert_eq!(dialogue.says(), ["CONNECT"]);
        dialogue.hear(&connack(false, &properties(limits))).unwrap();
        dialogue
    }

    /// The server says `packet`; the event in its debug form.
    fn hear(&mut self, packet: &ControlPacket<'_>) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        packet.encode(self.client.options.version, &mut bytes).unwrap();
        let event = self.client.receive(Frame::new(&bytes), self.now, &mut self.out)?;
        Ok(match event {
            Event::Message(message) => format!("Message {}", message.topic_name),
            Event::Published { ticket, reason_code, .. } => format!("Published {} {reason_code:?}", ticket.0),
            event => format!("{event:?}").split(['(', ' ']).next().unwrap().to_owned(),
        })
    }

    fn publish(&mut self, topic_name: &str, qos: QoS) -> Result<Ticket, PublishError> {
        let message =
            Message { topic_name, payload: b"m", qos, retain: false, properties: Properties::EMPTY };
        self.client.publish(message, self.now, &mut self.out)
    }

    /// What the client has said, in short.
    fn says(&mut self) -> Vec<String> {
        let bytes = std::mem::take(&mut self.out);
        let mut rest = &bytes[..];
        let mut said = Vec::new();
        while let Ok(FrameStatus::Whole { length }) = scan_frame(rest, u32::MAX) {
            let frame = Frame::new(&rest[..length]);
            let packet =
                decode(frame, self.client.options.version, &Leniency::default(), &mut NoTrace).unwrap();
            let name = packet.packet_type().name();
            said.push(match packet {
                ControlPacket::Publish(publish) => {
                    let dup = if publish.dup { " dup" } else { "" };
                    let identifier = publish.delivery.packet_identifier().map_or(0, PacketIdentifier::get);
                    format!("{name} {} {identifier}{dup}", publish.topic_name)
                }
                ControlPacket::Puback(ack)
                | ControlPacket::Pubrec(ack)
                | ControlPacket::Pubrel(ack)
                | ControlPacket::Pubcomp(ack) => {
                    format!("{name} {} {:#04x}", ack.packet_identifier, ack.reason_code.as_u8())
                }
                ControlPacket::Disconnect(disconnect) => {
                    format!("{name} {:#04x}", disconnect.reason_code.as_u8())
                }
                _ => name.to_owned(),
            });
            rest = &rest[length..];
        }
        assert!(rest.is_empty(), "only whole packets are written");
        said
    }
}

/// [V4 MQTT-3.1.0-1, V5 MQTT-3.1.0-1]
#[test]
fn connect_is_first_and_nothing_is_published_before_connack() {
    let mut dialogue = Dialogue::begin(Options::new(Version::V4));
    dialogue.publish("a", QoS::AtMostOnce).unwrap();
    dialogue.publish("b", QoS::AtLeastOnce).unwrap();
    assert_eq!(
        dialogue.client.subscribe(&SubscriptionsBuf::default(), Properties::EMPTY, Mono(0), &mut Vec::new()),
        Err(RequestError::NotConnected)
    );
    assert_eq!(dialogue.says(), ["CONNECT"]);
    assert_eq!(dialogue.hear(&connack(false, &PropertiesBuf::new())).unwrap(), "Connected");
    assert_eq!(dialogue.says(), ["PUBLISH a 0", "PUBLISH b 1"]);
}

#[test]
fn each_qos_is_finished_in_its_way() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V4), &[]);
    dialogue.publish("q0", QoS::AtMostOnce).unwrap();
    dialogue.publish("q1", QoS::AtLeastOnce).unwrap();
    dialogue.publish("q2", QoS::ExactlyOnce).unwrap();
    assert_eq!(dialogue.says(), ["PUBLISH q0 0", "PUBLISH q1 1", "PUBLISH q2 2"]);
    assert_eq!(dialogue.hear(&ControlPacket::Pubrec(ack(2))).unwrap(), "Nothing");
    assert_eq!(dialogue.hear(&ControlPacket::Puback(ack(1))).unwrap(), "Published 1 Success");
    assert_eq!(dialogue.hear(&ControlPacket::Pubcomp(ack(2))).unwrap(), "Published 2 Success");
    assert_eq!(dialogue.says(), ["PUBREL 2 0x00"]);
    assert_eq!(dialogue.client.pending(), 0);
}

/// [V5 MQTT-3.3.4-7, V5 MQTT-3.3.4-8]
#[test]
fn the_receive_maximum_of_the_server_holds_back_publish_and_nothing_else() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[Property::ReceiveMaximum(2)]);
    for topic in ["a", "b", "c"] {
        dialogue.publish(topic, QoS::ExactlyOnce).unwrap();
    }
    let mut subscriptions = SubscriptionsBuf::default();
    subscriptions.push("x", SubscriptionOptions::default(), Version::V5).unwrap();
    let now = dialogue.now;
    dialogue.client.subscribe(&subscriptions, Properties::EMPTY, now, &mut dialogue.out).unwrap();
    assert_eq!(dialogue.says(), ["PUBLISH a 1", "PUBLISH b 2", "SUBSCRIBE"]);
    dialogue.hear(&ControlPacket::Pubrec(ack(1))).unwrap();
    assert_eq!(dialogue.says(), ["PUBREL 1 0x00"]);
    let refused = Ack::with_reason(id(2), ReasonCode::QuotaExceeded);
    assert_eq!(dialogue.hear(&ControlPacket::Pubrec(refused)).unwrap(), "Published 1 QuotaExceeded");
    assert_eq!(dialogue.says(), ["PUBLISH c 4"]);
}

/// [V4 MQTT-4.4.0-1, V5 MQTT-4.4.0-1, V5 MQTT-4.3.3-6, V5 MQTT-3.3.1-1]
/// [V4 MQTT-2.3.1-3, V4 MQTT-4.6.0-1, V5 MQTT-4.6.0-1, V5 U-4.1-9]
#[test]
fn a_session_that_is_present_is_resumed_with_dup() {
    for version in [Version::V4, Version::V5] {
        let mut dialogue = Dialogue::connected(Options { clean_start: false, ..Options::new(version) }, &[]);
        for topic in ["a", "b", "c"] {
            dialogue.publish(topic, QoS::ExactlyOnce).unwrap();
        }
        dialogue.hear(&ControlPacket::Pubrec(ack(2))).unwrap();
        dialogue.says();
        dialogue.client.lost();
        dialogue.publish("d", QoS::AtLeastOnce).unwrap();
        assert_eq!(dialogue.says(), Vec::<String>::new());
        dialogue.client.connected(dialogue.now, &mut dialogue.out).unwrap();
        dialogue.hear(&connack(true, &PropertiesBuf::new())).unwrap();
        let expected = ["CONNECT", "PUBLISH a 1 dup", "PUBREL 2 0x00", "PUBLISH c 3 dup", "PUBLISH d 4"];
        assert_eq!(dialogue.says(), expected);
    }
}

/// [V5 MQTT-3.2.2-5]
#[test]
fn without_a_session_messages_are_published_anew() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    dialogue.publish("a", QoS::AtLeastOnce).unwrap();
    dialogue.publish("b", QoS::ExactlyOnce).unwrap();
    dialogue.hear(&ControlPacket::Pubrec(ack(2))).unwrap();
    dialogue.hear(&publish(Delivery::ExactlyOnce(id(9)), "in", &PropertiesBuf::new())).unwrap();
    dialogue.says();
    dialogue.client.connected(dialogue.now, &mut dialogue.out).unwrap();
    dialogue.hear(&connack(false, &PropertiesBuf::new())).unwrap();
    assert_eq!(dialogue.says(), ["CONNECT", "PUBLISH a 1"]);
    let done = Event::Published {
        ticket: Ticket(1),
        reason_code: ReasonCode::Success,
        properties: Properties::EMPTY,
    };
    assert_eq!(dialogue.client.take_untold(), Some(done), "the server had taken it over");
    let none = PropertiesBuf::new();
    let again = publish(Delivery::ExactlyOnce(id(9)), "in", &none);
    assert_eq!(dialogue.hear(&again).unwrap(), "Message in", "a new session, a new message");
}

/// [V4 MQTT-4.5.0-2, V4 MQTT-4.6.0-2, V4 MQTT-4.6.0-3, V4 MQTT-4.3.3-2, V5 MQTT-4.5.0-2, V5 MQTT-4.3.3-10]
/// [V5 MQTT-4.6.0-2, V5 MQTT-4.6.0-3]
#[test]
fn messages_are_acknowledged_in_order_and_told_once() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let none = PropertiesBuf::new();
    assert_eq!(dialogue.hear(&publish(Delivery::AtMostOnce, "a", &none)).unwrap(), "Message a");
    assert_eq!(dialogue.hear(&publish(Delivery::ExactlyOnce(id(7)), "b", &none)).unwrap(), "Message b");
    assert_eq!(dialogue.hear(&publish(Delivery::AtLeastOnce(id(8)), "c", &none)).unwrap(), "Message c");
    assert_eq!(dialogue.hear(&publish(Delivery::ExactlyOnce(id(7)), "b", &none)).unwrap(), "Nothing");
    assert_eq!(dialogue.client.unreleased(), 1);
    dialogue.hear(&ControlPacket::Pubrel(ack(7))).unwrap();
    dialogue.hear(&ControlPacket::Pubrel(ack(7))).unwrap();
    let said = ["PUBREC 7 0x00", "PUBACK 8 0x00", "PUBREC 7 0x00", "PUBCOMP 7 0x00", "PUBCOMP 7 0x92"];
    assert_eq!(dialogue.says(), said);
}

/// [V5 MQTT-3.3.2-7, V5 MQTT-3.3.2-10]
#[test]
fn topic_aliases_of_the_server_are_resolved_on_their_connection() {
    let alias = |number| properties(&[Property::TopicAlias(number)]);
    let mut options = Options::new(Version::V5);
    options.properties = properties(&[Property::TopicAliasMaximum(2)]);
    let mut dialogue = Dialogue::connected(options, &[]);
    assert_eq!(
        dialogue.hear(&publish(Delivery::AtMostOnce, "long/name", &alias(2))).unwrap(),
        "Message long/name"
    );
    assert_eq!(dialogue.hear(&publish(Delivery::AtMostOnce, "", &alias(2))).unwrap(), "Message long/name");
    dialogue.client.connected(dialogue.now, &mut dialogue.out).unwrap();
    dialogue.hear(&connack(false, &PropertiesBuf::new())).unwrap();
    dialogue.says();
    let failure = dialogue.hear(&publish(Delivery::AtMostOnce, "", &alias(2)));
    assert_eq!(failure, Err(Failure::TopicAlias(2)));
    assert_eq!(dialogue.says(), ["DISCONNECT 0x94"]);
}

#[test]
fn an_alias_above_the_maximum_ends_the_connection() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let failure = dialogue.hear(&publish(Delivery::AtMostOnce, "a", &properties(&[Property::TopicAlias(1)])));
    assert_eq!(failure, Err(Failure::TopicAlias(1)));
}

/// [V5 U-3.3.4-7]
#[test]
fn more_than_our_receive_maximum_ends_the_connection() {
    let mut options = Options::new(Version::V5);
    options.properties = properties(&[Property::ReceiveMaximum(1)]);
    let mut dialogue = Dialogue::connected(options, &[]);
    let none = PropertiesBuf::new();
    dialogue.hear(&publish(Delivery::ExactlyOnce(id(1)), "a", &none)).unwrap();
    assert_eq!(dialogue.hear(&publish(Delivery::ExactlyOnce(id(1)), "a", &none)).unwrap(), "Nothing");
    let failure = dialogue.hear(&publish(Delivery::ExactlyOnce(id(2)), "a", &none));
    assert_eq!(failure, Err(Failure::ReceiveMaximumExceeded));
    assert_eq!(dialogue.says(), ["PUBREC 1 0x00", "PUBREC 1 0x00", "DISCONNECT 0x93"]);
}

/// [V5 MQTT-3.2.2-11, V5 MQTT-3.2.2-14, V5 MQTT-3.2.2-15]
/// [V5 U-3.2.2.3.4-3]
#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let limits = [Property::MaximumQoS(1), Property::RetainAvailable(0), Property::MaximumPacketSize(20)];
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &limits);
    let maximum = QoS::AtLeastOnce;
    assert_eq!(dialogue.publish("a", QoS::ExactlyOnce), Err(PublishError::QoSNotSupported { maximum }));
    let long = "t".repeat(30);
    assert_eq!(
        dialogue.publish(&long, QoS::AtMostOnce),
        Err(PublishError::PacketTooLarge { size: 36, maximum: 20 })
    );
    let retained =
        Message { topic_name: "a", payload: b"", qos: maximum, retain: true, properties: Properties::EMPTY };
    let answer = dialogue.client.publish(retained, Mono(0), &mut dialogue.out);
    assert_eq!(answer, Err(PublishError::RetainNotSupported));
    assert_eq!(dialogue.publish("a/+", maximum), Err(PublishError::TopicName));
    assert!(dialogue.says().is_empty());
}

/// [V5 MQTT-3.2.2-17, V5 MQTT-3.2.2-18, V5 MQTT-3.3.2-9, V5 U-3.2.2.3.8-2]
#[test]
fn no_topic_alias_above_the_servers_maximum() {
    for maximum in [0, 2] {
        let limits = [Property::TopicAliasMaximum(maximum)];
        let limits = if maximum == 0 { &[][..] } else { &limits };
        let mut dialogue = Dialogue::connected(Options::new(Version::V5), limits);
        for alias in [1, 2, 3] {
            let properties = properties(&[Property::TopicAlias(alias)]);
            let properties = properties.as_properties();
            let message =
                Message { topic_name: "a", payload: b"", qos: QoS::AtMostOnce, retain: false, properties };
            let answer = dialogue.client.publish(message, Mono(0), &mut dialogue.out);
            let refused = Err(PublishError::TopicAliasInvalid { maximum });
            assert_eq!(answer.map(|_| ()), if alias <= maximum { Ok(()) } else { refused });
        }
    }
}

/// [V5 U-3.2.2.3.3-3, V5 U-3.2.2.3.4-3, V5 U-3.2.2.3.5-3, V5 U-3.2.2.3.6-3, V5 U-3.2.2.3.11-3]
/// [V5 U-3.2.2.3.12-3, V5 U-3.2.2.3.13-3]
#[test]
fn what_connack_does_not_limit_is_sent() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let message = Message {
        topic_name: "a",
        payload: &[b'x'; 70_000],
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: Properties::EMPTY,
    };
    dialogue.client.publish(message, Mono(0), &mut dialogue.out).unwrap();
    assert_eq!(dialogue.client.queued(), 0);
    let mut subscriptions = SubscriptionsBuf::default();
    subscriptions.push("$share/g/+/#", SubscriptionOptions::default(), Version::V5).unwrap();
    let identifier = properties(&[Property::SubscriptionIdentifier(1)]);
    let identifier = identifier.as_properties();
    dialogue.client.subscribe(&subscriptions, identifier, Mono(0), &mut dialogue.out).unwrap();
    assert_eq!(dialogue.says(), ["PUBLISH a 1", "SUBSCRIBE"]);
}

/// [V4 MQTT-4.6.0-4, V5 MQTT-4.6.0-4]
#[test]
fn pubrels_leave_in_the_order_of_the_pubrecs() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V4), &[]);
    for topic in ["a", "b", "c"] {
        dialogue.publish(topic, QoS::ExactlyOnce).unwrap();
    }
    dialogue.says();
    for number in [2, 3, 1] {
        dialogue.hear(&ControlPacket::Pubrec(ack(number))).unwrap();
    }
    assert_eq!(dialogue.says(), ["PUBREL 2 0x00", "PUBREL 3 0x00", "PUBREL 1 0x00"]);
}

/// [V5 U-3.1.2.11.4-4, V5 U-4.13.1-4]
#[test]
fn a_packet_above_our_maximum_ends_the_connection() {
    let mut options = Options::new(Version::V5);
    options.properties = properties(&[Property::MaximumPacketSize(20)]);
    let mut dialogue = Dialogue::connected(options, &[]);
    let maximum = dialogue.client.maximum_packet_size();
    assert_eq!(maximum, 20);
    let error = scan_frame(&[0x30, 19], maximum).unwrap_err();
    dialogue.client.unframed(error, &mut dialogue.out);
    assert_eq!(dialogue.says(), ["DISCONNECT 0x95"]);
}

#[test]
fn a_message_that_waited_and_does_not_fit_is_given_up_and_told() {
    let mut dialogue = Dialogue::begin(Options::new(Version::V5));
    let ticket = dialogue.publish("a", QoS::ExactlyOnce).unwrap();
    dialogue.publish("b", QoS::AtMostOnce).unwrap();
    dialogue.hear(&connack(false, &properties(&[Property::MaximumQoS(0)]))).unwrap();
    assert_eq!(dialogue.says(), ["CONNECT", "PUBLISH b 0"]);
    let error = PublishError::QoSNotSupported { maximum: QoS::AtMostOnce };
    assert_eq!(dialogue.client.take_untold(), Some(Event::GivenUp { ticket, error }));
}

#[test]
fn the_queue_is_bounded() {
    let mut dialogue = Dialogue::begin(Options { queue_messages_max: 2, ..Options::new(Version::V4) });
    dialogue.publish("a", QoS::AtLeastOnce).unwrap();
    dialogue.publish("b", QoS::AtLeastOnce).unwrap();
    assert_eq!(dialogue.publish("c", QoS::AtLeastOnce), Err(PublishError::QueueFull));
}

/// [V5 MQTT-3.3.2-8, V5 MQTT-3.3.4-6]
#[test]
fn properties_the_server_does_not_take_are_not_sent() {
    let publish = |dialogue: &mut Dialogue, property| {
        let properties = properties(&[property]);
        let properties = properties.as_properties();
        let message =
            Message { topic_name: "a", payload: b"", qos: QoS::AtMostOnce, retain: false, properties };
        dialogue.client.publish(message, Mono(0), &mut dialogue.out)
    };
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[Property::TopicAliasMaximum(2)]);
    let refused = Err(PublishError::TopicAliasInvalid { maximum: 2 });
    assert_eq!(publish(&mut dialogue, Property::TopicAlias(0)), refused);
    assert_eq!(publish(&mut dialogue, Property::TopicAlias(3)), refused);
    let refused = Err(PublishError::SubscriptionIdentifier);
    assert_eq!(publish(&mut dialogue, Property::SubscriptionIdentifier(1)), refused);
    assert!(dialogue.says().is_empty());
    assert!(publish(&mut dialogue, Property::TopicAlias(2)).is_ok());
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let refused = Err(PublishError::TopicAliasInvalid { maximum: 0 });
    assert_eq!(publish(&mut dialogue, Property::TopicAlias(1)), refused);
}
