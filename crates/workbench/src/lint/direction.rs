//! Who may say what: content that only one side sends.

use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, PropertyId, ReasonCode, Version, decode};

use super::{LintRule, Remark, Said};
use crate::explanation::{Field, Side};
use crate::repair::find;
use crate::tree::Reading;

/// The side that alone sends what is in this packet, beyond what its type says; with the field that
/// tells and the statement. 5.0 only: in 3.x the type says everything.
fn only_side(packet: &ControlPacket<'_>) -> Option<(Side, &'static str, Option<&'static str>)> {
    match packet {
        ControlPacket::Publish(publish) => publish
            .properties
            .iter()
            .any(|property| property.id() == PropertyId::SubscriptionIdentifier)
            .then_some((Side::Server, "subscription_identifier", Some("MQTT-3.3.4-6"))),
        ControlPacket::Disconnect(disconnect) => {
            let has = |id| disconnect.properties.iter().any(|property| property.id() == id);
            if let Some(side) = side_of_disconnect(disconnect.reason_code) {
                Some((side, "reason_code", None))
            } else if has(PropertyId::SessionExpiryInterval) {
                Some((Side::Client, "session_expiry_interval", Some("MQTT-3.14.2-2")))
            } else if has(PropertyId::ServerReference) {
                Some((Side::Server, "server_reference", None))
            } else {
                None
            }
        }
        ControlPacket::Auth(auth) => match auth.reason_code {
            ReasonCode::Success => Some((Side::Server, "reason_code", Some("MQTT-3.15.2-1"))),
            ReasonCode::ReAuthenticate => Some((Side::Client, "reason_code", Some("MQTT-3.15.2-1"))),
            _ => None,
        },
        _ => None,
    }
}

/// The side the table of DISCONNECT reason codes names (5.0 section 3.14.2.1).
fn side_of_disconnect(code: ReasonCode) -> Option<Side> {
    match code.as_u8() {
        0x04 => Some(Side::Client),
        0x87 | 0x89 | 0x8B | 0x8D..=0x8F | 0x9A..=0xA2 => Some(Side::Server),
        _ => None,
    }
}

/// The side that alone sends such a packet, as its content tells beyond its type.
pub(crate) fn side_of(frame: &[u8], version: Version) -> Option<Side> {
    if version < Version::V5 {
        return None;
    }
    let packet = decode(Frame::new(frame), version, &Leniency::default(), &mut NoTrace).ok()?;
    only_side(&packet).map(|(side, ..)| side)
}

/// What `from` has no right to say.
pub(super) fn remarks(
    frame: &[u8],
    reading: &Reading,
    packet: &ControlPacket<'_>,
    from: Option<Side>,
) -> Option<Remark> {
    let (side, field, statement) = only_side(packet).filter(|_| reading.version == Version::V5)?;
    if from.is_none_or(|from| from == side) {
        return None;
    }
    // An AUTH or DISCONNECT may be so short that the code is not there.
    let whole = (0, frame.len().min(1));
    let span = find(&reading.fields, field).map_or(whole, |field: &Field| (field.offset, field.length));
    let rule = LintRule::WrongSideContent;
    Some(Remark { rule, statement, field, offset: span.0, length: span.1, repair: None, said: Said::Nothing })
}
