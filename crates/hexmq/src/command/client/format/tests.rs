use hexmq_wire::{Delivery, PacketIdentifier, Properties, PropertiesBuf, Property};
use jiff::{Timestamp, tz::Offset};

use super::*;

/// 2026-03-04 05:06:07.008009010 at UTC+8.
fn now() -> Zoned {
    let timestamp = Timestamp::new(1_772_571_967, 8_009_010).unwrap();
    timestamp.to_zoned(Offset::constant(8).to_time_zone())
}

fn message<'a>(payload: &'a [u8], properties: Properties<'a>) -> Publish<'a> {
    let delivery = Delivery::AtLeastOnce(PacketIdentifier::new(42).unwrap());
    Publish { dup: false, delivery, retain: true, topic_name: "a/topic", properties, payload }
}

fn properties() -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::UserProperty("k", "v"),
        Property::ContentType("text/plain"),
        Property::UserProperty("k", "\"2\""),
        Property::CorrelationData(b"\x01id"),
        Property::MessageExpiryInterval(90),
        Property::PayloadFormatIndicator(1),
        Property::ResponseTopic("r/t"),
        Property::SubscriptionIdentifier(7),
        Property::TopicAlias(3),
    ] {
        properties.push(property).unwrap();
    }
    properties
}

/// What `format` prints for `message`, and the complaints.
fn printed(format: &str, message: &Publish<'_>, pretty: bool) -> (String, String) {
    let output = Output { format: Some(format.parse().unwrap()), verbose: false, end_of_line: false, pretty };
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    output.print(message, &now(), &mut out, &mut complaints).unwrap();
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8(complaints).unwrap())
}

#[track_caller]
fn check(format: &str, expected: &str) {
    let properties = properties();
    let message = message(b"payload", properties.as_properties());
    assert_eq!(printed(format, &message, false).0, expected, "{format}");
}

#[track_caller]
fn check_bare(format: &str, payload: &[u8], expected: &str) {
    assert_eq!(printed(format, &message(payload, Properties::EMPTY), false).0, expected, "{format}");
}

#[test]
fn parameters() {
    check("%t|%p|%x|%X|%l|%q|%r|%m|%%", "a/topic|payload|7061796c6f6164|7061796C6F6164|7|1|1|42|%");
    check("%A|%C|%E|%F|%P|%R|%S", "3|text/plain|90|1|k:v k:\"2\"|r/t|7");
    check("%D", "\u{1}id");
    check_bare("%A|%C|%D|%E|%F|%P|%R|%S|%p", b"", "||||||||");
}

#[test]
fn widths() {
    check("%10t|%-10t|%010t|%.3t|%10.3t", "   a/topic|a/topic   |   a/topic|a/t|       a/t");
    check("%5l|%-5l|%05l|%-05l|%.1l", "    7|7    |00007|7    |7");
    check("%9p|%-9p|%09p|%3p", "  payload|payload  |00payload|pay");
    check("%5x|%-5X|%05x", " 7061|7061 |07061");
    check("%5q|%5r|%5P", "1|1|k:v k:\"2\"");
}

#[test]
fn a_missing_property_is_blank() {
    check_bare("%3A|%03E|%-3F|%-03S|%3C|%03C|%3R", b"", "   |000|   |000|   |   |");
}

#[test]
fn times() {
    check("%I|%U", "2026-03-04T05:06:07+0800|1772571967.008009010");
    check("@Y-@m-@d @H:@M:@S.@N @z @s @@ @j @e", "2026-03-04 05:06:07.008009010 +0800 1772571967 @ 063  4");
    check("@c|@x|@X|@D|@r", "Wed Mar  4 05:06:07 2026|03/04/26|05:06:07|03/04/26|05:06:07 AM");
    check("@Q@+", "%Q%+");
}

#[test]
fn escapes() {
    check(r"\\\0\a\e\n\r\t\v", "\\\0\u{7}\u{1b}\n\r\t\u{b}");
}

#[test]
fn what_means_nothing_is_refused() {
    for format in ["%z", "%", "%5", "%--5t", "%0-5l", "@", r"\q", r"\", "%99999t"] {
        assert!(format.parse::<Format>().is_err(), "{format}");
    }
}

#[test]
fn json_with_the_payload_as_a_string() {
    let properties = properties();
    let message = message(b"say \"hi\"\n\x01\xC3\xA9", properties.as_properties());
    let expected = concat!(
        r#"{"tst":"2026-03-04T05:06:07.008009Z+0800","topic":"a/topic","qos":1,"retain":1,"payloadlen":12,"#,
        r#""mid":42,"properties":{"user-properties":{"k":"v","k":"\"2\""},"content-type":"text/plain","#,
        r#""correlation-data":"\u0001id","message-expiry-interval":90,"payload-format-indicator":1,"#,
        r#""response-topic":"r/t","subscription-identifier":7,"topic-alias":3},"#,
        r#""payload":"say \"hi\"\n\u0001é"}"#,
    );
    assert_eq!(printed("%j", &message, false).0, expected);
}

#[test]
fn json_with_the_payload_as_json() {
    let head =
        r#"{"tst":"2026-03-04T05:06:07.008009Z+0800","topic":"a/topic","qos":1,"retain":1,"payloadlen":"#;
    for (payload, printed_as) in [
        (r#"{"b":1,"a":[1.10, true,null],"b":{}}"#, r#"{"b":1,"a":[1.1,true,null],"b":{}}"#),
        ("12345678901234567890", "1.2345678901234567e+19"),
        ("[0.1,1e-7,-0,100000,1e15,123456789012345]", "[0.1,1e-07,-0,100000,1e+15,123456789012345]"),
        (r#""\u00e9\/""#, "\"é/\""),
        ("", "null"),
    ] {
        let message = message(payload.as_bytes(), Properties::EMPTY);
        let expected = format!("{head}{},\"mid\":42,\"payload\":{printed_as}}}", payload.len());
        assert_eq!(printed("%J", &message, false), (expected, String::new()));
    }
    let (out, complaints) = printed("<%J>", &message(b"no json", Properties::EMPTY), false);
    assert_eq!(out, "<>");
    assert!(complaints.contains("not valid JSON on topic a/topic"), "{complaints}");
}

#[test]
fn pretty_json() {
    let message = message(br#"{"a":[1,{"b":2}],"c":{}}"#, Properties::EMPTY);
    let (out, _) = printed("%J", &message, true);
    let payload = out.split_once("\"payload\":\t").unwrap().1;
    assert_eq!(payload, "{\n\t\t\"a\":\t[1, {\n\t\t\t\t\"b\":\t2\n\t\t\t}],\n\t\t\"c\":\t{\n\t\t}\n\t}\n}");
}

#[test]
fn plain_and_verbose() {
    let output = |verbose, end_of_line, payload: &[u8]| {
        let output = Output { format: None, verbose, end_of_line, pretty: false };
        let (mut out, mut complaints) = (Vec::new(), Vec::new());
        output.print(&message(payload, Properties::EMPTY), &now(), &mut out, &mut complaints).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(output(false, true, b"x"), "x\n");
    assert_eq!(output(false, false, b"x"), "x");
    assert_eq!(output(false, true, b""), "\n");
    assert_eq!(output(true, true, b"x"), "a/topic x\n");
    assert_eq!(output(true, true, b""), "a/topic (null)\n");
    assert_eq!(output(true, false, b""), "");
}
