//! What clouds say of the packets that carry their dialects, laid over what the standard says.

use std::path::Path;

use hexmq_wire::Version;
use hexmq_workbench::{
    Dialect, Explanation, Field, FieldValue, Finding, Knowledge, Language, Layout, Options, Outcome,
    Severity, Side, explain, explain_knowing, parse_hex, plain_hex, render,
};
use serde_json::Value as Json;

mod any;
mod page;

fn vectors() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().expect("the shape of the vectors")
}

fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn hex(value: &Json, name: &str) -> Vec<u8> {
    parse_hex(text(value, name)).unwrap_or_default()
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

fn packet(first: u8, body: Vec<u8>) -> Vec<u8> {
    let mut packet = vec![first];
    hexmq_wire::encode_remaining_length(body.len() as u32, &mut packet);
    packet.extend(body);
    packet
}

fn connect(client: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = string(b"MQTT");
    body.extend([4, 0xC2, 0, 60]);
    body.extend([client, user, password].iter().flat_map(|it| string(it.as_bytes())));
    packet(0x10, body)
}

fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic.as_bytes());
    body.extend_from_slice(payload);
    packet(0x30, body)
}

fn subscribe(filters: &[&str]) -> Vec<u8> {
    let mut body = vec![0, 1];
    for filter in filters {
        body.extend(string(filter.as_bytes()));
        body.push(0);
    }
    packet(0x82, body)
}

fn from_client() -> Options {
    Options { from: Some(Side::Client), version: Some(Version::V4), ..Options::default() }
}

/// The explanation, checked: fields and findings lie inside, repairs are clean, pages can be drawn.
fn explained(bytes: &[u8], knowledge: &Knowledge) -> Explanation {
    for language in [Language::Chinese, Language::English] {
        let explanation = checked(bytes, knowledge, language);
        let layout = Layout { width: 100, colour: false, language, whole: false };
        let page = render(bytes, &explanation, &layout);
        assert!(page.lines().all(|line| hexmq_workbench::width(line) <= 100), "{page}");
    }
    checked(bytes, knowledge, Language::English)
}

fn checked(bytes: &[u8], knowledge: &Knowledge, language: Language) -> Explanation {
    let options = Options { language, ..from_client() };
    let explanation = explain_knowing(bytes, &options, knowledge);
    for packet in &explanation.packets {
        check_fields(&packet.fields, packet.offset, packet.offset + packet.length);
    }
    for finding in explanation.dialect_findings() {
        check_finding(bytes, finding, &options);
    }
    explanation
}

fn check_fields(fields: &[Field], first: usize, end: usize) {
    for field in fields {
        assert!(field.offset >= first && field.offset + field.length <= end, "{field:?} in {first}..{end}");
        assert!(!field.text.is_empty(), "{field:?} has no meaning");
        check_fields(&field.fields, first, end);
    }
}

fn check_finding(bytes: &[u8], finding: &Finding, options: &Options) {
    assert!(finding.offset + finding.length <= bytes.len(), "{finding:?}");
    assert!(finding.statement.is_some() && !finding.message.is_empty(), "{finding:?}");
    if let Some(repair) = &finding.repair {
        let again = explain(repair, options);
        assert_eq!((again.packets.len(), again.findings().count()), (1, 0), "{finding:?}");
        assert_ne!(repair, bytes, "{finding:?}");
    }
}

fn codes(explanation: &Explanation) -> Vec<&'static str> {
    explanation.dialect_findings().map(|finding| finding.code).collect()
}

fn dialect(explanation: &Explanation) -> Option<Dialect> {
    explanation.packets.first()?.dialect.as_ref().map(|layer| layer.dialect)
}

/// All fields of this name, at any depth.
fn all<'a>(explanation: &'a Explanation, name: &str) -> Vec<&'a Field> {
    fn collect<'a>(fields: &'a [Field], name: &str, found: &mut Vec<&'a Field>) {
        for field in fields {
            if field.name == name {
                found.push(field);
            }
            collect(&field.fields, name, found);
        }
    }
    let mut found = Vec::new();
    explanation.packets.iter().for_each(|packet| collect(&packet.fields, name, &mut found));
    found
}

