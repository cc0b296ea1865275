//! Who a CONNECT says it is, for those who judge credentials.

use hexmq_device::SignIn;
use hexmq_wire::{ControlPacket, Frame, FrameStatus, Leniency, NoTrace, Version, decode, scan_frame};

/// What the CONNECT at the beginning of `bytes` says of who connects; `None` if there is none that is whole and
/// sound. Whether it came over TLS is not known here.
pub fn sign_in(bytes: &[u8]) -> Option<SignIn<'_>> {
    let Ok(FrameStatus::Whole { length }) = scan_frame(bytes, u32::MAX) else { return None };
    let frame = Frame::new(bytes.get(..length)?);
    match decode(frame, Version::V4, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Connect(connect)) => Some(SignIn {
            client_identifier: connect.client_identifier,
            user_name: connect.user_name,
            password: connect.password,
            level: connect.version.level(),
            keep_alive_s: connect.keep_alive_s,
            ..SignIn::default()
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x15\0\x04MQTT\x04\xc2\0\x78\0\x01a\0\x02us\0\x02pw";

    #[test]
    fn the_three_strings_of_a_connect() {
        let found = sign_in(CONNECT).expect("a CONNECT");
        assert_eq!((found.client_identifier, found.user_name), ("a", Some("us")));
        assert_eq!((found.password, found.level, found.keep_alive_s), (Some(&b"pw"[..]), 4, 120));
    }

    #[test]
    fn what_is_not_whole_or_no_connect_says_nothing() {
        for cut in 0..CONNECT.len() {
            assert!(sign_in(&CONNECT[..cut]).is_none(), "{cut}");
        }
        assert!(sign_in(b"\xc0\0").is_none());
        assert!(sign_in(b"\x10\xff\xff\xff\xff\x7f").is_none());
    }
}
