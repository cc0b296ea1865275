//! Whatever TCP did to the segments, the streams come out as they were sent; what the capture lost
//! is told to the byte.

use hexmq_workbench::Side;
use hexmq_workbench::capture::{NoteKind, Settings};
use proptest::prelude::*;

use crate::forge::{ACK, Container, Forge, Link, Wire, tcp};
use crate::gather::{CONNACK, connect, gather, gather_with, publish};

/// One segment on its way: sender, offset in its stream, bytes.
type Flying = (Side, usize, Vec<u8>);

/// The packets of both sides.
fn streams() -> impl Strategy<Value = [Vec<Vec<u8>>; 2]> {
    let packet = prop_oneof![
        4 => ("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(topic, payload)| publish(&topic, &payload)),
        1 => Just(b"\x40\x02\x00\x01".to_vec()),
        1 => ("[a-z]{1,9}", 200_usize..3_000).prop_map(|(topic, size)| publish(&topic, &vec![0x31; size])),
    ];
    let side = proptest::collection::vec(packet, 0..12);
    (side.clone(), side).prop_map(|(mut client, mut server)| {
        client.insert(0, connect("device"));
        server.insert(0, CONNACK.to_vec());
        [client, server]
    })
}

/// What TCP and the network may do to a stream.
#[derive(Clone, Debug)]
struct Weather {
    /// Sizes of segments.
    sizes: Vec<usize>,
    /// Which segments are sent twice, and with how many bytes of the one before in front.
    repeats: Vec<(bool, usize)>,
    /// By how much each segment is late.
    late: Vec<usize>,
    /// Where the sequence numbers begin: near their end they wrap.
    start: u32,
}

fn weather() -> impl Strategy<Value = Weather> {
    let sizes = proptest::collection::vec(1_usize..400, 1..20);
    let repeats = proptest::collection::vec((any::<bool>(), 0_usize..30), 1..20);
    let late = proptest::collection::vec(0_usize..12, 1..20);
    let start = prop_oneof![any::<u32>(), (u32::MAX - 2_000)..=u32::MAX];
    (sizes, repeats, late, start).prop_map(|(sizes, repeats, late, start)| Weather {
        sizes,
        repeats,
        late,
        start,
    })
}

/// Cuts, repeats, overlaps and mixes up.
fn fly(stream: &[u8], from: Side, weather: &Weather) -> Vec<(usize, Flying)> {
    let mut flying = Vec::new();
    let (mut at, mut number) = (0, 0);
    while at < stream.len() {
        let size = weather.sizes[number % weather.sizes.len()].min(stream.len() - at);
        let (again, overlap) = weather.repeats[number % weather.repeats.len()];
        let overlap = overlap.min(at);
        let when = number * 2 + weather.late[number % weather.late.len()];
        flying.push((when, (from, at - overlap, stream[at - overlap..at + size].to_vec())));
        if again {
            flying.push((when + 5, (from, at, stream[at..at + size].to_vec())));
        }
        at += size;
        number += 1;
    }
    flying
}

fn capture(streams: &[Vec<Vec<u8>>; 2], weather: &Weather) -> Vec<u8> {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.client_next = weather.start;
    wire.server_next = weather.start.wrapping_add(99);
    wire.handshake(&mut forge);
    let [client, server] = streams;
    let mut flying = fly(&client.concat(), Side::Client, weather);
    flying.extend(fly(&server.concat(), Side::Server, weather));
    flying.sort_by_key(|(when, _)| *when);
    for (_, (from, offset, bytes)) in flying {
        let (source, target, next) = match from {
            Side::Client => (wire.client, wire.server, wire.client_next),
            Side::Server => (wire.server, wire.client, wire.server_next),
        };
        // No acknowledgements: nothing may be taken for lost that is only late.
        forge.ip(&tcp(source, target, next.wrapping_add(offset as u32), 0, 0, &bytes));
    }
    forge.bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_streams_come_out_whatever_happened_to_their_segments(streams in streams(), weather in weather()) {
        let found = gather(&capture(&streams, &weather));
        prop_assert!(found.notes.is_empty(), "{:?}", found.notes);
        let [client, server] = &streams;
        prop_assert_eq!(found.packets_of(1, Side::Client), client.iter().collect::<Vec<_>>());
        prop_assert_eq!(found.packets_of(1, Side::Server), server.iter().collect::<Vec<_>>());
        prop_assert_eq!(&found.streams[&1], &[client.concat(), server.concat()]);
    }

    #[test]
    fn what_the_capture_lost_is_told_to_the_byte(
        packets in proptest::collection::vec(("[a-z]{1,9}", 5_usize..300), 4..40),
        size in 20_usize..200,
        lost in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let packets: Vec<Vec<u8>> = packets
            .iter()
            .map(|(topic, size)| publish(topic, &vec![b'{'; *size]))
            .collect();
        let stream = packets.concat();
        let segments: Vec<&[u8]> = stream.chunks(size).collect();
        let lost: Vec<usize> = lost.iter().map(|index| index.index(segments.len())).collect();
        let mut forge = Forge::new(Container::USUAL, Link::Raw);
        let mut wire = Wire::usual();
        wire.handshake(&mut forge);
        wire.client(&mut forge, &connect("device"));
        let mut kept = connect("device");
        for (index, segment) in segments.iter().enumerate() {
            if lost.contains(&index) {
                wire.client_next += segment.len() as u32;
            } else {
                wire.client(&mut forge, segment);
                kept.extend_from_slice(segment);
            }
            // The server has all of it: the capture lost it.
            forge.ip(&wire.by_server(ACK, b""));
        }
        let found = gather(&forge.bytes);
        prop_assert_eq!(&found.streams[&1][0], &kept, "what is there is handed on");
        let told: u64 = found.kinds().iter().map(|kind| match kind {
            NoteKind::Gap { bytes } => *bytes,
            _ => 0,
        }).sum();
        let last = (0..segments.len()).rev().take_while(|index| lost.contains(index)).count();
        let open_end: usize = segments.iter().rev().take(last).map(|segment| segment.len()).sum();
        prop_assert_eq!(told as usize + kept.len() + open_end, connect("device").len() + stream.len());
        // Packets are right or left out, never made up.
        for packet in found.packets_of(1, Side::Client) {
            prop_assert!(packet == connect("device") || packets.iter().any(|sent| sent == packet));
        }
        prop_assert_eq!(found.faulty, 0);
    }
}

#[test]
fn a_packet_behind_a_gap_inside_a_known_packet_is_not_lost() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    let long = publish("t", &[0x30; 3_000]);
    wire.client(&mut forge, &connect("device"));
    wire.client(&mut forge, &long[..1_000]);
    wire.client_next += 1_000;
    // The rest and the next packet share a segment, so its start is no start of a packet.
    wire.client(&mut forge, &[&long[2_000..], &publish("t", b"next")[..]].concat());
    let found = gather(&forge.bytes);
    assert_eq!(found.packets_of(1, Side::Client), [connect("device"), publish("t", b"next")]);
    assert_eq!(found.names(), ["gap", "incomplete_packet"]);
}

