//! CONNECT (section 3.1).

use crate::{Properties, QoS, Version};

/// A client's request to connect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connect<'a> {
    /// From Protocol Name and level.
    pub version: Version,
    /// Clean Session (3.x) or Clean Start (5.0).
    pub clean_start: bool,
    /// Seconds; 0 turns the mechanism off.
    pub keep_alive_s: u16,
    /// May be empty: the server then assigns one, where the version allows it.
    pub client_identifier: &'a str,
    /// The Will Message, if the Will Flag is set.
    pub will: Option<Will<'a>>,
    /// User Name.
    pub user_name: Option<&'a str>,
    /// Password: binary data.
    pub password: Option<&'a [u8]>,
    /// 5.0 only.
    pub properties: Properties<'a>,
}

/// The Will Message of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Will<'a> {
    /// Will Topic: a valid topic name without wildcards.
    pub topic: &'a str,
    /// Will Message (3.x) or Will Payload (5.0).
    pub payload: &'a [u8],
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// 5.0: Will Delay Interval and the properties of the PUBLISH to come.
    pub properties: Properties<'a>,
}
