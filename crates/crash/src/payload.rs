//! What is in a message: who published it and its number, and bytes that follow from both, so that a
//! payload that was changed is seen.

use crate::history::{ClientId, MessageId};

/// The payload of a message; `is_will` tells Wills from what the client publishes itself.
pub(crate) fn payload(message: MessageId, is_will: bool) -> Vec<u8> {
    let kind = if is_will { 'w' } else { 'm' };
    let number = message.number;
    let mut payload = format!("{kind} {} {number} ", message.publisher.0).into_bytes();
    // Most are small; some are larger than a page, a few larger than a socket's buffer takes at once.
    let length = match number {
        _ if number % 997 == 500 => 150_000,
        _ if number % 97 == 50 => 6_000,
        _ => 32 + number as usize * 7 % 120,
    };
    let start = payload.len();
    payload.extend((start..length).map(|place| b'a' + ((place as u32 ^ number) % 26) as u8));
    payload
}

/// Reads a payload back: `None` if it is not exactly what [`payload`] makes.
pub(crate) fn read(bytes: &[u8]) -> Option<(MessageId, bool)> {
    let mut words = bytes.splitn(4, |&byte| byte == b' ');
    let is_will = match words.next()? {
        b"w" => true,
        b"m" => false,
        _ => return None,
    };
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u32>().ok();
    let publisher = ClientId(u16::try_from(number()?).ok()?);
    let message = MessageId { publisher, number: number()? };
    (payload(message, is_will) == bytes).then_some((message, is_will))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        for number in [0, 1, 50, 500, 4_000_000_000] {
            for is_will in [false, true] {
                let message = MessageId { publisher: ClientId(7), number };
                let mut bytes = payload(message, is_will);
                assert_eq!(read(&bytes), Some((message, is_will)));
                let last = bytes.last_mut().expect("bytes");
                *last ^= 1;
                assert_eq!(read(&bytes), None);
                assert_eq!(read(&bytes[..bytes.len() - 1]), None);
            }
        }
        assert_eq!(read(b""), None);
        assert_eq!(read(b"x 1 2 "), None);
    }
}
