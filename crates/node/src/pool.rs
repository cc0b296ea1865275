//! Output buffers that are used again.

use crate::link::Outbox;

/// Outboxes of connections that have nothing to say.
#[derive(Default)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "the box is what goes back and forth")]
    outboxes: Vec<Box<Outbox>>,
    bytes: usize,
}

/// Bytes of capacity the pool keeps.
const POOL_BYTES_MAX: usize = 8 << 20;
/// Outboxes the pool keeps.
const POOL_MAX: usize = 4096;
/// A buffer that has grown larger is freed.
const POOLED_BYTES_MAX: usize = 64 << 10;

impl Pool {
    #[inline]
    pub(crate) fn take(&mut self) -> Box<Outbox> {
        let outbox = self.outboxes.pop().unwrap_or_default();
        self.bytes -= outbox.bytes.capacity();
        outbox
    }

    /// Takes an empty outbox.
    #[inline]
    pub(crate) fn put(&mut self, outbox: Box<Outbox>) {
        let capacity = outbox.bytes.capacity();
        if capacity > POOLED_BYTES_MAX
            || self.bytes + capacity > POOL_BYTES_MAX
            || self.outboxes.len() >= POOL_MAX
        {
            return;
        }
        self.bytes += capacity;
        self.outboxes.push(outbox);
    }
}
