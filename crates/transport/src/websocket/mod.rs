//! MQTT over WebSocket (RFC 6455), the server's end: frames go on and come off a stream of bytes.

mod frames;
mod upgrade;

use std::io;
use std::sync::Arc;

use crate::layer_error::{LayerError, LayerRule};
use crate::layered::Below;
use crate::tls_accepted::Got;
use frames::{Control, Decoder, FrameError, PAYLOAD_MAX, Status};

/// A frame may be this large where `maximum_packet_size` is less, since it may carry several packets.
const FRAME_BYTES_LEAST: u64 = 64 << 10;
/// Capacity kept for headers of frames.
const OUT_KEPT: usize = 16;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    /// The request and where it must lead, until it is answered.
    request: Option<Box<Request>>,
    decoder: Decoder,
    /// Bytes that go before any payload: an answer, a header, a control frame.
    out: Vec<u8>,
    /// Bytes of payload that the last header has promised.
    promised: usize,
    /// What the latest Ping carried; its Pong waits for the end of a frame.
    ping: Option<Vec<u8>>,
    /// Close is said: nothing may follow.
    closed: bool,
    /// Nothing more is read.
    ended: bool,
    /// A page of another machine has opened it.
    foreign_page: bool,
}

#[derive(Debug)]
struct Request {
    bytes: Vec<u8>,
    path: Arc<str>,
}

impl WebSocket {
    pub(crate) fn new(path: Arc<str>, packet_max: u64) -> WebSocket {
        WebSocket {
            request: Some(Box::new(Request { bytes: Vec::new(), path })),
            decoder: Decoder::new(packet_max.max(FRAME_BYTES_LEAST)),
            out: Vec::new(),
            promised: 0,
            ping: None,
            closed: false,
            ended: false,
            foreign_page: false,
        }
    }

    /// Whether a page of another machine has opened it.
    pub(crate) fn is_of_foreign_page(&self) -> bool {
        self.foreign_page
    }

    /// What came of the request while it is not answered.
    pub(crate) fn unanswered(&self) -> Option<&[u8]> {
        self.request.as_ref().map(|request| request.bytes.as_slice())
    }

    /// The request was not finished.
    pub(crate) fn incomplete(&self, why: &str) -> LayerError {
        let seen = self.unanswered().unwrap_or_default();
        LayerError::new(LayerRule::WebSocketIncomplete, why).seen(seen, seen.len())
    }

