//! How a connection is kept alive, and all the ways it ends.

use proptest::prelude::*;

use super::*;

/// [V4 MQTT-3.1.2-23, V5 MQTT-3.1.2-20]
/// [V5 U-3.1.2.10-3, V5 U-3.13.4-1]
#[test]
fn silence_is_broken_by_pingreq_and_an_unanswered_one_ends_the_connection() {
    let mut dialogue = Dialogue::connected(Options { keep_alive_s: 10, ..Options::new(Version::V5) }, &[]);
    dialogue.now = Mono(4_000);
    dialogue.publish("a", QoS::AtMostOnce).unwrap();
    assert_eq!(dialogue.client.next_timeout(), Some(Mono(14_000)));
    dialogue.client.timeout(Mono(13_999), &mut dialogue.out).unwrap();
    assert_eq!(dialogue.says(), ["PUBLISH a 0"]);
    dialogue.client.timeout(Mono(14_000), &mut dialogue.out).unwrap();
    assert_eq!(dialogue.says(), ["PINGREQ"]);
    assert_eq!(dialogue.hear(&ControlPacket::Pingresp).unwrap(), "Nothing");
    dialogue.client.timeout(Mono(24_000), &mut dialogue.out).unwrap();
    assert_eq!(dialogue.says(), ["PINGREQ"]);
    assert_eq!(dialogue.client.timeout(Mono(34_000), &mut dialogue.out), Err(Failure::NoPingresp));
    assert_eq!(dialogue.says(), ["DISCONNECT 0x80"]);
}

/// [V5 MQTT-3.2.2-21]
#[test]
fn the_keep_alive_of_the_server_counts() {
    let dialogue = Dialogue::connected(Options::new(Version::V5), &[Property::ServerKeepAlive(5)]);
    assert_eq!(dialogue.client.next_timeout(), Some(Mono(5_000)));
    let dialogue = Dialogue::connected(Options { keep_alive_s: 0, ..Options::new(Version::V4) }, &[]);
    assert_eq!(dialogue.client.next_timeout(), None);
}

/// [V5 U-3.2-1]
#[test]
fn a_missing_connack_is_noticed() {
    let mut dialogue = Dialogue::begin(Options { connack_timeout_ms: 500, ..Options::new(Version::V4) });
    dialogue.client.timeout(Mono(499), &mut dialogue.out).unwrap();
    assert_eq!(dialogue.client.timeout(Mono(500), &mut dialogue.out), Err(Failure::NoConnack));
}

#[test]
fn a_refusal_and_a_disconnect_of_the_server_are_told() {
    let mut dialogue = Dialogue::begin(Options::new(Version::V4));
    let refused = Connack {
        session_present: false,
        reason_code: ReasonCode::NotAuthorized,
        properties: Properties::EMPTY,
    };
    assert_eq!(dialogue.hear(&ControlPacket::Connack(refused)).unwrap(), "Refused");
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let taken_over = Disconnect::with_reason(ReasonCode::SessionTakenOver);
    assert_eq!(dialogue.hear(&ControlPacket::Disconnect(taken_over)).unwrap(), "Disconnected");
    assert!(!dialogue.client.is_connected());
    assert!(dialogue.says().is_empty(), "there is nobody to answer");
}

/// [V4 MQTT-4.8.0-1, V5 MQTT-4.13.2-1]
#[test]
fn what_a_server_may_not_send_ends_the_connection() {
    let none = PropertiesBuf::new();
    for (version, packet, said) in [
        (Version::V5, ControlPacket::Pingreq, &["DISCONNECT 0x82"][..]),
        (Version::V5, connack(false, &none), &["DISCONNECT 0x82"]),
        (Version::V4, ControlPacket::Disconnect(Disconnect::with_reason(ReasonCode::Success)), &[]),
    ] {
        let mut dialogue = Dialogue::connected(Options::new(version), &[]);
        assert_eq!(dialogue.hear(&packet), Err(Failure::Unexpected(packet.packet_type())));
        assert_eq!(dialogue.says(), said);
        assert!(!dialogue.client.is_connected());
    }
    // A CONNECT of a version nobody knows: its own code is for CONNACK alone. [V5 U-3.14.2.1-2]
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let connect = [0x10, 0x0c, 0, 4, b'M', b'Q', b'T', b'T', 9, 2, 0, 0, 0, 0];
    assert!(dialogue.client.receive(Frame::new(&connect), Mono(1), &mut dialogue.out).is_err());
    assert_eq!(dialogue.says(), ["DISCONNECT 0x82"]);
    let mut dialogue = Dialogue::begin(Options::new(Version::V4));
    let early = dialogue.hear(&publish(Delivery::AtMostOnce, "a", &none));
    assert_eq!(early, Err(Failure::Unexpected(PacketType::Publish)), "nothing comes before CONNACK");
}

/// [V5 MQTT-3.2.2-4]
#[test]
fn a_session_after_clean_start_is_an_error() {
    let mut dialogue = Dialogue::begin(Options::new(Version::V5));
    let failure = dialogue.hear(&connack(true, &PropertiesBuf::new()));
    assert_eq!(failure, Err(Failure::Unexpected(PacketType::Connack)));
}

/// [V5 U-4.13.1-4]
#[test]
fn malformed_bytes_end_the_connection_with_their_reason() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    let failure = dialogue.client.receive(Frame::new(&[0x36, 2, 0, 0]), Mono(0), &mut dialogue.out);
    assert!(matches!(failure, Err(Failure::Malformed(_))));
    assert_eq!(dialogue.says(), ["DISCONNECT 0x81"]);
}

