//! `$dp` payloads: data points in one of eight types.
//!
//! The first byte says the type and whether a time follows; lengths are big-endian, the floats of
//! type 7 are not. [`decode`] takes what the rules allow, [`decode_leniently`] also what firmware is
//! known to send instead and says so in [`Upload::notices`].

mod block;
mod decode;
mod encode;
mod error;
mod json;
mod text;

use std::borrow::Cow;

use hexmq_device::{CivilTime, Span, Time, Value};

pub use decode::{decode, decode_body, decode_leniently, decode_telling};
pub use encode::{EncodeError, Separators, encode};
pub use error::{Detail, DpError, DpRule};

/// The topic of uploads.
pub const TOPIC: &str = "$dp";

/// Values in one upload of type 7, at most.
pub const FLOATS_MAX: usize = 500;

/// Values in one upload of type 7 that are read at all: the type has no length, so this bounds what
/// one payload can take.
pub const FLOATS_READ_MAX: usize = 65_535;

/// What the payload is made of: the low six bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// 1: `{"datastreams":[{"id":…,"datapoints":[{"at":…,"value":…}]}]}`
    DataStreams,
    /// 2: a JSON descriptor and raw bytes.
    Binary,
    /// 3: `{"stream":value}`
    StreamValues,
    /// 4: `{"stream":{"time":value}}`
    StreamTimes,
    /// 5: text with separators of its own.
    Text,
    /// 6: the same text, with a time in front where bit 7 says so.
    TimedText,
    /// 7: groups of little-endian single-precision numbers for numbered streams.
    Floats,
    /// 8: the packed block of the vendor's all-in-one library; not in the document.
    Block,
}

impl DataType {
    /// All types, by their numbers.
    pub const ALL: [DataType; 8] = [
        DataType::DataStreams,
        DataType::Binary,
        DataType::StreamValues,
        DataType::StreamTimes,
        DataType::Text,
        DataType::TimedText,
        DataType::Floats,
        DataType::Block,
    ];

    /// The type with this number.
    pub fn from_number(number: u8) -> Option<DataType> {
        DataType::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// 1 to 8.
    pub const fn number(self) -> u8 {
        match self {
            DataType::DataStreams => 1,
            DataType::Binary => 2,
            DataType::StreamValues => 3,
            DataType::StreamTimes => 4,
            DataType::Text => 5,
            DataType::TimedText => 6,
            DataType::Floats => 7,
            DataType::Block => 8,
        }
    }

    /// Whether bit 7 of the first byte puts a time in front.
    pub const fn may_be_timed(self) -> bool {
        matches!(self, DataType::TimedText | DataType::Floats)
    }
}

/// An upload that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload<'a> {
    /// Its type.
    pub data_type: DataType,
    /// The time in its header, which holds for points without one of their own.
    pub time: Option<CivilTime>,
    /// The data points in their order.
    pub points: Vec<Point<'a>>,
    /// What is odd about it, though it could be read.
    pub notices: Vec<Notice>,
}

/// One value of one data stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// The name of the data stream.
    pub stream: Cow<'a, str>,
    /// The value.
    pub value: Value<'a>,
    /// When it was measured; `None`: now.
    pub at: Option<Time>,
    /// What the device says about a binary value.
    pub description: Option<Cow<'a, str>>,
    /// Where its value stands in the payload.
    pub span: Span,
}

/// Something survived that should not be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// Where in the payload.
    pub span: Span,
}

/// What can be odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// JSON without the type byte and the length in front; it is read as type 3.
    HeaderMissing,
    /// Six bytes of time although bit 7 does not announce them.
    TimeFlagMissing,
    /// Bit 7 in a type that has no time.
    TimeFlagUnused,
    /// Bit 6 is reserved and should be 0.
    ReservedBit,
    /// No such date or time of day; the point counts as measured now.
    TimeUnreadable,
    /// A value that cannot be kept: `null`, a number beyond a double, or single-precision bytes
    /// that are no number. The point is left out.
    NoValue,
    /// Stream number 0; the document begins with 1.
    StreamZero,
    /// More than [`FLOATS_MAX`] values.
    TooManyFloats,
}

impl NoticeKind {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            NoticeKind::HeaderMissing => "dp_header_missing",
            NoticeKind::TimeFlagMissing => "dp_time_flag_missing",
            NoticeKind::TimeFlagUnused => "dp_time_flag_unused",
            NoticeKind::ReservedBit => "dp_reserved_bit",
            NoticeKind::TimeUnreadable => "dp_time_unreadable",
            NoticeKind::NoValue => "dp_no_value",
            NoticeKind::StreamZero => "dp_stream_zero",
            NoticeKind::TooManyFloats => "dp_too_many_floats",
        }
    }

    /// What is odd and how it is taken, in words.
    pub const fn sentence(self) -> &'static str {
        match self {
            NoticeKind::HeaderMissing => "JSON without type and length in front, taken as type 3",
            NoticeKind::TimeFlagMissing => "six bytes of time that bit 7 of the first byte does not announce",
            NoticeKind::TimeFlagUnused => "bit 7 of the first byte in a type that has no time",
            NoticeKind::ReservedBit => "bit 6 of the first byte is reserved and should be 0",
            NoticeKind::TimeUnreadable => "no such date or time of day, taken as now",
            NoticeKind::NoValue => "a value that cannot be kept; the point is left out",
            NoticeKind::StreamZero => "stream number 0; the document begins with 1",
            NoticeKind::TooManyFloats => "more than 500 values in one upload",
        }
    }
}

/// A part of the layout, for whoever shows the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Time flag, reserved bit and type.
    FirstByte,
    /// Six bytes: year since 2000, month, day, hour, minute, second.
    Time,
    /// Length of the JSON or text that follows.
    Length,
    /// JSON.
    Json,
    /// Text with separators.
    Text,
    /// Length of the raw bytes of type 2.
    BinaryLength,
    /// Raw bytes.
    Binary,
    /// The first stream number of a group.
    StartStream,
    /// Values in a group.
    Count,
    /// One single-precision number.
    Float,
    /// The 8 that a block begins with.
    BlockMark,
    /// Whether the block has a time.
    BlockFlag,
    /// Unix seconds.
    BlockTime,
    /// Items in the block.
    BlockCount,
    /// The kind of an item's value.
    ItemKind,
    /// The name of an item with its NUL.
    ItemName,
    /// The length of an item's bytes.
    ItemLength,
    /// The value of an item.
    ItemValue,
}
