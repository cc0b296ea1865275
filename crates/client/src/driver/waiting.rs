//! Waiting for descriptors, and the patient way to close.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use hexmq_transport::Dialed;

/// Waits for `fd` to become readable.
pub(super) fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

/// `poll` until a time; a signal is a reason to return as well.
pub(super) fn poll_until(descriptors: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<()> {
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

/// Sends the rest, closes our half, and reads until the server has closed its own.
pub(super) fn linger(socket: &mut Dialed, mut rest: &[u8], deadline: Instant) {
    let mut scrap = [0; 4096];
    while !rest.is_empty() && Instant::now() < deadline {
        match socket.write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // A server that does not read because we do not read would wait for ever.
                let mut descriptors = [PollFd::from_borrowed_fd(socket.fd(), PollFlags::IN | PollFlags::OUT)];
                if poll_until(&mut descriptors, Some(deadline)).is_err()
                    || matches!(socket.read(&mut scrap), Ok(0))
                {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
    if socket.shutdown_write().is_err() {
        return;
    }
    while Instant::now() < deadline {
        match socket.read(&mut scrap) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut descriptors = [PollFd::from_borrowed_fd(socket.fd(), PollFlags::IN)];
                if poll_until(&mut descriptors, Some(deadline)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
