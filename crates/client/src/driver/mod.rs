//! The blocking driver: one socket, one `poll`, the core in between.
//!
//! [`Driver::next`] waits for the next thing to happen and hands it out; the packet it tells of
//! stays in the read buffer meanwhile. When the connection is lost the caller decides whether to
//! go on with [`Driver::reconnect`].

mod backoff;
#[cfg(test)]
mod tests;
mod waiting;

pub use backoff::Backoff;

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use hexmq_session::Mono;
use hexmq_transport::{Dial, Dialed};
use hexmq_wire::{
    Frame, FrameStatus, PacketIdentifier, Properties, ReasonCode, SubscriptionsBuf, TopicFiltersBuf,
    scan_frame,
};
use rustix::event::{PollFd, PollFlags};

use crate::client::{Client, Event, Failure, Message, PublishError, RequestError, Ticket};
use waiting::{linger, poll_until, readable};

/// Bytes asked for at a time.
const READ_BYTES: usize = 64 * 1024;

/// How long a closing client waits for the server to close in turn.
const LINGER: Duration = Duration::from_millis(500);

/// Sees every packet that crosses the network connection.
pub type Observer = Box<dyn FnMut(Direction, Frame<'_>)>;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this client to the server.
    Out,
    /// From the server to this client.
    In,
}

/// What [`Driver::next`] has waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// A packet of the server.
    Event(Event<'a>),
    /// The descriptor with this index is readable.
    Woken(usize),
    /// The kernel has taken all that was to be sent, after it had not for a while.
    Drained,
    /// The time given has come.
    TimedOut,
}

/// Why the connection is no more.
#[derive(Debug)]
pub enum Loss {
    /// The server closed it.
    Closed,
    /// The network failed.
    Io(io::Error),
    /// The client ended it.
    Failure(Failure),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Closed => f.write_str("the server closed the connection"),
            Loss::Io(error) => error.fmt(f),
            Loss::Failure(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for Loss {}

impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Loss {
        Loss::Io(error)
    }
}

/// A client with a socket.
pub struct Driver {
    address: Dial,
    client: Client,
    socket: Option<Dialed>,
    /// Received bytes; those before `taken` belong to packets that were handed out.
    input: Vec<u8>,
    taken: usize,
    /// Bytes to send; those before `written` are with the kernel.
    output: Vec<u8>,
    written: usize,
    /// The kernel did not take all of `output` when last asked.
    stalled: bool,
    /// Bytes of `output` the observer has seen.
    observed: usize,
    observer: Option<Observer>,
    backoff: Backoff,
    /// Zero of the monotonic clock.
    started: Instant,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("address", &self.address)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver that is not connected yet. `seed` spreads the reconnections of many clients.
    pub fn new(address: Dial, client: Client, seed: u64) -> Driver {
        Driver {
            address,
            client,
            socket: None,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            written: 0,
            stalled: false,
            observed: 0,
            observer: None,
            backoff: Backoff::new(seed),
            started: Instant::now(),
        }
    }

    /// Shows every packet from now on to `observer`.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// Leaves new messages with the server, see [`Client::take_no_more`].
    pub fn take_no_more(&mut self) {
        self.client.take_no_more();
    }

    /// The core.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens the network connection and sends CONNECT. The CONNACK comes with [`Driver::next`].
    /// [V4 MQTT-7.1.2-1, V5 MQTT-4.2.0-1]
    ///
    /// # Errors
    /// No address of the host could be reached.
    pub fn connect(&mut self) -> Result<(), Loss> {
        self.forget_connection();
        self.socket = Some(self.address.connect()?);
        let now = self.now();
        self.client.connected(now, &mut self.output).map_err(Loss::Failure)?;
        self.flush()
    }

