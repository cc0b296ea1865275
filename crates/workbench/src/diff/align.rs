//! Putting two rows of packets beside each other with the least difference.

use std::collections::VecDeque;

use hexmq_wire::PacketType;

use super::Item;
use crate::Side;

/// One step through both rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// The next of both, side by side.
    Both,
    /// The next of the first row alone.
    OnlyA,
    /// The next of the second row alone.
    OnlyB,
}

/// A packet left alone; two of them cost more than any pair of one kind.
const ALONE: u32 = 6;
/// A pair about the same topic.
const SAME_SUBJECT: u32 = 2;
/// A pair of one kind about different topics.
const SAME_KIND: u32 = 9;

/// Cells of the table of costs; longer rows are compared within a window instead.
const CELLS_MOST: usize = 4 << 20;
/// How far ahead a partner is looked for then.
const WINDOW: usize = 64;

/// What decides about pairs.
#[derive(PartialEq)]
struct Key<'a> {
    packet_type: Option<PacketType>,
    is_packet: bool,
    from: Option<Side>,
    subject: Option<&'a str>,
    bytes: &'a [u8],
}

impl<'a> Key<'a> {
    fn of(item: &'a Item) -> Key<'a> {
        Key {
            packet_type: item.packet_type(),
            is_packet: item.is_packet,
            from: item.from,
            subject: item.subject(),
            bytes: &item.bytes,
        }
    }

    /// What it costs to put the two side by side; `None` if they are of different kinds.
    fn cost(&self, other: &Key<'_>) -> Option<u32> {
        let one_kind = self.packet_type == other.packet_type
            && self.is_packet == other.is_packet
            && (self.from == other.from || self.from.is_none() || other.from.is_none());
        if !one_kind {
            None
        } else if self.bytes == other.bytes {
            Some(0)
        } else if self.subject == other.subject {
            Some(SAME_SUBJECT)
        } else {
            Some(SAME_KIND)
        }
    }
}

/// The steps through both rows.
pub(super) fn align(a: &[Item], b: &[Item]) -> Vec<Pair> {
    let a: Vec<Key<'_>> = a.iter().map(Key::of).collect();
    let b: Vec<Key<'_>> = b.iter().map(Key::of).collect();
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - start;
    let end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let middle_a = a.get(start..a.len() - end).unwrap_or_default();
    let middle_b = b.get(start..b.len() - end).unwrap_or_default();
    let mut pairs = vec![Pair::Both; start];
    if (middle_a.len() + 1).saturating_mul(middle_b.len() + 1) <= CELLS_MOST {
        pairs.extend(best(middle_a, middle_b));
    } else {
        pairs.extend(near(middle_a, middle_b));
    }
    pairs.extend(std::iter::repeat_n(Pair::Both, end));
    pairs
}

/// The cheapest way, by the table of all beginnings.
fn best(a: &[Key<'_>], b: &[Key<'_>]) -> VecDeque<Pair> {
    let columns = b.len() + 1;
    let mut steps = vec![Pair::OnlyB; (a.len() + 1) * columns];
    let mut above: Vec<u32> = (0..).step_by(ALONE as usize).take(columns).collect();
    for (row, key_a) in a.iter().enumerate() {
        let mut current = Vec::with_capacity(columns);
        let mut diagonal = above.first().copied().unwrap_or(0);
        let mut left = diagonal + ALONE;
        current.push(left);
        set(&mut steps, (row + 1) * columns, Pair::OnlyA);
        for (column, key_b) in b.iter().enumerate() {
            let up = above.get(column + 1).copied().unwrap_or(u32::MAX / 2);
            let both = key_a.cost(key_b).map_or(u32::MAX / 2, |cost| diagonal + cost);
            // The walk is from the end: of two ways as cheap, what is only in the first row comes first so.
            let (cost, step) = [(both, Pair::Both), (left + ALONE, Pair::OnlyB), (up + ALONE, Pair::OnlyA)]
                .into_iter()
                .min_by_key(|(cost, _)| *cost)
                .unwrap_or((both, Pair::Both));
            set(&mut steps, (row + 1) * columns + column + 1, step);
            current.push(cost);
            (diagonal, left) = (up, cost);
        }
        above = current;
    }
    backwards(&steps, a.len(), b.len())
}

fn set(steps: &mut [Pair], at: usize, step: Pair) {
    if let Some(place) = steps.get_mut(at) {
        *place = step;
    }
}

fn backwards(steps: &[Pair], mut row: usize, mut column: usize) -> VecDeque<Pair> {
    let columns = column + 1;
    let mut pairs = VecDeque::with_capacity(row + column);
    while row > 0 || column > 0 {
        let step = steps.get(row * columns + column).copied().unwrap_or(Pair::OnlyB);
        pairs.push_front(step);
        match step {
            Pair::Both => (row, column) = (row.saturating_sub(1), column.saturating_sub(1)),
            Pair::OnlyA => row = row.saturating_sub(1),
            Pair::OnlyB => column = column.saturating_sub(1),
        }
    }
    pairs
}

/// For long rows: the nearest partner about the same matter, within a window.
fn near(a: &[Key<'_>], b: &[Key<'_>]) -> VecDeque<Pair> {
    let mut pairs = VecDeque::with_capacity(a.len().max(b.len()));
    let (mut row, mut column) = (0, 0);
    while row < a.len() && column < b.len() {
        let (ahead_a, ahead_b) =
            partner(a.get(row..).unwrap_or_default(), b.get(column..).unwrap_or_default());
        pairs.extend(std::iter::repeat_n(Pair::OnlyA, ahead_a));
        pairs.extend(std::iter::repeat_n(Pair::OnlyB, ahead_b));
        (row, column) = (row + ahead_a, column + ahead_b);
        if row < a.len() && column < b.len() {
            pairs.push_back(Pair::Both);
            (row, column) = (row + 1, column + 1);
        }
    }
    pairs.extend(std::iter::repeat_n(Pair::OnlyA, a.len().saturating_sub(row)));
    pairs.extend(std::iter::repeat_n(Pair::OnlyB, b.len().saturating_sub(column)));
    pairs
}

/// How many of each row to pass over to the next pair; both wholly if there is none in the window.
fn partner(a: &[Key<'_>], b: &[Key<'_>]) -> (usize, usize) {
    for distance in 0..WINDOW {
        for ahead_a in 0..=distance {
            let ahead_b = distance - ahead_a;
            let (Some(key_a), Some(key_b)) = (a.get(ahead_a), b.get(ahead_b)) else { continue };
            if key_a.cost(key_b).is_some_and(|cost| cost <= SAME_SUBJECT) {
                return (ahead_a, ahead_b);
            }
        }
    }
    // Both go on alone by one, so that the search ends.
    (1, 1)
}

#[cfg(test)]
mod tests {
    use hexmq_wire::Version;

