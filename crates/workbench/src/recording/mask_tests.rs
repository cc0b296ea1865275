//! No password stays readable, and nothing else becomes unreadable without need.

use proptest::prelude::*;

use super::mask::{PasswordMask, mask_passwords};

const PASSWORD: &[u8] = b"correct horse";

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A CONNECT of this version with these flags.
fn connect(version: u8, flags: u8) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, if version == 3 { b"MQIsdp" } else { b"MQTT" });
    body.extend_from_slice(&[version, flags, 0, 60]);
    if version == 5 {
        body.extend_from_slice(&[5, 0x11, 0, 0, 0, 9]);
    }
    string(&mut body, b"device-1");
    if flags & 0x04 != 0 {
        if version == 5 {
            body.extend_from_slice(&[2, 0x01, 0x01]);
        }
        string(&mut body, b"will/topic");
        string(&mut body, b"gone");
    }
    if flags & 0x80 != 0 {
        string(&mut body, b"somebody");
    }
    if flags & 0x40 != 0 {
        string(&mut body, PASSWORD);
    }
    let mut packet = vec![0x10];
    hexmq_wire::encode_remaining_length(body.len() as u32, &mut packet);
    packet.extend_from_slice(&body);
    packet
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The CONNECT with its password overwritten.
fn overwritten(packet: &[u8]) -> Vec<u8> {
    let mut masked = packet.to_vec();
    if let Some(at) = packet.windows(PASSWORD.len()).position(|window| window == PASSWORD) {
        masked[at..at + PASSWORD.len()].fill(b'*');
    }
    masked
}

const FLAGS: [u8; 6] = [0x02, 0x82, 0xC2, 0x42, 0xC6, 0x06];

#[test]
fn exactly_the_password_is_masked() {
    for version in [3, 4, 5] {
        for flags in FLAGS {
            let mut stream = connect(version, flags);
            let mut expected = overwritten(&stream);
            // What follows stays as it is, whatever it holds; a second CONNECT is none of it.
            for more in [&[0xC0, 0x00][..], &[0x30, 0x0F, 0, 0], PASSWORD, &[0xE0, 0x00]] {
                stream.extend_from_slice(more);
                expected.extend_from_slice(more);
            }
            stream.extend(connect(version, flags));
            expected.extend(overwritten(&connect(version, flags)));
            assert_eq!(mask_passwords(&stream), expected, "{version} {flags:02x}");
        }
    }
}

#[test]
fn a_wrong_byte_before_the_password_does_not_show_it() {
    let mut shown: Vec<String> = Vec::new();
    for version in [3, 4, 5] {
        for flags in [0xC2, 0x42, 0xC6] {
            let packet = connect(version, flags);
            let password = packet.len() - PASSWORD.len();
            // Flags that make a will of it are another matter: then it is one.
            let connect_flags = if version == 3 { 11 } else { 9 };
            for at in (0..password).filter(|&at| at != connect_flags) {
                for value in 0..=255 {
                    let mut wrong = packet.clone();
                    wrong[at] = value;
                    let masked = mask_passwords(&wrong);
                    if contains(&masked, PASSWORD) {
                        shown.push(format!("v{version} {flags:02x} with {value:02x} at {at}"));
                    }
                }
            }
        }
    }
    assert_eq!(shown, [""; 0]);
}

#[test]
fn a_byte_too_many_or_too_few_does_not_show_it() {
    let mut shown: Vec<String> = Vec::new();
    for version in [3, 4, 5] {
        let packet = connect(version, 0xC6);
        let password = packet.len() - PASSWORD.len();
        for at in 0..password {
            let mut without = packet.clone();
            without.remove(at);
            if contains(&mask_passwords(&without), PASSWORD) {
                shown.push(format!("v{version} without {at}"));
            }
            for value in [0, 2, 13, 0x41, 0xFF] {
                let mut with = packet.clone();
                with.insert(at, value);
                if contains(&mask_passwords(&with), PASSWORD) {
                    shown.push(format!("v{version} with {value:02x} at {at}"));
                }
            }
        }
    }
    assert_eq!(shown, [""; 0]);
}

#[test]
fn a_wrong_length_of_the_client_identifier_leaves_the_rest_readable() {
    let mut packet = connect(4, 0xC2);
    let mut expected = overwritten(&packet);
    // Its length, low byte.
    packet[13] = 200;
    expected[13] = 200;
    assert_eq!(mask_passwords(&packet), expected);
}

#[test]
fn a_connect_behind_other_bytes_is_found() {
    for before in
        [&b"AT+CIPSEND=40\r\n"[..], &[0x00], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF], &[0xC0, 0x00], &[0x30, 0x7F]]
    {
        let stream = [before, &connect(4, 0xC2)].concat();
        assert_eq!(
            mask_passwords(&stream),
            [before, &overwritten(&connect(4, 0xC2))].concat(),
            "{before:02x?}"
        );
    }
}

#[test]
fn a_password_without_its_flag_is_masked() {
    let mut packet = connect(4, 0xC2);
    packet[9] = 0x82;
    let mut expected = overwritten(&packet);
    expected[9] = 0x82;
    assert_eq!(mask_passwords(&packet), expected);
    packet[9] = 0x02;
    assert!(!contains(&mask_passwords(&packet), PASSWORD));
}

proptest! {
    #[test]
    fn where_the_stream_is_cut_does_not_matter(
        version in 3u8..=5,
        flags in proptest::sample::select(&FLAGS[..]),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        more in proptest::collection::vec(proptest::sample::select(vec![0xC0u8, 0x00]), 0..3),
    ) {
        let stream = [connect(version, flags), more, connect(version, flags)].concat();
        let whole = mask_passwords(&stream);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.sort_unstable();
        let (mut mask, mut pieces, mut rest) = (PasswordMask::default(), Vec::new(), &stream[..]);
        let mut done = 0;
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut - done);
            let mut piece = piece.to_vec();
            mask.mask(&mut piece);
            pieces.extend(piece);
            (rest, done) = (behind, cut);
        }
        let mut last = rest.to_vec();
        mask.mask(&mut last);
        pieces.extend(last);
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn anything_is_survived_and_keeps_its_length(
        bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(0x10), Just(4), Just(0x4D), any::<u8>()], 0..200)
    ) {
        prop_assert_eq!(mask_passwords(&bytes).len(), bytes.len());
    }
}
