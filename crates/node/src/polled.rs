//! The descriptors of a shard in the poll of the hand that drives it.

use std::io;

use hexmq_broker::{ConnId, ShardId};
use mio::{Interest, Registry, Token};

use crate::links::Links;

/// One registration for both: no `epoll_ctl` follows.
const BOTH_WAYS: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The token a connection is registered with: its shard, its slot, and as much of its generation as tells it
/// from the connections that had the slot while an event was on its way.
fn token(shard: ShardId, conn: ConnId) -> Token {
    let generation = usize::from(conn.generation as u16);
    Token((conn.slot as usize) | generation << 32 | usize::from(shard.0) << 48)
}

/// The shard of a token.
pub(crate) fn shard_of(token: Token) -> ShardId {
    ShardId((token.0 >> 48) as u16)
}

impl Links {
    /// The connection of a token, if it is still here.
    #[inline]
    pub(crate) fn conn_of(&self, token: Token) -> Option<ConnId> {
        let link = self.at(token.0 as u32)?;
        (link.conn.generation as u16 == (token.0 >> 32) as u16).then_some(link.conn)
    }

    /// Registers a connection, once for its whole life with this hand. The kernel then tells at once what has
    /// come since it was read.
    pub(crate) fn register_one(&mut self, conn: ConnId) -> io::Result<()> {
        let me = self.me;
        let (link, registry) = self.one_mut(conn);
        let Some(link) = link else { return Ok(()) };
        link.flags.registered = true;
        registry.register(&mut link.stream, token(me, conn), BOTH_WAYS)
    }

    /// Takes all descriptors out of the poll they are in.
    pub(crate) fn deregister_all(&mut self) {
        let (links, registry) = self.all_mut();
        for link in links.filter(|link| link.flags.registered) {
            // If this fails the descriptor is unknown to the poll, which is what is wanted.
            let _ = registry.deregister(&mut link.stream);
        }
    }

    /// Puts all descriptors into another poll, which tells at once of those that are ready. One that cannot be
    /// registered is given up as broken.
    pub(crate) fn register_all(&mut self, registry: Registry) {
        self.outside.registry = registry;
        let me = self.me;
        let (links, registry) = self.all_mut();
        let mut broken = Vec::new();
        for link in links.filter(|link| link.flags.registered) {
            if registry.register(&mut link.stream, token(me, link.conn), BOTH_WAYS).is_err() {
                link.flags.broken = true;
                broken.push(link.conn);
            }
        }
        self.broken.append(&mut broken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is() {
        let conn = ConnId { slot: u32::MAX, generation: 0xABCD_1234 };
        let token = token(ShardId(513), conn);
        assert_eq!(shard_of(token), ShardId(513));
        assert_eq!((token.0 & 0xFFFF_FFFF, token.0 >> 32 & 0xFFFF), (0xFFFF_FFFF, 0x1234));
    }
}