    use super::*;

    fn publish(topic: u8, payload: u8) -> Item {
        let bytes = vec![0x30, 4, 0, 1, topic, payload];
        Item { offset: None, from: Some(Side::Client), bytes, version: Version::V4, is_packet: true }
    }

    fn ping() -> Item {
        Item { bytes: vec![0xC0, 0], ..publish(b'a', 0) }
    }

    #[test]
    fn what_is_inserted_stands_alone() {
        let a = [publish(b'a', 1), publish(b'b', 1), publish(b'c', 1)];
        let b = [publish(b'a', 1), ping(), publish(b'b', 2), publish(b'c', 1)];
        assert_eq!(align(&a, &b), [Pair::Both, Pair::OnlyB, Pair::Both, Pair::Both]);
        assert_eq!(align(&b, &a), [Pair::Both, Pair::OnlyA, Pair::Both, Pair::Both]);
        assert_eq!(align(&a, &[]), [Pair::OnlyA; 3]);
        assert_eq!(align(&[], &a), [Pair::OnlyB; 3]);
    }

    #[test]
    fn one_packet_with_another_topic_is_still_a_pair() {
        assert_eq!(align(&[publish(b'a', 1)], &[publish(b'b', 1)]), [Pair::Both]);
        assert_eq!(align(&[publish(b'a', 1)], &[ping()]), [Pair::OnlyA, Pair::OnlyB]);
    }

    #[test]
    fn long_rows_are_walked_in_a_window() {
        let key = |items: &[Item]| -> usize { items.len() };
        let a: Vec<Item> =
            (0..3000).map(|number| publish(b'a' + (number % 20) as u8, (number % 7) as u8)).collect();
        let mut b = a.clone();
        b.insert(1500, ping());
        b.remove(10);
        b[2000] = publish(b'z', 9);
        let pairs = align(&a, &b);
        let used = |step| pairs.iter().filter(|pair| **pair == Pair::Both || **pair == step).count();
        assert_eq!((used(Pair::OnlyA), used(Pair::OnlyB)), (key(&a), key(&b)));
        assert!(pairs.iter().filter(|pair| **pair != Pair::Both).count() < 50);
    }
}
