//! Passwords made unreadable: every byte becomes `2a`, so that lengths and places stay as they were.
//!
//! A CONNECT that is wrong is what recordings are looked at for, and its password is one all the
//! same. Where the fields do not add up, more is masked rather than less.

use std::collections::BTreeMap;

use super::Entry;
use crate::Side;

/// What stands in place of a byte of a password: `*`.
const MASK: u8 = 0x2A;

/// The first bytes of a variable header, for streams that do not begin with a packet.
const PROTOCOL_NAMES: [&[u8]; 2] = [b"\0\x04MQTT", b"\0\x06MQIsdp"];

/// Masks the password in the bytes that a client sends, wherever they are cut.
#[derive(Clone, Debug)]
pub struct PasswordMask {
    at: At,
    /// Bytes of the packet that are still to come, as its Remaining Length has it.
    left: u64,
    version: u8,
    flags: u8,
    /// Where what follows the Keep Alive begins, if that is in the bytes at hand.
    payload: Option<usize>,
    /// A CONNECT has begun; before that, one is looked for in bytes that are no packet too.
    connecting: bool,
}

/// Where in the stream the next byte is.
#[derive(Clone, Copy, Debug)]
enum At {
    /// The first byte of a packet.
    Type,
    /// In the Remaining Length.
    RemainingLength { connect: bool, value: u64, shift: u32 },
    /// In a packet that is no CONNECT.
    Other,
    /// In the length before a field.
    Length { field: Field, high: Option<u8> },
    /// In the Property Length.
    PropertyLength { field: Field, value: u64, shift: u32 },
    /// In the field.
    Inside { field: Field, left: u64 },
    /// Behind the last field: nothing should be here, and a password without its flag may be.
    Behind,
}

/// The fields of CONNECT, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    ProtocolName,
    ProtocolVersion,
    ConnectFlags,
    KeepAlive,
    Properties,
    ClientIdentifier,
    WillProperties,
    WillTopic,
    WillPayload,
    UserName,
    Password,
}

const USER_NAME_FLAG: u8 = 0x80;
const PASSWORD_FLAG: u8 = 0x40;
const WILL_FLAG: u8 = 0x04;

impl Default for PasswordMask {
    fn default() -> PasswordMask {
        PasswordMask { at: At::Type, left: 0, version: 0, flags: 0, payload: None, connecting: false }
    }
}

/// The bytes that a client sent from its first one on, with every password masked.
pub fn mask_passwords(bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    PasswordMask::default().mask(&mut masked);
    masked
}

impl PasswordMask {
    /// Masks what there is of passwords in the next bytes of the client.
    pub fn mask(&mut self, bytes: &mut [u8]) {
        self.payload = None;
        let mut at = 0;
        while at < bytes.len() {
            if matches!(self.at, At::Type | At::Other) && !self.connecting {
                at = self.look_for_connect(bytes, at);
                continue;
            }
            at = self.step(bytes, at);
        }
    }

    /// Goes through bytes before the first CONNECT, which may be no packets at all.
    fn look_for_connect(&mut self, bytes: &mut [u8], at: usize) -> usize {
        let rest = bytes.get(at..).unwrap_or_default();
        if matches!(self.at, At::Type) && rest.first().is_some_and(|byte| byte >> 4 == 1) {
            return self.step(bytes, at);
        }
        let name = PROTOCOL_NAMES
            .iter()
            .filter_map(|name| rest.windows(name.len()).position(|window| window == *name))
            .min();
        match name {
            Some(name) => {
                self.begin(u64::MAX);
                at + name
            }
            None => {
                // Only a packet that ends within these bytes says where the next one begins.
                self.at = At::Other;
                self.left = 0;
                if let Ok(hexmq_wire::FrameStatus::Whole { length }) = hexmq_wire::scan_frame(rest, u32::MAX)
                {
                    self.at = At::Type;
                    return at + length;
                }
                bytes.len()
            }
        }
    }

    fn begin(&mut self, left: u64) {
        *self = PasswordMask {
            at: At::Length { field: Field::ProtocolName, high: None },
            left,
            version: 0,
            flags: 0,
            payload: None,
            connecting: true,
        };
    }

