//! Log lines to stderr, without a shard ever waiting for whoever reads them.
//!
//! Lines go through a bounded queue to a thread that writes. When the reader of stderr is slow
//! and the queue is full, lines are left out, and their number is written.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::config::LogLevel;

/// Lines that may wait.
const QUEUE_MAX: usize = 4096;
/// At the end, waiting lines get so long to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// The running log.
pub(crate) struct Log {
    pipe: Pipe,
    level: reload::Handle<LevelFilter, Registry>,
}

#[derive(Clone)]
struct Pipe {
    queue: SyncSender<Item>,
    left_out: Arc<AtomicU64>,
}

enum Item {
    Line(Vec<u8>),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

/// Starts logging, once in a process.
pub(crate) fn start(level: LogLevel) -> Result<Log, Box<dyn std::error::Error>> {
    let (queue, items) = sync_channel(QUEUE_MAX);
    let pipe = Pipe { queue, left_out: Arc::default() };
    let left_out = Arc::clone(&pipe.left_out);
    std::thread::Builder::new().name("hexmq-log".to_owned()).spawn(move || write(&items, &left_out))?;
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (filter, handle) = reload::Layer::new(level.0);
    let lines =
        tracing_subscriber::fmt::layer().with_target(false).with_ansi(colour).with_writer(pipe.clone());
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Log { pipe, level: handle })
}

impl Log {
    /// Another level from now on.
    pub(crate) fn set_level(&self, level: LogLevel) {
        // Fails only if the subscriber is gone, and then nobody logs.
        let _ = self.level.reload(level.0);
    }

    /// Waits, not for long, until everything is written.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.pipe.queue.try_send(Item::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH);
        }
    }
}

fn write(items: &Receiver<Item>, left_out: &AtomicU64) {
    for item in items {
        match item {
            Item::Line(line) => {
                let missing = left_out.swap(0, Relaxed);
                let mut stderr = io::stderr().lock();
                if missing > 0 {
                    let _ = writeln!(stderr, "{missing} log lines were left out: stderr is read too slowly");
                }
                // A closed stderr takes the log away, not the server.
                let _ = stderr.write_all(&line);
            }
            Item::Flush(done) => drop(done.send(())),
        }
    }
}

impl<'a> MakeWriter<'a> for Pipe {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { pipe: self, line: Vec::new() }
    }
}

/// One line, sent when it is complete.
struct LineWriter<'a> {
    pipe: &'a Pipe,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(_)) = self.pipe.queue.try_send(Item::Line(line)) {
            self.pipe.left_out.fetch_add(1, Relaxed);
        }
    }
}
