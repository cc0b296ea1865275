//! Packets without a fault that are still not what was meant, or that will hurt.

use hexmq_topic::{SubscriptionFilter, TopicErrorKind};
use hexmq_wire::{Connect, ControlPacket, Delivery, Frame, Leniency, NoTrace, Publish, Version, decode};

use super::evidence::{is_printable_ascii, is_readable, is_whole_json, is_whole_payload};
use super::{LintRule, Remark, Said, direction, rule};
use crate::explain::is_clean;
use crate::explanation::{Field, FieldValue, Side};
use crate::repair::{find, prefixed, splice};
use crate::tree::Reading;

/// Below this many seconds a lost radio packet or two ends the connection.
const KEEP_ALIVE_TINY_S: u16 = 10;

/// What is offered in place of a Keep Alive that will hurt.
const KEEP_ALIVE_GOOD_S: u16 = 60;

/// Bytes that must be readable before what follows them is taken for a slip.
const TEXT_LEAST: usize = 6;

/// The longest client identifier of 3.1, in characters.
const CLIENT_IDENTIFIER_V3_MAX: usize = 23;

/// Everything there is to say about a packet that decodes.
pub(super) fn remarks(frame: &[u8], reading: &Reading, from: Option<Side>) -> Vec<Remark> {
    let Ok(packet) = decode(Frame::new(frame), reading.version, &Leniency::default(), &mut NoTrace) else {
        return Vec::new();
    };
    let mut content = Content { frame, reading, remarks: Vec::new() };
    match &packet {
        ControlPacket::Publish(publish) => content.publish(publish),
        ControlPacket::Connect(connect) => content.connect(connect),
        _ => {}
    }
    content.strings(&reading.fields);
    content.remarks.extend(direction::remarks(frame, reading, &packet, from));
    content.remarks
}

struct Content<'a> {
    frame: &'a [u8],
    reading: &'a Reading,
    remarks: Vec<Remark>,
}

