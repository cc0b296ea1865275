//! Where lines come from: an editor, standard input, a file.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// Bytes of the longest line.
const LINE_MAX: u64 = 4 * 1024 * 1024;

/// Lines that may wait.
const WAITING_MAX: usize = 64;

/// What comes from a person or a script.
#[derive(Debug)]
pub(super) enum Input {
    Line {
        /// Counted from 1.
        number: usize,
        text: String,
    },
    /// Ctrl-C.
    Interrupt,
    /// Lines cannot be read any further.
    Failed(String),
    End,
}

/// The side that gives lines.
pub(super) struct Feeder {
    sender: SyncSender<Input>,
    wake: UnixStream,
}

/// The side that takes them, with a descriptor to wait on.
pub(super) struct Inputs {
    receiver: Receiver<Input>,
    wake: UnixStream,
}

/// Both sides.
pub(super) fn channel() -> io::Result<(Feeder, Inputs)> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let (wake, woken) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    Ok((Feeder { sender, wake }, Inputs { receiver, wake: woken }))
}

impl Feeder {
    /// Gives an input; `false`: nobody takes it any more.
    pub(super) fn give(&mut self, input: Input) -> bool {
        self.sender.send(input).is_ok() && self.wake.write_all(&[0]).is_ok()
    }

    /// Gives every line of `input`, and the end.
    pub(super) fn give_all(mut self, input: impl Read) {
        let mut input = BufReader::new(input);
        for number in 1.. {
            let mut line = Vec::new();
            let read = (&mut input).take(LINE_MAX).read_until(b'\n', &mut line);
            let given = match read {
                Ok(0) => break,
                Ok(_) if line.len() as u64 == LINE_MAX => Input::Failed(format!("line {number} is too long")),
                Ok(_) => match String::from_utf8(line) {
                    Ok(text) => Input::Line { number, text },
                    Err(_) => Input::Failed(format!("line {number} is not UTF-8")),
                },
                Err(error) => Input::Failed(format!("line {number} cannot be read: {error}")),
            };
            let failed = matches!(given, Input::Failed(_));
            if !self.give(given) || failed {
                return;
            }
        }
        self.give(Input::End);
    }
}

impl Inputs {
    /// The next input that is there.
    pub(super) fn take(&mut self) -> Option<Input> {
        match self.receiver.try_recv() {
            Ok(input) => Some(input),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Input::End),
        }
    }

    /// Forgets what has woken us so far; to be called before the inputs are taken.
    pub(super) fn settle(&mut self) {
        let mut scrap = [0; 256];
        while matches!(self.wake.read(&mut scrap), Ok(1..)) {}
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
