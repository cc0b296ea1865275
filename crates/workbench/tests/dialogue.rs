//! What only several packets together show, in the notation.

use hexmq_notation::parse_sent;
use hexmq_wire::{Frame, Leniency, NoTrace, Version, decode};
use hexmq_workbench::recording::Timestamp;
use hexmq_workbench::{Dialogue, DialogueFinding, Dialogues, Language, Side};

const V4: &str = "> CONNECT v4 id=a clean_start keep_alive=60\n< CONNACK 0x00\n";
const V5: &str = "> CONNECT v5 id=a clean_start keep_alive=60\n< CONNACK 0x00\n";

/// Plays lines `> PACKET`, `< PACKET` and `+SECONDS` in one connection that ends with `closed`, if it
/// does. Each finding with the line of its packet, counted from 0 without times.
fn play(script: &str) -> (Vec<DialogueFinding>, Vec<Vec<u8>>) {
    let mut dialogue = Dialogue::new();
    let mut clock = Timestamp(0);
    let (mut findings, mut frames) = (Vec::new(), Vec::new());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(seconds) = line.strip_prefix('+') {
            clock.0 += seconds.parse::<u64>().expect("seconds") * 1_000_000_000;
            continue;
        }
        if line == "closed" {
            findings.extend(dialogue.close(Some(clock)));
            continue;
        }
        let (side, packet) = line.split_at(1);
        let from = if side == ">" { Side::Client } else { Side::Server };
        let version = if packet.contains(" v5 ") { Version::V5 } else { dialogue.version() };
        let frame = parse_sent(packet, version).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        findings.extend(dialogue.packet(from, Some(clock), &frame));
        frames.push(frame);
    }
    (findings, frames)
}

fn codes(script: &str) -> Vec<(&'static str, u64)> {
    play(script).0.iter().map(|finding| (finding.rule.name(), finding.packet)).collect()
}

/// One finding, of this packet, by this statement; its repair is this packet.
#[track_caller]
fn shows(script: &str, code: &str, packet: u64, statement: Option<&str>, repair: Option<&str>) {
    let (findings, frames) = play(script);
    let [finding] = findings.as_slice() else { panic!("{script}: {findings:#?}") };
    assert_eq!((finding.rule.name(), finding.packet), (code, packet), "{script}");
    assert_eq!(finding.statement, statement, "{script}");
    let version = if script.contains(" v5 ") { Version::V5 } else { Version::V4 };
    let right = repair.map(|line| parse_sent(line, version).expect("a packet"));
    assert_eq!(finding.repair, right, "{script}");
    if let Some(repair) = &finding.repair {
        let decoded = decode(Frame::new(repair), version, &Leniency::default(), &mut NoTrace);
        assert!(decoded.is_ok(), "{script}: {decoded:?}");
    }
    let frame = &frames[finding.packet as usize];
    assert!(finding.offset + finding.length <= frame.len(), "{script}: {finding:?}");
    assert!(finding.message(Language::English).is_ascii() || script.contains('温'), "{finding:?}");
    assert!(!finding.message(Language::Chinese).is_ascii(), "{finding:?}");
}

