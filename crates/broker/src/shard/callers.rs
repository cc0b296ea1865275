//! Who is at the other end of the connections, for those that look from outside.

use hexmq_wire::Version;

use super::Shard;
use crate::connection::Stage;
use crate::{ConnId, Peer};

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Where from.
    pub peer: &'a Peer,
    /// Client Identifier, once a CONNECT was read; assigned ones included.
    pub client_identifier: Option<&'a str>,
    /// Protocol version, once there is a session.
    pub version: Option<Version>,
}

impl Shard {
    /// Who is at the other end; `None` for a connection that is gone.
    pub fn caller(&self, conn: ConnId) -> Option<Caller<'_>> {
        let connection = self.residents.connections.get(conn.slot, conn.generation)?;
        let (client_identifier, version) = match &connection.stage {
            Stage::AwaitingConnect => (None, None),
            Stage::Authenticating(waiting) => (Some(&*waiting.key.identifier), None),
            Stage::Connected(connected) => (self.client_identifier(conn), Some(connected.version)),
        };
        Some(Caller { peer: &connection.peer, client_identifier, version })
    }

    /// More is known of the other end of a connection now: its handshake is over. What was asked or
    /// told about it before stays as it was, so this comes before its first packet.
    pub fn peer_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        let connection = self.residents.connections.get_mut(conn.slot, conn.generation)?;
        Some(&mut connection.peer)
    }

    /// All connections of this shard.
    pub fn callers(&self) -> impl Iterator<Item = (ConnId, Caller<'_>)> {
        let connections = &self.residents.connections;
        connections.slots().into_iter().filter_map(|slot| {
            let conn = ConnId { slot, generation: connections.generation(slot) };
            Some((conn, self.caller(conn)?))
        })
    }
}
