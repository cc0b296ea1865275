//! Framing a byte stream: however it is cut, the same frames come out.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod common;

use std::ops::ControlFlow;

use common::hex;
use common::packets::ingredients;
use hexmq_wire::{Fed, FrameError, Framer, ReasonCode};
use proptest::prelude::*;

const MAXIMUM: u32 = 1_000;

/// Feeds the chunks; frames and the error that ended it, if one did.
fn frames<'c>(
    chunks: impl IntoIterator<Item = &'c [u8]>,
    maximum: u32,
) -> (Vec<Vec<u8>>, Option<FrameError>, usize) {
    let mut framer = Framer::new(maximum);
    let mut frames = Vec::new();
    for chunk in chunks {
        let fed = framer.feed(chunk, |frame| {
            frames.push(frame.bytes.to_vec());
            ControlFlow::<()>::Continue(())
        });
        match fed {
            Ok(fed) => assert_eq!(fed, Fed { consumed: chunk.len(), stopped: None }),
            Err(error) => return (frames, Some(error), framer.buffered()),
        }
        assert!(framer.buffered() <= maximum as usize, "{} bytes kept", framer.buffered());
    }
    (frames, None, framer.buffered())
}

fn chunked(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let size = (*sizes.next().unwrap()).min(rest.len());
        chunks.push(rest[..size].to_vec());
        rest = &rest[size..];
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn packets_come_out_as_they_went_in(
        packets in prop::collection::vec(ingredients(), 0..6),
        sizes in prop::collection::vec(1..300usize, 1..6),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for ingredients in &packets {
            let start = stream.len();
            ingredients.cook(|packet| packet.encode(ingredients.version, &mut stream)).unwrap();
            expected.push(stream[start..].to_vec());
        }
        let maximum = expected.iter().map(Vec::len).max().unwrap_or(2) as u32;
        let whole = frames([stream.as_slice()], maximum);
        prop_assert_eq!(&whole, &(expected, None, 0));
        prop_assert_eq!(&frames(stream.chunks(1), maximum), &whole);
        prop_assert_eq!(&frames(chunked(&stream, &sizes).iter().map(Vec::as_slice), maximum), &whole);
    }

    /// Also for streams that make no sense.
    #[test]
    fn cutting_makes_no_difference(
        stream in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 5, 0x7F, 0x80, 0xFF]), 0..60),
        sizes in prop::collection::vec(1..9usize, 1..4),
    ) {
        let (whole, error, _) = frames([stream.as_slice()], MAXIMUM);
        let (single, single_error, _) = frames(stream.chunks(1), MAXIMUM);
        let pieces = chunked(&stream, &sizes);
        let (pieced, pieced_error, _) = frames(pieces.iter().map(Vec::as_slice), MAXIMUM);
        prop_assert_eq!((&single, single_error), (&whole, error));
        prop_assert_eq!((&pieced, pieced_error), (&whole, error));
    }

    /// A handler that breaks off gets the rest later, and nothing twice.
    #[test]
    fn breaking_off_loses_nothing(
        bodies in prop::collection::vec(0..40usize, 1..8),
        sizes in prop::collection::vec(1..60usize, 1..4),
        every in 1..4usize,
    ) {
        let mut stream = Vec::new();
        for (index, &body) in bodies.iter().enumerate() {
            stream.extend([0x30, body as u8]);
            stream.extend(std::iter::repeat_n(index as u8, body));
        }
        let (expected, _, _) = frames([stream.as_slice()], MAXIMUM);
        let mut framer = Framer::new(MAXIMUM);
        let mut seen = Vec::new();
        for chunk in chunked(&stream, &sizes) {
            let mut rest = chunk.as_slice();
            while !rest.is_empty() {
                let fed = framer.feed(rest, |frame| {
                    seen.push(frame.bytes.to_vec());
                    if seen.len() % every == 0 { ControlFlow::Break(seen.len()) } else { ControlFlow::Continue(()) }
                }).unwrap();
                if fed.stopped.is_none() {
                    prop_assert_eq!(fed.consumed, rest.len());
                }
                rest = &rest[fed.consumed..];
            }
        }
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn a_fifth_length_byte_is_refused() {
    for chunks in [vec![hex("30 80 80 80 80 01")], vec![hex("30 ff ff"), hex("ff"), hex("ff 7f")]] {
        let (frames, error, _) = frames(chunks.iter().map(Vec::as_slice), u32::MAX);
        assert_eq!((frames.len(), error), (0, Some(FrameError::RemainingLengthTooLong)));
    }
    assert_eq!(FrameError::RemainingLengthTooLong.reason_code(), ReasonCode::MalformedPacket);
}

/// [V5 MQTT-3.2.2-15]
#[test]
fn a_packet_too_large_is_refused_before_its_body() {
    let error = FrameError::PacketTooLarge { length: 130, maximum: 129 };
    for chunks in [vec![hex("30 7f"), vec![0; 127], hex("30 80 01")], vec![hex("30 80"), hex("01")]] {
        let (_, found, buffered) = frames(chunks.iter().map(Vec::as_slice), 129 + 1);
        assert_eq!(
            (found, buffered > 3),
            (Some(FrameError::PacketTooLarge { length: 131, maximum: 130 }), false)
        );
    }
    assert_eq!(frames([hex("30 7f").as_slice()], 129).1, None);
    assert_eq!(error.reason_code(), ReasonCode::PacketTooLarge);
    assert_eq!(error.to_string(), "a packet of 130 bytes where 129 are allowed");
}

/// What is announced is not believed before it arrives, and nothing is kept behind the frame.
#[test]
fn memory_follows_the_bytes() {
    let mut framer = Framer::new(u32::MAX);
    let none = |_: hexmq_wire::Frame<'_>| ControlFlow::<()>::Continue(());
    framer.feed(&hex("30 ff ff ff 7f 00"), none).unwrap();
    assert!(framer.capacity() < 256, "{} bytes reserved for 6", framer.capacity());
    let mut framer = Framer::new(u32::MAX);
    framer.feed(&hex("30 03 00 01"), none).unwrap();
    assert_eq!((framer.buffered(), framer.rest()), (4, &hex("30 03 00 01")[..]));
    framer.feed(&hex("61"), none).unwrap();
    assert_eq!((framer.buffered(), framer.capacity()), (0, 0));
}

/// A maximum that is lowered counts for the packet that has begun.
#[test]
fn the_maximum_can_change() {
    let mut framer = Framer::new(u32::MAX);
    let none = |_: hexmq_wire::Frame<'_>| ControlFlow::<()>::Continue(());
    framer.feed(&hex("30 0a 00"), none).unwrap();
    framer.set_maximum(11);
    let error = framer.feed(&hex("01"), none).unwrap_err();
    assert_eq!(error, FrameError::PacketTooLarge { length: 12, maximum: 11 });
}
