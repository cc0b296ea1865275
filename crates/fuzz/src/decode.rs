//! Decoding any bytes: it never panics, a trace changes nothing, faults lie inside the packet, and
//! what was read writes back.

use hexmq_wire::{
    ControlPacket, Fault, Field, Frame, Leniency, NoTrace, Severity, Trace, Verdict, Version, decode,
};

/// Looks at every field and keeps the faults.
struct Watcher {
    length: usize,
    depth: usize,
    faults: Vec<Fault>,
    stop: bool,
}

impl Watcher {
    fn new(length: usize, stop: bool) -> Watcher {
        Watcher { length, depth: 0, faults: Vec::new(), stop }
    }

    fn look(&self, field: Field<'_>) {
        assert!(field.offset + field.length <= self.length, "{field:?} in {} bytes", self.length);
        assert!(field.bits.is_none_or(|(low, width)| field.length == 1 && low + width <= 8), "{field:?}");
    }
}

impl Trace for Watcher {
    const FIELDS: bool = true;

    fn open(&mut self, field: Field<'_>) {
        self.look(field);
        self.depth += 1;
    }

    fn field(&mut self, field: Field<'_>) {
        self.look(field);
    }

    fn close(&mut self, end: usize) {
        assert!(self.depth > 0 && end <= self.length);
        self.depth -= 1;
    }

    fn fault(&mut self, fault: Fault) -> Verdict {
        assert!(fault.offset + fault.length <= self.length, "{fault:?} in {} bytes", self.length);
        self.faults.push(fault);
        if self.stop && fault.severity == Severity::Fault { Verdict::Stop } else { Verdict::GoOn }
    }
}

fn read(bytes: &[u8], version: Version) -> Result<ControlPacket<'_>, Fault> {
    decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace)
}

fn check(bytes: &[u8], version: Version) {
    let served = read(bytes, version);
    let mut strict = Watcher::new(bytes.len(), true);
    assert_eq!(decode(Frame::new(bytes), version, &Leniency::default(), &mut strict), served);
    let mut patient = Watcher::new(bytes.len(), false);
    let explained = decode(Frame::new(bytes), version, &Leniency::default(), &mut patient);
    match served {
        Ok(packet) => {
            assert_eq!(explained, Ok(packet), "who explains understands what a server does");
            assert!(patient.faults.iter().all(|fault| fault.severity == Severity::Warning));
            assert_eq!(patient.depth, 0, "groups are closed");
        }
        Err(fault) => assert!(patient.faults.contains(&fault), "{fault:?} is explained"),
    }
    if let Ok(packet) = explained {
        let mut out = Vec::new();
        // A fault that is survived may have no encoding, but never panics.
        let _ = packet.encode(version, &mut out);
    }
}

/// Bytes as a packet of MQTT 3.1.
pub fn decode_v3(input: &[u8]) {
    check(input, Version::V3);
}

/// Bytes as a packet of MQTT 3.1.1.
pub fn decode_v4(input: &[u8]) {
    check(input, Version::V4);
}

/// Bytes as a packet of MQTT 5.0.
pub fn decode_v5(input: &[u8]) {
    check(input, Version::V5);
}

/// What was read writes to bytes that read the same and are not longer; writing those again
/// changes nothing. The first byte chooses the version.
pub fn roundtrip(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let version = [Version::V3, Version::V4, Version::V5][usize::from(choice % 3)];
    let Ok(packet) = read(bytes, version) else { return };
    let mut once = Vec::new();
    assert_eq!(packet.encode(version, &mut once), Ok(()));
    assert_eq!(packet.encoded_size(version), once.len() as u64);
    assert!(once.len() <= bytes.len());
    let again = read(&once, version);
    assert_eq!(again, Ok(packet));
    let mut twice = Vec::new();
    assert_eq!(again.map(|packet| packet.encode(version, &mut twice)), Ok(Ok(())));
    assert_eq!(once, twice);
}
