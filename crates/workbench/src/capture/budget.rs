//! What may be kept in memory, over all connections together.

/// Bytes that are kept and how many may be.
#[derive(Debug)]
pub(crate) struct Budget {
    kept: usize,
    most: usize,
}

impl Budget {
    pub(crate) const fn new(most: usize) -> Budget {
        Budget { kept: 0, most }
    }

    /// Takes room for `bytes`, if there is enough left.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.kept.saturating_add(bytes) <= self.most;
        if fits {
            self.kept += bytes;
        }
        fits
    }

    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
    }

    /// Bytes that are kept.
    pub(crate) const fn kept(&self) -> usize {
        self.kept
    }

    /// Whether hardly anything is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.kept >= self.most - self.most / 16
    }
}
