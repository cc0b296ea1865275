use hexmq_wire::{
    Ack, Connack, ControlPacket, Delivery, Frame, FrameStatus, Leniency, NoTrace, Publish, Suback, decode,
    scan_frame,
};

use super::*;
use crate::history::Broken;

/// A device with what it wrote and what was made of it.
struct Bench {
    device: Device,
    out: Vec<u8>,
    checker: Checker,
}

impl Bench {
    fn new(version: Version) -> Bench {
        let device = Device::new(ClientId(0), "d", version, Keeps::Forever);
        Bench { device, out: Vec::new(), checker: Checker::new(&["d"]) }
    }

    fn does(&mut self, act: impl FnOnce(&mut Device, &mut Io<'_>)) -> &mut Self {
        let mut io = Io { out: &mut self.out, checker: &mut self.checker, now_ms: 0 };
        act(&mut self.device, &mut io);
        self
    }

    fn hears(&mut self, packet: ControlPacket<'_>) -> Heard {
        let mut io = Io { out: &mut self.out, checker: &mut self.checker, now_ms: 0 };
        self.device.receive(&packet, &mut io)
    }

    fn connect(&mut self, session_present: bool) -> &mut Self {
        self.device.lost();
        self.does(|device, io| device.connect(false, None, io));
        self.out.clear();
        let reason_code = ReasonCode::Success;
        let connack = Connack { session_present, reason_code, properties: Properties::EMPTY };
        self.hears(ControlPacket::Connack(connack));
        self
    }

    fn publish(&mut self, number: u32, qos: QoS) -> &mut Self {
        self.does(|device, io| device.publish(message(number), "m/d/0", qos, (false, false), io))
    }

    /// What was written since last asked: first byte and packet identifier of each packet.
    fn written(&mut self) -> Vec<(u8, u16)> {
        let mut written = Vec::new();
        while let Ok(FrameStatus::Whole { length }) = scan_frame(&self.out, u32::MAX) {
            let frame: Vec<u8> = self.out.drain(..length).collect();
            let version = self.device.version;
            let packet =
                decode(Frame::new(&frame), version, &Leniency::default(), &mut NoTrace).expect("right");
            let identifier = match packet {
                ControlPacket::Publish(publish) => {
                    publish.delivery.packet_identifier().map_or(0, PacketIdentifier::get)
                }
                ControlPacket::Pubrel(ack) | ControlPacket::Puback(ack) => ack.packet_identifier.get(),
                ControlPacket::Pubrec(ack) | ControlPacket::Pubcomp(ack) => ack.packet_identifier.get(),
                _ => 0,
            };
            written.push((frame[0], identifier));
        }
        written
    }

    fn broken(&self) -> Vec<Broken> {
        self.checker.violations().iter().map(|violation| violation.broken).collect()
    }
}

fn message(number: u32) -> MessageId {
    MessageId { publisher: ClientId(0), number }
}

fn identifier(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).expect("not 0")
}

fn ack(number: u16) -> Ack<'static> {
    Ack::success(identifier(number))
}

fn incoming(payload: &[u8], dup: bool, qos2: Option<u16>) -> ControlPacket<'_> {
    let delivery = match qos2 {
        Some(number) => Delivery::ExactlyOnce(identifier(number)),
        None => Delivery::AtLeastOnce(identifier(9)),
    };
    let properties = Properties::EMPTY;
    ControlPacket::Publish(Publish { dup, delivery, retain: false, topic_name: "m/d/0", properties, payload })
}

#[test]
fn what_was_not_answered_is_sent_again_in_order_with_its_identifiers() {
    let mut bench = Bench::new(Version::V4);
    bench
        .connect(false)
        .publish(0, QoS::AtLeastOnce)
        .publish(1, QoS::ExactlyOnce)
        .publish(2, QoS::ExactlyOnce);
    bench.publish(3, QoS::AtLeastOnce);
    assert_eq!(bench.written(), [(0x32, 1), (0x34, 2), (0x34, 3), (0x32, 4)]);
    assert_eq!(bench.hears(ControlPacket::Pubrec(ack(2))), Heard::Acknowledged(message(1)));
    assert_eq!(bench.hears(ControlPacket::Puback(ack(4))), Heard::Acknowledged(message(3)));
    bench.connect(true);
    assert_eq!(bench.written(), [(0x3A, 1), (0x62, 2), (0x3C, 3)], "with DUP; PUBREL instead of the second");
    bench.hears(ControlPacket::Pubcomp(ack(2)));
    assert_eq!(bench.device.in_flight(), 2);
    // The server has lost the session: what it had not answered for is published anew.
    bench.connect(false);
    assert_eq!(bench.written(), [(0x32, 1), (0x34, 3)]);
    assert_eq!(bench.broken(), [Broken::SessionLost]);
}

