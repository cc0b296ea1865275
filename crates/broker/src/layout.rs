//! The encoded forms of a message on its way out: what receivers share, and what is each one's own.

use hexmq_session::{AliasUse, Now};
use hexmq_wire::{
    Delivery, Frame, Properties, Publish, PublishParts, QoS, Version, encode_publish, remaining_length_size,
};

use crate::Message;
use crate::connection::Connected;

/// How one session gets a message.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) subscription_identifiers: &'a [u32],
    /// The shared subscription it is sent for; 0: none.
    pub(crate) group: u64,
    /// Who is told of its acknowledgement.
    pub(crate) token: Option<u64>,
}

impl<'a> Terms<'a> {
    /// For a subscription that was granted `qos`. The flag of retained messages is clear for others, unless it was
    /// asked for as published. [V4 MQTT-3.8.4-6, V5 MQTT-3.8.4-8, V4 MQTT-3.3.1-9, V5 MQTT-3.3.1-12]
    /// [V5 MQTT-3.3.1-13]
    #[inline]
    pub(crate) fn granted(
        qos: QoS,
        retain_as_published: bool,
        subscription_identifiers: &'a [u32],
        group: u64,
        message: &Message<'_>,
    ) -> Terms<'a> {
        let (qos, retain) = (qos.min(message.qos), retain_as_published && message.retain);
        Terms { qos, retain, subscription_identifiers, group, token: None }
    }

    /// For a message that no subscription asked for.
    pub(crate) fn kept(qos: QoS) -> Terms<'static> {
        Terms { qos, retain: false, subscription_identifiers: &[], group: 0, token: None }
    }
}

/// The encoded forms of the message being delivered: one for each combination of version, QoS and
/// RETAIN, copied for every further receiver with only the Packet Identifier changed.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    bytes: Vec<u8>,
    /// Which of `places` are made for this message.
    made: u16,
    places: [Layout; 16],
}

#[derive(Clone, Copy, Debug, Default)]
struct Layout {
    start: u32,
    end: u32,
    /// Where the Packet Identifier goes, counted from `start`.
    identifier_at: Option<u32>,
}

/// The PUBLISH a message came in, where its bytes can go on as they are: to receivers with the version, QoS
/// and RETAIN of its publisher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Original<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) form: OriginalForm,
}

/// What of a packet is known beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OriginalForm {
    /// Of its version, QoS and RETAIN.
    number: u32,
    /// Where its Packet Identifier stands, in bytes.
    identifier_at: Option<u32>,
}

impl<'a> Original<'a> {
    /// Of a packet whose properties all travel on. `None` if it says what concerns its sender and this server
    /// alone (DUP, a Topic Alias for a name), or does not write its lengths in their shortest form.
    #[inline]
    pub(crate) fn of(frame: Frame<'a>, publish: &Publish<'_>, version: Version) -> Option<Original<'a>> {
        let properties = publish.properties.as_bytes().len();
        let properties_size =
            if version == Version::V5 { remaining_length_size(properties as u32) + properties } else { 0 };
        let identifier_size = if publish.delivery == Delivery::AtMostOnce { 0 } else { 2 };
        let topic_size = 2 + publish.topic_name.len();
        let remaining_length = topic_size + identifier_size + properties_size + publish.payload.len();
        let header_size = 1 + remaining_length_size(remaining_length as u32);
        let goes_on = !publish.dup
            && !publish.topic_name.is_empty()
            && frame.bytes.len() == header_size + remaining_length;
        goes_on.then(|| Original {
            bytes: frame.bytes,
            form: OriginalForm {
                number: form_of(version, publish.qos(), publish.retain),
                identifier_at: (identifier_size != 0).then_some((header_size + topic_size) as u32),
            },
        })
    }
}

/// The number of a combination, below 16.
#[inline]
fn form_of(version: Version, qos: QoS, retain: bool) -> u32 {
    u32::from(version == Version::V5) << 3 | (qos as u32) << 1 | u32::from(retain)
}

impl Layouts {
    /// Forgets the forms of the message before.
    pub(crate) fn clear(&mut self) {
        self.made = 0;
        self.bytes.clear();
    }