#[test]
fn acknowledgements_of_the_wrong_kind_end_the_connection_and_unknown_ones_do_not() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V5), &[]);
    assert_eq!(dialogue.hear(&ControlPacket::Puback(ack(3))).unwrap(), "Nothing");
    assert_eq!(dialogue.hear(&ControlPacket::Pubrec(ack(3))).unwrap(), "Nothing");
    assert_eq!(dialogue.says(), ["PUBREL 3 0x92"]);
    dialogue.publish("a", QoS::AtLeastOnce).unwrap();
    assert_eq!(dialogue.hear(&ControlPacket::Pubrec(ack(1))), Err(Failure::Identifier(id(1))));
}

/// [V4 MQTT-3.14.4-2, V5 MQTT-3.14.4-1]
#[test]
fn nothing_is_said_after_disconnect() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V4), &[]);
    dialogue.client.disconnect(ReasonCode::Success, Properties::EMPTY, &mut dialogue.out);
    dialogue.client.disconnect(ReasonCode::Success, Properties::EMPTY, &mut dialogue.out);
    dialogue.publish("a", QoS::AtLeastOnce).unwrap();
    dialogue.hear(&publish(Delivery::AtLeastOnce(id(1)), "b", &PropertiesBuf::new())).unwrap();
    assert_eq!(dialogue.client.next_timeout(), None);
    assert_eq!(dialogue.says(), ["DISCONNECT 0x00"]);
}

#[test]
fn a_leaving_client_leaves_new_messages_with_the_server_and_finishes_what_has_begun() {
    let mut dialogue = Dialogue::connected(Options::new(Version::V4), &[]);
    let none = PropertiesBuf::new();
    dialogue.hear(&publish(Delivery::ExactlyOnce(id(1)), "a", &none)).unwrap();
    dialogue.client.take_no_more();
    assert_eq!(dialogue.hear(&publish(Delivery::AtLeastOnce(id(2)), "b", &none)).unwrap(), "Nothing");
    dialogue.hear(&ControlPacket::Pubrel(ack(1))).unwrap();
    assert_eq!(dialogue.client.unreleased(), 0);
    assert_eq!(dialogue.says(), ["PUBREC 1 0x00", "PUBCOMP 1 0x00"]);
}

/// [V5 U-3.1.2.11.7-4]
#[test]
fn declined_problem_information_ends_the_connection() {
    let mut options = Options::new(Version::V5);
    options.properties = properties(&[Property::RequestProblemInformation(0)]);
    let mut dialogue = Dialogue::connected(options, &[Property::ReasonString("allowed here")]);
    dialogue.publish("a", QoS::AtLeastOnce).unwrap();
    dialogue.says();
    let reason = properties(&[Property::ReasonString("not here")]);
    let puback = ControlPacket::Puback(Ack { properties: reason.as_properties(), ..ack(1) });
    assert_eq!(dialogue.hear(&puback), Err(Failure::ProblemInformation(PacketType::Puback)));
    assert_eq!(dialogue.says(), ["DISCONNECT 0x82"]);
}

/// [V5 U-3.1.2.11.4-4]
#[test]
fn a_packet_above_our_maximum_ends_the_connection() {
    let mut options = Options::new(Version::V5);
    options.properties = properties(&[Property::MaximumPacketSize(10)]);
    let mut dialogue = Dialogue::connected(options, &[]);
    let error = scan_frame(&[0x30, 9], dialogue.client.maximum_packet_size()).unwrap_err();
    let failure = dialogue.client.unframed(error, &mut dialogue.out);
    assert_eq!(failure, Failure::Unframed(error));
    assert_eq!(dialogue.says(), ["DISCONNECT 0x95"]);
}

/// [V5 MQTT-4.12.0-7]
#[test]
fn an_authentication_exchange_is_not_entered() {
    let mut dialogue = Dialogue::begin(Options::new(Version::V5));
    let method = properties(&[Property::AuthenticationMethod("m")]);
    let auth = hexmq_wire::Auth {
        reason_code: ReasonCode::ContinueAuthentication,
        properties: method.as_properties(),
    };
    assert_eq!(dialogue.hear(&ControlPacket::Auth(auth)), Err(Failure::Authentication));
    assert_eq!(dialogue.says(), ["CONNECT", "DISCONNECT 0x8c"]);
}

/// A packet of the server that can be decoded, or nearly.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(prop_oneof![4 => 0..4_u8, 1 => any::<u8>()], 0..12);
    (any::<u8>(), body).prop_map(|(first, body)| {
        let mut bytes = vec![first, body.len() as u8];
        bytes.extend(body);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a server sends, the client says only whole packets, and nothing once it has ended
    /// the connection.
    #[test]
    fn any_bytes_are_survived(v5: bool, packets in prop::collection::vec(bytes(), 0..24)) {
        let version = if v5 { Version::V5 } else { Version::V4 };
        let mut dialogue = Dialogue::connected(Options { clean_start: false, ..Options::new(version) }, &[]);
        for topic in ["a", "b", "c"] {
            dialogue.publish(topic, QoS::AtLeastOnce).unwrap();
            dialogue.publish(topic, QoS::ExactlyOnce).unwrap();
        }
        for bytes in packets {
            let was_connected = dialogue.client.is_connected();
            let said = dialogue.out.len();
            let failed = dialogue.client.receive(Frame::new(&bytes), Mono(1), &mut dialogue.out).is_err();
            prop_assert!(!failed || !dialogue.client.is_connected());
            prop_assert!(was_connected || dialogue.out.len() == said);
            prop_assert!(dialogue.client.pending() <= 6);
        }
        dialogue.says();
    }
}
