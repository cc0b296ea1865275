//! Packets of both sides in one piece of bytes: what their order shows.

use super::LintRule;
use super::dialogue::{Dialogue, DialogueFinding};
use crate::explanation::{Packet, Side};
use crate::stream::part;

/// What the packets show about each other, with the index of the packet at fault. Somebody pasted
/// them: packets may be left out, so only what an answer says about its own request counts.
pub(crate) fn remarks_on_dialogue(bytes: &[u8], packets: &[Packet]) -> Vec<(usize, DialogueFinding)> {
    let said_by = |side: Side| packets.iter().any(|packet| packet.from == Some(side));
    let Some(first) = packets.first() else { return Vec::new() };
    if !said_by(Side::Client) || !said_by(Side::Server) {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    let mut dialogue = Dialogue::joined(first.version);
    for (index, packet) in packets.iter().enumerate() {
        let Some(side) = packet.from else { continue };
        if packet.packet_type == Some(hexmq_wire::PacketType::Connect) {
            // Another connection, as far as anybody knows.
            dialogue = Dialogue::joined(packet.version);
        }
        let found = dialogue.packet(side, None, part(bytes, packet.offset, packet.length));
        remarks.extend(
            found
                .into_iter()
                .filter(|finding| counts_in_pieces(finding.rule))
                .map(|finding| (index, finding)),
        );
    }
    remarks
}

/// Whether the rule speaks only of packets that are there, whatever else was said between them.
fn counts_in_pieces(rule: LintRule) -> bool {
    matches!(
        rule,
        LintRule::SessionPresentAfterCleanSession
            | LintRule::GrantedQosAboveRequested
            | LintRule::SubackCount
            | LintRule::UnsubackCount
            | LintRule::TopicAliasAboveMaximum
            | LintRule::MaximumPacketSizeExceeded
            | LintRule::MaximumQosExceeded
            | LintRule::RetainUnavailable
            | LintRule::SubscriptionUnavailable
            | LintRule::AuthUnasked
            | LintRule::ReasonStringUnasked
            | LintRule::ResponseInformationUnasked
    )
}