#[test]
fn conversations_without_a_slip_show_nothing() {
    for script in [
        "> SUBSCRIBE pid=1 filter=a qos=1 filter=b\n< SUBACK pid=1 codes=0x01,0x00",
        "> UNSUBSCRIBE pid=1 filter=a\n< UNSUBACK pid=1",
        "> PUBLISH qos=1 pid=7 topic=a\n< PUBACK pid=7\n> PUBLISH qos=1 pid=7 topic=b\n< PUBACK pid=7",
        "> PUBLISH qos=2 pid=7 topic=a\n< PUBREC pid=7\n> PUBREL pid=7\n< PUBCOMP pid=7",
        "< PUBLISH qos=2 pid=7 topic=a\n> PUBREC pid=7\n< PUBREL pid=7\n> PUBCOMP pid=7",
        "> PUBLISH qos=1 pid=7 topic=a\n< PUBLISH qos=1 pid=7 topic=a\n> PUBACK pid=7\n< PUBACK pid=7",
        // Said again, and acknowledged twice.
        "> PUBLISH qos=1 pid=7 topic=a\n> PUBLISH dup qos=1 pid=7 topic=a\n< PUBACK pid=7\n< PUBACK pid=7",
        "> PUBLISH qos=2 pid=7 topic=a\n< PUBREC pid=7\n> PUBLISH dup qos=2 pid=7 topic=a\n< PUBREC pid=7\n> PUBREL pid=7\n\
         > PUBREL pid=7\n< PUBCOMP pid=7\n< PUBCOMP pid=7",
        "+50\n> PINGREQ\n< PINGRESP\n+85\n> PINGREQ\n< PINGRESP",
        "> PINGREQ\n> PINGREQ\n< PINGRESP\n< PINGRESP\n> DISCONNECT\nclosed",
        "> PUBLISH qos=1 pid=1 topic=a\n> DISCONNECT\nclosed",
    ] {
        assert_eq!(codes(&format!("{V4}{script}")), [], "{script}");
    }
}

#[test]
fn who_may_speak_when() {
    shows("> PINGREQ", "first_packet_not_connect", 0, Some("MQTT-3.1.0-1"), None);
    shows(
        &format!("{V4}> CONNECT v4 id=a clean_start keep_alive=60"),
        "second_connect",
        2,
        Some("MQTT-3.1.0-2"),
        None,
    );
    shows(&format!("{V5}< CONNACK 0x00"), "second_connack", 2, Some("MQTT-3.2.0-2"), None);
    let connect = "> CONNECT v4 id=a clean_start keep_alive=60\n";
    shows(
        &format!("{connect}< PINGRESP\n< CONNACK 0x00").replace("PINGRESP", "PUBLISH topic=a"),
        "before_connack",
        1,
        Some("MQTT-3.2.0-1"),
        None,
    );
    shows(
        &format!("{connect}> PUBLISH topic=a\n< CONNACK 0x05"),
        "sent_before_refusal",
        1,
        Some("MQTT-3.1.4-5"),
        None,
    );
    shows(
        &format!("{connect}< CONNACK 0x05\n< PUBLISH topic=a"),
        "after_refusal",
        2,
        Some("MQTT-3.2.2-5"),
        None,
    );
    shows(
        &format!("{V4}> DISCONNECT\n> PUBLISH topic=a"),
        "after_disconnect",
        3,
        Some("MQTT-3.14.4-2"),
        None,
    );
    shows(
        &format!("{V5}< DISCONNECT 0x8B\n< PUBLISH topic=a"),
        "after_disconnect",
        3,
        Some("MQTT-3.14.4-1"),
        None,
    );
    shows(
        &format!("{V5}> AUTH 0x19 authentication_method=x"),
        "auth_unasked",
        2,
        Some("MQTT-4.12.0-7"),
        None,
    );
}

