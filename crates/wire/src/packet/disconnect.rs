//! DISCONNECT (section 3.14).

use crate::{Properties, ReasonCode};

/// The last packet. In 3.x only the client sends it and it has no body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disconnect<'a> {
    /// [`ReasonCode::Success`] (normal disconnection) in 3.x.
    pub reason_code: ReasonCode,
    /// 5.0: Session Expiry Interval, Reason String, User Property, Server Reference.
    pub properties: Properties<'a>,
}

impl Disconnect<'_> {
    /// A DISCONNECT with a reason and without properties.
    pub const fn with_reason(reason_code: ReasonCode) -> Disconnect<'static> {
        Disconnect { reason_code, properties: Properties::EMPTY }
    }
}