    /// Waits for the next packet, for one of `wake` to become readable, or for `until`. Packets
    /// that are here already come first.
    ///
    /// # Errors
    /// The connection is lost. What the core had to say last has been sent, if that was possible.
    pub fn next(&mut self, wake: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<Step<'_>, Loss> {
        if let Some(event) = self.client.take_untold() {
            return Ok(Step::Event(event));
        }
        let length = match self.wait(wake, until) {
            Ok(Waited::Frame(length)) => length,
            Ok(Waited::Woken(index)) => return Ok(Step::Woken(index)),
            Ok(Waited::Drained) => return Ok(Step::Drained),
            Ok(Waited::TimedOut) => return Ok(Step::TimedOut),
            Err(loss) => {
                self.lose();
                return Err(loss);
            }
        };
        let now = self.now();
        let start = self.taken;
        self.taken += length;
        let frame = Frame::new(self.input.get(start..self.taken).unwrap_or_default());
        if let Some(observer) = &mut self.observer {
            observer(Direction::In, frame);
        }
        match self.client.receive(frame, now, &mut self.output) {
            Ok(event) => {
                if matches!(event, Event::Connected(_)) {
                    self.backoff.reset();
                }
                Ok(Step::Event(event))
            }
            Err(failure) => {
                // The DISCONNECT that says why, if the kernel takes it.
                show(&mut self.observer, &self.output, &mut self.observed);
                if let (Some(mut socket), Some(rest)) = (self.socket.take(), self.output.get(self.written..))
                {
                    socket.write_all(rest).ok();
                }
                Err(Loss::Failure(failure))
            }
        }
    }

    /// Publishes a message, see [`Client::publish`]. It is sent with the next [`Driver::next`] or
    /// [`Driver::flush`].
    ///
    /// # Errors
    /// The message is not taken.
    pub fn publish(&mut self, message: Message<'_>) -> Result<Ticket, PublishError> {
        let now = self.now();
        self.client.publish(message, now, &mut self.output)
    }

    /// Asks for subscriptions, see [`Client::subscribe`].
    ///
    /// # Errors
    /// Nothing is sent then.
    pub fn subscribe(
        &mut self,
        subscriptions: &SubscriptionsBuf,
        properties: Properties<'_>,
    ) -> Result<PacketIdentifier, RequestError> {
        let now = self.now();
        self.client.subscribe(subscriptions, properties, now, &mut self.output)
    }

    /// Ends subscriptions, see [`Client::unsubscribe`].
    ///
    /// # Errors
    /// Nothing is sent then.
    pub fn unsubscribe(
        &mut self,
        topic_filters: &TopicFiltersBuf,
        properties: Properties<'_>,
    ) -> Result<PacketIdentifier, RequestError> {
        let now = self.now();
        self.client.unsubscribe(topic_filters, properties, now, &mut self.output)
    }

    /// Bytes that are not with the kernel yet. A caller with much to publish stops for a while
    /// when they are many.
    pub fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    /// Sends DISCONNECT and closes; returns when the server has closed too, at the latest after
    /// half a second. Without the wait a server could find a reset connection before it reads the
    /// DISCONNECT, and publish the will. [V4 MQTT-3.14.4-1, V5 MQTT-3.14.4-2]
    pub fn disconnect(&mut self, reason_code: ReasonCode, properties: Properties<'_>) {
        self.client.disconnect(reason_code, properties, &mut self.output);
        show(&mut self.observer, &self.output, &mut self.observed);
        let deadline = Instant::now() + LINGER;
        if let Some(socket) = &mut self.socket {
            linger(socket, self.output.get(self.written..).unwrap_or_default(), deadline);
        }
        self.forget_connection();
    }

