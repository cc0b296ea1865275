//! Bytes in, meaning out. Pure: the command line and the HTTP API are faces of this function.

use hexmq_wire::{Fault, FaultCode, Frame, PacketType, Severity as WireSeverity, Version};

use crate::explanation::{Explanation, Field, Finding, Options, Packet, Rest, Severity, Side, Skipped};
use crate::language::say;
use crate::repair::{repair, repair_all, repair_remaining_length};
use crate::stream::{Piece, complete, part, pieces};
use crate::text::meaning::{Context, meaning};
use crate::text::message::message;
use crate::tree::{Reading, judge, read};

/// Explains every packet in `bytes`, whatever the bytes are. Never fails: what cannot be read is
/// said in the explanation.
pub fn explain(bytes: &[u8], options: &Options) -> Explanation {
    let pieces = pieces(bytes, options.version);
    let mut explanation = Explanation { packets: Vec::new(), skipped: Vec::new(), rest: None };
    for (index, piece) in pieces.iter().enumerate() {
        match *piece {
            Piece::Packet { offset, length, version } => {
                let forgotten = match pieces.get(index + 1) {
                    Some(&Piece::Forgotten { length, .. }) => length,
                    _ => 0,
                };
                explanation.packets.push(packet(bytes, offset, length, forgotten, version, options));
            }
            Piece::Forgotten { offset, length } => {
                let reason = forgotten_reason(length, options);
                explanation.skipped.push(Skipped { offset, length, reason });
            }
            Piece::Garbage { offset, length } => {
                let reason = garbage_reason(length, options);
                explanation.skipped.push(Skipped { offset, length, reason });
            }
            Piece::Begun { offset, needs, version } => {
                explanation.rest = Some(begun(bytes, offset, needs, version, options));
            }
            Piece::Unknown { offset } => {
                let reason = unknown_reason(options);
                let length = bytes.len() - offset;
                explanation.rest = Some(Rest { offset, length, reason, needs: None, begun: None });
            }
        }
    }
    settle_sides(&mut explanation, options.from);
    explanation
}

fn forgotten_reason(length: usize, options: &Options) -> String {
    say!(
        options.language,
        "{length} bytes that belong to the packet before: its Remaining Length is too small or left out",
        "这 {length} 个字节属于前一个报文：它的剩余长度写小了或漏写了",
    )
}

fn garbage_reason(length: usize, options: &Options) -> String {
    say!(
        options.language,
        "{length} bytes that are no MQTT packet; reading goes on behind them, where a packet begins",
        "这 {length} 个字节不是 MQTT 报文；从其后的报文开头继续解析",
    )
}

fn unknown_reason(options: &Options) -> String {
    say!(options.language, "no MQTT packet begins here", "这里不是 MQTT 报文的开头")
}

/// One whole packet.
fn packet(
    bytes: &[u8],
    offset: usize,
    length: usize,
    forgotten: usize,
    version: Version,
    options: &Options,
) -> Packet {
    let frame = part(bytes, offset, length);
    let mut reading = read(frame, version);
    if let Some(fault) = wrong_direction(reading.packet_type, reading.version, options.from) {
        reading.faults.insert(0, fault);
    }
    let mut findings: Vec<Finding> = Vec::with_capacity(reading.faults.len());
    for fault in &reading.faults {
        let repaired = if forgotten > 0 && fault.code == FaultCode::Truncated {
            complete(part(bytes, offset, length + forgotten), version)
                .filter(|repaired| is_clean(repaired, version, options.from))
        } else {
            repair(frame, &reading, fault, options.from)
        };
        findings.push(finding(frame, &reading, fault, offset, repaired, options));
    }
    let alone = findings.iter().all(|finding| finding.repair.is_some());
    let repair = if alone { None } else { repair_all(frame, version, options.from) };
    Packet { forgotten, ..shape(reading, offset, length, findings, repair, options) }
}

/// Offsets of the whole input, and the texts.
fn shape(
    reading: Reading,
    offset: usize,
    length: usize,
    findings: Vec<Finding>,
    repair: Option<Vec<u8>>,
    options: &Options,
) -> Packet {
    let context =
        Context { packet_type: reading.packet_type, version: reading.version, language: options.language };
    let mut fields = reading.fields;
    for field in &mut fields {
        finish_field(field, offset, context);
    }
    Packet {
        offset,
        length,
        forgotten: 0,
        packet_type: reading.packet_type,
        version: reading.version,
        from: options.from.or(only_side(reading.packet_type, reading.version)),
        fields,
        findings,
        repair,
        dialect: None,
    }
}

