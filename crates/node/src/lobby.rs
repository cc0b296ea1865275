//! Where a connection belongs: read from its first packet, before any session is touched.

use hexmq_broker::{ShardId, claim, home};
use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, PacketType, Version, decode};

/// The shard where the session asked for lives. `None`: any will do, since the packet is no
/// CONNECT, cannot be read, or leaves the Client Identifier to the server.
pub(crate) fn home_of(frame: Frame<'_>, shards: u16, seed: u64) -> Option<ShardId> {
    if frame.packet_type() != Some(PacketType::Connect) {
        return None;
    }
    // CONNECT names its own version.
    match decode(frame, Version::V4, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Connect(connect)) => Some(home(&claim(&connect)?, shards, seed)),
        _ => None,
    }
}
