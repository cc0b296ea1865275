//! A bounded row of items: what does not fit any more pushes out the oldest.

use std::collections::VecDeque;

/// Items in the order they came, each with a number that counts up from 0 and is never used again.
/// Bounded in items and in bytes; the oldest go first.
#[derive(Debug)]
pub struct Ring<T> {
    items: VecDeque<(usize, T)>,
    /// The number of the oldest item that is there.
    first: u64,
    bytes: usize,
    items_max: usize,
    bytes_max: usize,
}

impl<T> Ring<T> {
    /// An empty ring for at most so many items of together at most so many bytes.
    pub fn new(items_max: usize, bytes_max: usize) -> Ring<T> {
        Ring { items: VecDeque::new(), first: 0, bytes: 0, items_max, bytes_max }
    }

    /// Puts in an item of so many bytes, and returns how many had to go for it. One that is larger
    /// than the ring goes itself.
    pub fn push(&mut self, item: T, size: usize) -> u64 {
        self.items.push_back((size, item));
        self.bytes += size;
        let mut gone = 0;
        while self.items.len() > self.items_max || self.bytes > self.bytes_max {
            if self.pop().is_none() {
                break;
            }
            gone += 1;
        }
        gone
    }

    /// Takes out the oldest item, with its size.
    pub fn pop(&mut self) -> Option<(usize, T)> {
        let (size, item) = self.items.pop_front()?;
        self.bytes -= size;
        self.first += 1;
        Some((size, item))
    }

    /// Items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of all items.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number the next item will have.
    pub fn next(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// The oldest item.
    pub fn oldest(&self) -> Option<&T> {
        self.items.front().map(|(_, item)| item)
    }

    /// The items from this number on, oldest first, and how many of them are gone already.
    pub fn from(&self, number: u64) -> (u64, impl Iterator<Item = (u64, &T)>) {
        let missed = self.first.saturating_sub(number);
        let skip = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let items = self.items.iter().enumerate().skip(skip);
        (missed, items.map(|(n, (_, item))| (self.first + n as u64, item)))
    }

    /// The items before this number, newest first.
    pub fn before(&self, number: u64) -> impl Iterator<Item = (u64, &T)> {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let items = self.items.iter().enumerate().take(count).rev();
        items.map(|(n, (_, item))| (self.first + n as u64, item))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keeps everything and looks through all of it each time.
    struct Naive {
        all: Vec<(u64, usize)>,
        items_max: usize,
        bytes_max: usize,
        popped: usize,
    }

    impl Naive {
        /// The numbers and sizes that are still there: the longest tail within the bounds, without
        /// what was taken out. What a bound has pushed out once does not come back.
        fn kept(&mut self) -> &[(u64, usize)] {
            loop {
                let kept = self.all.get(self.popped..).unwrap_or_default();
                let bytes: usize = kept.iter().map(|(_, size)| size).sum();
                if kept.len() <= self.items_max && bytes <= self.bytes_max {
                    return self.all.get(self.popped..).unwrap_or_default();
                }
                self.popped += 1;
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Pop,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![5 => (0_usize..40).prop_map(Step::Push), 1 => Just(Step::Pop)]
    }

    proptest! {
        #[test]
        fn it_keeps_what_a_naive_one_keeps(
            items_max in 0_usize..8,
            bytes_max in 0_usize..100,
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let mut ring = Ring::new(items_max, bytes_max);
            let mut naive = Naive { all: Vec::new(), items_max, bytes_max, popped: 0 };
            let mut gone = 0;
            for step in steps {
                match step {
                    Step::Push(size) => {
                        let number = naive.all.len() as u64;
                        prop_assert_eq!(ring.next(), number);
                        naive.all.push((number, size));
                        gone += ring.push(number, size);
                    }
                    Step::Pop => {
                        let oldest = naive.kept().first().copied();
                        prop_assert_eq!(ring.pop(), oldest.map(|(number, size)| (size, number)));
                        if oldest.is_some() {
                            naive.popped += 1;
                            gone += 1;
                        }
                    }
                }
                let kept = naive.kept().to_vec();
                prop_assert_eq!(ring.len(), kept.len());
                prop_assert_eq!(ring.is_empty(), kept.is_empty());
                prop_assert_eq!(ring.bytes(), kept.iter().map(|(_, size)| size).sum::<usize>());
                prop_assert_eq!(ring.oldest(), kept.first().map(|(number, _)| number));
                prop_assert_eq!(gone + kept.len() as u64, naive.all.len() as u64);
                for number in 0..=naive.all.len() as u64 {
                    let (missed, items) = ring.from(number);
                    let items: Vec<u64> = items.map(|(at, item)| { assert_eq!(at, *item); at }).collect();
                    let expected: Vec<u64> =
                        kept.iter().map(|(at, _)| *at).filter(|at| *at >= number).collect();
                    prop_assert_eq!(items, expected);
                    prop_assert_eq!(missed, gone.saturating_sub(number));
                    let before: Vec<u64> = ring.before(number).map(|(at, _)| at).collect();
                    let expected: Vec<u64> =
                        kept.iter().map(|(at, _)| *at).rev().filter(|at| *at < number).collect();
                    prop_assert_eq!(before, expected);
                }
            }
        }
    }
}
