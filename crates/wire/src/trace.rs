//! What the decoder tells while it reads. A [`Trace`] that ignores fields costs nothing: with
//! `FIELDS = false` the calls are compiled away.

use crate::fault::Fault;

/// Receives every field and every fault, in the order of the bytes. Where decoding ends at a
/// fault, the groups open at that moment are not closed.
pub trait Trace {
    /// Whether [`Trace::field`], [`Trace::open`] and [`Trace::close`] are wanted.
    const FIELDS: bool;
    /// Whether rules that are merely unwise to break inside strings are looked for. It costs a
    /// second look at every string.
    const WARNINGS: bool = true;

    /// A field that holds other fields begins (`connect_flags`, `properties`, one subscription …).
    fn open(&mut self, _field: Field<'_>) {}
    /// One field with its value.
    fn field(&mut self, _field: Field<'_>) {}
    /// The innermost open field ends before byte `end` (offset from the start of the frame).
    fn close(&mut self, _end: usize) {}
    /// A rule is broken. The answer decides whether decoding goes on; after
    /// [`Verdict::GoOn`] the decoder continues as well as the bytes allow.
    fn fault(&mut self, fault: Fault) -> Verdict;
}

/// What to do after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Give up: `decode` returns the fault.
    Stop,
    /// Read on.
    GoOn,
}

/// One field of a packet. Offsets count bytes from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// The standard's name in snake_case (`keep_alive`, `topic_name`).
    pub name: &'static str,
    /// First byte.
    pub offset: usize,
    /// Bytes; for bit fields the bytes that hold the bits.
    pub length: usize,
    /// For bit fields: lowest bit (0 = least significant) and width.
    pub bits: Option<(u8, u8)>,
    /// The value read.
    pub value: Value<'a>,
    /// Where the standard speaks of it.
    pub section: Section,
}

/// The section numbers of 3.1.1 and of 5.0; `""` where the version lacks the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Section of MQTT 3.1.1 (also used for 3.1).
    pub v4: &'static str,
    /// Section of MQTT 5.0.
    pub v5: &'static str,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Holds other fields and has no value of its own.
    Group,
    /// An unsigned number.
    Number(u64),
    /// A flag.
    Flag(bool),
    /// A UTF-8 string.
    Text(&'a str),
    /// Binary data, or text that is not well-formed UTF-8.
    Bytes(&'a [u8]),
}

/// The trace of a reader who only wants the packet: no fields; warnings pass, faults stop.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    const FIELDS: bool = false;
    const WARNINGS: bool = false;
    #[inline]
    fn fault(&mut self, fault: Fault) -> Verdict {
        match fault.severity {
            crate::Severity::Warning => Verdict::GoOn,
            crate::Severity::Fault => Verdict::Stop,
        }
    }
}