/// The text of the only field of this name, and its bytes.
fn only(explanation: &Explanation, bytes: &[u8], name: &str) -> (String, String) {
    let found = all(explanation, name);
    let [field] = found.as_slice() else { panic!("{name}: {found:?}") };
    let FieldValue::Text(value) = &field.value else { panic!("{field:?}") };
    let place = &bytes[field.offset..field.offset + field.length];
    (value.clone(), String::from_utf8_lossy(place).into_owned())
}

#[test]
fn data_points_are_shown_where_they_stand() {
    for vector in list(&vectors(), "onenet_dp") {
        let id = text(vector, "id");
        let bytes = hex(vector, "publish_packet_qos1_id10");
        let explanation = explained(&bytes, &Knowledge::default());
        assert_eq!(dialect(&explanation), Some(Dialect::OneNet), "{id}");
        assert_eq!(codes(&explanation), [""; 0], "{id}");
        assert_eq!(explanation.outcome(), Outcome::Clean, "{id}");
        let kind = all(&explanation, "dp_type")[0];
        assert_eq!(
            (&kind.value, kind.bits),
            (&FieldValue::Number(vector["type"].as_u64().unwrap()), Some((0, 6)))
        );
        let json = explanation.to_json();
        let points = all(&explanation, "data_point");
        let expected = list(vector, "points");
        assert_eq!(points.len(), expected.len(), "{id}: {json:#}");
        for (point, expected) in points.iter().zip(expected) {
            assert_eq!(
                point.fields[0].value,
                FieldValue::Text(text(expected, "datastream").to_owned()),
                "{id}"
            );
            let is_timed = point.fields.iter().any(|field| field.name == "at");
            assert_eq!(is_timed, expected["at"].is_string(), "{id}");
            match &point.value {
                FieldValue::Number(number) => {
                    assert_eq!(Some(*number as f64), expected["value"].as_f64(), "{id}")
                }
                FieldValue::Real(number) => assert_eq!(Some(*number), expected["value"].as_f64(), "{id}"),
                FieldValue::Flag(flag) => assert_eq!(expected["value"], *flag, "{id}"),
                FieldValue::Bytes(bytes) => {
                    assert_eq!(plain_hex(bytes), text(expected, "binary_hex"), "{id}")
                }
                FieldValue::Text(value) if expected["value"].is_object() => {
                    assert_eq!(serde_json::from_str::<Json>(value).expect("JSON"), expected["value"], "{id}");
                }
                FieldValue::Text(value) => assert_eq!(expected["value"], value.as_str(), "{id}"),
                FieldValue::Group => panic!("{id}: a point has a value"),
            }
        }
    }
}

#[test]
fn wrong_payloads_are_blamed_at_their_byte_and_repaired_where_it_is_clear() {
    let expected = [
        ("dp-err-empty", "dp_empty", 7, 0, None),
        ("dp-err-len", "dp_length", 8, 2, Some("0300077b2261223a317d")),
        ("dp-err-json", "dp_json", 15, 1, None),
        ("dp-err-type", "dp_type", 7, 1, None),
        ("dp-err-float-trunc", "dp_count", 10, 2, Some("07000100010000803f")),
        ("dp-raw-json", "dp_header_missing", 7, 0, Some("0300077b2261223a317d")),
    ];
    let vectors = vectors();
    for (vector, (id, code, offset, length, right)) in list(&vectors, "onenet_dp_errors").iter().zip(expected)
    {
        assert_eq!(text(vector, "id"), id);
        let bytes = publish("$dp", &hex(vector, "payload_hex"));
        let explanation = explained(&bytes, &Knowledge::default());
        assert_eq!(codes(&explanation), [code], "{id}");
        assert_eq!(explanation.findings().count(), 0, "{id}: the packet itself is clean");
        assert_eq!(explanation.outcome(), Outcome::Faulty, "{id}");
        let finding = explanation.dialect_findings().next().expect("counted");
        assert_eq!(
            (finding.offset, finding.length, finding.severity),
            (offset, length, Severity::Fault),
            "{id}"
        );
        let right = right.map(|hex| publish("$dp", &parse_hex(hex).expect("hex")));
        assert_eq!(finding.repair, right, "{id}");
        if let Some(right) = right {
            assert_eq!(codes(&explained(&right, &Knowledge::default())), [""; 0], "{id}");
        }
    }
}