#[test]
fn sessions_and_subscriptions() {
    let connect = "> CONNECT v4 id=a clean_start keep_alive=60\n";
    shows(
        &format!("{connect}< CONNACK 0x00 session_present=1"),
        "session_present_after_clean_session",
        1,
        Some("MQTT-3.2.2-1"),
        Some("CONNACK 0x00"),
    );
    shows(
        &format!("{V4}> SUBSCRIBE pid=5 filter=a\n< SUBACK pid=5 codes=0x01"),
        "granted_qos_above_requested",
        3,
        None,
        Some("SUBACK pid=5 codes=0x00"),
    );
    shows(
        &format!("{V4}> SUBSCRIBE pid=5 filter=a filter=b\n< SUBACK pid=5 codes=0x00"),
        "suback_count",
        3,
        Some("MQTT-3.8.4-5"),
        None,
    );
    shows(
        &format!("{V5}> UNSUBSCRIBE pid=5 filter=a filter=b\n< UNSUBACK pid=5 codes=0x00"),
        "unsuback_count",
        3,
        Some("MQTT-3.11.3-2"),
        None,
    );
    shows(
        &format!("{V4}> SUBSCRIBE pid=5 filter=a\n< SUBACK pid=6 codes=0x00"),
        "acknowledgement_for_nothing",
        3,
        Some("MQTT-2.3.1-7"),
        Some("SUBACK pid=5 codes=0x00"),
    );
    shows(
        &format!("{V4}> SUBSCRIBE pid=5 filter=a\n< UNSUBACK pid=5"),
        "acknowledgement_of_other_kind",
        3,
        Some("MQTT-3.3.4-1"),
        None,
    );
    shows(
        &format!("{V4}> SUBSCRIBE pid=5 filter=a\n> UNSUBSCRIBE pid=5 filter=b"),
        "packet_identifier_in_use",
        3,
        Some("MQTT-2.3.1-2"),
        Some("UNSUBSCRIBE pid=6 filter=b"),
    );
    shows(
        &format!(
            "{V5}> SUBSCRIBE pid=1 subscription_identifier=3 filter=a\n< SUBACK pid=1 codes=0x00\n< PUBLISH topic=a subscription_identifier=4"
        ),
        "subscription_identifier_unasked",
        4,
        None,
        None,
    );
}

#[test]
fn messages_and_their_acknowledgements() {
    shows(
        &format!("{V4}> PUBLISH qos=1 pid=7 topic=a\n< PUBACK pid=8"),
        "acknowledgement_for_nothing",
        3,
        Some("MQTT-2.3.1-6"),
        Some("PUBACK pid=7"),
    );
    shows(
        &format!("{V4}> PUBLISH qos=2 pid=7 topic=a\n< PUBACK pid=7"),
        "acknowledgement_of_other_kind",
        3,
        Some("MQTT-3.3.4-1"),
        Some("PUBREC pid=7"),
    );
    shows(
        &format!("{V4}< PUBLISH qos=1 pid=7 topic=a\n> PUBREC pid=7"),
        "acknowledgement_of_other_kind",
        3,
        Some("MQTT-3.3.4-1"),
        Some("PUBACK pid=7"),
    );
    shows(
        &format!("{V4}> PUBLISH qos=2 pid=7 topic=a\n> PUBREL pid=7\n< PUBREC pid=7\n< PUBCOMP pid=7"),
        "qos_2_out_of_order",
        3,
        Some("MQTT-4.3.3-1"),
        None,
    );
    shows(
        &format!("{V4}> PUBLISH qos=2 pid=7 topic=a\n< PUBREC pid=7\n< PUBCOMP pid=7"),
        "qos_2_out_of_order",
        4,
        Some("MQTT-4.3.3-1"),
        None,
    );
    shows(
        &format!(
            "{V4}> PUBLISH qos=2 pid=7 topic=a\n< PUBREC pid=7\n> PUBREL pid=7\n> PUBLISH dup qos=2 pid=7 topic=a"
        ),
        "publish_after_pubrel",
        5,
        Some("MQTT-4.3.3-1"),
        None,
    );
}

#[test]
fn messages_that_come_again() {
    shows(
        &format!("{V4}> PUBLISH qos=1 pid=7 topic=a payload=x\n> PUBLISH qos=1 pid=7 topic=a payload=y"),
        "packet_identifier_in_use",
        3,
        Some("MQTT-2.3.1-2"),
        Some("PUBLISH qos=1 pid=8 topic=a payload=y"),
    );
    shows(
        &format!("{V4}> PUBLISH qos=1 pid=7 topic=a\n> PUBLISH qos=1 pid=7 topic=a"),
        "dup_missing",
        3,
        Some("MQTT-3.3.1-1"),
        Some("PUBLISH dup qos=1 pid=7 topic=a"),
    );
    shows(
        &format!("{V4}> PUBLISH dup qos=1 pid=7 topic=a"),
        "dup_on_first",
        2,
        None,
        Some("PUBLISH qos=1 pid=7 topic=a"),
    );
    shows(
        &format!("{V5}> PUBLISH qos=1 pid=7 topic=a\n> PUBLISH dup qos=1 pid=7 topic=a"),
        "repeated_in_connection",
        3,
        Some("MQTT-4.4.0-1"),
        None,
    );
    // A session that goes on may know of earlier messages.
    let resumed = "> CONNECT v4 id=a keep_alive=60\n< CONNACK 0x00 session_present=1\n";
    assert_eq!(
        codes(&format!("{resumed}> PUBLISH dup qos=1 pid=7 topic=a\n< PUBACK pid=9\n> PUBREL pid=3")),
        []
    );
}