fn finish_field(field: &mut Field, offset: usize, context: Context) {
    field.text = meaning(field, context);
    field.offset += offset;
    for inner in &mut field.fields {
        finish_field(inner, offset, context);
    }
}

fn finding(
    frame: &[u8],
    reading: &Reading,
    fault: &Fault,
    offset: usize,
    repair: Option<Vec<u8>>,
    options: &Options,
) -> Finding {
    Finding {
        code: fault.code.name(),
        severity: match fault.severity {
            WireSeverity::Warning => Severity::Warning,
            WireSeverity::Fault => Severity::Fault,
        },
        statement: fault.statement,
        field: fault.field,
        offset: offset + fault.offset,
        length: fault.length,
        message: message(frame, reading, fault, options.language),
        repair,
    }
}

/// The beginning of a packet at the end of the input. Its fields are told as far as they go; that
/// it is cut off is no fault of it, and its reason says so.
fn begun(bytes: &[u8], offset: usize, needs: usize, version: Version, options: &Options) -> Rest {
    let frame = part(bytes, offset, bytes.len());
    let length = frame.len();
    let mut reading = read(frame, version);
    reading.faults.retain(|fault| !is_of_the_cut(fault, length));
    if let Some(fault) = wrong_direction(reading.packet_type, reading.version, options.from) {
        reading.faults.insert(0, fault);
    }
    let findings =
        reading.faults.iter().map(|fault| finding(frame, &reading, fault, offset, None, options)).collect();
    let repair = repair_remaining_length(frame, version, options.from);
    let mut reason = needs_reason(frame, needs, options);
    if repair.is_some() {
        reason += &say!(
            options.language,
            "; or the Remaining Length is {needs} too large: with a smaller one the packet is whole",
            "；也可能是剩余长度多写了 {needs}：改小后报文就是完整的",
        );
    }
    let begun = shape(reading, offset, length, findings, repair, options);
    Rest { offset, length, reason, needs: Some(needs), begun: Some(begun) }
}

/// How many bytes are missing: exactly, once the Remaining Length is there.
fn needs_reason(frame: &[u8], needs: usize, options: &Options) -> String {
    let bytes = if needs == 1 { "byte" } else { "bytes" };
    match Frame::new(frame).header() {
        Some(_) => say!(options.language, "needs {needs} more {bytes}", "还缺 {needs} 个字节"),
        None => say!(options.language, "needs at least {needs} more {bytes}", "至少还缺 {needs} 个字节"),
    }
}

/// Faults that only say that bytes are missing at the end.
fn is_of_the_cut(fault: &Fault, length: usize) -> bool {
    matches!(
        fault.code,
        FaultCode::Truncated
            | FaultCode::EmptyPayload
            | FaultCode::PropertyLength
            | FaultCode::MissingAuthenticationMethod
    ) || fault.offset >= length
}

/// The side that alone sends this packet; `None` if both do.
fn only_side(packet_type: Option<PacketType>, version: Version) -> Option<Side> {
    match packet_type? {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq => {
            Some(Side::Client)
        }
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => {
            Some(Side::Server)
        }
        PacketType::Disconnect if version < Version::V5 => Some(Side::Client),
        _ => None,
    }
}

fn wrong_direction(packet_type: Option<PacketType>, version: Version, from: Option<Side>) -> Option<Fault> {
    let only = only_side(packet_type, version)?;
    if from.is_none_or(|from| from == only) {
        return None;
    }
    let code = FaultCode::WrongDirection;
    Some(Fault {
        code,
        severity: WireSeverity::Fault,
        version,
        field: "packet_type",
        offset: 0,
        length: 1,
        statement: code.statement(version, packet_type, "packet_type"),
    })
}

/// Packets that both sides send belong to the one that sent all the others, if that is one.
fn settle_sides(explanation: &mut Explanation, from: Option<Side>) {
    if from.is_some() {
        return;
    }
    let mut known = explanation.packets.iter().filter_map(|packet| packet.from);
    let Some(side) = known.next() else { return };
    if known.all(|other| other == side) {
        for packet in &mut explanation.packets {
            packet.from = Some(side);
        }
    }
}

/// Whether a packet has neither fault nor warning, sent by `from`. Repairs are searched with it, so
/// it builds no tree.
pub(crate) fn is_clean(frame: &[u8], version: Version, from: Option<Side>) -> bool {
    let packet_type = Frame::new(frame).packet_type();
    packet_type.is_some()
        && is_whole(frame)
        && wrong_direction(packet_type, version, from).is_none()
        && judge(frame, version).is_clean()
}

fn is_whole(frame: &[u8]) -> bool {
    hexmq_wire::scan_frame(frame, u32::MAX) == Ok(hexmq_wire::FrameStatus::Whole { length: frame.len() })
}
