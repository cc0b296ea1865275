//! A refused CONNECT with what it lacks. What only its owner knows is left as `2a`.

use hexmq_wire::{Frame, Version};

use super::{Case, find};
use crate::Side;
use crate::explain::is_clean;
use crate::stream::{packet_of, part};

/// What stands where a value has to be filled in.
const BLANK: &[u8; 8] = b"********";
const CREDENTIALS: u8 = 0xC0;
const CLEAN_SESSION: u8 = 0x02;

/// With user name and password: the password is blank, and so is a user name that is not there.
pub(super) fn with_credentials(case: &Case<'_>) -> Option<Vec<u8>> {
    let packet = case.packet()?;
    let mut body = Body::of(case)?;
    match find(&packet.fields, "password") {
        Some(password) if password.length > 2 => {
            body.bytes.get_mut(password.offset + 2..password.offset + password.length)?.fill(b'*');
        }
        _ => {
            if find(&packet.fields, "password").is_some() {
                // Two bytes that say that nothing follows.
                body.bytes.truncate(body.bytes.len().checked_sub(2)?);
            }
            if find(&packet.fields, "user_name").is_none() {
                body.string(b"user");
            }
            body.string(BLANK);
            *body.flags()? |= CREDENTIALS;
        }
    }
    body.finish()
}

/// With a Client Identifier where 3.1 wants one, or with Clean Session, without which 3.1.1 wants one.
pub(super) fn with_client(case: &Case<'_>) -> Option<Vec<u8>> {
    let packet = case.packet()?;
    let mut body = Body::of(case)?;
    if packet.version == Version::V4 {
        *body.flags()? |= CLEAN_SESSION;
    } else {
        let identifier = find(&packet.fields, "client_identifier")?;
        let mut string = vec![0, 7];
        string.extend_from_slice(b"device1");
        body.bytes.splice(identifier.offset..identifier.offset + identifier.length, string);
    }
    body.finish()
}

/// A whole CONNECT that is being changed. Offsets are those of the packet.
struct Body {
    bytes: Vec<u8>,
    header: usize,
    flags: usize,
    version: Version,
}

impl Body {
    fn of(case: &Case<'_>) -> Option<Body> {
        let packet = case.packet()?;
        let bytes = part(case.rejected.bytes, packet.offset, packet.length).to_vec();
        let header = usize::from(Frame::new(&bytes).header()?.size);
        let flags = find(&packet.fields, "connect_flags")?.offset;
        Some(Body { bytes, header, flags, version: packet.version })
    }

    fn flags(&mut self) -> Option<&mut u8> {
        self.bytes.get_mut(self.flags)
    }

    fn string(&mut self, content: &[u8]) {
        self.bytes.extend_from_slice(&(content.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(content);
    }

    /// The packet, if it is a clean one.
    fn finish(self) -> Option<Vec<u8>> {
        let packet = packet_of(*self.bytes.first()?, self.bytes.get(self.header..)?)?;
        is_clean(&packet, self.version, Some(Side::Client)).then_some(packet)
    }
}
