//! A trace that keeps everything, and hex.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "it is all tests")]

pub mod packets;

use hexmq_wire::{
    ControlPacket, Fault, Field, Frame, Leniency, NoTrace, Section, Trace, Value, Verdict, Version, decode,
};

/// A value that outlives its frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    Group,
    Number(u64),
    Flag(bool),
    Text(String),
    Bytes(Vec<u8>),
}

/// A field with the fields it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub name: &'static str,
    pub offset: usize,
    pub length: usize,
    pub bits: Option<(u8, u8)>,
    pub value: Owned,
    pub section: Section,
    pub group: bool,
    pub fields: Vec<Node>,
}

impl Node {
    fn new(field: Field<'_>, group: bool) -> Node {
        let value = match field.value {
            Value::Group => Owned::Group,
            Value::Number(number) => Owned::Number(number),
            Value::Flag(flag) => Owned::Flag(flag),
            Value::Text(text) => Owned::Text(text.to_owned()),
            Value::Bytes(bytes) => Owned::Bytes(bytes.to_vec()),
        };
        Node {
            name: field.name,
            offset: field.offset,
            length: field.length,
            bits: field.bits,
            value,
            section: field.section,
            group,
            fields: Vec::new(),
        }
    }

    /// The first field of this name at any depth.
    pub fn find(&self, name: &str) -> Option<&Node> {
        find(&self.fields, name)
    }
}

/// The first field of this name at any depth.
pub fn find<'n>(nodes: &'n [Node], name: &str) -> Option<&'n Node> {
    nodes.iter().find_map(|node| if node.name == name { Some(node) } else { node.find(name) })
}

/// Keeps fields and faults.
#[derive(Default)]
pub struct Recorder {
    /// Open groups, the innermost last.
    pub open: Vec<Node>,
    pub fields: Vec<Node>,
    pub faults: Vec<Fault>,
    /// Stop at the first fault that is not a warning, as a server does.
    pub strict: bool,
    /// Ends of groups that differ from what their opening said.
    pub wrong_ends: Vec<(&'static str, usize, usize)>,
}

impl Recorder {
    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(group) => group.fields.push(node),
            None => self.fields.push(node),
        }
    }

    pub fn open_groups(&self) -> usize {
        self.open.len()
    }
}

impl Trace for Recorder {
    const FIELDS: bool = true;

    fn open(&mut self, field: Field<'_>) {
        self.open.push(Node::new(field, true));
    }

    fn field(&mut self, field: Field<'_>) {
        self.add(Node::new(field, false));
    }

    fn close(&mut self, end: usize) {
        let group = self.open.pop().expect("a group is open");
        if group.offset + group.length != end {
            self.wrong_ends.push((group.name, group.offset + group.length, end));
        }
        self.add(group);
    }

    fn fault(&mut self, fault: Fault) -> Verdict {
        self.faults.push(fault);
        if self.strict && fault.severity == hexmq_wire::Severity::Fault {
            Verdict::Stop
        } else {
            Verdict::GoOn
        }
    }
}

/// Decodes with fields and goes on after faults.
pub fn explain(bytes: &[u8], version: Version) -> (Recorder, Result<ControlPacket<'_>, Fault>) {
    let mut recorder = Recorder::default();
    let result = decode(Frame::new(bytes), version, &Leniency::default(), &mut recorder);
    (recorder, result)
}

/// Decodes as a server does.
pub fn read(bytes: &[u8], version: Version) -> Result<ControlPacket<'_>, Fault> {
    decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace)
}

/// Bytes from hex; blanks are skipped.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|char| !char.is_whitespace())
        .map(|char| char.to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// What the faults are, in order: name, statement, offset, length.
pub fn listed(faults: &[Fault]) -> Vec<(&'static str, Option<&'static str>, usize, usize)> {
    faults.iter().map(|fault| (fault.code.name(), fault.statement, fault.offset, fault.length)).collect()
}

pub const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];
