//! Entries of the recorder as lines of a recording, with passwords masked.

use std::collections::BTreeSet;

use hexmq_broker::CloseReason;
use hexmq_observe::recorder::{Connection, Crossed, Entry, Recorder, Rejection};
use hexmq_workbench::recording::{self, Chunk, Close, Masking, Note, Open, Timestamp, Via};
use hexmq_workbench::{Language, Side};

use super::rejections;

/// What stands in place of a byte that might belong to a password.
const MASK: u8 = 0x2A;

/// Turns entries into lines, in their order.
pub(super) struct Converter {
    /// `None`: passwords are shown.
    masking: Option<Masking>,
    /// Connections whose beginning was seen.
    begun: BTreeSet<u64>,
}

impl Converter {
    pub(super) fn new(reveal: bool) -> Converter {
        Converter { masking: (!reveal).then(Masking::default), begun: BTreeSet::new() }
    }

    /// The lines for one entry.
    pub(super) fn lines(
        &mut self,
        recorder: &Recorder,
        entry: &Entry,
        language: Language,
    ) -> Vec<recording::Entry> {
        let at = Timestamp(entry.at_ns);
        let connection = entry.connection.number;
        let mut lines = Vec::new();
        match &entry.what {
            Crossed::Opened { whole } => {
                lines.push(recording::Entry::Open(open(recorder, &entry.connection, at)));
                if *whole {
                    self.begun.insert(connection);
                } else {
                    let text = "the connection was there before it was recorded".to_owned();
                    lines.push(note(at, connection, text));
                }
            }
            Crossed::Received { bytes, greeting } => {
                let mut bytes = bytes.to_vec();
                // Without its beginning nobody knows where in a CONNECT these bytes are.
                if *greeting && self.masking.is_some() && !self.begun.contains(&connection) {
                    bytes.fill(MASK);
                }
                lines.push(chunk(at, connection, Side::Client, bytes));
            }
            Crossed::Sent(bytes) => lines.push(chunk(at, connection, Side::Server, bytes.to_vec())),
            Crossed::Refused(rejection) => lines.push(refused(at, connection, rejection, language)),
            Crossed::Closed(reason) => {
                self.begun.remove(&connection);
                let (by, reason) = how(*reason);
                lines.push(recording::Entry::Close(Close { at, connection, by, reason }));
            }
        }
        if let Some(masking) = &mut self.masking {
            lines.iter_mut().for_each(|line| masking.mask(line));
        }
        lines
    }
}

fn chunk(at: Timestamp, connection: u64, from: Side, bytes: Vec<u8>) -> recording::Entry {
    recording::Entry::Bytes(Chunk { at, connection, from, bytes })
}

/// Something to know about a connection, or about the recording.
pub(super) fn note(at: Timestamp, connection: u64, text: String) -> recording::Entry {
    recording::Entry::Note(Note { at, connection: Some(connection), text, ..Note::default() })
}

/// Entries that are gone.
pub(super) fn missed(at: Timestamp, count: u64) -> recording::Entry {
    let text = format!("{count} entries were pushed out by later ones");
    recording::Entry::Note(Note { at, text, ..Note::default() })
}

fn refused(at: Timestamp, connection: u64, rejection: &Rejection, language: Language) -> recording::Entry {
    let verdict = rejections::judge(rejection, false, language);
    recording::Entry::Note(Note {
        at,
        connection: Some(connection),
        text: verdict.message,
        decision: Some(rejections::decision(rejection).to_owned()),
        reason: Some(rejection.reason.to_owned()),
        statement: verdict.statement.map(str::to_owned),
        lost: None,
    })
}

fn open(recorder: &Recorder, connection: &Connection, at: Timestamp) -> Open {
    let url = recorder.listener(connection.listener);
    let (scheme, rest) = url.split_once("://").unwrap_or(("mqtt", url));
    let via = match scheme {
        "unix" => Via::Unix,
        "mqtts" => Via::Tls,
        "ws" => Via::Ws,
        "wss" => Via::Wss,
        _ => Via::Tcp,
    };
    let (client, server) = match via {
        Via::Unix => ("unix", rest),
        _ => (&*connection.peer, rest.split('/').next().unwrap_or(rest)),
    };
    Open { at, connection: connection.number, client: client.to_owned(), server: server.to_owned(), via }
}

/// Who ended a connection, and why if it was not in order.
fn how(reason: Option<CloseReason>) -> (Option<Side>, Option<String>) {
    let by = match reason {
        None => None,
        Some(
            CloseReason::ClientDisconnected
            | CloseReason::ClientDisconnectedWithWill
            | CloseReason::ConnectionClosed,
        ) => Some(Side::Client),
        Some(CloseReason::ConnectionReset) => None,
        Some(_) => Some(Side::Server),
    };
    let orderly = |reason: &CloseReason| *reason != CloseReason::ClientDisconnected;
    (by, reason.filter(orderly).map(|reason| reason.name().to_owned()))
}