    /// Takes the bytes from `at` on, and returns where it stopped.
    fn step(&mut self, bytes: &mut [u8], at: usize) -> usize {
        let Some(&byte) = bytes.get(at) else { return at + 1 };
        match self.at {
            At::Type => {
                self.at = At::RemainingLength { connect: byte >> 4 == 1, value: 0, shift: 0 };
            }
            At::RemainingLength { connect, value, shift } => {
                let value = value | u64::from(byte & 0x7F) << shift;
                if byte & 0x80 != 0 && shift < 21 {
                    self.at = At::RemainingLength { connect, value, shift: shift + 7 };
                } else if connect {
                    self.begin(value);
                } else {
                    self.left = value;
                    self.at = if value == 0 { At::Type } else { At::Other };
                }
            }
            At::Other => return self.pass(bytes, at),
            At::Length { field, high: None } => {
                self.spend(1);
                self.at = At::Length { field, high: Some(byte) };
            }
            At::Length { field, high: Some(high) } => {
                self.spend(1);
                let length = u64::from(u16::from_be_bytes([high, byte]));
                return self.field(bytes, at + 1, field, length);
            }
            At::PropertyLength { field, value, shift } => {
                self.spend(1);
                let value = value | u64::from(byte & 0x7F) << shift;
                if byte & 0x80 != 0 && shift < 21 {
                    self.at = At::PropertyLength { field, value, shift: shift + 7 };
                } else {
                    return self.field(bytes, at + 1, field, value);
                }
            }
            At::Inside { field, left } => return self.inside(bytes, at, field, left),
            At::Behind => return self.behind(bytes, at),
        }
        at + 1
    }

    fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Passes over what belongs to another packet.
    fn pass(&mut self, bytes: &[u8], at: usize) -> usize {
        let here = available(bytes, at).min(self.left);
        self.spend(here);
        if self.left == 0 {
            self.at = At::Type;
        }
        at + index(here).max(usize::from(here == 0))
    }

    /// A field with this length begins at `at`.
    fn field(&mut self, bytes: &mut [u8], at: usize, field: Field, length: u64) -> usize {
        // The name itself is more to be trusted than its length.
        let length = match (field, bytes.get(at..).unwrap_or_default()) {
            (Field::ProtocolName, [b'M', b'Q', b'T', b'T', ..]) => 4,
            (Field::ProtocolName, [b'M', b'Q', b'I', b's', b'd', b'p', ..]) => 6,
            _ => length,
        };
        // The bytes of a password follow its length, whatever the Remaining Length says.
        let follows = field == Field::Password && length <= available(bytes, at);
        if length > self.left && !follows {
            return self.damaged(bytes, at);
        }
        self.at = At::Inside { field, left: length };
        if length == 0 { self.next(bytes, at, field) } else { at }
    }

    fn inside(&mut self, bytes: &mut [u8], at: usize, field: Field, left: u64) -> usize {
        let here = available(bytes, at).min(left);
        let end = at + index(here);
        let part = bytes.get_mut(at..end).unwrap_or_default();
        match (field, part.first()) {
            (Field::ProtocolVersion, Some(&version)) => self.version = version,
            (Field::ConnectFlags, Some(&flags)) => self.flags = flags,
            (Field::Password, _) => part.fill(MASK),
            _ => {}
        }
        self.spend(here);
        self.at = At::Inside { field, left: left - here };
        if left == here { self.next(bytes, end, field) } else { end }
    }

    /// What follows a field that ends at `at`.
    fn next(&mut self, bytes: &mut [u8], at: usize, field: Field) -> usize {
        let string = |field| At::Length { field, high: None };
        let properties = |field| At::PropertyLength { field, value: 0, shift: 0 };
        let with_properties = self.version == 5;
        let credentials = |flags: u8| match flags & (USER_NAME_FLAG | PASSWORD_FLAG) {
            0 => At::Behind,
            PASSWORD_FLAG => string(Field::Password),
            _ => string(Field::UserName),
        };
        self.at = match field {
            Field::ProtocolName => At::Inside { field: Field::ProtocolVersion, left: 1 },
            Field::ProtocolVersion => At::Inside { field: Field::ConnectFlags, left: 1 },
            Field::ConnectFlags => At::Inside { field: Field::KeepAlive, left: 2 },
            Field::KeepAlive if with_properties => properties(Field::Properties),
            Field::KeepAlive | Field::Properties => string(Field::ClientIdentifier),
            Field::ClientIdentifier if self.flags & WILL_FLAG != 0 && with_properties => {
                properties(Field::WillProperties)
            }
            Field::ClientIdentifier if self.flags & WILL_FLAG != 0 => string(Field::WillTopic),
            Field::WillProperties => string(Field::WillTopic),
            Field::WillTopic => string(Field::WillPayload),
            Field::ClientIdentifier | Field::WillPayload => credentials(self.flags),
            Field::UserName if self.flags & PASSWORD_FLAG != 0 => string(Field::Password),
            Field::UserName | Field::Password => At::Behind,
        };
        if field == Field::KeepAlive {
            self.payload = Some(at);
        }
        let needed = match self.at {
            At::Behind => 0,
            At::Length { .. } => 2,
            _ => 1,
        };
        if self.left < needed {
            return self.damaged(bytes, at);
        }
        self.leave_if_whole();
        at
    }

