//! The ten bytes a CONNECT begins with: swapped, shifted, left out.

use hexmq_wire::PacketType;

use super::guess::{Broken, Guess};
use super::{LintRule, Said};
use crate::repair::find;

/// User Name, Password and Will flags.
const ANNOUNCING: [u8; 3] = [0x80, 0x40, 0x04];
/// Will QoS and Will Retain.
const OF_THE_WILL: u8 = 0x38;
/// What is put in for a Keep Alive that is left out.
const KEEP_ALIVE: [u8; 2] = [0, 60];
/// Connect flags that people use, the commonest first.
const USUAL_FLAGS: [u8; 8] = [0xC2, 0x02, 0xC0, 0x82, 0x00, 0xC6, 0x06, 0xCE];

/// What is wrong with the protocol name.
pub(super) fn protocol_name(broken: &Broken<'_>) -> Option<Guess> {
    let start = connect_body(broken)?;
    let body = broken.frame.get(start..)?;
    let edits: [(usize, usize, &[u8], bool); 6] = [
        (0, 0, &[0, 4], body.starts_with(b"MQTT")),
        (0, 0, &[0], body.starts_with(b"\x04MQTT")),
        (0, 3, &[0, 4], body.starts_with(b"\x00\x00\x04MQTT")),
        (0, 2, &[0, 4], body.get(2..6) == Some(b"MQTT") && !body.starts_with(&[0, 4])),
        (5, 0, b"T", body.starts_with(b"\x00\x04MQT") && body.get(5) != Some(&b'T')),
        (0, 5, b"\x00\x04MQTT", body.starts_with(b"\x00\x03MQT") && body.get(5) != Some(&b'T')),
    ];
    edits.into_iter().filter(|edit| edit.3).find_map(|(at, length, bytes, _)| {
        let repaired = broken.edit(start + at, length, bytes).filter(|repaired| broken.mends(repaired))?;
        let written = broken.frame.get(start + at..start + at + length)?.to_vec();
        let said = if length == 0 {
            Said::Missing(bytes.to_vec())
        } else {
            Said::Bytes { written, right: bytes.to_vec() }
        };
        let rule = LintRule::ProtocolNameMangled;
        Some(Guess { rule, field: "protocol_name", offset: start + at, length, said, repaired })
    })
}

fn connect_body(broken: &Broken<'_>) -> Option<usize> {
    if broken.reading.packet_type == Some(PacketType::Connect) { broken.header() } else { None }
}

/// Where level, flags and Keep Alive stand behind a protocol name that is right.
fn level_at(broken: &Broken<'_>) -> Option<usize> {
    let start = connect_body(broken)?;
    let name = find(&broken.reading.fields, "protocol_name")?;
    let body = broken.frame.get(start..)?;
    (body.starts_with(b"\x00\x04MQTT") || body.starts_with(b"\x00\x06MQIsdp"))
        .then_some(name.offset + name.length)
}

/// Level, flags and Keep Alive in another order.
pub(super) fn swapped(broken: &Broken<'_>) -> Option<Guess> {
    /// Where each of the four bytes is taken from; likeliest first.
    const ORDERS: [[usize; 4]; 8] = [
        [1, 0, 2, 3],
        [0, 3, 1, 2],
        [3, 0, 1, 2],
        [2, 3, 0, 1],
        [3, 2, 0, 1],
        [2, 0, 1, 3],
        [1, 2, 3, 0],
        [2, 1, 0, 3],
    ];
    let at = level_at(broken)?;
    let head: [u8; 4] = broken.frame.get(at..at + 4)?.try_into().ok()?;
    ORDERS.into_iter().find_map(|order| {
        let right: Vec<u8> = order.iter().filter_map(|&from| head.get(from).copied()).collect();
        let is_level = matches!(right.first(), Some(3..=5));
        let repaired = broken.edit(at, 4, &right).filter(|repaired| is_level && broken.mends(repaired))?;
        let said = Said::Bytes { written: head.to_vec(), right };
        let rule = LintRule::ConnectFieldsSwapped;
        Some(Guess { rule, field: "connect_flags", offset: at, length: 4, said, repaired })
    })
}

/// One of level, flags and Keep Alive left out, or the high byte of the Keep Alive.
pub(super) fn missing(broken: &Broken<'_>) -> Option<Guess> {
    let at = level_at(broken)?;
    let put_in = |field: &'static str, offset: usize, bytes: &[u8]| {
        let repaired = broken.edit(offset, 0, bytes).filter(|repaired| broken.mends(repaired))?;
        let said = Said::Missing(bytes.to_vec());
        Some(Guess { rule: LintRule::ConnectFieldMissing, field, offset, length: 0, said, repaired })
    };
    let has_level = matches!(broken.frame.get(at), Some(3..=5));
    // What stands in its place says nothing about the version that was meant.
    let levels: &[u8] = if has_level { &[] } else { &[4, 5, 3] };
    levels
        .iter()
        .find_map(|&level| put_in("protocol_version", at, &[level]))
        .or_else(|| put_in("keep_alive", at + 2, &[0]))
        .or_else(|| put_in("keep_alive", at + 2, &KEEP_ALIVE))
        .or_else(|| USUAL_FLAGS.iter().find_map(|&flags| put_in("connect_flags", at + 1, &[flags])))
}

/// One or two bytes too many in level, flags and Keep Alive.
pub(super) fn extra(broken: &Broken<'_>) -> Option<Guess> {
    let at = level_at(broken)?;
    let places = [(at + 2, 1), (at + 2, 2), (at, 1), (at + 1, 1), (at + 4, 1), (at + 4, 2)];
    places.into_iter().find_map(|(offset, length)| {
        let repaired = broken.edit(offset, length, &[]).filter(|repaired| broken.mends(repaired))?;
        let written = broken.frame.get(offset..offset + length)?.to_vec();
        let said = Said::Bytes { written, right: Vec::new() };
        Some(Guess { rule: LintRule::ConnectFieldExtra, field: "keep_alive", offset, length, said, repaired })
    })
}

/// Flags that announce other fields than stand there: `c2` without credentials, `02` with them.
pub(super) fn flags(broken: &Broken<'_>) -> Option<Guess> {
    let at = level_at(broken)? + 1;
    let written = *broken.frame.get(at)?;
    let mut fitting = (0..1u8 << ANNOUNCING.len()).filter_map(|choice| {
        let mut flags = written & !ANNOUNCING.iter().fold(0, |mask, bit| mask | bit);
        for (index, bit) in ANNOUNCING.iter().enumerate() {
            flags |= if choice >> index & 1 == 1 { *bit } else { 0 };
        }
        if flags & 0x04 == 0 {
            flags &= !OF_THE_WILL;
        }
        let repaired = broken.edit(at, 1, &[flags]).filter(|repaired| broken.mends(repaired))?;
        let said = Said::Bytes { written: vec![written], right: vec![flags] };
        let rule = LintRule::ConnectFlagsUnfit;
        Some(Guess { rule, field: "connect_flags", offset: at, length: 1, said, repaired })
    });
    let first = fitting.next()?;
    // Two strings may be a will or credentials: then both are possible and none is offered ...
    match fitting.next() {
        None => Some(first),
        // ... but credentials are what people forget.
        Some(_) => {
            let credentials = written | 0xC0;
            let repaired = broken.edit(at, 1, &[credentials]).filter(|repaired| broken.mends(repaired))?;
            let said = Said::Bytes { written: vec![written], right: vec![credentials] };
            Some(Guess { said, repaired, ..first })
        }
    }
}
