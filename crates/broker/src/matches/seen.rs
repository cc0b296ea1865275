//! Which topics were seen before, as far as a few bits can tell.

/// Topics whose first sight is remembered.
const PLACES: usize = 1 << 16;

/// A mark for each of the topics seen last. Another topic with the same place and the same mark passes for one that was
/// seen; one in 65,536 does.
#[derive(Debug)]
pub(super) struct Seen {
    marks: Box<[u16]>,
}

impl Seen {
    pub(super) fn new() -> Seen {
        Seen { marks: vec![0; PLACES].into_boxed_slice() }
    }

    /// Whether the topic with this hash is seen for the first time, which from now on it is not.
    pub(super) fn is_first(&mut self, hash: u64) -> bool {
        // The high bits tell topics apart that share a place.
        let mark = (hash >> 48) as u16;
        match self.marks.get_mut(hash as usize % PLACES) {
            Some(seen) => std::mem::replace(seen, mark) != mark,
            None => false,
        }
    }

    /// Reads what will be read of the topic with this hash.
    #[inline]
    pub(super) fn peek(&self, hash: u64) -> u16 {
        self.marks.get(hash as usize % PLACES).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_new_once_until_another_one_takes_its_place() {
        let (one, other) = (7 | 1 << 48, 7 | 2 << 48);
        let mut seen = Seen::new();
        assert_eq!(
            [one, one, other, other, one].map(|hash| seen.is_first(hash)),
            [true, false, true, false, true]
        );
        assert_eq!(seen.peek(one), 1);
    }
}