    /// The next packet begins where this one is over, or where its fields are if its length is not
    /// known.
    fn leave_if_whole(&mut self) {
        let unknown = self.left > u64::from(u32::MAX);
        if (self.left == 0 || unknown) && matches!(self.at, At::Behind) {
            self.at = At::Type;
        }
    }

    /// Bytes behind the last field: a password whose flag is forgotten, for instance. A length in
    /// front stays readable.
    fn behind(&mut self, bytes: &mut [u8], at: usize) -> usize {
        let here = available(bytes, at).min(self.left);
        let end = at + index(here);
        mask_strings(bytes.get_mut(at..end).unwrap_or_default());
        self.spend(here);
        self.leave_if_whole();
        end.max(at + usize::from(here == 0))
    }

    /// The fields are longer than their packet: the lengths are wrong, and where the password is can
    /// only be guessed. A string that reaches exactly to the end is taken for it; without one,
    /// everything is, if there should be a password at all.
    fn damaged(&mut self, bytes: &mut [u8], at: usize) -> usize {
        let expected = self.flags & (USER_NAME_FLAG | PASSWORD_FLAG) != 0;
        let here = available(bytes, at);
        let end = at + index(self.left.min(here));
        let start = self.payload.unwrap_or(at);
        let ends = [bytes.len(), end];
        let found =
            ends.into_iter().find_map(|end| Some((start + last_string(bytes.get(start..end)?)?, end)));
        match found {
            Some((start, end)) => bytes.get_mut(start..end).unwrap_or_default().fill(MASK),
            None if expected => bytes.get_mut(start..).unwrap_or_default().fill(MASK),
            None => {}
        }
        self.at = match self.left {
            left if left <= here => At::Type,
            _ if expected => At::Behind,
            _ => At::Other,
        };
        self.spend(here);
        bytes.len()
    }
}

/// Where the content of the first string begins that reaches exactly to the end.
fn last_string(bytes: &[u8]) -> Option<usize> {
    let mut pairs = bytes.windows(2).enumerate();
    let (start, _) = pairs.find(|(start, pair)| {
        let behind = bytes.len() - start - 2;
        behind > 0 && pair.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)) == behind
    })?;
    Some(start + 2)
}

/// Masks what stands in strings one after another; what is none, all of it.
fn mask_strings(mut bytes: &mut [u8]) {
    loop {
        let length = match *bytes {
            [high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
            _ => return bytes.fill(MASK),
        };
        if length > bytes.len() - 2 {
            return bytes.fill(MASK);
        }
        let (string, rest) = bytes.split_at_mut(2 + length);
        string.get_mut(2..).unwrap_or_default().fill(MASK);
        if rest.is_empty() {
            return;
        }
        bytes = rest;
    }
}

fn available(bytes: &[u8], at: usize) -> u64 {
    bytes.len().saturating_sub(at) as u64
}

/// A count of bytes that are in memory.
fn index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Masks the passwords of a whole recording, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct Masking {
    connections: BTreeMap<u64, PasswordMask>,
}

impl Masking {
    /// Masks what the entry holds of passwords.
    pub fn mask(&mut self, entry: &mut Entry) {
        match entry {
            Entry::Open(open) => {
                self.connections.remove(&open.connection);
            }
            Entry::Bytes(chunk) if chunk.from == Side::Client => {
                self.connections.entry(chunk.connection).or_default().mask(&mut chunk.bytes);
            }
            Entry::Close(close) => {
                self.connections.remove(&close.connection);
            }
            Entry::Bytes(_) | Entry::Note(_) => {}
        }
    }
}
