//! Files that are no captures, damaged ones and cut ones: it is told where and what.

use hexmq_workbench::Side;
use hexmq_workbench::capture::{Capture, Settings, is_capture};
use proptest::prelude::*;

use crate::forge::{Block, Container, Forge, Link, Wire};
use crate::gather::{Gathered, connect, gather};

fn conversation(container: Container) -> Vec<u8> {
    let mut forge = Forge::new(container, Link::Ethernet);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("meter"));
    wire.close(&mut forge);
    forge.bytes
}

fn error(bytes: &[u8]) -> String {
    gather(bytes).error.expect("an error")
}

#[test]
fn what_is_no_capture_is_named_with_what_to_do() {
    assert!(error(b"").contains("empty"));
    assert!(error(b"10 25 00 04 4d").contains("hexmq explain"));
    assert!(error(b"\x1f\x8b\x08\x00....").contains("gunzip -c FILE | hexmq capture -"));
    assert!(error(b"\x28\xb5\x2f\xfd....").contains("zstd"));
    assert!(error(b"{\"hexmq_recording\":1}\n").contains("recording"));
    assert!(error(b"\xd4\xc3\xb2\xa1\x07\x00\x04\x00................").contains("version 7"));
    assert!(error(b"\xd4\xc3").contains("2 more bytes"));
}

#[test]
fn a_capture_is_known_by_its_first_bytes() {
    for container in Container::all() {
        let bytes = conversation(container);
        assert!(is_capture(&bytes) && is_capture(&bytes[..24]), "{container:?}");
        assert!(!is_capture(&bytes[1..]) && !is_capture(&bytes[..3]), "{container:?}");
    }
    for other in [&b"10 25 00 04 4d 51 54 54 04 02 00 3c"[..], &[0x30; 64], b"", &[0x0A, 0x0D, 0x0D, 0x0A]] {
        assert!(!is_capture(other), "{other:?}");
    }
}

#[test]
fn a_file_cut_short_keeps_what_is_there() {
    for container in [Container::USUAL, Container::PcapNg { big_endian: true, block: Block::Enhanced }] {
        let whole = conversation(container);
        let cut = &whole[..whole.len() - 1];
        let found = gather(cut);
        let message = found.error.clone().expect("an error");
        assert!(message.contains("packet 7: the file ends inside a record; at least 1 more"), "{message}");
        assert_eq!(found.packets_of(1, Side::Client).len(), 1);
        assert_eq!(found.closed.len(), 1, "connections are closed all the same");
    }
}

#[test]
fn a_damaged_record_is_named_with_its_place() {
    let mut bytes = conversation(Container::USUAL);
    // The length of the third record.
    let third = 24 + 2 * (16 + 66);
    bytes[third + 8..third + 12].copy_from_slice(&[0xFF; 4]);
    let message = error(&bytes);
    assert!(
        message.starts_with(&format!("byte {third}, packet 3: a record of 4294967295 bytes")),
        "{message}"
    );
    let mut bytes = conversation(Container::PcapNg { big_endian: false, block: Block::Enhanced });
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    assert!(error(&bytes).contains("at its front"));
}

/// Feeds in pieces, as it comes from a pipe.
fn feed_in_pieces(bytes: &[u8], size: usize) -> (Gathered, Option<String>) {
    let mut gathered = Gathered::default();
    let mut capture = Capture::new(Settings::default());
    let mut kept = Vec::new();
    let mut error = None;
    for piece in bytes.chunks(size) {
        kept.extend_from_slice(piece);
        match capture.feed(&kept, &mut gathered) {
            Ok(taken) => drop(kept.drain(..taken)),
            Err(found) => {
                error = Some(found.to_string());
                break;
            }
        }
    }
    capture.finish(&mut gathered);
    (gathered, error)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn pieces_of_any_size_give_the_same(size in 1_usize..200) {
        let bytes = conversation(Container::PcapNg { big_endian: false, block: Block::Enhanced });
        let (found, error) = feed_in_pieces(&bytes, size);
        prop_assert_eq!(error, None);
        prop_assert_eq!(found.packets, gather(&bytes).packets);
    }

    #[test]
    fn random_bytes_are_refused_or_read_but_never_hurt(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(gather(&bytes).packets.is_empty());
    }

    #[test]
    fn damage_anywhere_does_no_harm(
        which in 0_usize..10,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = conversation(Container::all()[which]);
        for (index, byte) in &changes {
            let at = index.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let found = gather(&bytes);
        prop_assert_eq!(found.opened.len(), found.closed.len());
    }
}
