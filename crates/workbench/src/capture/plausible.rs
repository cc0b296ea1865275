//! How much bytes look like MQTT packets. Used where nothing else tells: at a connection that begins
//! in the middle, and behind a gap.

use hexmq_wire::{Frame, FrameStatus, PacketType, Version, scan_frame};

use crate::Side;
use crate::stream::{part, weight};
use crate::tree::{judge, version_of};

/// As much as the packets of one chain are looked at.
const LOOK_MAX: usize = 64 * 1024;

/// Packets that follow each other without a gap, all of them right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// How unlikely it is that other bytes look like this.
    pub(crate) strength: u32,
    /// They end exactly where the bytes end.
    pub(crate) at_end: bool,
    /// The last one is not whole: so many bytes would be needed from the start of the chain.
    pub(crate) needs: Option<usize>,
    /// Who sends such packets, where that is certain.
    pub(crate) from: Option<Side>,
}

/// The chain at the start of `bytes`, until its strength is `enough`. Without a version, the one
/// that makes more of it.
pub(crate) fn chain(bytes: &[u8], version: Option<Version>, enough: u32) -> Chain {
    match version {
        Some(version) => chain_of(bytes, version, enough),
        None => {
            let older = chain_of(bytes, Version::V4, enough);
            let newer = chain_of(bytes, Version::V5, enough);
            if newer.strength > older.strength || newer.at_end && !older.at_end { newer } else { older }
        }
    }
}

fn chain_of(bytes: &[u8], version: Version, enough: u32) -> Chain {
    let mut chain = Chain::default();
    let mut at = 0;
    while chain.strength < enough && at < LOOK_MAX {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            chain.at_end = true;
            return chain;
        }
        match begins(rest, version).then(|| scan_frame(rest, u32::MAX)) {
            Some(Ok(FrameStatus::Whole { length })) => {
                let frame = Frame::new(part(rest, 0, length));
                if !judge(frame.bytes, version_of(frame, version)).is_clean() {
                    return chain;
                }
                if let Some(packet_type) = frame.packet_type() {
                    chain.strength += weight(packet_type, frame.bytes);
                    chain.from = chain.from.or(only_side(packet_type));
                }
                at += length;
            }
            Some(Ok(FrameStatus::Needs { at_least })) => {
                chain.needs = Some(bytes.len() + at_least);
                return chain;
            }
            _ => return chain,
        }
    }
    chain.at_end = at == bytes.len();
    chain
}

/// Whether a packet can begin with this byte: most cannot, and this costs less than decoding.
fn begins(bytes: &[u8], version: Version) -> bool {
    let Some(&first) = bytes.first() else { return false };
    let Some(packet_type) = PacketType::from_u8(first >> 4) else { return false };
    packet_type.exists_in(version)
        && packet_type.reserved_flags().map_or(first & 0b0110 != 0b0110, |flags| first & 0x0F == flags)
}

/// Who sends packets of this type, if only one side does.
pub(crate) const fn only_side(packet_type: PacketType) -> Option<Side> {
    match packet_type {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq => {
            Some(Side::Client)
        }
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => {
            Some(Side::Server)
        }
        _ => None,
    }
}
