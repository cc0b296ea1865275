//! A socket of a device.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use hexmq_wire::{FrameStatus, scan_frame};

/// On loopback a connection stands at once or is refused at once; only a full backlog takes time.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
const READ_BYTES: usize = 64 * 1024;

/// A connected socket that never blocks.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    input: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

impl Link {
    /// `None` where nobody listens.
    pub(crate) fn open(address: SocketAddr) -> Option<Link> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).ok()?;
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Link { stream, input: Vec::new(), output: Vec::new() })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Reads what is there; `false` when the connection has ended.
    pub(crate) fn fill(&mut self) -> bool {
        loop {
            let held = self.input.len();
            self.input.resize(held + READ_BYTES, 0);
            let result = self.stream.read(self.input.get_mut(held..).unwrap_or_default());
            self.input.truncate(held + result.as_ref().copied().unwrap_or(0));
            match result {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Takes the next whole packet.
    pub(crate) fn next_packet(&mut self) -> Result<Option<Vec<u8>>, String> {
        match scan_frame(&self.input, u32::MAX) {
            Ok(FrameStatus::Whole { length }) => Ok(Some(self.input.drain(..length).collect())),
            Ok(_) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes what can be written; `false` when the connection has ended.
    pub(crate) fn flush(&mut self) -> bool {
        let mut written = 0;
        let alive = loop {
            let Some(rest) = self.output.get(written..).filter(|rest| !rest.is_empty()) else { break true };
            match self.stream.write(rest) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        self.output.drain(..written);
        alive
    }
}

/// A free port that no outgoing connection takes while the server is down: below the range the kernel takes those
/// from. A client that connects within that range to a port where nobody listens may even reach itself.
pub(crate) fn free_port(mut random: impl FnMut() -> u64) -> Result<u16, String> {
    let mut last = io::Error::from(ErrorKind::AddrInUse);
    for _ in 0..200 {
        let port = 12_000 + (random() % 18_000) as u16;
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(format!("no free port: {last}"))
}