#[test]
fn offsets_count_from_the_start_of_the_whole_input() {
    let mut bytes = vec![0xC0, 0];
    bytes.extend(publish("$dp", b"\x03\x00\x07{\"a\":1}"));
    let explanation = explained(&bytes, &Knowledge::default());
    assert!(explanation.packets[0].dialect.is_none());
    let point = all(&explanation, "data_point")[0];
    assert_eq!((point.offset, point.length, &point.value), (17, 1, &FieldValue::Number(1)));
    let json = explanation.to_json();
    assert_eq!(json["packets"][0].get("dialect"), None);
    assert_eq!(json["packets"][1]["dialect"], serde_json::json!({ "name": "onenet", "faults": [] }));
}

#[test]
fn sign_ins_show_what_is_signed_and_whether_it_fits() {
    for vector in list(&vectors(), "aliyun_connect") {
        let id = text(vector, "id");
        let (client, user) = (text(vector, "mqtt_client_id"), text(vector, "mqtt_username"));
        let bytes = connect(client, user, text(vector, "mqtt_password"));
        let knowing = |secret: &str| Knowledge { secret: Some(secret.to_owned()), now: None };
        let explanation = explained(&bytes, &knowing(text(vector, "device_secret")));
        assert_eq!(dialect(&explanation), Some(Dialect::Aliyun), "{id}");
        assert_eq!(codes(&explanation), [""; 0], "{id}");
        let own = |name| only(&explanation, &bytes, name);
        assert_eq!(own("string_to_sign").0, text(vector, "sign_content"), "{id}");
        assert!(all(&explanation, "string_to_sign")[0].text.ends_with("the signature fits."), "{id}");
        let part = text(vector, "client_id_part").to_owned();
        assert_eq!(own("client_id"), (part.clone(), part), "{id}");
        let name = text(vector, "device_name").to_owned();
        assert_eq!(own("device_name"), (name.clone(), name), "{id}");
        let key = text(vector, "product_key").to_owned();
        assert_eq!(own("product_key"), (key.clone(), key), "{id}");
        let method = text(vector, "signmethod");
        assert_eq!(own("signmethod"), (method.to_owned(), format!("signmethod={method}")), "{id}");

        let explanation = explained(&bytes, &knowing("another"));
        assert_eq!(codes(&explanation), ["signature"], "{id}");
        let repair = explanation.dialect_findings().next().and_then(|finding| finding.repair.clone());
        assert_eq!(
            codes(&explained(&repair.expect("the right signature"), &knowing("another"))),
            [""; 0],
            "{id}"
        );
        assert_eq!(codes(&explained(&bytes, &Knowledge::default())), [""; 0], "{id}");
    }
}

#[test]
fn tokens_are_taken_apart_and_checked() {
    let vectors = vectors();
    let token = &list(&vectors["onenet_tokens"], "accept")[0];
    let key = text(token, "access_key_base64");
    let knowing = |now| Knowledge { secret: Some(key.to_owned()), now };
    for form in ["token", "token_res_unescaped"] {
        let bytes = connect("mydev", "123123", text(token, form));
        let explanation = explained(&bytes, &knowing(Some(1_800_000_000)));
        assert_eq!((dialect(&explanation), codes(&explanation)), (Some(Dialect::OneNet), vec![]));
        assert_eq!(only(&explanation, &bytes, "token_resource").0, text(token, "res"));
        assert_eq!(
            only(&explanation, &bytes, "token_expiry"),
            ("1893456000".to_owned(), "1893456000".to_owned())
        );
        assert_eq!(only(&explanation, &bytes, "string_to_sign").0, text(token, "string_to_sign"));
    }
    let bytes = connect("otherdev", "123123", text(token, "token"));
    assert_eq!(codes(&explained(&bytes, &knowing(None))), ["token_resource"]);
    assert_eq!(codes(&explained(&bytes, &knowing(Some(1_900_000_000)))), ["token_resource", "token_expired"]);
    let broken = text(token, "token").replace("method=md5", "method=md4");
    assert_eq!(codes(&explained(&connect("mydev", "123123", &broken), &knowing(None))), ["token_method"]);
    let other = text(token, "token").replace("sign=j", "sign=k");
    let explanation = explained(&connect("mydev", "123123", &other), &knowing(None));
    assert_eq!(codes(&explanation), ["signature"]);
    let repair = explanation.dialect_findings().next().and_then(|finding| finding.repair.clone());
    assert_eq!(repair, Some(connect("mydev", "123123", text(token, "token"))));
}

