//! Captures: made here packet by packet, and read.

mod forge;
mod gather;
mod secure;
mod stream;
mod wrong;

use forge::{ACK, Container, FIN, Forge, Link, RST, SYN, Wire, datagram, tcp};
use gather::{CONNACK, Gathered, connect, gather, gather_with, publish};
use hexmq_workbench::Side;
use hexmq_workbench::capture::{Capture, End, NoteKind, Settings};
use hexmq_workbench::recording::{Timestamp, Via};

/// A short conversation.
fn talk(forge: &mut Forge, wire: &mut Wire) {
    wire.handshake(forge);
    wire.client(forge, &connect("meter"));
    wire.server(forge, CONNACK);
    wire.client(forge, &publish("a/b", b"21.5"));
    wire.server(forge, &publish("c", b"on"));
    wire.client(forge, b"\xe0\x00");
    wire.close(forge);
}

#[test]
fn every_container_and_link_type_gives_the_same_packets() {
    let expected_client = [connect("meter"), publish("a/b", b"21.5"), b"\xe0\x00".to_vec()];
    let expected_server = [CONNACK.to_vec(), publish("c", b"on")];
    for container in Container::all() {
        for link in Link::ALL {
            for ends in [["192.0.2.1:50000", "192.0.2.2:1883"], ["[2001:db8::9]:50000", "[2001:db8::1]:7"]] {
                let mut forge = Forge::new(container, link);
                let mut wire = Wire::new(ends[0], ends[1]);
                talk(&mut forge, &mut wire);
                let found = gather(&forge.bytes);
                let what = format!("{container:?} {link:?} {ends:?}");
                assert_eq!(found.error, None, "{what}");
                assert_eq!(found.packets_of(1, Side::Client), expected_client, "{what}");
                assert_eq!(found.packets_of(1, Side::Server), expected_server, "{what}");
                assert!(found.notes.is_empty(), "{what}: {:?}", found.notes);
                let connection = &found.closed[0];
                assert_eq!(connection.client, wire.client, "{what}");
                assert_eq!(connection.server, wire.server, "{what}");
                assert_eq!(connection.end, Some(End::Closed(Side::Client)), "{what}");
                assert_eq!(connection.client_identifier.as_deref(), Some("meter"));
                assert!(connection.from_start && connection.via == Via::Tcp);
                if !what.contains("Simple") {
                    assert_eq!(found.times[0], Timestamp(1_700_000_000_003_000_000), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_connection_begins_anew_under_the_same_ports() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("first"));
    // No FIN: the device lost power.
    wire.client_next = 77_000;
    wire.server_next = 123;
    talk(&mut forge, &mut wire);
    // A late repetition of the last segment is nothing new.
    wire.client_next -= 3;
    wire.client(&mut forge, b"\xe0\x00");
    let found = gather(&forge.bytes);
    assert_eq!(found.closed.len(), 2);
    assert_eq!(found.closed[0].end, Some(End::Replaced));
    assert_eq!(found.closed[0].client_identifier.as_deref(), Some("first"));
    assert_eq!(found.closed[1].client_identifier.as_deref(), Some("meter"));
    assert_eq!(found.closed[1].end, Some(End::Closed(Side::Client)));
}

#[test]
fn a_repeated_syn_is_no_new_connection() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    for _ in 0..3 {
        forge.ip(&wire.by_client(SYN, b""));
    }
    talk(&mut forge, &mut wire);
    let found = gather(&forge.bytes);
    assert_eq!((found.totals.connections, found.closed.len()), (1, 1));
}

#[test]
fn a_reset_names_who_broke_it_off() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("x"));
    forge.ip(&wire.by_server(RST | ACK, b""));
    let found = gather(&forge.bytes);
    assert_eq!(found.closed[0].end, Some(End::Reset(Side::Server)));
}

#[test]
fn a_capture_that_begins_in_the_middle_is_read_at_any_port() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    // The lower port is the client's: what it sends tells.
    let mut wire = Wire::new("192.0.2.1:4000", "192.0.2.2:40000");
    wire.server(&mut forge, b"...rest of something");
    wire.server(&mut forge, &publish("some/topic", b"hello there").repeat(2));
    wire.client(&mut forge, b"\x82\x06\x00\x07\x00\x01a\x00");
    wire.server(&mut forge, b"\x90\x03\x00\x07\x00");
    wire.client(&mut forge, b"\xc0\x00");
    let found = gather(&forge.bytes);
    assert_eq!(found.packets.len(), 5, "{:?}", found.notes);
    let connection = &found.closed[0];
    assert!(!connection.from_start);
    assert_eq!(connection.end, Some(End::CaptureEnds));
    assert_eq!(found.faulty, 0);
}

#[test]
fn who_the_client_is_shows_in_what_it_sends() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::new("192.0.2.1:4000", "192.0.2.2:40000");
    wire.client(&mut forge, &b"\x82\x06\x00\x07\x00\x01a\x00".repeat(2));
    wire.server(&mut forge, b"\x90\x03\x00\x07\x00");
    let found = gather(&forge.bytes);
    assert_eq!(found.closed[0].client, wire.client);
    assert_eq!(found.packets_of(1, Side::Server).len(), 1);
}

