//! WebSocket frames (RFC 6455, section 5), taken off in place: what is between the frames' headers goes on as
//! it comes, whole frame or not, so an idle connection keeps nothing but a few bytes of a header.

use crate::layer_error::{LayerError, LayerRule};

/// Bytes of payload that one frame of ours carries at most: what a header of four bytes can say. Between two of
/// them a pong has its turn.
pub(crate) const PAYLOAD_MAX: usize = 0xFFFF;
/// Bytes of payload of a control frame at most.
const CONTROL_MAX: usize = 125;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Why a connection is closed, as a frame of Close says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Status {
    Normal = 1000,
    ProtocolError = 1002,
    UnsupportedData = 1003,
    TooBig = 1009,
}

/// A rule that a frame breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameError {
    pub(crate) status: Status,
    pub(crate) text: String,
}

impl FrameError {
    fn protocol(text: impl Into<String>) -> FrameError {
        FrameError { status: Status::ProtocolError, text: text.into() }
    }

    pub(crate) fn into_layer_error(self) -> LayerError {
        LayerError::new(LayerRule::WebSocketFrame, self.text)
    }
}

/// What control frames ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Answer with these bytes.
    Ping(Vec<u8>),
    /// The client is done; answer with the same bytes.
    Close(Vec<u8>),
}

/// Takes the frames off what a client sends.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// A header that has not come whole.
    head: [u8; 14],
    have: u8,
    /// Bytes of payload that are still to come in this frame.
    left: u64,
    mask: [u8; 4],
    /// The frame's opcode.
    opcode: u8,
    /// A message has begun, and its last frame has not come.
    in_message: bool,
    /// The payload of a control frame, as far as it has come.
    control: Vec<u8>,
    /// Largest frame that is taken.
    frame_max: u64,
}

impl Decoder {
    pub(crate) fn new(frame_max: u64) -> Decoder {
        Decoder {
            head: [0; 14],
            have: 0,
            left: 0,
            mask: [0; 4],
            opcode: BINARY,
            in_message: false,
            control: Vec::new(),
            frame_max,
        }
    }

    /// Takes the frames off the bytes, leaves their payload at the front and returns its length.
    /// `told` hears of control frames, in their order. After a Close nothing more is read.
    ///
    /// A frame holds as many packets, or as small a part of one, as its sender likes.
    /// [V4 MQTT-6.0.0-2, V5 MQTT-6.0.0-2]
    pub(crate) fn decode(
        &mut self,
        bytes: &mut [u8],
        mut told: impl FnMut(Control),
    ) -> Result<usize, FrameError> {
        let (mut read, mut kept) = (0, 0);
        while read < bytes.len() {
            if self.left == 0 {
                let Some(&byte) = bytes.get(read) else { break };
                read += 1;
                if !self.head_byte(byte)? {
                    continue;
                }
            }
            let there = bytes.len() - read;
            let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(there);
            let payload = read..read + count;
            if let Some(payload) = bytes.get_mut(payload.clone()) {
                self.unmask(payload);
            }
            self.left -= count as u64;
            if self.opcode < CLOSE {
                bytes.copy_within(payload, kept);
                kept += count;
            } else {
                self.control.extend_from_slice(bytes.get(payload).unwrap_or_default());
                if self.left == 0
                    && let Some(control) = self.control()?
                {
                    let is_close = matches!(control, Control::Close(_));
                    told(control);
                    if is_close {
                        return Ok(kept);
                    }
                }
            }
            read += count;
        }
        Ok(kept)
    }

