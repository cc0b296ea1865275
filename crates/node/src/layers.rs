//! TLS and WebSocket under a connection, as the loop sees them: who the other end is turns out before the first
//! packet, a handshake may fail, and a layer may have something to say by itself.

use std::io;

use hexmq_broker::{CloseReason, ConnId, Lost, Peer};
use hexmq_transport::{Introduction, LayerError};

use crate::links::Links;
use crate::shard_loop::ShardLoop;
use crate::tap::Notice;

impl ShardLoop {
    /// Bytes have come on a connection that has not sent its first packet yet: its handshakes are over.
    pub(crate) fn introduce(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(conn) else { return };
        let Some(introduction) = link.stream.introduction() else { return };
        if let Some(peer) = self.shard.peer_mut(conn) {
            learn(peer, &introduction);
        }
    }

    /// Reading from a connection has failed.
    #[cold]
    pub(crate) fn failed(&mut self, conn: ConnId, error: &io::Error) {
        let Some(error) = LayerError::of(error) else { return self.lose(conn, Lost::Reset) };
        if let Some(caller) = self.shard.caller(conn) {
            self.links.notice(&Notice::LayerFailed { peer: &caller.peer.address, error });
        }
        if let Some(link) = self.links.get_mut(conn) {
            // The layer has told the client why, which a reset would take from it.
            link.flags.goodbye = true;
        }
        self.links.witness.show_layer(error.clone());
        self.lose(conn, if error.rule.is_tls() { Lost::Tls } else { Lost::WebSocket });
    }
}

impl Links {
    /// A layer of a connection may have something to say by itself: it is written at the end of the turn.
    #[inline]
    pub(crate) fn let_speak(&mut self, conn: ConnId) {
        if let Some(link) = self.get_mut(conn)
            && link.stream.wants_write()
            && !link.flags.dirty
        {
            link.flags.dirty = true;
            self.dirty.push(conn);
        }
    }
}

/// Whether a connection was closed by a layer under it.
pub(crate) fn is_by_layer(reason: CloseReason) -> bool {
    matches!(reason, CloseReason::TlsFailed | CloseReason::WebSocketFailed)
}

fn learn(peer: &mut Peer, introduction: &Introduction) {
    peer.secure = introduction.secure;
    // The browser is on this machine, but who wrote the page is not.
    peer.loopback &= !introduction.foreign_page;
}
