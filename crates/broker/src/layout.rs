//! The encoded forms of a message on its way out: what receivers share, and what is each one's own.

use hexmq_session::{AliasUse, Now};
use hexmq_wire::{Properties, PublishParts, QoS, Version, encode_publish};

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

impl Terms<'_> {
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
pub(crate) struct Layout {
    start: u32,
    end: u32,
    /// Where the Packet Identifier goes, counted from `start`.
    pub(crate) identifier_at: Option<u32>,
}

impl Layouts {
    /// Forgets the forms of the message before.
    pub(crate) fn clear(&mut self) {
        self.made = 0;
        self.bytes.clear();
    }

    /// The bytes of a form.
    pub(crate) fn bytes(&self, layout: Layout) -> &[u8] {
        self.bytes.get(layout.start as usize..layout.end as usize).unwrap_or_default()
    }

    /// The form for these terms, encoded if no receiver had it before.
    pub(crate) fn make(
        &mut self,
        message: &Message<'_>,
        terms: &Terms<'_>,
        version: Version,
        now: Now,
    ) -> Layout {
        let key =
            usize::from(version == Version::V5) << 3 | (terms.qos as usize) << 1 | usize::from(terms.retain);
        let Some(place) = self.places.get_mut(key) else { return Layout::default() };
        if self.made & (1 << key) != 0 {
            return *place;
        }
        let start = self.bytes.len();
        let parts = parts(message, terms, false, now);
        let identifier_at = encode_publish(&parts, version, &mut self.bytes).ok().flatten();
        *place = Layout {
            start: start as u32,
            end: self.bytes.len() as u32,
            identifier_at: identifier_at.map(|at| (at - start) as u32),
        };
        self.made |= 1 << key;
        *place
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