impl Content<'_> {
    fn field(&self, name: &str) -> Option<&Field> {
        find(&self.reading.fields, name)
    }

    fn say(
        &mut self,
        rule: LintRule,
        field: &'static str,
        span: (usize, usize),
        repair: Option<Vec<u8>>,
        said: Said,
    ) {
        let statement = rule.statement(self.reading.version);
        let repair = repair.filter(|repair| is_clean(repair, self.reading.version, None));
        self.remarks.push(Remark { rule, statement, field, offset: span.0, length: span.1, repair, said });
    }

    fn splice(&self, offset: usize, length: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        splice(self.frame, &self.reading.fields, offset, length, bytes)
    }

    // ---- PUBLISH ------------------------------------------------------------------------------

    fn publish(&mut self, publish: &Publish<'_>) {
        let said = self.identifier_swallowed(publish)
            || self.identifier_too_many(publish)
            || self.length_too_many(publish);
        if !said {
            self.payload_ends(publish.payload);
        }
        if publish.retain && !publish.payload.is_empty() && is_command(publish.topic_name) {
            let mut repair = self.frame.to_vec();
            if let Some(first) = repair.first_mut() {
                *first &= !1;
            }
            self.say(
                LintRule::RetainedCommand,
                "retain",
                (0, 1),
                Some(repair),
                Said::Text(publish.topic_name.to_owned()),
            );
        }
    }

    /// The payload is whole only if the two bytes that were read as identifier are given back.
    fn identifier_swallowed(&mut self, publish: &Publish<'_>) -> bool {
        let (Delivery::AtLeastOnce(identifier) | Delivery::ExactlyOnce(identifier)) = publish.delivery else {
            return false;
        };
        let taken = identifier.get().to_be_bytes();
        // With properties between them the bytes do not belong together.
        if self.reading.version == Version::V5 || is_whole_payload(publish.topic_name, publish.payload) {
            return false;
        }
        let whole = [taken.as_slice(), publish.payload].concat();
        if !is_whole_payload(publish.topic_name, &whole) {
            return false;
        }
        let Some(at) = self.field("packet_identifier").map(|field| field.offset) else { return false };
        let repair = self.splice(at, 0, &[0, 1]);
        self.say(
            LintRule::MissingPacketIdentifier,
            "packet_identifier",
            (at, 2),
            repair,
            Said::Bytes { written: taken.to_vec(), right: vec![0, 1] },
        );
        if let (Some(packet_type), Some(remark)) = (self.reading.packet_type, self.remarks.last_mut()) {
            remark.statement = rule::missing_identifier(self.reading.version, packet_type);
        }
        true
    }

    /// QoS 0, and the payload is whole without its first two bytes, which look like an identifier.
    fn identifier_too_many(&mut self, publish: &Publish<'_>) -> bool {
        let Some((&[high, low], behind)) = publish.payload.split_first_chunk::<2>() else { return false };
        let number = usize::from(u16::from_be_bytes([high, low]));
        let looks_like_one =
            publish.delivery == Delivery::AtMostOnce && number != 0 && number != behind.len();
        if !looks_like_one
            || publish.topic_name == "$dp"
            || !is_whole_json(behind)
            || is_whole_json(publish.payload)
        {
            return false;
        }
        let Some(at) = self.field("payload").map(|field| field.offset) else { return false };
        let repair = self.splice(at, 2, &[]);
        let said = Said::Bytes { written: vec![high, low], right: Vec::new() };
        self.say(LintRule::PacketIdentifierAtQos0, "payload", (at, 2), repair, said);
        true
    }

    /// The payload begins with its own length, as strings do and payloads do not.
    fn length_too_many(&mut self, publish: &Publish<'_>) -> bool {
        let Some((length, behind)) = publish.payload.split_first_chunk::<2>() else { return false };
        let fits = usize::from(u16::from_be_bytes(*length)) == behind.len();
        if !fits || publish.topic_name == "$dp" || !is_whole_json(behind) {
            return false;
        }
        let Some(at) = self.field("payload").map(|field| field.offset) else { return false };
        let repair = self.splice(at, 2, &[]);
        let said = Said::Bytes { written: length.to_vec(), right: Vec::new() };
        self.say(LintRule::PayloadLengthPrefix, "payload", (at, 2), repair, said);
        true
    }

    /// A NUL behind a text, a byte order mark in front of one.
    fn payload_ends(&mut self, payload: &[u8]) {
        let Some(at) = self.field("payload").map(|field| field.offset) else { return };
        self.nul_behind("payload", at, payload);
        if let Some(text) = payload.strip_prefix(BOM)
            && (is_whole_json(text) || text.len() >= TEXT_LEAST && is_readable(text))
        {
            let repair = self.splice(at, BOM.len(), &[]);
            self.say(LintRule::ByteOrderMark, "payload", (at, BOM.len()), repair, Said::Nothing);
        }
    }

    /// NULs behind a readable text that ends at `at` plus its length.
    fn nul_behind(&mut self, field: &'static str, at: usize, bytes: &[u8]) {
        const MOST: usize = 4;
        let count = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
        let Some(text) = bytes.get(..bytes.len() - count) else { return };
        let is_text = text.len() >= TEXT_LEAST && is_readable(text) || is_whole_json(text);
        if !(1..=MOST).contains(&count) || !is_text {
            return;
        }
        let end = at + text.len();
        let repair = if field == "payload" {
            self.splice(end, count, &[])
        } else {
            prefixed(text).and_then(|whole| self.splice(at - 2, 2 + bytes.len(), &whole))
        };
        self.say(LintRule::TrailingNul, field, (end, count), repair, Said::Nothing);
    }

    // ---- CONNECT ------------------------------------------------------------------------------

    fn connect(&mut self, connect: &Connect<'_>) {
        self.client_identifier(connect);
        self.keep_alive(connect.keep_alive_s);
        if let (Some(password), Some(at)) =
            (connect.password, self.field("password").map(|field| field.offset))
        {
            self.nul_behind("password", at + 2, password);
            if password.ends_with(b" ") && password.len() > TEXT_LEAST && is_printable_ascii(password) {
                self.space_behind("password", at, password);
            }
        }
    }

    fn client_identifier(&mut self, connect: &Connect<'_>) {
        let Some(field) = self.field("client_identifier") else { return };
        let (at, length) = (field.offset, field.length);
        if connect.client_identifier.is_empty() && !connect.clean_start && connect.version == Version::V4 {
            let flags = self.field("connect_flags").map(|field| field.offset);
            let repair = flags.and_then(|flags| {
                let mut repair = self.frame.to_vec();
                *repair.get_mut(flags)? |= 0b10;
                Some(repair)
            });
            let span = (flags.unwrap_or(at), 1);
            self.say(LintRule::ClientIdentifierEmpty, "clean_session", span, repair, Said::Nothing);
        }
        let characters = connect.client_identifier.chars().count();
        if connect.version == Version::V3 && characters > CLIENT_IDENTIFIER_V3_MAX {
            let said = Said::Number(characters as u64);
            self.say(LintRule::ClientIdentifierLong, "client_identifier", (at, length), None, said);
        }
    }

    fn keep_alive(&mut self, seconds: u16) {
        let rule = match seconds {
            0 => LintRule::KeepAliveOff,
            1..KEEP_ALIVE_TINY_S => LintRule::KeepAliveTiny,
            _ => return,
        };
        let Some(at) = self.field("keep_alive").map(|field| field.offset) else { return };
        let repair = self.splice(at, 2, &KEEP_ALIVE_GOOD_S.to_be_bytes());
        self.say(rule, "keep_alive", (at, 2), repair, Said::Number(u64::from(seconds)));
    }

    // ---- strings ------------------------------------------------------------------------------

    /// Every string at any depth.
    fn strings(&mut self, fields: &[Field]) {
        for field in fields {
            if let (FieldValue::Text(text), true) = (&field.value, field.fields.is_empty()) {
                self.string(field, text);
            }
            self.strings(&field.fields);
        }
    }

    fn string(&mut self, field: &Field, text: &str) {
        if field.name == "topic_filter" {
            self.filter(field, text);
        }
        // What a user property says is nobody's business here.
        if matches!(field.name, "name" | "value" | "reason_string") {
            return;
        }
        if text.ends_with(' ') && !text.trim_end_matches(' ').is_empty() {
            self.space_behind(field.name, field.offset, text.as_bytes());
        }
        if let Some(rest) = text.as_bytes().strip_prefix(BOM)
            && !rest.is_empty()
        {
            let repair = prefixed(rest).and_then(|whole| self.splice(field.offset, field.length, &whole));
            self.say(
                LintRule::ByteOrderMark,
                field.name,
                (field.offset + 2, BOM.len()),
                repair,
                Said::Nothing,
            );
        }
    }

    /// Blanks at the end of the string whose length stands at `at`.
    fn space_behind(&mut self, field: &'static str, at: usize, bytes: &[u8]) {
        let text = bytes.trim_ascii_end();
        let count = bytes.len() - text.len();
        let repair = prefixed(text).and_then(|whole| self.splice(at, 2 + bytes.len(), &whole));
        let shown = String::from_utf8_lossy(bytes).into_owned();
        let said = if field == "password" { Said::Nothing } else { Said::Text(shown) };
        self.say(LintRule::TrailingSpace, field, (at + 2 + text.len(), count), repair, said);
    }

    /// Wildcards where they may not stand: the server answers such a filter with a failure.
    fn filter(&mut self, field: &Field, text: &str) {
        let version = self.reading.version;
        let Err(error) = parse_filter(text, version) else { return };
        let statement = filter_statement(error.kind, version);
        let right = filter_meant(text).into_iter().find(|meant| parse_filter(meant, version).is_ok());
        let repair = right.and_then(|meant| {
            prefixed(meant.as_bytes()).and_then(|whole| self.splice(field.offset, field.length, &whole))
        });
        let offset = (field.offset + 2 + error.offset).min(field.offset + field.length);
        let length = usize::from(offset < field.offset + field.length);
        let said = Said::Text(text.to_owned());
        self.say(LintRule::TopicFilterInvalid, "topic_filter", (offset, length), repair, said);
        if let Some(remark) = self.remarks.last_mut() {
            remark.statement = statement;
        }
    }
}