#[test]
fn behind_a_gap_that_hides_the_framing_packets_are_found_again() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("device"));
    wire.client_next += 500;
    let rest_of_lost = b"\"t\":21.5}";
    let seen = publish("dev/t", b"{\"t\":21.6}");
    wire.client(&mut forge, &[rest_of_lost, &seen[..], &seen[..]].concat());
    wire.client(&mut forge, &seen);
    let found = gather(&forge.bytes);
    assert_eq!(found.packets_of(1, Side::Client).len(), 4);
    assert_eq!(found.names(), ["gap", "resumed"]);
    assert_eq!(found.kinds()[1], &NoteKind::Resumed { passed: rest_of_lost.len() as u64 });
}

#[test]
fn a_device_that_speaks_nonsense_in_between_is_followed() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("device"));
    wire.client(&mut forge, b"\x00\x00AT+OK\r\n");
    wire.client(&mut forge, &publish("a", b"b"));
    let found = gather(&forge.bytes);
    assert_eq!(found.packets_of(1, Side::Client), [connect("device"), publish("a", b"b")]);
    assert_eq!(found.names(), ["stray_bytes", "resumed"]);
}

#[test]
fn a_huge_packet_is_told_and_passed_over() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("device"));
    let huge = publish("t", &vec![1; 300_000]);
    for part in huge.chunks(1_400) {
        wire.client(&mut forge, part);
    }
    wire.client(&mut forge, &publish("t", b"small"));
    let settings = Settings { packet_bytes_max: 100_000, ..Settings::default() };
    let found = gather_with(&forge.bytes, settings);
    assert_eq!(found.packets_of(1, Side::Client), [connect("device"), publish("t", b"small")]);
    assert_eq!(found.names(), ["packet_too_large"]);
    let whole = gather(&forge.bytes);
    assert_eq!(whole.packets_of(1, Side::Client)[1], huge);
}
