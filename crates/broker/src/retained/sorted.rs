//! Records in the order of their keys, in blocks that lie side by side.
//!
//! Two searches by halves find a record, one for its block and one within it: about half as many comparisons as in
//! a tree of small nodes, and the first of them always meet the same few records. Where topics come in their order,
//! as when a fleet is set up or a store is read back, all blocks are full.

use super::record::Record;

/// Records of a block at most.
const BLOCK: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// None is empty.
    blocks: Vec<Vec<Record>>,
    len: usize,
}

/// Where a record is, or belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    block: usize,
    at: usize,
    /// It is there.
    pub(super) is_taken: bool,
}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The place of a key.
    pub(super) fn find(&self, key: &[u8]) -> Place {
        let begins_before = |block: &Vec<Record>| block.first().is_some_and(|first| first.key() <= key);
        let block = self.blocks.partition_point(begins_before).saturating_sub(1);
        let records = self.blocks.get(block).map_or(&[][..], Vec::as_slice);
        match records.binary_search_by(|record| record.key().cmp(key)) {
            Ok(at) => Place { block, at, is_taken: true },
            Err(at) => Place { block, at, is_taken: false },
        }
    }

    pub(super) fn at(&self, place: Place) -> Option<&Record> {
        self.blocks.get(place.block)?.get(place.at).filter(|_| place.is_taken)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Record> {
        self.at(self.find(key))
    }

    /// Puts a record into the place of its key, which was found just now; gives the one that was there.
    pub(super) fn put(&mut self, place: Place, record: Record) -> Option<Record> {
        if place.is_taken {
            let there = self.blocks.get_mut(place.block)?.get_mut(place.at)?;
            return Some(std::mem::replace(there, record));
        }
        let Place { block, at, .. } = self.make_room(place);
        if let Some(records) = self.blocks.get_mut(block) {
            records.insert(at, record);
            self.len += 1;
        }
        None
    }

    /// Where a record can be put that belongs to this place.
    fn make_room(&mut self, place: Place) -> Place {
        let Place { block, at, is_taken } = place;
        let Some(records) = self.blocks.get_mut(block) else {
            self.blocks.push(Vec::new());
            return place;
        };
        if records.len() < BLOCK {
            return place;
        }
        let next = Place { block: block + 1, at: 0, is_taken };
        if at == BLOCK {
            match self.blocks.get(next.block) {
                Some(after) if after.len() < BLOCK => return next,
                Some(_) => {}
                None => {
                    self.blocks.push(Vec::new());
                    return next;
                }
            }
        }
        let Some(records) = self.blocks.get_mut(block) else { return place };
        let half = records.split_off(BLOCK / 2);
        self.blocks.insert(next.block, half);
        if at <= BLOCK / 2 { place } else { Place { at: at - BLOCK / 2, ..next } }
    }

    pub(super) fn take(&mut self, key: &[u8]) -> Option<Record> {
        let Place { block, at, is_taken } = self.find(key);
        let records = self.blocks.get_mut(block).filter(|_| is_taken)?;
        let taken = records.remove(at);
        self.len -= 1;
        let left = records.len();
        records.shrink_to(2 * left);
        let after = self.blocks.get(block + 1).map_or(0, Vec::len);
        if left == 0 {
            self.blocks.remove(block);
        } else if after > 0 && left + after <= BLOCK / 2 {
            let after = self.blocks.remove(block + 1);
            self.blocks.get_mut(block)?.extend(after);
        }
        self.blocks.shrink_to(2 * self.blocks.len());
        Some(taken)
    }

    /// All records from the first that is not before this key.
    pub(super) fn from(&self, key: &[u8]) -> impl Iterator<Item = &Record> + use<'_> {
        let Place { block, at, .. } = self.find(key);
        let blocks = self.blocks.get(block..).unwrap_or_default();
        let (first, rest) = blocks.split_first().map_or((&[][..], &[][..]), |(first, rest)| (&**first, rest));
        first.get(at..).unwrap_or_default().iter().chain(rest.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hexmq_wire::QoS;
    use proptest::prelude::*;

    use super::*;
    use crate::Namespace;
    use crate::retained::{RetainedMessage, key};

    fn key_of(number: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        key::write(Namespace::PLAIN, &format!("t/{number:05}"), &mut bytes);
        bytes
    }

    fn record(number: u16, payload: u8) -> Record {
        let topic = &format!("t/{number:05}");
        Record::new(
            Namespace::PLAIN,
            &RetainedMessage {
                topic,
                qos: QoS::AtMostOnce,
                properties: &[],
                payload: &[payload],
                expires: None,
                publisher: 0,
                serial: None,
            },
        )
    }

    fn payload(record: &Record) -> u8 {
        record.message(&mut Vec::new()).payload[0]
    }

    /// A run of neighbours, upwards or downwards, that come or go.
    fn runs() -> impl Strategy<Value = Vec<(u16, i8, bool, u8)>> {
        let step = prop::sample::select(&[-3_i8, -1, 1, 1, 1, 7, 41][..]);
        prop::collection::vec((0..3000_u16, step, prop::bool::weighted(0.6), any::<u8>()), 1..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn agrees_with_a_map(runs in runs(), lengths in prop::collection::vec(0..400_u16, 20)) {
            let (mut sorted, mut model) = (Sorted::default(), BTreeMap::new());
            for ((start, step, comes, value), length) in runs.into_iter().zip(lengths) {
                for number in 0..length as i32 {
                    let number = (i32::from(start) + number * i32::from(step)).rem_euclid(3000) as u16;
                    let key = key_of(number);
                    let before = if comes {
                        let place = sorted.find(&key);
                        let before = sorted.put(place, record(number, value));
                        prop_assert_eq!(place.is_taken, before.is_some());
                        prop_assert_eq!(before.as_ref().map(payload), model.insert(number, value));
                        before
                    } else {
                        let before = sorted.take(&key);
                        prop_assert_eq!(before.as_ref().map(payload), model.remove(&number));
                        before
                    };
                    prop_assert!(before.is_none_or(|before| before.key() == key));
                    prop_assert_eq!(sorted.get(&key).map(payload), model.get(&number).copied());
                    prop_assert_eq!(sorted.len(), model.len());
                }
                let all: Vec<_> = sorted.from(&[]).map(|record| (record.key().to_vec(), payload(record))).collect();
                let expected: Vec<_> = model.iter().map(|(&number, &value)| (key_of(number), value)).collect();
                prop_assert_eq!(all, expected);
                let from: Vec<_> = sorted.from(&key_of(start)).map(payload).collect();
                let expected: Vec<_> = model.range(start..).map(|(_, &value)| value).collect();
                prop_assert_eq!(from, expected);
                let sizes: Vec<usize> = sorted.blocks.iter().map(Vec::len).collect();
                prop_assert!(sizes.iter().all(|&size| (1..=BLOCK).contains(&size)), "{:?}", sizes);
                prop_assert!(sizes.len() <= 1 + sorted.len() * 8 / BLOCK, "few are nearly empty: {:?}", sizes);
            }
            for number in model.into_keys() {
                sorted.take(&key_of(number));
            }
            prop_assert_eq!((sorted.len(), sorted.blocks.capacity()), (0, 0));
        }
    }

    #[test]
    fn blocks_are_full_where_topics_come_in_their_order() {
        let mut sorted = Sorted::default();
        for number in 0..10 * BLOCK as u16 {
            sorted.put(sorted.find(&key_of(number)), record(number, 0));
        }
        assert_eq!(sorted.blocks.iter().map(Vec::capacity).collect::<Vec<_>>(), [BLOCK; 10]);
    }
}
