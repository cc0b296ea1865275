//! AUTH (5.0 section 3.15).

use crate::{Properties, ReasonCode};

/// A step of an authentication exchange. 5.0 only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auth<'a> {
    /// Success (0x00), Continue authentication (0x18) or Re-authenticate (0x19).
    pub reason_code: ReasonCode,
    /// Authentication Method, Authentication Data, Reason String, User Property.
    pub properties: Properties<'a>,
}
