//! A packet as a list of named values: the form between a line of text and the bytes.

use hexmq_wire::{PacketType, Version};

/// One packet as named values in the order they are printed. Made from a packet or from text;
/// both give the same record for the same packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(crate) packet_type: PacketType,
    pub(crate) version: Version,
    pub(crate) fields: Vec<(Name, Value)>,
}

/// The name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// Written with the prefix `will.`.
    pub(crate) will: bool,
    /// A property of 5.0, whose place in the line does not matter.
    pub(crate) property: bool,
    /// The rest of the name.
    pub(crate) text: &'static str,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Version(Version),
    Flag,
    Code(u8),
    Number(u64),
    Text(String),
    Binary(Vec<u8>),
    Pair(String, String),
    Codes(Vec<u8>),
}

impl Name {
    pub(crate) const fn field(text: &'static str) -> Name {
        Name { will: false, property: false, text }
    }

    pub(crate) const fn will(text: &'static str) -> Name {
        Name { will: true, property: false, text }
    }

    pub(crate) const fn property(text: &'static str, will: bool) -> Name {
        Name { will, property: true, text }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.will { "will." } else { "" })?;
        f.write_str(self.text)
    }
}

impl Record {
    /// The type of the packet.
    pub fn packet_type(&self) -> PacketType {
        self.packet_type
    }

    /// The version it is read and written with.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The value of a field that occurs once.
    pub(crate) fn get(&self, will: bool, text: &str) -> Option<&Value> {
        let wanted = |name: &Name| !name.property && name.will == will && name.text == text;
        self.fields.iter().find(|(name, _)| wanted(name)).map(|(_, value)| value)
    }

    pub(crate) fn flag(&self, will: bool, text: &str) -> bool {
        self.get(will, text).is_some()
    }

    pub(crate) fn number(&self, will: bool, text: &str) -> u64 {
        match self.get(will, text) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    pub(crate) fn text(&self, will: bool, text: &str) -> Option<&str> {
        match self.get(will, text) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn binary(&self, will: bool, text: &str) -> Option<&[u8]> {
        match self.get(will, text) {
            Some(Value::Binary(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn code(&self) -> u8 {
        match self.get(false, "code") {
            Some(Value::Code(code)) => *code,
            _ => 0,
        }
    }

    pub(crate) fn codes(&self) -> &[u8] {
        match self.get(false, "codes") {
            Some(Value::Codes(codes)) => codes,
            _ => &[],
        }
    }
}
