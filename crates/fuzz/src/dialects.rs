//! The dialects: whatever a device sends, it is read or refused at a place inside, and what a cloud's
//! rules say of a packet lies inside that packet.

use hexmq_device::json::{Node, NodeKind, parse};
use hexmq_device::{CivilTime, Span};
use hexmq_dialect_aliyun::alink;
use hexmq_dialect_aliyun::connect::Connect;
use hexmq_dialect_aliyun::register::Form;
use hexmq_dialect_aliyun::topic as aliyun_topic;
use hexmq_dialect_onenet::dp::{self, Separators};
use hexmq_dialect_onenet::token::{self, Token};
use hexmq_dialect_onenet::{thing, topic as onenet_topic};
use hexmq_workbench::{Knowledge, Options, explain_knowing};

use crate::cloud;

/// Bytes as what a device sends; the first one chooses which part of it.
pub fn dialects(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else { return };
    match choice % 7 {
        0 => data_points(bytes),
        1 => json(bytes),
        2 => tokens(bytes),
        3 => sign_in(bytes),
        4 => messages(bytes),
        5 => packet(publish(bytes)),
        _ => packet(connect(bytes)),
    }
}

/// The parts between bytes that occur in no text.
fn parts<const COUNT: usize>(bytes: &[u8]) -> [&[u8]; COUNT] {
    let mut parts = bytes.splitn(COUNT, |&byte| byte == 0xFF);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn data_points(bytes: &[u8]) {
    for lenient in [false, true] {
        let mut last = 0;
        let read = dp::decode_telling(bytes, lenient, &mut |_, span| {
            assert!(span.offset >= last && span.end() <= bytes.len(), "{span:?}");
            last = span.end();
        });
        match read {
            Ok(upload) => {
                assert_eq!(last, bytes.len(), "every byte is told");
                let spans = upload.points.iter().map(|point| point.span);
                let spans = spans.chain(upload.notices.iter().map(|notice| notice.span));
                spans.for_each(|span| assert!(span.end() <= bytes.len()));
                again(&upload);
            }
            Err(error) => assert!(error.span.end() <= bytes.len(), "{error:?}"),
        }
    }
}

/// What can be written again is read again as it was.
fn again(upload: &dp::Upload<'_>) {
    let written = dp::encode(upload.data_type, &upload.points, upload.time, Separators::default());
    let Ok(written) = written else { return };
    let read = dp::decode(&written).expect("what was written");
    assert_eq!(read.points.len(), upload.points.len());
    for (read, point) in read.points.iter().zip(&upload.points) {
        assert_eq!((&read.stream, &read.value, read.at), (&point.stream, &point.value, point.at));
    }
}

fn json(bytes: &[u8]) {
    match parse(bytes) {
        Ok(node) => inside(&node, Span::new(0, bytes.len())),
        Err(error) => assert!(error.offset <= bytes.len()),
    }
    if let Some(time) = std::str::from_utf8(bytes).ok().and_then(CivilTime::parse) {
        assert_eq!(CivilTime::parse(&time.to_string()), Some(time));
    }
}

fn inside(node: &Node<'_>, outer: Span) {
    assert!(node.span.offset >= outer.offset && node.span.end() <= outer.end());
    match &node.kind {
        NodeKind::Array(elements) => elements.iter().for_each(|element| inside(element, node.span)),
        NodeKind::Object(members) => members.iter().for_each(|member| inside(&member.value, node.span)),
        _ => {}
    }
}

fn tokens(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    token::parameters(text).for_each(|it| assert!(it.value_span.end() <= text.len()));
    match Token::parse(text) {
        Ok(token) => assert!(token.slip("key").is_none() || !token.is_signed_with("key")),
        Err(error) => assert!(error.span.end() <= text.len(), "{error:?}"),
    }
    let _ = Form::parse(text);
}

fn sign_in(bytes: &[u8]) {
    let [client, user, password] = parts(bytes);
    let (Ok(client), Ok(user)) = (std::str::from_utf8(client), std::str::from_utf8(user)) else { return };
    let connect = Connect::read(client, Some(user), Some(password));
    let longest = client.len().max(user.len()).max(password.len());
    connect.faults().iter().for_each(|fault| assert!(fault.span.end() <= longest, "{fault:?}"));
    if connect.is_signed_with("secret") == Some(true) {
        assert_eq!(connect.slip("secret"), None);
    }
    cloud::sign_in(client, user, password);
}

fn messages(bytes: &[u8]) {
    let [topic, payload] = parts(bytes);
    let Ok(topic) = std::str::from_utf8(topic) else { return };
    cloud::message(topic, payload);
    if let Some(found) = aliyun_topic::Topic::parse(topic) {
        let names = [found.product_key, found.device_name, found.identifier];
        names
            .into_iter()
            .flatten()
            .for_each(|(name, span)| assert_eq!(span.of(topic.as_bytes()), name.as_bytes()));
        let identifier = found.identifier.map(|(name, _)| name);
        for fault in found.entry.map(|entry| alink::faults(payload, entry, identifier)).unwrap_or_default() {
            assert!(fault.span.end() <= payload.len(), "{fault:?}");
        }
    }
    if let Some(onenet_topic::Topic::System(found)) = onenet_topic::Topic::parse(topic) {
        for fault in found.entry.map(|entry| thing::faults(payload, entry)).unwrap_or_default() {
            assert!(fault.span.end() <= payload.len(), "{fault:?}");
        }
        let _ = thing::data_points(payload);
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut string = length.to_be_bytes().to_vec();
    string.extend_from_slice(bytes.get(..usize::from(length)).unwrap_or_default());
    string
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    hexmq_wire::encode_remaining_length(u32::try_from(body.len()).unwrap_or(0), &mut packet);
    packet.extend_from_slice(body);
    packet
}

fn publish(bytes: &[u8]) -> Vec<u8> {
    let [topic, payload] = parts(bytes);
    framed(0x30, &[string(topic).as_slice(), payload].concat())
}

fn connect(bytes: &[u8]) -> Vec<u8> {
    let strings = parts::<3>(bytes).map(string).concat();
    framed(0x10, &[b"\x00\x04MQTT\x04\xC2\x00\x3C" as &[u8], &strings].concat())
}

fn packet(bytes: Vec<u8>) {
    let knowledge = Knowledge { secret: Some("secret".to_owned()), now: Some(1) };
    let explanation = explain_knowing(&bytes, &Options::default(), &knowledge);
    for finding in explanation.dialect_findings() {
        assert!(finding.offset + finding.length <= bytes.len(), "{finding:?}");
        assert!(!finding.message.is_empty() && finding.statement.is_some(), "{finding:?}");
        let Some(repair) = &finding.repair else { continue };
        let again = explain_knowing(repair, &Options::default(), &knowledge);
        assert_eq!(again.packets.len(), 1, "{finding:?}");
    }
}