#[test]
fn recorded_messages_are_on_their_topics_and_without_blame() {
    for message in list(&vectors(), "aliyun_captured_messages") {
        let bytes = publish(text(message, "topic"), text(message, "payload").as_bytes());
        let secret = message["sign_key"].as_str().map(str::to_owned);
        let explanation = explained(&bytes, &Knowledge { secret: secret.clone(), now: None });
        assert_eq!(
            (dialect(&explanation), codes(&explanation)),
            (Some(Dialect::Aliyun), vec![]),
            "{message}"
        );
        if let Some(content) = message["sign_content"].as_str() {
            assert_eq!(only(&explanation, &bytes, "string_to_sign").0, content);
            let wrong = Knowledge { secret: secret.map(|it| it + "x"), now: None };
            assert_eq!(codes(&explained(&bytes, &wrong)), ["signature"]);
        }
    }
}

/// Each packet of tutorials and firmware with the cloud it speaks to, and what is odd for that cloud.
#[test]
fn packets_of_the_tutorials_speak_their_dialects() {
    let vectors = vectors();
    for vector in list(&vectors, "tutorial_packets").iter().chain(list(&vectors, "firmware_packets")) {
        let id = text(vector, "id");
        let from = match text(vector, "direction") {
            "C->S" => Some(Side::Client),
            "S->C" => Some(Side::Server),
            _ => None,
        };
        let options = Options { from, version: Some(Version::V4), ..Options::default() };
        let explanation = explain(&hex(vector, "hex"), &options);
        let expected = match id {
            "s1-connect" | "s4-connect" | "s4-dp" | "s4-creq" | "fw-crsp" | "fw-connect-sdk" => {
                Some(Dialect::OneNet)
            }
            _ if id.starts_with("fw-connect-") => Some(Dialect::Aliyun),
            "s2-connect" | "s3-connect" | "s2-pub-prop" | "s3-pub-q0" | "s3-pub-q1-broken"
            | "s3-pub-q1-fixed" => Some(Dialect::Aliyun),
            _ if id.starts_with("s2-sub-") || id.starts_with("s3-sub-") => Some(Dialect::Aliyun),
            "s2-unsub-rebuilt" | "s3-unsub" => Some(Dialect::Aliyun),
            _ => None,
        };
        assert_eq!(dialect(&explanation), expected, "{id}");
        let odd: &[&str] = if id == "s2-pub-prop" { &["alink_method_topic"] } else { &[] };
        assert_eq!(codes(&explanation), odd, "{id}");
        assert!(explanation.dialect_findings().all(|finding| finding.severity < Severity::Suspicion), "{id}");
    }
}

#[test]
fn a_method_that_does_not_fit_its_topic_is_repaired() {
    let vectors = vectors();
    let vector =
        list(&vectors, "tutorial_packets").iter().find(|it| it["id"] == "s2-pub-prop").expect("there");
    let bytes = hex(vector, "hex");
    let explanation = explained(&bytes, &Knowledge::default());
    let finding = explanation.dialect_findings().next().expect("one");
    let place = &bytes[finding.offset..finding.offset + finding.length];
    assert_eq!(place, b"\"thing.service.property.set\"");
    let right = finding.repair.clone().expect("a repair");
    let again = explained(&right, &Knowledge::default());
    assert_eq!(codes(&again), [""; 0]);
    assert_eq!(only(&again, &right, "message_method").0, "thing.event.property.post");
}