    /// The bytes for these terms and where their Packet Identifier goes: those it came in if they fit, else
    /// those made for an earlier receiver, else new ones.
    #[inline]
    pub(crate) fn take<'s>(
        &'s mut self,
        message: &Message<'_>,
        original: Option<Original<'s>>,
        terms: &Terms<'_>,
        version: Version,
        now: Now,
    ) -> (&'s [u8], Option<u32>) {
        let form = form_of(version, terms.qos, terms.retain);
        match original {
            Some(Original { bytes, form: known }) if known.number == form => (bytes, known.identifier_at),
            _ => self.make(message, terms, version, form, now),
        }
    }

    fn make(
        &mut self,
        message: &Message<'_>,
        terms: &Terms<'_>,
        version: Version,
        form: u32,
        now: Now,
    ) -> (&[u8], Option<u32>) {
        let Some(place) = self.places.get_mut(form as usize) else { return (&[], None) };
        if self.made & (1 << form) == 0 {
            let start = self.bytes.len();
            let parts = parts(message, terms, false, now);
            let identifier_at = encode_publish(&parts, version, &mut self.bytes).ok().flatten();
            *place = Layout {
                start: start as u32,
                end: self.bytes.len() as u32,
                identifier_at: identifier_at.map(|at| (at - start) as u32),
            };
            self.made |= 1 << form;
        }
        let bytes = self.bytes.get(place.start as usize..place.end as usize).unwrap_or_default();
        (bytes, place.identifier_at)
    }
}

/// The fields of a PUBLISH to one receiver. [V5 U-3.3.2.3.3-1]
fn parts<'a>(message: &'a Message<'_>, terms: &'a Terms<'_>, dup: bool, now: Now) -> PublishParts<'a> {
    PublishParts {
        dup,
        qos: terms.qos,
        retain: terms.retain,
        topic_name: message.topic,
        topic_alias: None,
        // [V5 MQTT-3.3.2-6]
        message_expiry_interval: message.expires_at.map(|at| at.ms_since(now.wall).div_ceil(1000) as u32),
        subscription_identifiers: terms.subscription_identifiers,
        properties: Properties::from_stored(message.properties),
        payload: message.payload,
    }
}

/// What a packet is beside its message and terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) dup: bool,
    /// It may set a Topic Alias, or use one: not if other packets may overtake it.
    pub(crate) aliases: bool,
}