/// U+FEFF in UTF-8: editors write it in front of a file.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

fn parse_filter(text: &str, version: Version) -> Result<(), hexmq_topic::TopicError> {
    match version {
        Version::V5 => SubscriptionFilter::parse(text),
        Version::V3 | Version::V4 => SubscriptionFilter::parse_plain(text),
    }
    .map(|_| ())
}

fn filter_statement(kind: TopicErrorKind, version: Version) -> Option<&'static str> {
    let (v4, v5) = match kind {
        TopicErrorKind::Empty => (Some("MQTT-4.7.3-1"), Some("MQTT-4.7.3-1")),
        TopicErrorKind::HashNotLast => (Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1")),
        TopicErrorKind::WildcardNotAlone => (Some("MQTT-4.7.1-3"), Some("MQTT-4.7.1-2")),
        TopicErrorKind::ShareNameEmpty => (None, Some("MQTT-4.8.2-1")),
        TopicErrorKind::ShareNameWildcard | TopicErrorKind::ShareFilterMissing => {
            (None, Some("MQTT-4.8.2-2"))
        }
        TopicErrorKind::Nul | TopicErrorKind::WildcardInName | TopicErrorKind::TooLong => (None, None),
    };
    if version == Version::V5 { v5 } else { v4 }
}

/// What may have been meant by a filter that is none, likeliest first.
fn filter_meant(text: &str) -> Vec<String> {
    let trimmed = text.trim();
    let separated: String = trimmed.chars().fold(String::new(), |mut meant, c| {
        let begins = matches!(c, '#' | '+') && !meant.is_empty() && !meant.ends_with('/');
        if begins || meant.ends_with('+') && c != '/' {
            meant.push('/');
        }
        meant.push(c);
        meant
    });
    let last = separated.len().saturating_sub(1);
    let one_level =
        separated.char_indices().map(|(at, c)| if c == '#' && at < last { '+' } else { c }).collect();
    vec![trimmed.to_owned(), separated, one_level]
}

/// Whether messages of this topic make a device do something.
pub(super) fn is_command(topic: &str) -> bool {
    const WORDS: [&str; 10] =
        ["cmd", "cmds", "command", "commands", "control", "ctrl", "set", "$creq", "action", "rpc"];
    topic.split('/').any(|level| WORDS.iter().any(|word| level.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_by_a_level() {
        for topic in ["home/lamp/set", "CMD/1", "$creq/7", "a/Command"] {
            assert!(is_command(topic), "{topic}");
        }
        for topic in ["settings", "a/reset", "status", ""] {
            assert!(!is_command(topic), "{topic}");
        }
    }

    #[test]
    fn what_a_filter_was_meant_to_be() {
        let meant = |text: &str| {
            filter_meant(text).into_iter().find(|meant| parse_filter(meant, Version::V4).is_ok())
        };
        assert_eq!(meant("a/# ").as_deref(), Some("a/#"));
        assert_eq!(meant("a#").as_deref(), Some("a/#"));
        assert_eq!(meant("a/b+/c").as_deref(), Some("a/b/+/c"));
        assert_eq!(meant("a/#/b").as_deref(), Some("a/+/b"));
        assert_eq!(meant(""), None);
    }
}
