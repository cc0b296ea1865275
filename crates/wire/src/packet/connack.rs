//! CONNACK (section 3.2).

use crate::{Properties, ReasonCode};

/// The answer to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connack<'a> {
    /// The server resumes a stored session. Always false in 3.1, whose byte is reserved.
    pub session_present: bool,
    /// In 3.x the Connect Return code, mapped to the 5.0 reason code of the same meaning
    /// (0 → 0x00, 1 → 0x84, 2 → 0x85, 3 → 0x88, 4 → 0x86, 5 → 0x87).
    pub reason_code: ReasonCode,
    /// 5.0 only.
    pub properties: Properties<'a>,
}
