//! What clients do, whatever carries their bytes.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::serving::{Client, PINGREQ, PINGRESP, Server, publish};

/// Connects, subscribes, and hears what it publishes.
pub(crate) fn speaks<S: Read + Write>(client: &mut Client<S>, id: &str) {
    client.connect(id).subscribe(id, 0).send(&publish(id, b"hello")).expect(&publish(id, b"hello"));
    client.send(PINGREQ).expect(PINGRESP);
}

/// The largest message there may be goes from one to the other.
pub(crate) fn large_message_passes<A: Read + Write + Send, B: Read + Write>(
    mut from: Client<A>,
    mut to: Client<B>,
) {
    // As large as `maximum_packet_size`, header included.
    let payload: Vec<u8> = (0..(16_u32 << 20) - 8).map(|n| (n >> 3) as u8).collect();
    let message = publish("t", &payload);
    assert_eq!(message.len(), 16 << 20);
    to.connect("to").subscribe("t", 0);
    from.connect("from");
    std::thread::scope(|scope| {
        scope.spawn(|| from.send(&message).send(PINGREQ).expect(PINGRESP));
        assert!(to.packet() == message, "another message came");
    });
    to.send(PINGREQ).expect(PINGRESP);
}

/// Publishes far more than a subscriber that does not read has room for, and looks at the server's memory; then
/// the subscriber reads, and everything that comes is whole.
pub(crate) fn slow_reader_costs_little<S: Read + Write>(
    server: &Server,
    mut slow: Client<S>,
    mut fast: Client<TcpStream>,
) {
    const MESSAGE: usize = 64 << 10;
    slow.connect("slow").subscribe("t", 0);
    fast.connect("fast");
    let before = server.resident();
    for n in 0..1024_u32 {
        let mut payload = vec![n as u8; MESSAGE];
        payload[..4].copy_from_slice(&n.to_be_bytes());
        fast.send(&publish("t", &payload));
    }
    fast.send(PINGREQ).expect(PINGRESP);
    let grown = server.resident().saturating_sub(before);
    // 64 MiB were published. What waits for the slow one is bounded by 4 MiB, doubled while a buffer grows.
    assert!(grown < 24 << 20, "{grown} bytes for a reader that does not read");
    slow.send(PINGREQ);
    let mut last = None;
    loop {
        let packet = slow.packet();
        if packet == PINGRESP {
            break;
        }
        let payload = &packet[packet.len() - MESSAGE..];
        let number = u32::from_be_bytes(payload[..4].try_into().expect("four"));
        assert!(payload[4..].iter().all(|&byte| byte == number as u8), "{number} is mixed up");
        assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
        last = Some(number);
    }
    assert!(last.is_some(), "nothing came");
}
