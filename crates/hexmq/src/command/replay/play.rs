//! The player: every byte of the clients at its time, but not before the server has said what it
//! had said by then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hexmq_notation::{print_bytes, print_hex};
use hexmq_transport::Dial;
use hexmq_wire::Version;
use hexmq_workbench::Side;
use hexmq_workbench::recording::{Entry, Packets, Part, Recording, Timestamp, Via};
use rustix::event::PollFd;

use crate::command::connection::{Heard, Link, poll_until};
use crate::command::raw::Record;

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// So many times as fast as recorded.
    Times(f64),
    /// As fast as the server answers.
    Max,
}

/// Why nothing was played.
#[derive(Debug)]
pub(super) enum Trouble {
    Connect(String),
    Usage(String),
}

/// What a server said on one connection, packet by packet.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) connection: u64,
    pub(super) recorded: Vec<String>,
    pub(super) now: Vec<String>,
}

/// A connection that is played.
struct Line {
    link: Option<Link>,
    /// A connection was made: it is not made anew.
    opened: bool,
    then: Packets,
    now: Packets,
    answers: Answers,
    /// How many packets of the server the recording has, as far as it was played.
    due: usize,
}

/// Plays a recording.
pub(super) struct Player<'a> {
    recording: &'a Recording,
    lines: BTreeMap<u64, Line>,
    pace: Pace,
    patience: Duration,
    record: Option<Record>,
    stopped: Arc<AtomicBool>,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        recording: &'a Recording,
        numbers: &[u64],
        pace: Pace,
        patience: Duration,
        record: Option<Record>,
    ) -> Player<'a> {
        let line = |&connection: &u64| {
            let answers = Answers { connection, recorded: Vec::new(), now: Vec::new() };
            let (then, now) = (Packets::new(Version::V4), Packets::new(Version::V4));
            (connection, Line { link: None, opened: false, then, now, answers, due: 0 })
        };
        let lines = numbers.iter().map(line).collect();
        let stopped = Arc::new(AtomicBool::new(false));
        // Without it Ctrl-C ends the process at once, which is no harm either.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stopped));
        Player { recording, lines, pace, patience, record, stopped }
    }

    /// Plays it all, or until Ctrl-C; what the server said.
    pub(super) fn play(
        &mut self,
        dial: &dyn Fn(&str) -> Result<Dial, String>,
    ) -> Result<Vec<Answers>, Trouble> {
        let started = Instant::now();
        let recording = self.recording;
        let first = recording.entries.iter().find(|entry| self.is_played(entry)).map(Entry::at);
        let Some(first) = first else {
            return Err(Trouble::Usage("there is no connection in the recording".to_owned()));
        };
        for entry in &recording.entries {
            if self.stopped.load(Ordering::Relaxed) {
                break;
            }
            if self.is_played(entry) {
                self.entry(entry, started, first, dial)?;
            }
        }
        self.settle();
        for line in self.lines.values_mut() {
            if let Some(link) = &mut line.link {
                link.end();
            }
        }
        Ok(std::mem::take(&mut self.lines).into_values().map(|line| line.answers).collect())
    }

    fn is_played(&self, entry: &Entry) -> bool {
        entry.connection().is_some_and(|number| self.lines.contains_key(&number))
    }

    fn entry(
        &mut self,
        entry: &Entry,
        started: Instant,
        first: Timestamp,
        dial: &dyn Fn(&str) -> Result<Dial, String>,
    ) -> Result<(), Trouble> {
        let at = entry.at();
        match entry {
            Entry::Open(open) => {
                self.until(started, first, at);
                self.connect(open.connection, &open.server, dial)
            }
            Entry::Bytes(chunk) if chunk.from == Side::Server => {
                if let Some(line) = self.lines.get_mut(&chunk.connection) {
                    let parts = line.then.feed(Side::Server, &chunk.bytes);
                    line.due += parts.len();
                    line.answers.recorded.extend(parts.iter().map(told));
                }
                Ok(())
            }
            Entry::Bytes(chunk) => {
                let opened = self.lines.get(&chunk.connection).is_some_and(|line| line.opened);
                if !opened {
                    // The recording began in the middle of this connection.
                    self.connect(chunk.connection, "", dial)?;
                }
                self.until(started, first, at);
                self.answered(chunk.connection);
                self.send(chunk.connection, &chunk.bytes);
                Ok(())
            }
            Entry::Close(close) => {
                self.until(started, first, at);
                self.answered(close.connection);
                if close.by != Some(Side::Server)
                    && let Some(link) =
                        self.lines.get_mut(&close.connection).and_then(|line| line.link.as_mut())
                {
                    link.end();
                }
                Ok(())
            }
            Entry::Note(_) => Ok(()),
        }
    }

    fn connect(
        &mut self,
        number: u64,
        server: &str,
        dial: &dyn Fn(&str) -> Result<Dial, String>,
    ) -> Result<(), Trouble> {
        let dial = dial(server).map_err(|problem| {
            Trouble::Usage(format!("connection {number} names no server to connect to ({problem}); use --to"))
        })?;
        let link = Link::connect(&dial)
            .map_err(|error| Trouble::Connect(format!("cannot connect to {}: {error}", dial.endpoint)))?;
        if let Some(record) = &mut self.record {
            let (client, server) = link.addresses();
            let via = if dial.tls.is_some() { Via::Tls } else { Via::Tcp };
            // What cannot be recorded is played all the same.
            let _ = record.open_as(number, client, server, via);
        }
        if let Some(line) = self.lines.get_mut(&number) {
            line.link = Some(link);
            line.opened = true;
        }
        Ok(())
    }

    fn send(&mut self, number: u64, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        // They also say which version the answers are in.
        line.then.feed(Side::Client, bytes);
        line.now.feed(Side::Client, bytes);
        line.then.set_version(line.now.version());
        if let Some(link) = &mut line.link {
            // The end of the connection shows when it is read.
            let _ = link.send(bytes);
            if let Some(record) = &mut self.record {
                let _ = record.bytes_of(number, Side::Client, bytes);
            }
        }
    }

    /// Waits until the time of an entry has come.
    fn until(&mut self, started: Instant, first: Timestamp, at: Timestamp) {
        let Pace::Times(times) = self.pace else { return };
        let recorded = Duration::from_nanos(at.0.saturating_sub(first.0)).as_secs_f64();
        // Longer than anybody waits.
        const LONGEST: f64 = 86_400.0 * 365.0;
        let due = started + Duration::from_secs_f64((recorded / times).clamp(0.0, LONGEST));
        while Instant::now() < due && !self.stopped.load(Ordering::Relaxed) {
            self.exchange(due);
        }
    }

    /// Waits until the server has said on this connection what it had said by now, or has closed it,
    /// or patience ends.
    fn answered(&mut self, number: u64) {
        let until = Instant::now() + self.patience;
        while Instant::now() < until && !self.stopped.load(Ordering::Relaxed) {
            let waits = |line: &Line| line.link.is_some() && line.answers.now.len() < line.due;
            if !self.lines.get(&number).is_some_and(waits) {
                return;
            }
            self.exchange(until);
        }
    }

    /// The same for every connection in the end.
    fn settle(&mut self) {
        let numbers: Vec<u64> = self.lines.keys().copied().collect();
        for number in numbers {
            self.answered(number);
        }
    }

    /// One wait for whatever comes on any connection.
    fn exchange(&mut self, until: Instant) {
        let links = self.lines.values().filter_map(|line| line.link.as_ref());
        let mut descriptors: Vec<PollFd<'_>> =
            links.map(|link| PollFd::from_borrowed_fd(link.fd(), link.interest())).collect();
        if poll_until(&mut descriptors, Some(until)).is_err() {
            return;
        }
        drop(descriptors);
        for (&number, line) in &mut self.lines {
            if let Some(link) = &mut line.link {
                let _ = link.flush();
            }
            while let Some(heard) = line.link.as_mut().and_then(Link::hear) {
                match heard {
                    Heard::Bytes(bytes) => {
                        let parts = line.now.feed(Side::Server, &bytes);
                        line.answers.now.extend(parts.iter().map(told));
                        if let Some(record) = &mut self.record {
                            let _ = record.bytes_of(number, Side::Server, &bytes);
                        }
                    }
                    Heard::Closed { reset } => {
                        line.link = None;
                        if let Some(record) = &mut self.record {
                            let _ = record.close_of(number, Side::Server, reset);
                        }
                    }
                }
            }
        }
    }
}

/// A packet in one line.
fn told(part: &Part) -> String {
    match part {
        Part::Packet { bytes, version } => print_bytes(bytes, *version),
        Part::Unframed { bytes } => print_hex(bytes),
    }
}