#[test]
fn time() {
    shows(&format!("{V4}+92\n> PINGREQ"), "keep_alive_exceeded", 2, Some("MQTT-3.1.2-23"), None);
    shows(&format!("{V4}+100\nclosed"), "keep_alive_exceeded", 0, Some("MQTT-3.1.2-23"), None);
    let shorter = "> CONNECT v5 id=a clean_start keep_alive=60\n< CONNACK 0x00 server_keep_alive=20\n";
    shows(&format!("{shorter}+32\n> PINGREQ"), "keep_alive_exceeded", 2, Some("MQTT-3.1.2-20"), None);
    shows(
        &format!("{V4}> PINGREQ\n+30\n> PINGREQ\n< PINGRESP"),
        "pingreq_unanswered",
        2,
        Some("MQTT-3.12.4-1"),
        None,
    );
    shows(&format!("{V4}< PINGRESP"), "pingresp_unasked", 2, None, None);
    shows(
        &format!("{V4}> PUBLISH qos=1 pid=7 topic=a\n+10\nclosed"),
        "acknowledgement_missing",
        2,
        Some("MQTT-3.3.4-1"),
        None,
    );
    shows(
        &format!("{V4}> SUBSCRIBE pid=7 filter=a\n+10\nclosed"),
        "acknowledgement_missing",
        2,
        Some("MQTT-3.8.4-1"),
        None,
    );
    let off = "> CONNECT v4 id=a clean_start keep_alive=0\n< CONNACK 0x00\n";
    assert_eq!(codes(&format!("{off}+100000\n> PINGREQ\n< PINGRESP")), []);
}

#[test]
fn limits() {
    let small = "> CONNECT v5 id=a clean_start keep_alive=60 receive_maximum=1 maximum_packet_size=60 request_problem_information=0\n\
                 < CONNACK 0x00 maximum_qos=0 retain_available=0 topic_alias_maximum=2 maximum_packet_size=30 \
                 wildcard_subscription_available=0 shared_subscription_available=0 subscription_identifier_available=0\n";
    let shows = |line: &str, code: &str, statement| {
        let script = format!("{small}{line}");
        let last = line.lines().count() as u64 + 1;
        shows(&script, code, last, statement, None);
    };
    shows(
        "< PUBLISH qos=1 pid=1 topic=a\n< PUBLISH qos=1 pid=2 topic=a",
        "receive_maximum_exceeded",
        Some("MQTT-3.3.4-9"),
    );
    shows("< PUBLISH topic=a payload=\"x\"*60", "maximum_packet_size_exceeded", Some("MQTT-3.1.2-24"));
    shows("> PUBLISH topic=a payload=\"x\"*40", "maximum_packet_size_exceeded", Some("MQTT-3.2.2-15"));
    shows("> PUBLISH qos=1 pid=1 topic=a", "maximum_qos_exceeded", Some("MQTT-3.2.2-11"));
    shows("> PUBLISH retain topic=a", "retain_unavailable", Some("MQTT-3.2.2-14"));
    shows("> PUBLISH topic=a topic_alias=3", "topic_alias_above_maximum", Some("MQTT-3.3.2-9"));
    shows("< PUBLISH topic=a topic_alias=1", "topic_alias_above_maximum", Some("MQTT-3.3.2-11"));
    shows("> PUBLISH topic=\"\" topic_alias=1", "topic_alias_unknown", None);
    shows("> SUBSCRIBE pid=1 filter=a/#", "subscription_unavailable", None);
    shows("> SUBSCRIBE pid=1 filter=$share/g/a", "subscription_unavailable", None);
    shows("> SUBSCRIBE pid=1 subscription_identifier=1 filter=a", "subscription_unavailable", None);
    shows(
        "> SUBSCRIBE pid=1 filter=a\n< SUBACK pid=1 codes=0x00 reason_string=ok",
        "reason_string_unasked",
        Some("MQTT-3.1.2-29"),
    );
    let connect = "> CONNECT v5 id=a clean_start keep_alive=60\n";
    let unasked = format!("{connect}< CONNACK 0x00 response_information=x");
    self::shows(&unasked, "response_information_unasked", 1, Some("MQTT-3.1.2-28"), None);
}