#[test]
fn identifiers_in_use_are_not_used_again() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false).publish(0, QoS::ExactlyOnce);
    for number in 1..=u32::from(u16::MAX) {
        bench.publish(number, QoS::AtLeastOnce);
        let last = bench.written().last().map_or(0, |(_, identifier)| *identifier);
        assert_ne!(last, if number == 1 { 0 } else { 1 });
        bench.hears(ControlPacket::Puback(ack(last)));
    }
    assert_eq!(bench.device.in_flight(), 1);
}

#[test]
fn a_qos_2_message_is_taken_once() {
    let mut bench = Bench::new(Version::V4);
    bench.connect(false).publish(0, QoS::ExactlyOnce);
    bench.does(|device, io| device.subscribe(&[("m/#".to_owned(), QoS::ExactlyOnce)], io));
    let reason_codes = &[2];
    let suback = Suback { packet_identifier: identifier(2), properties: Properties::EMPTY, reason_codes };
    assert_eq!(bench.hears(ControlPacket::Suback(suback)), Heard::Granted(vec!["m/#".to_owned()]));
    bench.written();
    let payload = payload(message(0), false);
    assert_eq!(bench.hears(incoming(&payload, false, Some(7))), Heard::Delivered);
    bench.connect(true);
    bench.written();
    assert_eq!(bench.hears(incoming(&payload, true, Some(7))), Heard::Nothing);
    bench.hears(ControlPacket::Pubrel(ack(7)));
    assert_eq!(bench.written(), [(0x50, 7), (0x70, 7)]);
    assert_eq!(bench.broken(), []);
    // The identifier is free: this is another delivery.
    assert_eq!(bench.hears(incoming(&payload, false, Some(7))), Heard::Delivered);
    assert_eq!(bench.broken(), [Broken::Twice]);
}

#[test]
fn what_breaks_the_protocol_is_seen() {
    let mut bench = Bench::new(Version::V4);
    bench.connect(false);
    bench.hears(ControlPacket::Puback(ack(5)));
    bench.hears(ControlPacket::Pubcomp(ack(5)));
    bench.hears(incoming(b"changed", false, None));
    let (first, second) = (payload(message(0), false), payload(message(1), false));
    bench.hears(incoming(&first, false, Some(7)));
    bench.hears(incoming(&first, false, Some(7)));
    bench.hears(incoming(&second, true, Some(7)));
    let protocol = bench.broken().iter().filter(|broken| **broken == Broken::Protocol).count();
    assert_eq!(protocol, 5, "{:?}", bench.checker.violations());
}

#[test]
fn a_slow_device_keeps_the_order_of_its_acknowledgements_and_forgets_them_with_the_connection() {
    let mut bench = Bench::new(Version::V4);
    bench.device.slowness_ms = 10;
    bench.connect(false);
    let payload = payload(message(0), false);
    bench.hears(incoming(&payload, false, Some(7)));
    bench.hears(incoming(&payload, false, None));
    bench.hears(ControlPacket::Pubrel(ack(7)));
    assert_eq!(bench.written(), []);
    let Bench { device, out, checker } = &mut bench;
    device.tick(&mut Io { out, checker, now_ms: 10 });
    assert_eq!(bench.written(), [(0x50, 7), (0x40, 9), (0x70, 7)]);
    bench.hears(incoming(&payload, false, None));
    bench.connect(true);
    let Bench { device, out, checker } = &mut bench;
    device.tick(&mut Io { out, checker, now_ms: 100 });
    assert_eq!(bench.written(), []);
}
