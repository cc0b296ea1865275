//! What is expected of a packet, and whether a packet is so.

use hexmq_wire::{PacketType, Version};

use crate::record::{Name, Record, Value};

/// A packet with room for choice: fields that may have any value or one of a range, and further
/// properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(crate) packet_type: PacketType,
    pub(crate) version: Version,
    pub(crate) fields: Vec<(Name, Expected)>,
    /// Whether properties that are not named are allowed.
    pub(crate) open: bool,
}

/// What is expected of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Is(Value),
    Any,
    Between(u64, u64),
}

impl Expected {
    fn admits(&self, value: &Value) -> bool {
        match (self, value) {
            (Expected::Is(expected), value) => expected == value,
            (Expected::Any, _) => true,
            (Expected::Between(low, high), Value::Number(number)) => (low..=high).contains(&number),
            (Expected::Between(..), _) => false,
        }
    }
}

impl Pattern {
    /// The type of the packet.
    pub fn packet_type(&self) -> PacketType {
        self.packet_type
    }

    /// The version it is read with.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The record, if nothing is left to choice.
    pub fn into_record(self) -> Option<Record> {
        if self.open {
            return None;
        }
        let exact = |(name, expected)| match expected {
            Expected::Is(value) => Some((name, value)),
            Expected::Any | Expected::Between(..) => None,
        };
        let fields = self.fields.into_iter().map(exact).collect::<Option<Vec<_>>>()?;
        Some(Record { packet_type: self.packet_type, version: self.version, fields })
    }

    /// Whether a packet is as expected; if not, the first difference in words.
    pub fn matches(&self, record: &Record) -> Result<(), String> {
        if self.packet_type != record.packet_type {
            return Err(format!("expected {}, got {}", self.packet_type.name(), record.packet_type.name()));
        }
        self.match_fields(record)?;
        for will in [false, true] {
            self.match_pairs(record, will)?;
            self.match_properties(record, will)?;
        }
        Ok(())
    }

    /// Fields have one order, so both sides are walked together.
    fn match_fields(&self, record: &Record) -> Result<(), String> {
        let mut got = record.fields.iter().filter(|(name, _)| !name.property).peekable();
        for (name, expected) in self.fields.iter().filter(|(name, _)| !name.property) {
            match got.peek() {
                Some((other, value)) if other == name => {
                    admit(name, expected, value)?;
                    got.next();
                }
                Some((other, value)) if !self.fields.iter().any(|(name, _)| name == other) => {
                    return Err(format!("{other}: expected none, got {}", value.shown()));
                }
                _ => return Err(format!("{name}: expected {}, got none", expected.shown())),
            }
        }
        match got.next() {
            Some((name, value)) => Err(format!("{name}: expected none, got {}", value.shown())),
            None => Ok(()),
        }
    }

    /// User Properties keep their order.
    fn match_pairs(&self, record: &Record, will: bool) -> Result<(), String> {
        let mut got = record.fields.iter().filter(|(name, _)| is_pair(name, will));
        for (name, expected) in self.fields.iter().filter(|(name, _)| is_pair(name, will)) {
            loop {
                match got.next() {
                    Some((_, value)) if expected.admits(value) => break,
                    Some(_) if self.open => {}
                    Some((_, value)) => admit(name, expected, value)?,
                    None => return Err(format!("{name}: expected {}, got none", expected.shown())),
                }
            }
        }
        match got.next() {
            Some((name, value)) if !self.open => Err(format!("{name}: expected none, got {}", value.shown())),
            _ => Ok(()),
        }
    }

    /// The other properties may come in any order.
    fn match_properties(&self, record: &Record, will: bool) -> Result<(), String> {
        let single = |name: &Name| name.property && name.will == will && !is_pair(name, will);
        let mut got: Vec<&(Name, Value)> = record.fields.iter().filter(|(name, _)| single(name)).collect();
        for (name, expected) in self.fields.iter().filter(|(name, _)| single(name)) {
            let found = got.iter().position(|(other, value)| other == name && expected.admits(value));
            match (found, got.iter().find(|(other, _)| other == name)) {
                (Some(at), _) => drop(got.remove(at)),
                (None, Some((_, value))) => admit(name, expected, value)?,
                (None, None) => return Err(format!("{name}: expected {}, got none", expected.shown())),
            }
        }
        match got.first() {
            Some((name, value)) if !self.open => Err(format!("{name}: expected none, got {}", value.shown())),
            _ => Ok(()),
        }
    }
}

fn is_pair(name: &Name, will: bool) -> bool {
    name.property && name.will == will && name.text == "user_property"
}

fn admit(name: &Name, expected: &Expected, value: &Value) -> Result<(), String> {
    if expected.admits(value) {
        return Ok(());
    }
    Err(format!("{name}: expected {}, got {}", expected.shown(), value.shown()))
}