#[test]
fn connections_of_one_client() {
    let packet = |line: &str| parse_sent(line, Version::V4).expect("a packet");
    let code = |findings: Vec<DialogueFinding>| {
        findings.iter().map(|finding| finding.rule.name()).collect::<Vec<_>>()
    };
    let at = |seconds: u64| Some(Timestamp(seconds * 1_000_000_000));
    let (client, server) = (Side::Client, Side::Server);
    let mut dialogues = Dialogues::new();
    dialogues.open(1);
    dialogues.packet(1, client, at(0), &packet("CONNECT v4 id=dev keep_alive=60"));
    assert_eq!(code(dialogues.packet(1, server, at(0), &packet("CONNACK 0x00"))), [""; 0]);
    dialogues.open(2);
    let twice = dialogues.packet(2, client, at(1), &packet("CONNECT v4 id=dev keep_alive=60"));
    assert_eq!(code(twice), ["client_identifier_twice"]);
    let lost = dialogues.packet(2, server, at(1), &packet("CONNACK 0x00"));
    assert_eq!(code(lost), ["session_lost"], "the first one's was to be kept");
    assert_eq!(code(dialogues.close(1, at(2))), [""; 0]);
    dialogues.close(2, at(3));
    dialogues.open(3);
    dialogues.packet(3, client, at(4), &packet("CONNECT v4 id=dev clean_start keep_alive=60"));
    assert_eq!(code(dialogues.packet(3, server, at(4), &packet("CONNACK 0x00"))), [""; 0]);
    dialogues.close(3, at(5));
    dialogues.open(4);
    dialogues.packet(4, client, at(6), &packet("CONNECT v4 id=dev keep_alive=60"));
    let never = dialogues.packet(4, server, at(6), &packet("CONNACK 0x00 session_present=1"));
    assert_eq!(never[0].repair, Some(packet("CONNACK 0x00")));
    assert_eq!(code(never), ["session_present_never_kept"]);
}

#[test]
fn what_was_not_seen_is_held_against_nobody() {
    let mut dialogue = Dialogue::joined(Version::V4);
    let mut play =
        |from, line: &str| dialogue.packet(from, None, &parse_sent(line, Version::V4).expect("a packet"));
    for (from, line) in [
        (Side::Server, "PUBACK pid=3"),
        (Side::Server, "SUBACK pid=4 codes=0x02"),
        (Side::Server, "PINGRESP"),
        (Side::Client, "PUBREL pid=9"),
        (Side::Client, "PUBLISH dup qos=1 pid=2 topic=a"),
    ] {
        assert_eq!(play(from, line), [], "{line}");
    }
    let mut dialogue = Dialogue::new();
    for line in V4.lines() {
        let from = if line.starts_with('>') { Side::Client } else { Side::Server };
        assert_eq!(dialogue.packet(from, None, &parse_sent(&line[1..], Version::V4).expect("a packet")), []);
    }
    dialogue.lost(Side::Client);
    assert_eq!(dialogue.packet(Side::Server, None, &[0x40, 2, 0, 9]), []);
}