    /// Takes a byte of a header. `true`: it is whole, and checked.
    fn head_byte(&mut self, byte: u8) -> Result<bool, FrameError> {
        if let Some(place) = self.head.get_mut(usize::from(self.have)) {
            *place = byte;
        }
        self.have += 1;
        match self.have {
            1 => return self.check_first(byte).map(|()| false),
            2 => self.check_second(byte)?,
            _ => {}
        }
        let [_, second, ..] = self.head;
        let length_bytes: u8 = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        // Two bytes, the length, and a mask of four.
        if self.have < 2 + length_bytes + 4 {
            return Ok(false);
        }
        let extended = self.head.get(2..usize::from(2 + length_bytes)).unwrap_or_default();
        self.left = match length_bytes {
            0 => u64::from(second & 0x7F),
            _ => extended.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        if let Some(mask) = self.head.get(usize::from(2 + length_bytes)..usize::from(6 + length_bytes)) {
            self.mask.copy_from_slice(mask);
        }
        self.have = 0;
        if self.left > self.frame_max {
            return Err(FrameError {
                status: Status::TooBig,
                text: format!(
                    "a frame of {} bytes; at most {} are taken (maximum_packet_size)",
                    self.left, self.frame_max
                ),
            });
        }
        Ok(true)
    }

    fn check_first(&mut self, byte: u8) -> Result<(), FrameError> {
        let (last, reserved, opcode) = (byte & 0x80 != 0, byte & 0x70, byte & 0x0F);
        if reserved != 0 {
            return Err(FrameError::protocol("reserved bits are set, and no extension was agreed on"));
        }
        match opcode {
            // [V4 MQTT-6.0.0-1, V5 MQTT-6.0.0-1]
            TEXT => {
                return Err(FrameError {
                    status: Status::UnsupportedData,
                    text: "a text frame; MQTT travels in binary frames".to_owned(),
                });
            }
            CONTINUATION if !self.in_message => {
                return Err(FrameError::protocol("a continuation of no message"));
            }
            BINARY if self.in_message => {
                return Err(FrameError::protocol("a new message within another one"));
            }
            CONTINUATION | BINARY => self.in_message = !last,
            CLOSE | PING | PONG if last => {}
            CLOSE | PING | PONG => return Err(FrameError::protocol("a control frame in fragments")),
            _ => return Err(FrameError::protocol(format!("opcode {opcode} means nothing"))),
        }
        self.opcode = opcode;
        Ok(())
    }

    fn check_second(&self, byte: u8) -> Result<(), FrameError> {
        if byte & 0x80 == 0 {
            return Err(FrameError::protocol("a frame of a client that is not masked"));
        }
        if self.opcode >= CLOSE && usize::from(byte & 0x7F) > CONTROL_MAX {
            return Err(FrameError::protocol("a control frame of more than 125 bytes"));
        }
        Ok(())
    }

    /// Takes the mask off, and turns it to where the next bytes begin.
    fn unmask(&mut self, payload: &mut [u8]) {
        let mask = u32::from_ne_bytes(self.mask);
        let mut words = payload.chunks_exact_mut(4);
        for word in &mut words {
            if let Ok(bytes) = <[u8; 4]>::try_from(&*word) {
                word.copy_from_slice(&(u32::from_ne_bytes(bytes) ^ mask).to_ne_bytes());
            }
        }
        let rest = words.into_remainder();
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        let turned = rest.len();
        self.mask.rotate_left(turned);
    }

    /// A control frame is whole.
    fn control(&mut self) -> Result<Option<Control>, FrameError> {
        let payload = std::mem::take(&mut self.control);
        match self.opcode {
            PING => Ok(Some(Control::Ping(payload))),
            CLOSE if payload.len() == 1 => Err(FrameError::protocol("a Close with half a status code")),
            CLOSE => Ok(Some(Control::Close(payload))),
            _ => Ok(None),
        }
    }
}

/// The header of a binary frame with so many bytes, which is a whole message.
pub(crate) fn head_of(length: usize, out: &mut Vec<u8>) {
    head(BINARY, length.min(PAYLOAD_MAX), out);
}

fn head(opcode: u8, length: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match u8::try_from(length) {
        Ok(short @ 0..=125) => out.push(short),
        _ => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
}

/// A Pong with what the Ping carried.
pub(crate) fn pong(payload: &[u8], out: &mut Vec<u8>) {
    let payload = payload.get(..CONTROL_MAX).unwrap_or(payload);
    head(PONG, payload.len(), out);
    out.extend_from_slice(payload);
}

/// A Close with what the client's carried.
pub(crate) fn close_answer(payload: &[u8], out: &mut Vec<u8>) {
    let payload = payload.get(..CONTROL_MAX).unwrap_or(payload);
    head(CLOSE, payload.len(), out);
    out.extend_from_slice(payload);
}

/// A Close of ours.
pub(crate) fn close(status: Status, out: &mut Vec<u8>) {
    close_answer(&(status as u16).to_be_bytes(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0xA1, 0x02, 0xFF, 0x80];

    /// A frame as a client sends it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            middle @ 126..=0xFFFF => {
                bytes.push(0xFE);
                bytes.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                bytes.push(0xFF);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn all(decoder: &mut Decoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<Control>), FrameError> {
        let (mut plain, mut heard) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let count = decoder.decode(&mut bytes, |control| heard.push(control))?;
            plain.extend_from_slice(&bytes[..count]);
        }
        Ok((plain, heard))
    }

    /// [V4 MQTT-6.0.0-2, V5 MQTT-6.0.0-2]
    #[test]
    fn however_it_is_cut_the_same_comes_out() {
        let long: Vec<u8> = (0..70_000_u32).map(|n| n as u8).collect();
        let stream = [
            frame(0x82, b"one"),
            frame(0x02, b"first, "),
            frame(0x89, b"are you there"),
            frame(0x00, b""),
            frame(0x80, b"last"),
            frame(0x8A, b"unasked"),
            frame(0x82, &[7; 300]),
            frame(0x88, &[3, 0xE8, b'x']),
        ]
        .concat();
        let plain = [b"onefirst, last".to_vec(), vec![7; 300]].concat();
        let heard = vec![Control::Ping(b"are you there".to_vec()), Control::Close(vec![3, 0xE8, b'x'])];
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            let mut decoder = Decoder::new(1 << 20);
            assert_eq!(all(&mut decoder, &[first, second]), Ok((plain.clone(), heard.clone())), "{cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(all(&mut Decoder::new(1 << 20), &bytes), Ok((plain, heard)));
        let large = frame(0x82, &long);
        for size in [1, 3, 4096, 65_537] {
            let pieces: Vec<&[u8]> = large.chunks(size).collect();
            assert_eq!(all(&mut Decoder::new(70_000), &pieces), Ok((long.clone(), Vec::new())), "{size}");
        }
    }

    #[test]
    fn every_broken_rule_has_its_status() {
        let mut unmasked = frame(0x82, b"x");
        unmasked[1] &= 0x7F;
        let mut huge = frame(0x82, b"x");
        huge[1] = 0xFF;
        huge.splice(2..2, [0x80, 0, 0, 0, 0, 0, 0, 0]);
        for (bytes, status) in [
            (frame(0x81, b"text"), Status::UnsupportedData),
            (frame(0x80, b"x"), Status::ProtocolError),
            ([frame(0x02, b"x"), frame(0x82, b"x")].concat(), Status::ProtocolError),
            (frame(0xC2, b"x"), Status::ProtocolError),
            (frame(0x83, b"x"), Status::ProtocolError),
            (frame(0x8B, b"x"), Status::ProtocolError),
            (frame(0x09, b"x"), Status::ProtocolError),
            (frame(0x89, &[0; 126]), Status::ProtocolError),
            (frame(0x88, &[3]), Status::ProtocolError),
            (unmasked, Status::ProtocolError),
            (frame(0x82, &[0; 1001]), Status::TooBig),
            (huge, Status::TooBig),
        ] {
            for size in [1, bytes.len()] {
                let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
                let error = all(&mut Decoder::new(1000), &pieces).expect_err("a broken rule");
                assert_eq!(error.status, status, "{bytes:02x?}");
            }
        }
    }

    #[test]
    fn our_frames_have_the_shortest_header() {
        let made = |length| {
            let mut out = Vec::new();
            head_of(length, &mut out);
            out
        };
        assert_eq!(made(0), [0x82, 0]);
        assert_eq!(made(125), [0x82, 125]);
        assert_eq!(made(126), [0x82, 126, 0, 126]);
        assert_eq!(made(0xFFFF), [0x82, 126, 0xFF, 0xFF]);
        assert_eq!(made(1 << 20), [0x82, 126, 0xFF, 0xFF]);
    }
}
