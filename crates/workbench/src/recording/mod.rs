//! Recordings: what crossed network connections, byte for byte, with time and direction.
//!
//! A recording is a row of [`Entry`]s. Bytes are kept as they came off the wire, in segments;
//! packets are found in them when they are read. On disk a recording is JSON lines, described in
//! `docs/recordings.md`: [`Writer`] and [`Reader`] handle one entry at a time, [`Recording`] holds a
//! whole one.
//!
//! Guarantees: what is written reads back the same; a reader holds one line of at most
//! [`LINE_MAX`] bytes, whatever the file is; what cannot be read is told with its line.

mod conversation;
mod export;
mod html;
mod import;
mod line;
mod mask;
mod packets;
mod pcapng;
mod read;
mod time;
mod write;

#[cfg(test)]
mod mask_tests;
#[cfg(test)]
mod pcapng_tests;
#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod tests;

pub use conversation::{Conversation, Event, Moment, Spoken};
pub use export::{Export, Format, HTML_MAX, convert};
pub use html::{is_html, read_html, write_html};
pub use import::{ImportError, Kind, import};
pub use mask::{Masking, PasswordMask, mask_passwords};
pub use packets::{Packets, Part};
pub use pcapng::{PcapngWriter, entry_of_comment, write_pcapng};
pub use read::{ReadError, ReadErrorKind, Reader};
pub use time::Timestamp;
pub use write::Writer;

use std::io::BufRead;

use crate::Side;

/// Bytes of the longest line a reader takes.
pub const LINE_MAX: usize = 1024 * 1024;

/// Most bytes in one chunk on disk; a longer one is written as several with the same time.
pub const CHUNK_MAX: usize = 64 * 1024;

/// The version of the format that is written, and the highest that is read.
pub const FORMAT_VERSION: u64 = 1;

/// What stands in the first line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Who wrote it: `hexmq 0.1.0 capture`.
    pub by: Option<String>,
    /// When writing began.
    pub created: Option<Timestamp>,
    /// Passwords are masked: their bytes are `2a`.
    pub masked: bool,
}

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A network connection is there.
    Open(Open),
    /// Bytes crossed it.
    Bytes(Chunk),
    /// Something to know that is no byte.
    Note(Note),
    /// The connection is no more.
    Close(Close),
}

/// A network connection is there. Bytes of a connection may come without it: a recording may
/// begin in the middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// When.
    pub at: Timestamp,
    /// Its number, unique in the recording.
    pub connection: u64,
    /// Address and port of the client; `unix` for a Unix socket.
    pub client: String,
    /// Address and port of the server, or the path of its Unix socket.
    pub server: String,
    /// What carries the MQTT bytes. The bytes of the recording are always MQTT, never TLS or WebSocket.
    pub via: Via,
}

/// What carries the MQTT bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// TCP alone.
    #[default]
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// A Unix stream socket.
    Unix,
}

/// Bytes that crossed a connection in one direction, as they were read or captured: a part of a
/// packet, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// When.
    pub at: Timestamp,
    /// The connection.
    pub connection: u64,
    /// Who sent them.
    pub from: Side,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Something to know that is no byte: a decision of the server, bytes missing in a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// The connection; `None`: the recording as a whole.
    pub connection: Option<u64>,
    /// For a person.
    pub text: String,
    /// What the server decided: `accepted`, `refused`, `closed`.
    pub decision: Option<String>,
    /// The stable name of the reason: `bad_user_name_or_password`.
    pub reason: Option<String>,
    /// The statement of the standard, or the rule, that was broken.
    pub statement: Option<String>,
    /// Bytes that crossed here and are not in the recording.
    pub lost: Option<Lost>,
}

/// Bytes that are not in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Who sent them.
    pub from: Side,
    /// How many.
    pub bytes: u64,
}

/// The connection is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// When.
    pub at: Timestamp,
    /// The connection.
    pub connection: u64,
    /// Who closed it, where that is known.
    pub by: Option<Side>,
    /// The stable name of the reason, or `reset`; `None` for an orderly end.
    pub reason: Option<String>,
}

impl Entry {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Entry::Open(open) => open.at,
            Entry::Bytes(chunk) => chunk.at,
            Entry::Note(note) => note.at,
            Entry::Close(close) => close.at,
        }
    }

    /// The connection it belongs to; `None` for a note about the recording as a whole.
    pub fn connection(&self) -> Option<u64> {
        match self {
            Entry::Open(open) => Some(open.connection),
            Entry::Bytes(chunk) => Some(chunk.connection),
            Entry::Note(note) => note.connection,
            Entry::Close(close) => Some(close.connection),
        }
    }
}

impl Via {
    /// Every way, in the order of their names' use.
    pub const ALL: [Via; 5] = [Via::Tcp, Via::Tls, Via::Ws, Via::Wss, Via::Unix];

    /// `tcp`, `tls`, `ws`, `wss`, `unix`.
    pub const fn name(self) -> &'static str {
        match self {
            Via::Tcp => "tcp",
            Via::Tls => "tls",
            Via::Ws => "ws",
            Via::Wss => "wss",
            Via::Unix => "unix",
        }
    }
}

/// A whole recording in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// Its first line.
    pub head: Head,
    /// In the order they were written.
    pub entries: Vec<Entry>,
    /// The last line was not finished: whoever wrote it was stopped in the middle.
    pub cut_off: bool,
}

impl Recording {
    /// Reads a whole recording that holds at most `most` bytes of traffic.
    ///
    /// # Errors
    /// The first line that cannot be read, or the one with which it becomes too much.
    pub fn read(input: impl BufRead, most: usize) -> Result<Recording, ReadError> {
        let mut reader = Reader::new(input)?;
        let mut entries = Vec::new();
        let mut held = 0usize;
        while let Some(entry) = reader.next_entry()? {
            // An entry without bytes is not free either.
            const EACH: usize = 128;
            let bytes = if let Entry::Bytes(chunk) = &entry { chunk.bytes.len() } else { 0 };
            held = held.saturating_add(bytes + EACH);
            if held > most {
                return Err(ReadError { line: reader.line(), kind: ReadErrorKind::TooLarge { most } });
            }
            entries.push(entry);
        }
        Ok(Recording { head: reader.head().clone(), entries, cut_off: reader.is_cut_off() })
    }

    /// The numbers of its connections, in the order in which they appear.
    pub fn connections(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for number in self.entries.iter().filter_map(Entry::connection) {
            if seen.insert(number) {
                numbers.push(number);
            }
        }
        numbers
    }

    /// All that belongs to one connection, in order.
    pub fn of_connection(&self, connection: u64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.connection() == Some(connection))
    }

    /// Whether `content` begins as a recording does.
    pub fn is_one(content: &[u8]) -> bool {
        let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content).trim_ascii_start();
        let Some(inner) = content.strip_prefix(b"{") else { return false };
        inner.trim_ascii_start().starts_with(b"\"hexmq_recording\"")
    }
}
