//! What can be wrong with the bytes of a packet, in one table: a stable name, the statement of
//! 3.1.1 and of 5.0 that is broken, and the reason code that tells the other side.

use crate::{ReasonCode, Version};

/// One broken rule, with its place. Offsets count bytes from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule.
    pub code: FaultCode,
    /// Whether the standard forbids it or it is merely unwise.
    pub severity: Severity,
    /// The protocol version the packet was read with.
    pub version: Version,
    /// The field, by the standard's name in snake_case.
    pub field: &'static str,
    /// First byte concerned.
    pub offset: usize,
    /// Bytes concerned; 0 for something that is missing at `offset`.
    pub length: usize,
    /// The normative statement id (`MQTT-3.8.1-1`) in the standard of `version`, where the rule
    /// has a number. It may be refined by packet type.
    pub statement: Option<&'static str>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Allowed, but will hurt.
    Warning,
    /// Breaks the standard.
    Fault,
}

impl Fault {
    /// The reason code to close with: Malformed Packet (0x81) or Protocol Error (0x82), or a
    /// more fitting one.
    pub fn reason_code(&self) -> ReasonCode {
        self.code.reason_code()
    }
}
