//! The connection a packet belongs to.

use hexmq_wire::{Connect, ControlPacket, Frame, Leniency, NoTrace, Properties, Version, decode};

use super::ExportError;

/// Where to connect and as whom; what a form needs beyond the packet itself.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// Host name or address of the server.
    pub host: &'a str,
    /// Its TCP port.
    pub port: u16,
    /// The version of the connection; a CONNECT says its own.
    pub version: Version,
    /// The bytes of the CONNECT the packet follows, where it is known.
    pub connect: Option<&'a [u8]>,
}

impl<'a> Session<'a> {
    /// The CONNECT the packet follows.
    ///
    /// # Errors
    /// The bytes are no right CONNECT.
    pub(super) fn connect(&self) -> Result<Option<Connect<'a>>, ExportError> {
        let Some(bytes) = self.connect else { return Ok(None) };
        match read(bytes, self.version)? {
            ControlPacket::Connect(connect) => Ok(Some(connect)),
            _ => Err(ExportError::new("the packet in front is no CONNECT")),
        }
    }
}

/// The packet in the bytes; a form that names fields cannot say a wrong one.
pub(super) fn read(bytes: &[u8], version: Version) -> Result<ControlPacket<'_>, ExportError> {
    decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace).map_err(|fault| {
        ExportError::new(format!("only a right packet can be said in fields, and of this one {fault}"))
    })
}

/// A CONNECT with nothing in it, for a packet whose connection is not known.
pub(super) const fn anonymous(version: Version) -> Connect<'static> {
    Connect {
        version,
        clean_start: true,
        keep_alive_s: 60,
        client_identifier: "",
        will: None,
        user_name: None,
        password: None,
        properties: Properties::EMPTY,
    }
}
