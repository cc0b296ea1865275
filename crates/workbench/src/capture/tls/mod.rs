//! TLS 1.2 and 1.3 with a key log: records in, clear text out. Without its secret a connection stays
//! closed, and that is said.
//!
//! In TLS 1.3 the encrypted part of the handshake is not opened: a record that the first application
//! key does not open belongs to it and is passed over.

mod hello;
mod keylog;
mod keys;

pub use keylog::{KeyLog, KeyLogError};

use super::note::Encrypted;
use crate::Side;
use hello::{ServerHello, TLS_1_2, TLS_1_3, client_hello, server_hello};
use keys::{CipherSuite, Opener, next_traffic_secret};

const HEADER: usize = 5;
/// The longest record, header included (RFC 5246, 6.2.3).
const RECORD_MAX: usize = HEADER + (1 << 14) + 2_048;
/// A hello is not longer than this.
const HELLO_MAX: usize = 64 * 1024;
/// Records of the handshake and of early data that the application key may fail on.
const PATIENCE: u32 = 256;
/// Records that a gap may have swallowed.
const SWALLOWED_MAX: u64 = 256;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Whether these bytes begin a TLS record. `None`: too few to tell.
pub(crate) fn begins_record(bytes: &[u8]) -> Option<bool> {
    let Some((&[kind, major, minor, high, low], _)) = bytes.split_first_chunk() else {
        let like = [20..=23, 3..=3, 0..=4].iter().zip(bytes).all(|(range, byte)| range.contains(byte));
        return if like { None } else { Some(false) };
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    Some((20..=23).contains(&kind) && major == 3 && minor <= 4 && (1..=RECORD_MAX - HEADER).contains(&length))
}

/// Whether these bytes begin with a ClientHello. `None`: too few to tell.
pub(crate) fn begins_hello(bytes: &[u8]) -> Option<bool> {
    match begins_record(bytes) {
        Some(true) => bytes.get(HEADER).map(|&kind| bytes.first() == Some(&HANDSHAKE) && kind == 1),
        other => other,
    }
}

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Out<'a> {
    /// Clear text.
    Clear(&'a [u8]),
    /// Clear text is missing here, nobody knows how much.
    Gap,
    /// It cannot be read.
    Unreadable(Encrypted),
}

#[derive(Default)]
struct Direction {
    /// A record that is not whole.
    begun: Vec<u8>,
    /// Handshake messages in the clear, until the hello is read.
    handshake: Vec<u8>,
    said_hello: bool,
    /// TLS 1.2: ChangeCipherSpec was there, so everything is encrypted from now on.
    changed: bool,
    opener: Option<Opener>,
    /// TLS 1.3: the secret the opener is made from.
    secret: Option<Box<[u8]>>,
    sequence: u64,
    /// Records that were not opened since the key is there.
    failed: u32,
    /// Whether one was opened.
    opened: bool,
    /// A gap was there: the next record may have a later number.
    behind_gap: bool,
}

/// A connection of TLS.
#[derive(Default)]
pub(crate) struct Tls {
    client: Direction,
    server: Direction,
    client_random: Option<[u8; 32]>,
    server_hello: Option<ServerHello>,
    pub(crate) server_name: Option<Box<str>>,
    /// It cannot be read, and that was told.
    lost: bool,
    clear: Vec<u8>,
}

impl Tls {
    fn direction(&mut self, from: Side) -> &mut Direction {
        match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Bytes that come next.
    pub(crate) fn feed(&mut self, from: Side, bytes: &[u8], keys: &KeyLog, out: &mut impl FnMut(Out<'_>)) {
        if self.lost {
            return;
        }
        let mut kept = std::mem::take(&mut self.direction(from).begun);
        let mut rest = bytes;
        if !kept.is_empty() {
            // Complete the record that has begun, without copying what follows it.
            loop {
                let wanted = record_length(&kept).unwrap_or(HEADER);
                let lacking = wanted.saturating_sub(kept.len());
                if lacking == 0 {
                    break;
                }
                let (part, behind) = rest.split_at(lacking.min(rest.len()));
                if part.is_empty() {
                    self.direction(from).begun = kept;
                    return;
                }
                kept.extend_from_slice(part);
                rest = behind;
            }
            self.record(from, &kept, keys, out);
            kept.clear();
        }
        while let Some(record) = record_length(rest).and_then(|length| rest.get(..length)) {
            if self.lost {
                return;
            }
            self.record(from, record, keys, out);
            rest = rest.get(record.len()..).unwrap_or_default();
        }
        if begins_record(rest) == Some(false) && !rest.is_empty() {
            return self.misfit(from, out);
        }
        kept.extend_from_slice(rest);
        self.direction(from).begun = kept;
    }

    /// What stands here is no record.
    fn misfit(&mut self, from: Side, out: &mut impl FnMut(Out<'_>)) {
        let direction = self.direction(from);
        if direction.behind_gap && direction.failed < PATIENCE {
            // Perhaps the next segment begins with one.
            direction.failed += 1;
            return;
        }
        self.lose(Encrypted::Broken, out);
    }

    fn lose(&mut self, why: Encrypted, out: &mut impl FnMut(Out<'_>)) {
        if !std::mem::replace(&mut self.lost, true) {
            self.client = Direction::default();
            self.server = Direction::default();
            out(Out::Unreadable(why));
        }
    }

    /// Bytes are missing.
    pub(crate) fn gap(&mut self, from: Side, out: &mut impl FnMut(Out<'_>)) {
        if self.lost {
            return;
        }
        let direction = self.direction(from);
        if !direction.opened {
            return self.lose(Encrypted::NoHandshake, out);
        }
        direction.begun = Vec::new();
        direction.behind_gap = true;
        out(Out::Gap);
    }

    fn record(&mut self, from: Side, record: &[u8], keys: &KeyLog, out: &mut impl FnMut(Out<'_>)) {
        let Some((&[kind, ..], body)) = record.split_first_chunk::<HEADER>() else { return };
        if begins_record(record) != Some(true) {
            return self.misfit(from, out);
        }
        let newest = self.server_hello.is_some_and(|hello| hello.version == TLS_1_3);
        let direction = self.direction(from);
        match kind {
            APPLICATION_DATA => self.encrypted(from, record, keys, out),
            _ if direction.changed && !newest => self.encrypted(from, record, keys, out),
            CHANGE_CIPHER_SPEC => direction.changed = true,
            HANDSHAKE if !direction.said_hello => self.handshake(from, body, out),
            _ => {}
        }
    }

    /// Handshake messages in the clear.
    fn handshake(&mut self, from: Side, body: &[u8], out: &mut impl FnMut(Out<'_>)) {
        let direction = self.direction(from);
        direction.handshake.extend_from_slice(body);
        if direction.handshake.len() > HELLO_MAX {
            return self.lose(Encrypted::NoHandshake, out);
        }
        let Some((&[kind, l0, l1, l2], rest)) = direction.handshake.split_first_chunk() else { return };
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let Some(message) = rest.get(..length) else { return };
        let message = message.to_vec();
        let behind = rest.get(length..).unwrap_or_default().to_vec();
        direction.handshake = behind;
        match (from, kind) {
            (Side::Client, 1) => {
                if let Some(hello) = client_hello(&message) {
                    self.client_random = Some(hello.random);
                    self.server_name = hello.server_name;
                    // After a HelloRetryRequest there is a second one; its random is the same.
                    self.client.said_hello = true;
                }
            }
            (Side::Server, 2) => {
                if let Some(hello) = server_hello(&message) {
                    self.server_hello = Some(hello);
                    self.server.said_hello = true;
                }
            }
            _ => {}
        }
    }

    fn encrypted(&mut self, from: Side, record: &[u8], keys: &KeyLog, out: &mut impl FnMut(Out<'_>)) {
        if from == Side::Client && self.server_hello.is_none() && self.client.failed < PATIENCE {
            // Early data: sent before the server has answered.
            if self.client.said_hello {
                self.client.failed += 1;
                return;
            }
        }
        if self.direction(from).opener.is_none()
            && let Err(why) = self.make_openers(keys)
        {
            return self.lose(why, out);
        }
        let Some(hello) = self.server_hello else { return self.lose(Encrypted::NoHandshake, out) };
        let mut clear = std::mem::take(&mut self.clear);
        let direction = self.direction(from);
        let kind = open(direction, hello.version, record, &mut clear);
        match kind {
            None if hello.version == TLS_1_3 && !direction.opened || direction.behind_gap => {
                direction.failed += 1;
                if direction.failed > PATIENCE {
                    self.lose(Encrypted::Broken, out);
                }
            }
            None => self.lose(Encrypted::Broken, out),
            Some(APPLICATION_DATA) => out(Out::Clear(&clear)),
            Some(HANDSHAKE) if hello.version == TLS_1_3 => {
                if has_key_update(&clear) && update_key(direction, hello.cipher_suite).is_none() {
                    self.lose(Encrypted::Broken, out);
                }
            }
            Some(_) => {}
        }
        self.clear = clear;
    }

    /// Makes what opens records, once the secrets are needed.
    fn make_openers(&mut self, keys: &KeyLog) -> Result<(), Encrypted> {
        let (Some(random), Some(hello)) = (self.client_random, self.server_hello) else {
            return Err(Encrypted::NoHandshake);
        };
        if !matches!(hello.version, TLS_1_2 | TLS_1_3) {
            return Err(Encrypted::Version { code: hello.version });
        }
        let code = hello.cipher_suite;
        let suite = CipherSuite::from_code(code).ok_or(Encrypted::CipherSuite { code })?;
        let secrets = keys.secrets(&random).ok_or(Encrypted::NoKey)?;
        if hello.version == TLS_1_2 {
            let master = secrets.master.as_deref().ok_or(Encrypted::NoKey)?;
            let openers = Opener::pair_from_master(suite, master, &random, &hello.random);
            let [client, server] = openers.ok_or(Encrypted::NoKey)?;
            (self.client.opener, self.server.opener) = (Some(client), Some(server));
            return Ok(());
        }
        let [client, server] = &secrets.traffic;
        for (direction, secret) in [(&mut self.client, client), (&mut self.server, server)] {
            let secret = secret.clone().ok_or(Encrypted::NoKey)?;
            direction.opener = Opener::from_traffic_secret(suite, &secret);
            direction.secret = Some(secret);
            if direction.opener.is_none() {
                return Err(Encrypted::NoKey);
            }
        }
        Ok(())
    }
}

/// Bytes of the record at the front, once its header is whole.
fn record_length(bytes: &[u8]) -> Option<usize> {
    let (&[_, _, _, high, low], _) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    (begins_record(bytes) == Some(true)).then_some(HEADER + length)
}

/// Opens a record into `clear` and returns its content type.
fn open(direction: &mut Direction, version: u16, record: &[u8], clear: &mut Vec<u8>) -> Option<u8> {
    let (&[kind, major, minor, high, low], body) = record.split_first_chunk()?;
    let opener = direction.opener.as_ref()?;
    let last = direction.sequence + if direction.behind_gap { SWALLOWED_MAX } else { 0 };
    let number = (direction.sequence..=last).find(|&sequence| {
        let associated = |length: usize| {
            let [s0, s1, s2, s3, s4, s5, s6, s7] = sequence.to_be_bytes();
            // TLS 1.3 binds the header as it stands, TLS 1.2 the number and the clear length.
            let [c0, c1] = if version == TLS_1_3 { [high, low] } else { (length as u16).to_be_bytes() };
            [s0, s1, s2, s3, s4, s5, s6, s7, kind, major, minor, c0, c1]
        };
        let skip = if version == TLS_1_3 { 8 } else { 0 };
        opener.open(sequence, body, associated, skip, clear).is_some()
    })?;
    direction.sequence = number + 1;
    direction.opened = true;
    direction.behind_gap = false;
    direction.failed = 0;
    if version != TLS_1_3 {
        return Some(kind);
    }
    // Behind the content stand its type and zeros.
    let end = clear.iter().rposition(|&byte| byte != 0)?;
    let kind = clear.get(end).copied();
    clear.truncate(end);
    kind
}

/// Whether there is a KeyUpdate among these handshake messages.
fn has_key_update(mut messages: &[u8]) -> bool {
    const KEY_UPDATE: u8 = 24;
    while let Some((&[kind, l0, l1, l2], behind)) = messages.split_first_chunk() {
        if kind == KEY_UPDATE {
            return true;
        }
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        messages = behind.get(length..).unwrap_or_default();
    }
    false
}

fn update_key(direction: &mut Direction, cipher_suite: u16) -> Option<()> {
    let suite = CipherSuite::from_code(cipher_suite)?;
    let secret = next_traffic_secret(suite, direction.secret.as_deref()?)?;
    direction.opener = Some(Opener::from_traffic_secret(suite, &secret)?);
    direction.secret = Some(secret);
    direction.sequence = 0;
    Some(())
}
