//! One recorded connection: writes what crosses it into the watches it fits.

use std::sync::{Arc, OnceLock};

use hexmq_broker::{Caller, CloseReason};

use super::watch::{Connection, Crossed, Watch};
use super::{Recorder, Refused, Rejection};

/// Bytes of the longest entry; more become several.
const PIECE_BYTES: usize = 16 << 10;
/// Entries looked through, newest first, for the connection a refusal is about.
const LOOK_BACK: usize = 1024;

/// Takes down one connection. Dropped when the connection is gone.
#[derive(Debug)]
pub struct Track {
    recorder: Arc<Recorder>,
    connection: Arc<Connection>,
    watches: Vec<Arc<Watch>>,
    /// The server has said something.
    answered: bool,
    reason: Option<CloseReason>,
}

impl Recorder {
    /// Who takes down what crosses a connection, if somebody watches it. `first` is what the client
    /// has sent up to now, where that is at hand.
    pub fn track(self: &Arc<Self>, caller: Caller<'_>, first: &[u8]) -> Option<Track> {
        let watches = self.fitting(caller);
        if watches.is_empty() {
            return None;
        }
        let connection = Arc::new(Connection {
            number: self.next_connection(),
            peer: caller.peer.address.to_string().into(),
            listener: caller.peer.listener,
            client_id: OnceLock::new(),
            version: OnceLock::new(),
        });
        let mut track = Track {
            recorder: Arc::clone(self),
            connection,
            watches: Vec::new(),
            answered: false,
            reason: None,
        };
        track.identify(caller);
        // Without a CONNECT and with a client, recording begins in the middle.
        let whole = caller.client_identifier.is_none() || !first.is_empty();
        track.answered = !whole;
        for watch in watches {
            track.begin(watch, first, whole);
        }
        Some(track)
    }

    /// A refusal belongs into the recordings of those that watch. Who was not recorded until now,
    /// since a refused client is never known, gets what it sent as its whole recording.
    pub(super) fn note_refused(&self, refused: &Refused<'_>, rejection: &Arc<Rejection>) {
        if !self.any_watches() {
            return;
        }
        let Refused { peer, client_identifier, version, .. } = *refused;
        let caller = Caller { peer, client_identifier, version };
        for watch in self.fitting(caller) {
            let recorded = watch.shelf().look(|ring| {
                let entries = ring.before(u64::MAX).take(LOOK_BACK).map(|(_, entry)| &entry.connection);
                entries.into_iter().find(|connection| is_of(connection, refused)).cloned()
            });
            if let Some(connection) = recorded {
                self.enter(&watch, &connection, Crossed::Refused(Arc::clone(rejection)));
                continue;
            }
            let connection = Arc::new(Connection {
                number: self.next_connection(),
                peer: refused.peer.address.to_string().into(),
                listener: refused.peer.listener,
                client_id: refused.client_identifier.map_or_else(OnceLock::new, known),
                version: OnceLock::new(),
            });
            self.enter(&watch, &connection, Crossed::Opened { whole: refused.refused });
            for piece in refused.bytes.chunks(PIECE_BYTES) {
                let what = Crossed::Received { bytes: piece.into(), greeting: refused.refused };
                self.enter(&watch, &connection, what);
            }
            self.enter(&watch, &connection, Crossed::Refused(Arc::clone(rejection)));
            self.enter(&watch, &connection, Crossed::Closed(Some(CloseReason::Refused)));
        }
    }
}

fn known(id: &str) -> OnceLock<Box<str>> {
    OnceLock::from(Box::from(id))
}

/// Whether a refusal is about this connection. All that come through a Unix socket have one address.
fn is_of(connection: &Connection, refused: &Refused<'_>) -> bool {
    let known = connection.client_id.get().map(|id| &**id);
    let same_client = known.is_some() && known == refused.client_identifier;
    let same_address = *connection.peer == *refused.peer.address.to_string();
    same_address && (same_client || !connection.peer.starts_with("unix:"))
}

impl Track {
    /// The client sent this.
    pub fn received(&mut self, bytes: &[u8]) {
        let greeting = !self.answered;
        self.enter(bytes, |bytes| Crossed::Received { bytes, greeting });
    }

    /// The server sent this.
    pub fn sent(&mut self, bytes: &[u8]) {
        self.answered |= !bytes.is_empty();
        self.enter(bytes, Crossed::Sent);
    }

    /// The connection ends for this reason.
    pub fn ending(&mut self, reason: CloseReason) {
        self.reason = Some(reason);
    }

    /// The client is known now, or the rules have changed. `false`: nobody watches it any more.
    pub fn asked_again(&mut self, caller: Caller<'_>, first: &[u8]) -> bool {
        self.identify(caller);
        let fitting = self.recorder.fitting(caller);
        self.watches.retain(|watch| fitting.iter().any(|other| Arc::ptr_eq(watch, other)));
        for watch in fitting {
            if !self.watches.iter().any(|other| Arc::ptr_eq(&watch, other)) {
                self.begin(watch, first, !first.is_empty());
            }
        }
        !self.watches.is_empty()
    }

    fn identify(&self, caller: Caller<'_>) {
        if let Some(id) = caller.client_identifier {
            // It stays what it was first: a client has one identifier for a connection.
            self.connection.client_id.get_or_init(|| id.into());
        }
        if let Some(version) = caller.version {
            self.connection.version.get_or_init(|| version);
        }
    }

    fn begin(&mut self, watch: Arc<Watch>, first: &[u8], whole: bool) {
        self.recorder.enter(&watch, &self.connection, Crossed::Opened { whole });
        for piece in first.chunks(PIECE_BYTES) {
            let what = Crossed::Received { bytes: piece.into(), greeting: true };
            self.recorder.enter(&watch, &self.connection, what);
        }
        self.watches.push(watch);
    }

    fn enter(&self, bytes: &[u8], crossed: impl Fn(Arc<[u8]>) -> Crossed) {
        for piece in bytes.chunks(PIECE_BYTES) {
            let piece: Arc<[u8]> = piece.into();
            for watch in &self.watches {
                self.recorder.enter(watch, &self.connection, crossed(Arc::clone(&piece)));
            }
        }
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        for watch in &self.watches {
            self.recorder.enter(watch, &self.connection, Crossed::Closed(self.reason));
        }
    }
}
