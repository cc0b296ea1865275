//! The connections of a shard by their slot. The table grows by pieces of fixed size: nothing is
//! copied, and no more is held than is needed but for one piece.

use hexmq_broker::ConnId;

use crate::link::Link;

const PIECE_BITS: u32 = 6;
const PIECE: usize = 1 << PIECE_BITS;

#[derive(Default)]
pub(crate) struct Table {
    pieces: Vec<Box<[Option<Link>]>>,
}

impl Table {
    /// What is in a slot, whoever it is.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&Link> {
        let piece = self.pieces.get((slot >> PIECE_BITS) as usize)?;
        piece.get(slot as usize & (PIECE - 1))?.as_ref()
    }

    #[inline]
    pub(crate) fn get(&self, conn: ConnId) -> Option<&Link> {
        self.at(conn.slot).filter(|link| link.conn == conn)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.place(conn.slot)?.as_mut().filter(|link| link.conn == conn)
    }

    /// Puts a connection into its place.
    pub(crate) fn insert(&mut self, link: Link) {
        let slot = link.conn.slot;
        while self.pieces.len() <= (slot >> PIECE_BITS) as usize {
            self.pieces.push(std::iter::repeat_with(|| None).take(PIECE).collect());
        }
        if let Some(place) = self.place(slot) {
            *place = Some(link);
        }
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Link> {
        self.place(conn.slot)?.take_if(|link| link.conn == conn)
    }

    /// All of them, in the order of their slots.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.pieces.iter_mut().flat_map(|piece| piece.iter_mut()).flatten()
    }

    #[inline]
    fn place(&mut self, slot: u32) -> Option<&mut Option<Link>> {
        let piece = self.pieces.get_mut((slot >> PIECE_BITS) as usize)?;
        piece.get_mut(slot as usize & (PIECE - 1))
    }
}
