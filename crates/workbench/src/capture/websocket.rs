//! WebSocket (RFC 6455): the HTTP heads, then frames; what they carry is handed on as one stream per
//! direction, since MQTT packets and frames need not coincide [V5 MQTT-6.0.0-2].

use super::note::WebSocketTrouble as Trouble;
use crate::Side;

/// Bytes of a head at most.
const HEAD_MAX: usize = 16 * 1024;
/// Bytes of a frame's header at most.
const HEADER_MAX: usize = 14;

/// What an HTTP request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Its head is not whole.
    Unfinished,
    /// A WebSocket with the subprotocol of MQTT.
    Mqtt,
    /// Something else.
    Other,
}

/// Looks at the first bytes of a client that speaks HTTP. Without a subprotocol it is taken for
/// MQTT only where that is asked for.
pub(crate) fn request(bytes: &[u8], forced: bool) -> Request {
    let Some(head) = head(bytes) else {
        return if bytes.len() < HEAD_MAX { Request::Unfinished } else { Request::Other };
    };
    let upgrade = field(head, "upgrade").any(|value| value.eq_ignore_ascii_case("websocket"));
    let protocols = || field(head, "sec-websocket-protocol").flat_map(|value| value.split(','));
    let speaks_mqtt = protocols().any(|name| is_mqtt(name.trim()));
    if upgrade && (speaks_mqtt || forced) { Request::Mqtt } else { Request::Other }
}

/// `mqtt`, and what older clients called it.
fn is_mqtt(protocol: &str) -> bool {
    protocol.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("mqtt"))
}

/// The head up to and with its empty line, if it is whole.
fn head(bytes: &[u8]) -> Option<&str> {
    let searched = bytes.get(..HEAD_MAX).unwrap_or(bytes);
    let end = searched.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    std::str::from_utf8(searched.get(..end)?).ok()
}

/// The values of a header field.
fn field<'a>(head: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    head.lines().skip(1).filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What comes out of a direction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inside<'a> {
    /// Bytes of the stream it carries.
    Bytes(&'a [u8]),
    /// Something is wrong.
    Trouble(Trouble),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Header,
    Payload(Payload),
    /// Nothing can be read any more.
    Lost,
}

/// The payload of a frame in the course of being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Payload {
    left: u64,
    mask: Option<[u8; 4]>,
    /// How far into the mask.
    phase: usize,
    /// Text or binary; not ping, pong or close.
    data: bool,
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    state: State,
    /// A head or header that is not whole.
    begun: Vec<u8>,
    /// Unmasked bytes.
    clear: Vec<u8>,
    /// Told already.
    told_mask: bool,
    told_text: bool,
}

