//! Where a connection belongs: read from its first packet, before any session is touched.

use hexmq_broker::{SessionKey, ShardId, claim, home};
use hexmq_wire::{Connect, ControlPacket, Frame, Leniency, NoTrace, PacketType, Version, decode};

use crate::authority::Authority;

/// The shard where the session asked for lives. `None`: any will do, since the packet is no
/// CONNECT, cannot be read, or leaves the Client Identifier to the server.
pub(crate) fn home_of(
    frame: Frame<'_>,
    shards: u16,
    seed: u64,
    authority: &dyn Authority,
) -> Option<ShardId> {
    if frame.packet_type() != Some(PacketType::Connect) {
        return None;
    }
    // CONNECT names its own version.
    match decode(frame, Version::V4, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Connect(connect)) => Some(home(&key_of(&connect, authority)?, shards, seed)),
        _ => None,
    }
}

/// The session a CONNECT asks for.
pub(crate) fn key_of(connect: &Connect<'_>, authority: &dyn Authority) -> Option<SessionKey> {
    authority.claim(connect).or_else(|| claim(connect))
}
