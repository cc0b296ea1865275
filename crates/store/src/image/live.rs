//! How much of the log still counts, and of which segment nothing does.

use std::collections::VecDeque;

use super::Span;

/// Records that count, per stretch of the log.
#[derive(Debug, Default)]
pub(crate) struct Live {
    stretches: VecDeque<Stretch>,
    bytes: u64,
    /// Behind the block that is being applied.
    now: u64,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: u64,
    records: i64,
    /// Behind the block that changed `records` last.
    changed: u64,
}

impl Live {
    /// From here on a new stretch begins.
    pub(crate) fn begin(&mut self, start: u64) {
        if self.stretches.back().is_none_or(|last| last.start < start) {
            self.stretches.push_back(Stretch { start, records: 0, changed: start });
        }
    }

    /// Stretches that end here or before are not asked for any more.
    pub(crate) fn drop_before(&mut self, start: u64) {
        while self.stretches.get(1).is_some_and(|second| second.start <= start) {
            self.stretches.pop_front();
        }
    }

    /// What follows happens by a block that ends here.
    pub(crate) fn at(&mut self, now: u64) {
        self.now = now;
    }

    /// If no record counts that is between these positions: the position behind the block that says so. If a stretch lies
    /// only partly in it, all of the stretch is asked.
    pub(crate) fn dead_since(&self, start: u64, end: u64) -> Option<u64> {
        let first = self.stretches.partition_point(|stretch| stretch.start <= start).saturating_sub(1);
        let mut since = start;
        for stretch in self.stretches.range(first..).take_while(|stretch| stretch.start < end) {
            if stretch.records != 0 {
                return None;
            }
            since = since.max(stretch.changed);
        }
        Some(since)
    }

    /// Bytes of all records that count, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[inline]
    fn stretch(&mut self, position: u64) -> Option<&mut Stretch> {
        if self.stretches.back().is_some_and(|last| last.start <= position) {
            return self.stretches.back_mut();
        }
        let at = self.stretches.partition_point(|stretch| stretch.start <= position);
        self.stretches.get_mut(at.checked_sub(1)?)
    }

    #[inline]
    pub(crate) fn add(&mut self, position: u64, bytes: u64) {
        self.bytes += bytes;
        let now = self.now;
        if let Some(stretch) = self.stretch(position) {
            stretch.records += 1;
            stretch.changed = now;
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, position: u64, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let now = self.now;
        if let Some(stretch) = self.stretch(position) {
            stretch.records -= 1;
            stretch.changed = now;
        }
    }

    pub(crate) fn add_span(&mut self, span: Span) {
        self.add(span.position, u64::from(span.bytes));
    }

    pub(crate) fn remove_span(&mut self, span: Span) {
        self.remove(span.position, u64::from(span.bytes));
    }
}
