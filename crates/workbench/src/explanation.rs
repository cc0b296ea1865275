//! What an explanation is made of. Offsets count bytes from the start of the whole input.

use hexmq_wire::{PacketType, Version};

use crate::Language;

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client: the device.
    Client,
    /// The server: the broker.
    Server,
}

impl Side {
    /// `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Server => "server",
        }
    }
}

/// How to read the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Who sent them; `None`: found out from the packets. A packet this side never sends is a fault.
    pub from: Option<Side>,
    /// The protocol version; `None`: that of a CONNECT among them, else the one that fits best.
    /// A CONNECT is always read with its own.
    pub version: Option<Version>,
    /// The language of `text`, `message` and `reason`.
    pub language: Language,
}

/// What the bytes are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The packets in their order.
    pub packets: Vec<Packet>,
    /// Bytes before or between packets that belong to none.
    pub skipped: Vec<Skipped>,
    /// What is left at the end: the beginning of a packet, or bytes that are none.
    pub rest: Option<Rest>,
}

/// One whole packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// First byte.
    pub offset: usize,
    /// Bytes, fixed header included.
    pub length: usize,
    /// Bytes behind it that belong to it and that its Remaining Length leaves out.
    pub forgotten: usize,
    /// Its type; `None` for the reserved type 0.
    pub packet_type: Option<PacketType>,
    /// The version it is read with.
    pub version: Version,
    /// Who sent it; `None` if either may have.
    pub from: Option<Side>,
    /// Every field.
    pub fields: Vec<Field>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// All findings repaired together, where one repair alone does not make it clean.
    pub repair: Option<Vec<u8>>,
    /// What the rules of a cloud say about it; `None` if nothing in it speaks of a cloud.
    pub dialect: Option<DialectLayer>,
}

/// A cloud whose own rules lie on top of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// China Mobile OneNET.
    OneNet,
    /// Aliyun IoT Platform.
    Aliyun,
}

impl Dialect {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::OneNet => "onenet",
            Dialect::Aliyun => "aliyun",
        }
    }
}

/// What a cloud's own rules say about a packet. It stands apart from what the standard says: a
/// packet may be perfect MQTT and still nothing its cloud understands. The fields of the layer are
/// inside the fields that carry them.
#[derive(Clone, Debug, PartialEq)]
pub struct DialectLayer {
    /// Whose rules.
    pub dialect: Dialect,
    /// What is wrong with it by these rules; a `statement` here names the vendor's rule.
    pub findings: Vec<Finding>,
}

/// One field; groups hold others.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The standard's name in snake_case.
    pub name: &'static str,
    /// First byte.
    pub offset: usize,
    /// Bytes, a length in front included.
    pub length: usize,
    /// For bit fields: lowest bit (0 = least significant) and width.
    pub bits: Option<(u8, u8)>,
    /// The value.
    pub value: FieldValue,
    /// What the value means.
    pub text: String,
    /// Where the standard speaks of it; empty if it does not.
    pub section: &'static str,
    /// The fields in it.
    pub fields: Vec<Field>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// None of its own: it holds fields.
    Group,
    /// A number.
    Number(u64),
    /// A number of a payload: it may be negative or have a fraction.
    Real(f64),
    /// A flag.
    Flag(bool),
    /// Text.
    Text(String),
    /// Bytes that need not be text.
    Bytes(Vec<u8>),
}

/// How bad a finding is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Hint,
    /// Allowed, but will hurt.
    Warning,
    /// Allowed, but looks like a mistake.
    Suspicion,
    /// Breaks the standard.
    Fault,
}

impl Severity {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Hint => "hint",
            Severity::Warning => "warning",
            Severity::Suspicion => "suspicion",
            Severity::Fault => "fault",
        }
    }
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable name in snake_case.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The normative statement that is broken, where the rule has a number.
    pub statement: Option<&'static str>,
    /// The field, by the standard's name.
    pub field: &'static str,
    /// First byte concerned.
    pub offset: usize,
    /// Bytes concerned; 0 for something that is missing at `offset`.
    pub length: usize,
    /// What is wrong and what to do.
    pub message: String,
    /// The packet as it would be right: decodes clean and changes only what is named here.
    pub repair: Option<Vec<u8>>,
}

/// Bytes that belong to no packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub length: usize,
    /// Why they were passed over.
    pub reason: String,
    /// What they probably are.
    pub findings: Vec<Finding>,
}

/// What is left at the end of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub length: usize,
    /// Why it is not a packet: what is missing.
    pub reason: String,
    /// How many bytes the packet lacks; `None` if the bytes are no packet at all.
    pub needs: Option<usize>,
    /// The packet as far as it goes.
    pub begun: Option<Packet>,
    /// What bytes that are no packet probably are.
    pub findings: Vec<Finding>,
}

/// What became of the input as a whole; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Packets, and nothing worse than a warning.
    Clean,
    /// A fault or a suspicion, or bytes that are no packet.
    Faulty,
    /// No packet at all.
    NothingDecodable,
}

impl Explanation {
    /// The worst of it, by the standard and by the rules of a cloud.
    pub fn outcome(&self) -> Outcome {
        let strays = !self.skipped.is_empty() || self.rest.as_ref().is_some_and(|rest| rest.needs.is_none());
        let mut findings = self.findings().chain(self.dialect_findings());
        if self.packets.is_empty() {
            Outcome::NothingDecodable
        } else if strays || findings.any(|finding| finding.severity >= Severity::Suspicion) {
            Outcome::Faulty
        } else {
            Outcome::Clean
        }
    }

    /// The findings of all packets by the standard.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.packets.iter().flat_map(|packet| &packet.findings)
    }

    /// The findings of all packets by the rules of their clouds.
    pub fn dialect_findings(&self) -> impl Iterator<Item = &Finding> {
        self.packets.iter().filter_map(|packet| packet.dialect.as_ref()).flat_map(|layer| &layer.findings)
    }
}

impl Packet {
    /// `CONNECT`; `RESERVED` for type 0.
    pub fn type_name(&self) -> &'static str {
        self.packet_type.map_or("RESERVED", PacketType::name)
    }
}

impl FieldValue {
    /// Whether the bytes can be shown as they are: UTF-8 without control characters.
    pub fn is_printable(bytes: &[u8]) -> Option<&str> {
        std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
    }
}