/// Encodes for one receiver, with its Topic Aliases.
pub(crate) fn encode_for(
    connected: &mut Connected,
    message: &Message<'_>,
    terms: &Terms<'_>,
    form: Form,
    now: Now,
    buffer: &mut Vec<u8>,
) -> Option<usize> {
    let mut parts = parts(message, terms, form.dup, now);
    if let Some(aliases) = connected.aliases.as_mut().filter(|_| form.aliases) {
        // An alias is only assigned in a packet that is sure to be sent.
        let bound = message.topic.len() + message.properties.len() + message.payload.len();
        let small =
            bound + 64 + 5 * terms.subscription_identifiers.len() < connected.maximum_packet_size as usize;
        match if small { aliases.outgoing.assign(message.topic) } else { AliasUse::None } {
            AliasUse::New(alias) => parts.topic_alias = Some(alias),
            AliasUse::Known(alias) => {
                parts.topic_alias = Some(alias);
                parts.topic_name = "";
            }
            AliasUse::None => {}
        }
    }
    // Every message came in a packet of at most the same size, so it can be encoded.
    encode_publish(&parts, connected.version, buffer).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use hexmq_wire::{Leniency, NoTrace, PropertiesBuf, Property, decode_publish};

    use super::*;
    use crate::Namespace;

    fn packet(
        version: Version,
        delivery: Delivery,
        dup: bool,
        retain: bool,
        properties: &PropertiesBuf,
    ) -> Vec<u8> {
        let properties = properties.as_properties();
        let publish = Publish { dup, delivery, retain, topic_name: "a/b", properties, payload: &[7; 200] };
        let mut bytes = Vec::new();
        publish.encode(version, &mut bytes).expect("it fits");
        bytes
    }

    fn message(qos: QoS, retain: bool, properties: &[u8]) -> Message<'_> {
        Message {
            namespace: Namespace::PLAIN,
            topic: "a/b",
            properties,
            payload: &[7; 200],
            qos,
            retain,
            expires_at: None,
            publisher: None,
        }
    }

    /// None, few, and more than one byte of the Property Length can tell.
    fn forwarded() -> [PropertiesBuf; 3] {
        let mut all = [PropertiesBuf::new(), PropertiesBuf::new(), PropertiesBuf::new()];
        for (properties, data) in all.iter_mut().skip(1).zip([&b"12"[..], &[3; 300]]) {
            properties.push(Property::ResponseTopic("a/c")).expect("it fits");
            properties.push(Property::CorrelationData(data)).expect("it fits");
        }
        all
    }

    /// What is sent on as it came is what would have been encoded, for every receiver.
    #[test]
    fn an_original_is_what_would_be_encoded() {
        for properties in &forwarded() {
            judge_originals(properties);
        }
    }

    fn judge_originals(properties: &PropertiesBuf) {
        let one = NonZeroU16::MIN;
        let deliveries = [Delivery::AtMostOnce, Delivery::AtLeastOnce(one), Delivery::ExactlyOnce(one)];
        for version in [Version::V3, Version::V4, Version::V5] {
            for (delivery, retain) in deliveries.into_iter().flat_map(|one| [(one, false), (one, true)]) {
                let bytes = packet(version, delivery, false, retain, properties);
                let publish = decode_publish(Frame::new(&bytes), version, &mut NoTrace).expect("a PUBLISH");
                let original = Original::of(Frame::new(&bytes), &publish, version);
                assert!(original.is_some());
                let message = message(publish.qos(), retain, publish.properties.as_bytes());
                for to in [Version::V3, Version::V4, Version::V5] {
                    for terms in [Terms::kept(publish.qos()), Terms::kept(QoS::AtMostOnce)] {
                        for terms in [Terms { retain: false, ..terms }, Terms { retain: true, ..terms }] {
                            let mut layouts = [Layouts::default(), Layouts::default()];
                            let [with, without] = &mut layouts;
                            let now = Now::default();
                            let (sent, at) = with.take(&message, original, &terms, to, now);
                            let (encoded, encoded_at) = without.take(&message, None, &terms, to, now);
                            let patched = |bytes: &[u8], at: Option<u32>| {
                                let mut bytes = bytes.to_vec();
                                if let Some(at) = at {
                                    hexmq_wire::patch_packet_identifier(&mut bytes, at as usize, one);
                                }
                                bytes
                            };
                            assert_eq!(at, encoded_at);
                            assert_eq!(patched(sent, at), patched(encoded, encoded_at));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_concerns_only_the_server_does_not_go_on() {
        let one = NonZeroU16::MIN;
        let original = |bytes: &[u8], version| {
            let publish = hexmq_wire::decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace);
            let Ok(hexmq_wire::ControlPacket::Publish(publish)) = publish else { panic!("{publish:?}") };
            publish.properties.are_forwarded() && Original::of(Frame::new(bytes), &publish, version).is_some()
        };
        let again = packet(Version::V4, Delivery::AtLeastOnce(one), true, false, &PropertiesBuf::new());
        assert!(!original(&again, Version::V4), "DUP");
        // Remaining Length 5 in two bytes: 3.1.1 does not forbid it.
        assert!(
            !original(&[0x30, 0x85, 0x00, 0, 1, b'a', b'x', b'y'], Version::V4),
            "a length that is too long"
        );
        assert!(original(&[0x30, 0x05, 0, 1, b'a', b'x', b'y'], Version::V4));
        // Topic Alias 1.
        assert!(!original(&[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 1], Version::V5), "a Topic Alias");
        // Message Expiry Interval 9.
        assert!(!original(&[0x30, 9, 0, 1, b'a', 5, 0x02, 0, 0, 0, 9], Version::V5), "a property of one hop");
        // Payload Format Indicator.
        assert!(original(&[0x30, 6, 0, 1, b'a', 2, 0x01, 1], Version::V5), "a property that travels on");
        assert!(original(&[0x30, 5, 0, 1, b'a', 0, b'x'], Version::V5));
    }
}
