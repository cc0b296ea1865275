//! Two packets, two streams or two recordings, field by field.
//!
//! Packets are first put beside each other: what is the same, what became another packet of the same
//! kind, what only one side has. Of a pair that differs, the decoder's fields are compared by name,
//! so that a longer topic is one difference and not every byte behind it. Nothing here does I/O.

mod align;
mod fields;
mod item;
mod json;
mod render;

use hexmq_wire::Version;

use crate::recording::{Conversation, Recording};
use crate::{Language, Side};

pub use fields::{FieldChange, Spot};
pub use item::Item;

/// What two inputs have in common and what not.
#[derive(Clone, Debug)]
pub struct Diff {
    /// One for a pair of streams; for recordings one per connection.
    pub dialogues: Vec<DialogueDiff>,
}

/// Two rows of packets beside each other.
#[derive(Clone, Debug)]
pub struct DialogueDiff {
    /// The connection in the first recording; `None` for a stream, or where only the second has it.
    pub a: Option<u64>,
    /// The connection in the second recording.
    pub b: Option<u64>,
    /// In their order.
    pub rows: Vec<Row>,
}

/// One packet beside another.
#[derive(Clone, Debug)]
pub enum Row {
    /// The same bytes from the same side.
    Same(Item, Item),
    /// Packets of one kind that differ.
    Changed {
        /// In the first input.
        a: Item,
        /// In the second input.
        b: Item,
        /// The fields that differ. Empty where the same fields are written in other bytes.
        fields: Vec<FieldChange>,
        /// Where the bytes differ.
        bytes: Vec<ByteChange>,
    },
    /// Only the first input has it.
    OnlyA(Item),
    /// Only the second input has it.
    OnlyB(Item),
}

/// Bytes that differ; offsets count from the start of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteChange {
    /// First byte and how many in the first packet.
    pub a: (usize, usize),
    /// First byte and how many in the second packet.
    pub b: (usize, usize),
}

/// How to read two streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiffOptions {
    /// Who sent the bytes; `None`: found out from the packets.
    pub from: Option<Side>,
    /// The version; `None`: that of a CONNECT among them, else the one that fits best.
    pub version: Option<Version>,
    /// The language of what is told of fields.
    pub language: Language,
}

impl Diff {
    /// Compares two streams of packets.
    pub fn of_bytes(a: &[u8], b: &[u8], options: &DiffOptions) -> Diff {
        let (a, b) = (item::of_bytes(a, options), item::of_bytes(b, options));
        Diff { dialogues: vec![DialogueDiff { a: None, b: None, rows: rows(a, b, options.language) }] }
    }

    /// Compares two recordings, connection by connection in their order.
    pub fn of_recordings(a: &Recording, b: &Recording, language: Language) -> Diff {
        let (numbers_a, numbers_b) = (a.connections(), b.connections());
        let count = numbers_a.len().max(numbers_b.len());
        let items = |recording: &Recording, number: Option<u64>| {
            number.map_or(Vec::new(), |number| item::of_conversation(&Conversation::of(recording, number)))
        };
        let dialogues = (0..count).map(|index| {
            let (number_a, number_b) = (numbers_a.get(index).copied(), numbers_b.get(index).copied());
            let rows = rows(items(a, number_a), items(b, number_b), language);
            DialogueDiff { a: number_a, b: number_b, rows }
        });
        Diff { dialogues: dialogues.collect() }
    }

    /// Whether there is no difference.
    pub fn is_equal(&self) -> bool {
        self.dialogues.iter().all(|dialogue| dialogue.rows.iter().all(|row| matches!(row, Row::Same(..))))
    }

    /// Whether neither input has a packet.
    pub fn is_empty(&self) -> bool {
        self.dialogues.iter().all(|dialogue| dialogue.rows.is_empty())
    }
}

/// Puts two rows of packets beside each other and compares the pairs.
fn rows(a: Vec<Item>, b: Vec<Item>, language: Language) -> Vec<Row> {
    let pairs = align::align(&a, &b);
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    let mut rows = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let row = match pair {
            align::Pair::Both => match (a.next(), b.next()) {
                (Some(a), Some(b)) => compare(a, b, language),
                _ => continue,
            },
            align::Pair::OnlyA => match a.next() {
                Some(a) => Row::OnlyA(a),
                None => continue,
            },
            align::Pair::OnlyB => match b.next() {
                Some(b) => Row::OnlyB(b),
                None => continue,
            },
        };
        rows.push(row);
    }
    rows
}

fn compare(a: Item, b: Item, language: Language) -> Row {
    if a.bytes == b.bytes && a.from == b.from {
        return Row::Same(a, b);
    }
    let fields = fields::changes(&a, &b, language);
    let bytes = byte_changes(&a.bytes, &b.bytes);
    Row::Changed { a, b, fields, bytes }
}

/// Runs of bytes that differ; where the lengths differ, what is between the common beginning and the
/// common end.
fn byte_changes(a: &[u8], b: &[u8]) -> Vec<ByteChange> {
    if a.len() == b.len() {
        let mut changes: Vec<ByteChange> = Vec::new();
        for (at, _) in a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b) {
            match changes.last_mut() {
                Some(last) if last.a.0 + last.a.1 == at => {
                    last.a.1 += 1;
                    last.b.1 += 1;
                }
                _ => changes.push(ByteChange { a: (at, 1), b: (at, 1) }),
            }
        }
        return changes;
    }
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - start;
    let end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    vec![ByteChange { a: (start, a.len() - start - end), b: (start, b.len() - start - end) }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_differ_in_runs_or_between_what_is_common() {
        let change = |a, b| ByteChange { a, b };
        assert_eq!(byte_changes(b"abcdef", b"abXXeY"), [change((2, 2), (2, 2)), change((5, 1), (5, 1))]);
        assert_eq!(byte_changes(b"abcd", b"abXXcd"), [change((2, 0), (2, 2))]);
        assert_eq!(byte_changes(b"aa", b"aaa"), [change((2, 0), (2, 1))]);
        assert_eq!(byte_changes(b"", b"x"), [change((0, 0), (0, 1))]);
    }
}