    /// Waits for the back-off and tries once to connect again. `Ok(true)`: the network connection
    /// is there and CONNECT was sent; `Ok(false)`: one of `wake` became readable or `until` came.
    ///
    /// # Errors
    /// The attempt failed; the next call waits longer.
    pub fn reconnect(&mut self, wake: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<bool, Loss> {
        let due = Instant::now() + self.backoff.next_delay();
        let wait_until = until.map_or(due, |until| until.min(due));
        let mut descriptors: Vec<PollFd<'_>> = wake.iter().map(|fd| readable(*fd)).collect();
        while Instant::now() < wait_until {
            poll_until(&mut descriptors, Some(wait_until))?;
            if descriptors.iter().any(|fd| !fd.revents().is_empty()) {
                return Ok(false);
            }
        }
        if until.is_some_and(|until| until < due) {
            return Ok(false);
        }
        self.connect()?;
        Ok(true)
    }

    /// Gives the kernel what it takes now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn flush(&mut self) -> Result<(), Loss> {
        show(&mut self.observer, &self.output, &mut self.observed);
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            match socket.write(rest) {
                Ok(0) => return Err(Loss::Closed),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Loss::Io(error)),
            }
        }
        // TLS may hold what the kernel has not taken.
        socket.flush()?;
        self.output.clear();
        self.written = 0;
        self.observed = 0;
        Ok(())
    }

    fn now(&self) -> Mono {
        Mono(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn instant(&self, time: Mono) -> Option<Instant> {
        self.started.checked_add(Duration::from_millis(time.as_ms()))
    }

    fn wait(&mut self, wake: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<Waited, Loss> {
        loop {
            let unread = self.input.get(self.taken..).unwrap_or_default();
            match scan_frame(unread, self.client.maximum_packet_size()) {
                Ok(FrameStatus::Whole { length }) => return Ok(Waited::Frame(length)),
                Ok(FrameStatus::Needs { .. }) => {}
                Err(error) => {
                    let failure = self.client.unframed(error, &mut self.output);
                    self.flush().ok();
                    return Err(Loss::Failure(failure));
                }
            }
            let now = self.now();
            if let Err(failure) = self.client.timeout(now, &mut self.output) {
                self.flush().ok();
                return Err(Loss::Failure(failure));
            }
            if let Err(loss) = self.flush() {
                self.hear_last_words(loss)?;
                continue;
            }
            let is_stalled = self.unsent() > 0;
            let was_stalled = std::mem::replace(&mut self.stalled, is_stalled);
            if was_stalled && !is_stalled {
                return Ok(Waited::Drained);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(Waited::TimedOut);
            }
            if let Some(index) = self.sleep(wake, until)? {
                return Ok(Waited::Woken(index));
            }
        }
    }

    /// One `poll`. Reads and writes what can be; the index of a readable descriptor of `wake`.
    fn sleep(&mut self, wake: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<Option<usize>, Loss> {
        let due = self.client.next_timeout().and_then(|time| self.instant(time));
        let until = match (until, due) {
            (Some(until), Some(due)) => Some(until.min(due)),
            (until, due) => until.or(due),
        };
        let Some(socket) = &self.socket else { return Err(Loss::Closed) };
        let wants_write = self.unsent() > 0 || socket.wants_write();
        let interest = if wants_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut descriptors = vec![PollFd::from_borrowed_fd(socket.fd(), interest)];
        descriptors.extend(wake.iter().map(|fd| readable(*fd)));
        poll_until(&mut descriptors, until)?;
        let socket_is_ready = descriptors.first().is_some_and(|fd| !fd.revents().is_empty());
        let woken = descriptors.iter().skip(1).position(|fd| !fd.revents().is_empty());
        if socket_is_ready {
            self.fill()?;
        }
        Ok(woken)
    }

    /// Reads once.
    fn fill(&mut self) -> Result<(), Loss> {
        let Some(socket) = &mut self.socket else { return Err(Loss::Closed) };
        self.input.drain(..self.taken);
        self.taken = 0;
        let held = self.input.len();
        self.input.resize(held + READ_BYTES, 0);
        let result = socket.read(self.input.get_mut(held..).unwrap_or_default());
        self.input.truncate(held + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => Err(Loss::Closed),
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(())
            }
            Err(error) => Err(Loss::Io(error)),
        }
    }

    /// Writing failed, but the server may have said why before it closed.
    fn hear_last_words(&mut self, loss: Loss) -> Result<(), Loss> {
        self.output.clear();
        self.written = 0;
        self.observed = 0;
        let held = self.input.len() - self.taken;
        self.fill().ok();
        if self.input.len() > held { Ok(()) } else { Err(loss) }
    }

    /// The connection is gone.
    fn lose(&mut self) {
        self.client.lost();
        self.socket = None;
    }

    fn forget_connection(&mut self) {
        self.lose();
        self.input.clear();
        self.taken = 0;
        self.output.clear();
        self.written = 0;
        self.stalled = false;
        self.observed = 0;
    }
}

enum Waited {
    Frame(usize),
    Woken(usize),
    Drained,
    TimedOut,
}

/// Shows the observer the packets that were appended to the output since it last looked.
fn show(observer: &mut Option<Observer>, output: &[u8], observed: &mut usize) {
    let Some(observer) = observer else { return };
    while let Some(rest) = output.get(*observed..) {
        let Ok(FrameStatus::Whole { length }) = scan_frame(rest, u32::MAX) else { return };
        observer(Direction::Out, Frame::new(rest.get(..length).unwrap_or_default()));
        *observed += length;
    }
}