#[test]
fn the_version_of_a_connection_without_connect_is_found_out() {
    for (version, publish) in
        [(5, b"\x30\x09\x00\x03a/b\x00xyz".as_slice()), (4, b"\x30\x08\x00\x03a/bxyz".as_slice())]
    {
        let mut forge = Forge::new(Container::USUAL, Link::Raw);
        let mut wire = Wire::usual();
        wire.client(&mut forge, publish);
        wire.client(&mut forge, publish);
        let found = gather(&forge.bytes);
        assert_eq!(found.closed[0].version.map(|version| version.level()), Some(version));
        assert_eq!((found.packets.len(), found.faulty), (2, 0));
    }
}

#[test]
fn other_connections_are_only_counted_unless_their_port_is_named() {
    let mut forge = Forge::new(Container::USUAL, Link::Ethernet);
    let mut wire = Wire::new("192.0.2.1:50000", "192.0.2.2:2222");
    wire.handshake(&mut forge);
    wire.client(&mut forge, b"SSH-2.0-x\r\n");
    wire.server(&mut forge, b"SSH-2.0-y\r\n");
    forge.ip(&datagram(wire.client.ip(), wire.server.ip(), 17, b"\0\0\0\0\0\0\0\0"));
    let found = gather(&forge.bytes);
    assert_eq!((found.totals.connections, found.opened.len()), (1, 0));
    assert_eq!(found.totals.not_tcp, 1);
    let settings = Settings { ports: vec![2222], ..Settings::default() };
    let found = gather_with(&forge.bytes, settings);
    assert_eq!(found.opened.len(), 1);
    assert!(found.names().contains(&"left_over") || !found.packets.is_empty());
}

#[test]
fn pieces_of_ip_packets_are_counted() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let wire = Wire::usual();
    let mut piece = tcp(wire.client, wire.server, 1, 0, ACK, b"abc");
    piece[6] = 0x20;
    forge.ip(&piece);
    let found = gather(&forge.bytes);
    assert_eq!((found.totals.fragments, found.totals.segments), (1, 0));
}

#[test]
fn packets_cut_by_the_snapshot_length_are_told_with_what_is_missing() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    forge.snapshot = 150;
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("x"));
    wire.client(&mut forge, &publish("long", &[7; 1_000]));
    wire.client(&mut forge, &publish("short", b"y"));
    let found = gather(&forge.bytes);
    assert_eq!(found.packets_of(1, Side::Client), [connect("x"), publish("short", b"y")]);
    assert_eq!(found.names(), ["gap", "incomplete_packet"]);
    let kept = 150 - 52;
    assert_eq!(found.kinds()[0], &NoteKind::Gap { bytes: publish("long", &[7; 1_000]).len() as u64 - kept });
    assert_eq!(found.closed[0].by_client.delivery.gaps, 1);
}

#[test]
fn too_many_connections_set_the_quietest_aside() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    for port in 1..=40 {
        let mut wire = Wire::new(&format!("192.0.2.1:{port}"), "192.0.2.2:1883");
        wire.handshake(&mut forge);
        wire.client(&mut forge, &connect("x"));
    }
    let found = gather_with(&forge.bytes, Settings { connections_max: 16, ..Settings::default() });
    assert_eq!(found.closed.len(), 40);
    let aside = found.closed.iter().filter(|connection| connection.end == Some(End::SetAside)).count();
    assert!(found.totals.set_aside == aside as u64 && aside >= 24, "{aside}");
    assert_eq!(found.packets.len(), 40);
}

#[test]
fn a_half_closed_connection_goes_on() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("x"));
    forge.ip(&wire.by_client(FIN | ACK, b""));
    wire.client_next += 1;
    wire.server(&mut forge, CONNACK);
    forge.ip(&wire.by_server(FIN | ACK, b""));
    let found = gather(&forge.bytes);
    assert_eq!(found.packets.len(), 2);
    assert_eq!(found.closed[0].end, Some(End::Closed(Side::Client)));
}

#[test]
fn a_capture_split_into_files_is_one() {
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, &connect("meter"));
    let long = publish("t", &[0x41; 900]);
    wire.client(&mut forge, &long[..400]);
    let first = forge.bytes;
    let mut forge =
        Forge::new(Container::PcapNg { big_endian: true, block: forge::Block::Enhanced }, Link::Vlan);
    wire.client(&mut forge, &long[400..]);
    wire.close(&mut forge);
    let mut found = Gathered::default();
    let mut capture = Capture::new(Settings::default());
    for file in [&first, &forge.bytes] {
        capture.read(&mut file.as_slice(), &mut found, |_| true).expect("well-formed");
    }
    capture.finish(&mut found);
    assert_eq!(found.packets_of(1, Side::Client), [connect("meter"), long]);
    assert_eq!(capture.totals().packets, 5 + 4);
    assert_eq!(capture.totals().bytes as usize, first.len() + forge.bytes.len());
}