#[test]
fn mistakes_of_a_sign_in_are_named() {
    let md5 = "590e8dac737b17c555d5b21f81b60be4";
    for (client, user, password, code, right) in [
        (
            "D001|securemode=3,signmethod=hmacmd5",
            "D001&i5drb0tO5li",
            md5,
            "client_id_not_closed",
            Some(("D001|securemode=3,signmethod=hmacmd5|", "D001&i5drb0tO5li")),
        ),
        (
            "i5drb0tO5li.D001|securemode=3,signmethod=hmacmd5|",
            "i5drb0tO5li&D001",
            md5,
            "user_name_order",
            Some(("i5drb0tO5li.D001|securemode=3,signmethod=hmacmd5|", "D001&i5drb0tO5li")),
        ),
        ("D001|securemode=3,signmethod=hmacsha1|", "D001&i5drb0tO5li", md5, "password_length", None),
        ("D001|securemode=3,signmethod=hmacmd5|", "D001", md5, "user_name_form", None),
        ("D001|securemode=3,signmethod=hmacmd5|", "D001&i5drb0tO5li", "secret", "password_not_hex", None),
    ] {
        let explanation = explained(&connect(client, user, password), &Knowledge::default());
        assert_eq!(
            (dialect(&explanation), codes(&explanation)),
            (Some(Dialect::Aliyun), vec![code]),
            "{client}"
        );
        let repair = explanation.dialect_findings().next().and_then(|finding| finding.repair.clone());
        assert_eq!(repair, right.map(|(client, user)| connect(client, user, password)), "{client}");
    }
}

#[test]
fn subscriptions_to_what_devices_publish_are_told() {
    let post = "/sys/a1TestPk001/dev/thing/event/property/post";
    let reply = "/sys/a1TestPk001/dev/thing/event/property/post_reply";
    for (filters, expected, code) in [
        (vec![post], Some(Dialect::Aliyun), vec!["subscribed_uplink"]),
        (vec![reply, "/sys/a1TestPk001/dev/#"], Some(Dialect::Aliyun), vec![]),
        (
            vec!["plain/topic", "/sys/a1TestPk001/dev/thing/nothing"],
            Some(Dialect::Aliyun),
            vec!["topic_unknown"],
        ),
        (vec!["$creq/#"], Some(Dialect::OneNet), vec![]),
        (vec!["$sys/1/d/thing/property/post"], Some(Dialect::OneNet), vec!["subscribed_uplink"]),
        (vec!["$sys/1/d/thing/#", "a/b"], Some(Dialect::OneNet), vec![]),
        (vec!["$sys/1/d/#"], Some(Dialect::OneNet), vec![]),
        (vec!["#", "+/+", "a/user/b", "/sys/#", "$sys/#", "$sys/a/b/c", "$SYS/broker/load"], None, vec![]),
    ] {
        let explanation = explained(&subscribe(&filters), &Knowledge::default());
        assert_eq!((dialect(&explanation), codes(&explanation)), (expected, code), "{filters:?}");
    }
}

#[test]
fn a_packet_in_doubt_is_shown_but_its_content_is_not_blamed() {
    // QoS 1 without its packet identifier: what is left of the payload is no JSON, and that is not its fault.
    let vectors = vectors();
    let vector =
        list(&vectors, "tutorial_packets").iter().find(|it| it["id"] == "s3-pub-q1-broken").expect("there");
    let explanation = explained(&hex(vector, "hex"), &Knowledge::default());
    assert_eq!((dialect(&explanation), codes(&explanation)), (Some(Dialect::Aliyun), vec![]));
}

#[test]
fn secrets_are_not_shown() {
    let knowledge = Knowledge { secret: Some("hunter2".to_owned()), now: Some(1) };
    assert!(!format!("{knowledge:?}").contains("hunter2"));
}
