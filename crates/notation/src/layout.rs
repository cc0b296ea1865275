//! Which fields each packet has, in the order they are printed, and what stands for one left out.

use hexmq_wire::{PacketType, Version};

use crate::record::{Name, Value};

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Version,
    Flag,
    Code,
    Number { max: u64 },
    Text,
    Binary,
    Pair,
    Codes,
}

/// What a field means that is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It has to be written.
    Error,
    /// The packet does not have it.
    Missing,
    /// It is zero or empty, and printed.
    Zero,
    /// It is zero, and not printed.
    Silent,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    pub(crate) absent: Absent,
}

/// The rows of a packet around its properties.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Printed before the properties.
    pub(crate) head: &'static [Row],
    /// Printed after them.
    pub(crate) tail: &'static [Row],
    /// A group at the end that may repeat; begins with its first row.
    pub(crate) group: &'static [Row],
    /// The rows of the will, all or none.
    pub(crate) will: &'static [Row],
    /// Whether it has properties in 5.0.
    pub(crate) properties: bool,
}

const U16: Kind = Kind::Number { max: 0xffff };
const QOS: Kind = Kind::Number { max: 2 };

const fn row(text: &'static str, kind: Kind, absent: Absent) -> Row {
    Row { name: Name::field(text), kind, absent }
}

const fn will(text: &'static str, kind: Kind, absent: Absent) -> Row {
    Row { name: Name::will(text), kind, absent }
}

const PID: Row = row("pid", U16, Absent::Error);
const SILENT_CODE: Row = row("code", Kind::Code, Absent::Silent);
const NOTHING: Layout = Layout { head: &[], tail: &[], group: &[], will: &[], properties: true };

const CONNECT: Layout = Layout {
    head: &[
        row("version", Kind::Version, Absent::Error),
        row("id", Kind::Text, Absent::Zero),
        row("clean_start", Kind::Flag, Absent::Missing),
        row("keep_alive", U16, Absent::Zero),
        row("user_name", Kind::Text, Absent::Missing),
        row("password", Kind::Binary, Absent::Missing),
    ],
    will: &[
        will("topic", Kind::Text, Absent::Error),
        will("payload", Kind::Binary, Absent::Zero),
        will("qos", QOS, Absent::Zero),
        will("retain", Kind::Flag, Absent::Missing),
    ],
    ..NOTHING
};
const CONNACK: Layout = Layout {
    head: &[
        row("code", Kind::Code, Absent::Error),
        row("session_present", Kind::Number { max: 1 }, Absent::Zero),
    ],
    ..NOTHING
};
const PUBLISH: Layout = Layout {
    head: &[
        row("dup", Kind::Flag, Absent::Missing),
        row("qos", QOS, Absent::Zero),
        row("pid", U16, Absent::Missing),
        row("retain", Kind::Flag, Absent::Missing),
        row("topic", Kind::Text, Absent::Error),
    ],
    tail: &[row("payload", Kind::Binary, Absent::Zero)],
    ..NOTHING
};
const ACK: Layout = Layout { head: &[SILENT_CODE, PID], ..NOTHING };
const SUBSCRIBE: Layout = Layout {
    head: &[PID],
    group: &[
        row("filter", Kind::Text, Absent::Error),
        row("qos", QOS, Absent::Zero),
        row("no_local", Kind::Flag, Absent::Missing),
        row("retain_as_published", Kind::Flag, Absent::Missing),
        row("retain_handling", QOS, Absent::Silent),
    ],
    ..NOTHING
};
const SUBSCRIBE_3: Layout =
    Layout { group: &[row("filter", Kind::Text, Absent::Error), row("qos", QOS, Absent::Zero)], ..SUBSCRIBE };
const SUBACK: Layout = Layout { head: &[PID, row("codes", Kind::Codes, Absent::Error)], ..NOTHING };
const UNSUBSCRIBE: Layout =
    Layout { head: &[PID], group: &[row("filter", Kind::Text, Absent::Error)], ..NOTHING };
const UNSUBACK: Layout = Layout { head: &[PID, row("codes", Kind::Codes, Absent::Error)], ..NOTHING };
const UNSUBACK_3: Layout = Layout { head: &[PID], ..NOTHING };
const PING: Layout = Layout { properties: false, ..NOTHING };
const DISCONNECT: Layout = Layout { head: &[SILENT_CODE], ..NOTHING };
const AUTH: Layout = Layout { head: &[row("code", Kind::Code, Absent::Zero)], ..NOTHING };

/// The fields of a packet.
pub(crate) fn layout(packet_type: PacketType, version: Version) -> Layout {
    let v5 = version == Version::V5;
    let layout = match packet_type {
        PacketType::Connect => CONNECT,
        PacketType::Connack => CONNACK,
        PacketType::Publish => PUBLISH,
        PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => ACK,
        PacketType::Subscribe if v5 => SUBSCRIBE,
        PacketType::Subscribe => SUBSCRIBE_3,
        PacketType::Suback => SUBACK,
        PacketType::Unsubscribe => UNSUBSCRIBE,
        PacketType::Unsuback if v5 => UNSUBACK,
        PacketType::Unsuback => UNSUBACK_3,
        PacketType::Pingreq | PacketType::Pingresp => PING,
        PacketType::Disconnect => DISCONNECT,
        PacketType::Auth => AUTH,
    };
    Layout { properties: layout.properties && v5, ..layout }
}

impl Layout {
    /// The row of a name as written, without the prefix `will.`.
    pub(crate) fn row(&self, is_will: bool, text: &str) -> Option<&'static Row> {
        let rows: [&'static [Row]; 3] =
            if is_will { [self.will, &[], &[]] } else { [self.head, self.tail, self.group] };
        rows.into_iter().flatten().find(|row| row.name.text == text)
    }

    /// All names, for a message.
    pub(crate) fn names(&self) -> String {
        let rows = self.head.iter().chain(self.tail).chain(self.group).chain(self.will);
        let mut names: Vec<String> = rows.map(|row| row.name.to_string()).collect();
        if self.properties {
            names.push("a property".to_owned());
        }
        names.join(", ")
    }
}

impl Kind {
    /// Zero or empty.
    pub(crate) fn zero(self) -> Option<Value> {
        match self {
            Kind::Number { .. } => Some(Value::Number(0)),
            Kind::Text => Some(Value::Text(String::new())),
            Kind::Binary => Some(Value::Binary(Vec::new())),
            Kind::Code => Some(Value::Code(0)),
            Kind::Version | Kind::Flag | Kind::Pair | Kind::Codes => None,
        }
    }
}