    /// Plain bytes, as far as they are there.
    pub(crate) fn read(&mut self, below: &mut Below<'_>, buffer: &mut [u8]) -> io::Result<Got> {
        loop {
            if self.ended {
                return Ok(Got { count: 0, drained: false });
            }
            let mut got = below.read(buffer)?;
            if got.count == 0 {
                return match self.unanswered() {
                    Some([_, ..]) => Err(self.incomplete("the client closed the connection").into()),
                    _ => Ok(got),
                };
            }
            if self.request.is_some() {
                got.count = self.upgrade(below, buffer, got.count)?;
            }
            let framed = buffer.get_mut(..got.count).unwrap_or_default();
            got.count = self.unframe(below, framed)?;
            got.drained &= !self.ended;
            if got.count > 0 {
                return Ok(got);
            }
            if got.drained {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }

    /// Takes in more of the request. Returns how many bytes behind it stand in the buffer.
    fn upgrade(&mut self, below: &mut Below<'_>, buffer: &mut [u8], count: usize) -> io::Result<usize> {
        let Some(request) = &mut self.request else { return Ok(count) };
        request.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let bytes = request.bytes.as_slice();
        if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
            let error = LayerError::new(LayerRule::NotWebSocket, "").seen(bytes, bytes.len());
            return Err(error.into());
        }
        match upgrade::read(bytes, &request.path) {
            None => Ok(0),
            Some(Ok(found)) => {
                let behind = bytes.get(found.length..).unwrap_or_default();
                let count = behind.len();
                if let Some(place) = buffer.get_mut(..count) {
                    place.copy_from_slice(behind);
                }
                self.foreign_page = found.origin.is_some_and(|origin| !upgrade::is_local(&origin));
                self.out.extend_from_slice(found.response.as_bytes());
                self.request = None;
                self.offer(below)?;
                Ok(count)
            }
            Some(Err(refused)) => {
                let error =
                    LayerError::new(LayerRule::WebSocketRefused, refused.why).seen(bytes, bytes.len());
                self.out.extend_from_slice(refused.response.as_bytes());
                self.closed = true;
                self.ended = true;
                self.offer(below)?;
                Err(error.into())
            }
        }
    }

    fn unframe(&mut self, below: &mut Below<'_>, framed: &mut [u8]) -> io::Result<usize> {
        let mut heard = None;
        let mut ping = None;
        let decoded = self.decoder.decode(framed, |control| match control {
            // Of several Pings the latest is answered.
            Control::Ping(payload) => ping = Some(payload),
            Control::Close(payload) => heard = Some(payload),
        });
        if ping.is_some() {
            self.ping = ping;
        }
        match (decoded, heard) {
            (Ok(count), None) => {
                if self.ping.is_some() {
                    self.offer(below)?;
                }
                Ok(count)
            }
            (Ok(count), Some(payload)) => {
                self.close(below, |out| frames::close_answer(&payload, out))?;
                Ok(count)
            }
            (Err(error), _) => self.broken(below, error),
        }
    }

    fn broken(&mut self, below: &mut Below<'_>, error: FrameError) -> io::Result<usize> {
        self.close(below, |out| frames::close(error.status, out))?;
        Err(error.into_layer_error().into())
    }

    /// Says Close, where that is still possible, and ends.
    fn close(&mut self, below: &mut Below<'_>, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.ended = true;
        self.ping = None;
        // In the midst of a frame of ours nothing else can be said.
        if !self.closed && self.promised == 0 && self.request.is_none() {
            write(&mut self.out);
        }
        self.closed = true;
        self.offer(below)
    }

    /// Says a normal Close.
    pub(crate) fn end(&mut self, below: &mut Below<'_>) {
        // Who does not take it is not waited for.
        let _ = self.close(below, |out| frames::close(Status::Normal, out));
    }

    /// Gives away what waits, as far as it is taken now.
    fn offer(&mut self, below: &mut Below<'_>) -> io::Result<()> {
        match self.flush(below) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether bytes wait that no further payload is needed for.
    pub(crate) fn wants_write(&self) -> bool {
        !self.out.is_empty() || (self.promised == 0 && self.ping.is_some())
    }

    /// Takes plain bytes into frames. A header that has gone promises the bytes behind it: what is offered
    /// next must begin with what was not taken.
    pub(crate) fn write(&mut self, below: &mut Below<'_>, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut taken = 0;
        while let Some(rest @ [_, ..]) = bytes.get(taken..) {
            if self.promised == 0 {
                self.queue_pong();
                self.promised = rest.len().min(PAYLOAD_MAX);
                frames::head_of(self.promised, &mut self.out);
            }
            let payload = rest.get(..self.promised).unwrap_or(rest);
            let whole = self.out.len() + payload.len();
            match below.write(&self.out, payload) {
                Ok(count) => {
                    let of_head = count.min(self.out.len());
                    self.gone(of_head);
                    taken += count - of_head;
                    self.promised -= (count - of_head).min(self.promised);
                    if count < whole {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if taken == 0 && !bytes.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Gives away what waits here; `WouldBlock` while not all of it is taken.
    pub(crate) fn flush(&mut self, below: &mut Below<'_>) -> io::Result<()> {
        if self.promised == 0 {
            self.queue_pong();
        }
        while !self.out.is_empty() {
            match below.write(&self.out, &[]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.gone(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        below.flush()
    }

    fn queue_pong(&mut self) {
        if let Some(payload) = self.ping.take() {
            frames::pong(&payload, &mut self.out);
        }
    }

    /// So many bytes of what goes before payload have gone.
    fn gone(&mut self, count: usize) {
        self.out.drain(..count.min(self.out.len()));
        if self.out.is_empty() {
            self.out.shrink_to(OUT_KEPT);
        }
    }
}
