//! Bytes both ways, without ever blocking.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use hexmq_transport::{Dial, Dialed};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Bytes asked for at a time.
const READ_BYTES: usize = 64 * 1024;

/// Most bytes that wait for a server that does not read.
const UNSENT_MAX: usize = 64 * 1024 * 1024;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Dialed,
    /// Bytes the kernel has not taken; those before `written` it has.
    output: Vec<u8>,
    written: usize,
}

/// What came from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Its end.
    Closed {
        /// Not in an orderly way.
        reset: bool,
    },
}

impl Link {
    /// Connects.
    pub(crate) fn connect(dial: &Dial) -> io::Result<Link> {
        Ok(Link { stream: dial.connect()?, output: Vec::new(), written: 0 })
    }

    /// Address and port of both ends, ours first.
    pub(crate) fn addresses(&self) -> (String, String) {
        self.stream.addresses()
    }

    /// Sends these bytes after those that wait already.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.output.len() - self.written + bytes.len() > UNSENT_MAX {
            let message = format!("the server has not taken {UNSENT_MAX} bytes that were to be sent");
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        self.output.extend_from_slice(bytes);
        self.flush()
    }

    /// Gives the kernel what it takes now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        self.stream.flush()
    }

    /// What to wait for on the descriptor.
    pub(crate) fn interest(&self) -> PollFlags {
        if self.written < self.output.len() || self.stream.wants_write() {
            PollFlags::IN | PollFlags::OUT
        } else {
            PollFlags::IN
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.fd()
    }

    /// What has come; `None` if nothing has.
    pub(crate) fn hear(&mut self) -> Option<Heard> {
        let mut buffer = vec![0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => Some(Heard::Closed { reset: false }),
            Ok(count) => {
                buffer.truncate(count);
                Some(Heard::Bytes(buffer))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                None
            }
            Err(_) => Some(Heard::Closed { reset: true }),
        }
    }

    /// Ends our half.
    pub(crate) fn end(&mut self) {
        // A connection that is gone already needs no end.
        let _ = self.stream.shutdown_write();
    }
}

/// `poll` until a time; a signal is a reason to return as well.
pub(crate) fn poll_until(descriptors: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<()> {
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    });
    match poll(descriptors, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
