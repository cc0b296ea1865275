//! The memory of the tree: cells of 32 bytes, none of which lies in two cache lines. A node is one, and so is what
//! hangs on it; what is made for one filter is made together and mostly lies together, so that a walk that comes to
//! the one does not wait for the other. Links say what a cell is.

/// A node or a record, as numbers.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Cell(pub(super) [u32; 8]);

impl Cell {
    /// One that is not used.
    pub(super) const NOTHING: Cell = Cell([0; 8]);
}