impl Direction {
    /// Bytes that come next.
    pub(crate) fn feed(&mut self, from: Side, mut bytes: &[u8], inside: &mut impl FnMut(Inside<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.head(from, bytes, inside),
                State::Header => self.header(from, bytes, inside),
                State::Payload(payload) => self.payload(payload, bytes, inside),
                State::Lost => return,
            };
        }
    }

    /// Bytes are missing. Inside a frame with that many left they are only missing from the stream
    /// it carries: true. Otherwise frames cannot be told apart any more.
    pub(crate) fn gap(&mut self, missing: u64, inside: &mut impl FnMut(Inside<'_>)) -> bool {
        match self.state {
            State::Payload(payload) if missing <= payload.left => {
                let phase = payload.phase.wrapping_add((missing % 4) as usize) % 4;
                self.go_on(Payload { left: payload.left - missing, phase, ..payload });
                payload.data
            }
            State::Lost => false,
            _ => {
                self.lose(Trouble::Gap, inside);
                false
            }
        }
    }

    fn lose(&mut self, trouble: Trouble, inside: &mut impl FnMut(Inside<'_>)) {
        inside(Inside::Trouble(trouble));
        *self = Direction { state: State::Lost, ..Direction::default() };
    }

    fn go_on(&mut self, payload: Payload) {
        self.state = if payload.left == 0 { State::Header } else { State::Payload(payload) };
    }

    fn head<'a>(&mut self, from: Side, bytes: &'a [u8], inside: &mut impl FnMut(Inside<'_>)) -> &'a [u8] {
        let before = self.begun.len();
        let room = HEAD_MAX - before.min(HEAD_MAX);
        self.begun.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let Some(head) = head(&self.begun) else {
            if self.begun.len() >= HEAD_MAX {
                self.lose(Trouble::Head, inside);
                return &[];
            }
            return bytes.get(room..).unwrap_or_default();
        };
        let length = head.len();
        let trouble = if from == Side::Server { answer_trouble(head) } else { None };
        self.begun = Vec::new();
        self.state = State::Header;
        match trouble {
            Some(trouble @ Trouble::SubprotocolMissing) => inside(Inside::Trouble(trouble)),
            Some(trouble) => self.lose(trouble, inside),
            None => {}
        }
        bytes.get(length.saturating_sub(before)..).unwrap_or_default()
    }

    fn header<'a>(&mut self, from: Side, bytes: &'a [u8], inside: &mut impl FnMut(Inside<'_>)) -> &'a [u8] {
        let before = self.begun.len();
        self.begun.extend(bytes.iter().take(HEADER_MAX - before.min(HEADER_MAX)));
        let Some((length, payload, opcode)) = parse_header(&self.begun) else { return &[] };
        if self.begun.first().is_some_and(|first| first & 0x40 != 0) {
            self.lose(Trouble::Compressed, inside);
            return &[];
        }
        let control = opcode >= 8;
        if self.begun.first().is_some_and(|first| first & 0x30 != 0)
            || !matches!(opcode, 0..=2 | 8..=10)
            || control && payload.left > 125
        {
            self.lose(Trouble::Frame, inside);
            return &[];
        }
        if payload.mask.is_some() != (from == Side::Client) && !std::mem::replace(&mut self.told_mask, true) {
            inside(Inside::Trouble(Trouble::Mask));
        }
        // [V4 MQTT-6.0.0-1, V5 MQTT-6.0.0-1]
        if opcode == 1 && !std::mem::replace(&mut self.told_text, true) {
            inside(Inside::Trouble(Trouble::NotBinary));
        }
        self.begun.clear();
        self.go_on(payload);
        bytes.get(length.saturating_sub(before)..).unwrap_or_default()
    }

    fn payload<'a>(
        &mut self,
        payload: Payload,
        bytes: &'a [u8],
        inside: &mut impl FnMut(Inside<'_>),
    ) -> &'a [u8] {
        let taken = usize::try_from(payload.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (part, behind) = bytes.split_at(taken);
        if payload.data {
            match payload.mask {
                None => inside(Inside::Bytes(part)),
                Some(mask) => {
                    let key = mask.iter().cycle().skip(payload.phase % 4);
                    self.clear.clear();
                    self.clear.extend(part.iter().zip(key).map(|(byte, key)| byte ^ key));
                    inside(Inside::Bytes(&self.clear));
                }
            }
        }
        let phase = (payload.phase + taken) % 4;
        self.go_on(Payload { left: payload.left - taken as u64, phase, ..payload });
        behind
    }
}

/// A frame's header: its length, what follows it, and its opcode. `None`: it is not whole.
fn parse_header(bytes: &[u8]) -> Option<(usize, Payload, u8)> {
    let (&[first, second], behind) = bytes.split_first_chunk()?;
    let (left, behind) = match second & 0x7F {
        126 => {
            behind.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))
        }
        127 => behind.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest)),
        length => Some((u64::from(length), behind)),
    }?;
    let (mask, behind) = if second & 0x80 != 0 {
        let (mask, behind) = behind.split_first_chunk()?;
        (Some(*mask), behind)
    } else {
        (None, behind)
    };
    let opcode = first & 0x0F;
    Some((bytes.len() - behind.len(), Payload { left, mask, phase: 0, data: opcode < 8 }, opcode))
}

/// What is wrong with the server's answer.
fn answer_trouble(head: &str) -> Option<Trouble> {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    if status != 101 {
        return Some(Trouble::Refused { status });
    }
    // [V4 MQTT-6.0.0-4, V5 MQTT-6.0.0-4]
    let confirmed = field(head, "sec-websocket-protocol").any(is_mqtt);
    (!confirmed).then_some(Trouble::SubprotocolMissing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";

    fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let masked = if mask.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(masked | length as u8),
            length @ 126..=65535 => {
                bytes.push(masked | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.iter().flatten());
        let key = mask.unwrap_or_default();
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    fn read(from: Side, bytes: &[u8], sizes: usize) -> (Vec<u8>, Vec<Trouble>) {
        let mut direction = Direction::default();
        let (mut stream, mut troubles) = (Vec::new(), Vec::new());
        for part in bytes.chunks(sizes) {
            direction.feed(from, part, &mut |inside| match inside {
                Inside::Bytes(bytes) => stream.extend_from_slice(bytes),
                Inside::Trouble(trouble) => troubles.push(trouble),
            });
        }
        (stream, troubles)
    }

    #[test]
    fn frames_of_every_length_come_out_however_they_are_cut() {
        let long = vec![7_u8; 70_000];
        let middle = vec![5_u8; 300];
        let mask = Some([1, 2, 3, 4]);
        let client = [
            b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".to_vec(),
            frame(0x02, mask, b"abc"),
            frame(0x89, mask, b"ping"),
            frame(0x80, mask, b"defgh"),
            frame(0x82, mask, &long),
            frame(0x82, mask, &[]),
            frame(0x82, mask, &middle),
        ]
        .concat();
        let expected = [b"abcdefgh".to_vec(), long.clone(), middle.clone()].concat();
        for size in [1, 2, 3, 7, 1000, client.len()] {
            let (stream, troubles) = read(Side::Client, &client, size);
            assert!(stream == expected && troubles.is_empty(), "cut by {size}: {troubles:?}");
        }
        let server = [ANSWER.to_vec(), frame(0x82, None, &long), frame(0x8A, None, b"pong")].concat();
        assert_eq!(read(Side::Server, &server, 999), (long, vec![]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let refused = b"HTTP/1.1 404 Not Found\r\n\r\nno";
        assert_eq!(read(Side::Server, refused, 5).1, [Trouble::Refused { status: 404 }]);
        let bare = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(read(Side::Server, bare, 99).1, [Trouble::SubprotocolMissing]);
        let wrong = |frame: Vec<u8>| read(Side::Server, &[ANSWER, &frame].concat(), 3).1;
        assert_eq!(wrong(frame(0x82, Some([9; 4]), b"x")), [Trouble::Mask]);
        assert_eq!(wrong(frame(0x81, None, b"x")), [Trouble::NotBinary]);
        assert_eq!(wrong(frame(0xC2, None, b"x")), [Trouble::Compressed]);
        assert_eq!(wrong(frame(0x83, None, b"x")), [Trouble::Frame]);
        assert_eq!(wrong(frame(0x88, None, &[0; 126])), [Trouble::Frame]);
        assert_eq!(read(Side::Server, &[b'a'; 20_000], 100).1, [Trouble::Head]);
    }

    #[test]
    fn a_gap_inside_a_frame_is_only_a_gap_of_the_stream() {
        let mut direction = Direction::default();
        let bytes =
            [b"GET / HTTP/1.1\r\n\r\n".to_vec(), frame(0x82, Some([1, 2, 3, 4]), b"0123456789")].concat();
        let mut stream = Vec::new();
        let (before, behind) = bytes.split_at(bytes.len() - 8);
        direction.feed(Side::Client, before, &mut |inside| {
            if let Inside::Bytes(bytes) = inside {
                stream.extend_from_slice(bytes);
            }
        });
        assert!(direction.gap(5, &mut |_| panic!("no trouble")));
        direction.feed(Side::Client, &behind[5..], &mut |inside| {
            if let Inside::Bytes(bytes) = inside {
                stream.extend_from_slice(bytes);
            }
        });
        assert_eq!(stream, b"01789");
        let mut troubles = 0;
        assert!(!direction.gap(1, &mut |_| troubles += 1));
        assert_eq!(troubles, 1);
    }

    #[test]
    fn requests_are_told_apart() {
        let ask = |head: &str| request(head.as_bytes(), false);
        let upgrade = "GET /mqtt HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\n";
        assert_eq!(ask(&format!("{upgrade}Sec-WebSocket-Protocol: other, mqtt\r\n\r\n")), Request::Mqtt);
        assert_eq!(ask(&format!("{upgrade}sec-websocket-protocol: mqttv3.1\r\n\r\n")), Request::Mqtt);
        assert_eq!(ask(&format!("{upgrade}\r\n")), Request::Other);
        assert_eq!(request(format!("{upgrade}\r\n").as_bytes(), true), Request::Mqtt);
        assert_eq!(ask(upgrade), Request::Unfinished);
        assert_eq!(ask("GET / HTTP/1.1\r\n\r\n"), Request::Other);
    }
}
