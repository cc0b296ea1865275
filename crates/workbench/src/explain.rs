//! Bytes in, meaning out. Pure: the command line and the HTTP API are faces of this function.

use hexmq_wire::{Fault, FaultCode, Frame, PacketType, Severity as WireSeverity, Version};

use crate::explanation::{Explanation, Field, Finding, Options, Packet, Rest, Severity, Side, Skipped};
use crate::lint::{self, LintRule, Remark, Shape, remarks_on_content, remarks_on_shape};
use crate::repair::{repair, repair_all};
use crate::strays;
use crate::stream::{Piece, complete, part, pieces};
use crate::text::lint::remark_message;
use crate::text::meaning::{Context, meaning};
use crate::text::message::message;
use crate::tree::{Reading, judge, read};

/// Explains every packet in `bytes`, whatever the bytes are. Never fails: what cannot be read is
/// said in the explanation.
pub(crate) fn explain(bytes: &[u8], options: &Options) -> Explanation {
    if let Some(remark) = lint::about_input(bytes) {
        return no_packets(bytes, remark, options);
    }
    let mut walk = Walk { bytes, options, explanation: Explanation::default() };
    let pieces = pieces(bytes, options.version);
    for (index, &piece) in pieces.iter().enumerate() {
        walk.piece(piece, pieces.get(index + 1).copied());
    }
    let mut explanation = walk.explanation;
    settle_sides(&mut explanation, options.from);
    if options.from.is_none() {
        for (index, remark) in lint::remarks_on_dialogue(bytes, &explanation.packets) {
            if let Some(packet) = explanation.packets.get_mut(index) {
                packet.findings.push(remark.to_finding(packet.offset, options.language));
            }
        }
    }
    explanation
}

/// Bytes that are something else as a whole.
fn no_packets(bytes: &[u8], remark: Remark, options: &Options) -> Explanation {
    let reason = strays::unknown_reason(options);
    let findings = vec![remark_finding(remark, 0, options)];
    let rest = Rest { offset: 0, length: bytes.len(), reason, needs: None, begun: None, findings };
    Explanation { rest: Some(rest), ..Explanation::default() }
}

/// Goes through the pieces of a stream.
struct Walk<'a> {
    bytes: &'a [u8],
    options: &'a Options,
    explanation: Explanation,
}

impl Walk<'_> {
    fn piece(&mut self, piece: Piece, next: Option<Piece>) {
        let options = self.options;
        // A packet may have turned out to need what stands behind it.
        let claimed =
            self.explanation.packets.last().map_or(0, |last| last.offset + last.length + last.forgotten);
        match piece {
            Piece::Packet { offset, length, version } => {
                let packet = packet(self.bytes, offset, length, self.stray(next), version, options);
                self.explanation.packets.push(packet);
            }
            Piece::Forgotten { offset, length } => {
                self.skip(offset, length, strays::forgotten_reason(length, options))
            }
            Piece::Garbage { offset, length } if claimed >= offset + length => {
                self.skip(offset, length, strays::forgotten_reason(length, options));
            }
            Piece::Garbage { offset, length } => {
                self.skip(offset, length, strays::garbage_reason(length, options))
            }
            Piece::Unknown { offset } | Piece::Begun { offset, .. } if claimed >= self.bytes.len() => {
                let length = self.bytes.len() - offset;
                self.skip(offset, length, strays::forgotten_reason(length, options));
            }
            Piece::Begun { offset, needs, version } => self.begun(offset, needs, version),
            Piece::Unknown { offset } => {
                let length = self.bytes.len() - offset;
                let (reason, findings) = self.about_stray(offset, length, strays::unknown_reason(options));
                let rest = Rest { offset, length, reason, needs: None, begun: None, findings };
                self.explanation.rest = Some(rest);
            }
        }
    }

    fn skip(&mut self, offset: usize, length: usize, reason: String) {
        let (reason, findings) = self.about_stray(offset, length, reason);
        self.explanation.skipped.push(Skipped { offset, length, reason, findings });
    }

    /// What bytes that are no packet may be.
    fn about_stray(&self, offset: usize, length: usize, reason: String) -> (String, Vec<Finding>) {
        let version = self.options.version.unwrap_or(Version::V4);
        let remark = lint::about_stray(part(self.bytes, offset, length), version);
        (reason, remark.map(|remark| remark_finding(remark, offset, self.options)).into_iter().collect())
    }

    /// Bytes behind a packet that may belong to it.
    fn stray(&self, next: Option<Piece>) -> Behind {
        match next {
            Some(Piece::Forgotten { length, .. }) => Behind { length, forgotten: true, begun: false },
            Some(Piece::Garbage { offset, length })
                if lint::about_stray(part(self.bytes, offset, length), Version::V4).is_none() =>
            {
                Behind { length, forgotten: false, begun: false }
            }
            Some(Piece::Unknown { offset })
                if lint::about_stray(part(self.bytes, offset, self.bytes.len()), Version::V4).is_none() =>
            {
                Behind { length: self.bytes.len() - offset, forgotten: false, begun: false }
            }
            Some(Piece::Begun { offset, .. }) => {
                Behind { length: self.bytes.len() - offset, forgotten: false, begun: true }
            }
            _ => Behind::default(),
        }
    }

    /// The beginning of a packet at the end of the input. Its fields are told as far as they go; that
    /// it is cut off is no fault of it, and its reason says so. Where nothing that may come could make
    /// it right it is no beginning but a packet with a wrong length.
    fn begun(&mut self, offset: usize, needs: usize, version: Version) {
        let (bytes, options) = (self.bytes, self.options);
        let frame = part(bytes, offset, bytes.len());
        let length = frame.len();
        let mut reading = read(frame, version);
        reading.faults.retain(|fault| !is_of_the_cut(fault, length));
        if let Some(fault) = wrong_direction(reading.packet_type, reading.version, options.from) {
            reading.faults.insert(0, fault);
        }
        let remark =
            remarks_on_shape(&Shape { bytes: frame, framed: length, reading: &reading, from: options.from });
        let mut findings: Vec<Finding> = reading
            .faults
            .iter()
            .map(|fault| finding(frame, &reading, fault, offset, None, options))
            .collect();
        let mut reason = strays::needs_reason(frame, needs, options);
        let is_final = remark.is_some() && lint::is_complete_at(frame, &reading);
        if let Some((remark, _)) = remark {
            reason += &strays::or_too_large(&remark, needs, options);
            findings.push(remark_finding(remark, offset, options));
        }
        let packet = shape(reading, offset, length, findings, None, options);
        let rest = if is_final {
            self.explanation.packets.push(packet);
            Rest {
                offset: offset + length,
                length: 0,
                reason,
                needs: Some(needs),
                begun: None,
                findings: Vec::new(),
            }
        } else {
            let findings = self.continued(offset);
            Rest { offset, length, reason, needs: Some(needs), begun: Some(packet), findings }
        };
        self.explanation.rest = Some(rest);
    }
}

impl Walk<'_> {
    /// Text at the end that may as well be the end of the message before, whose Remaining Length is
    /// too small then. Nobody knows, so it is said of the rest and not of that packet.
    fn continued(&self, offset: usize) -> Vec<Finding> {
        let Some(last) = self.explanation.packets.last() else { return Vec::new() };
        let follows = last.offset + last.length == offset && last.packet_type == Some(PacketType::Publish);
        let rest = part(self.bytes, offset, self.bytes.len());
        if !follows || !lint::is_text(rest) {
            return Vec::new();
        }
        let reading = read(part(self.bytes, last.offset, last.length), last.version);
        let bytes = part(self.bytes, last.offset, self.bytes.len());
        let shape = Shape { bytes, framed: last.length, reading: &reading, from: self.options.from };
        let found = remarks_on_shape(&shape).filter(|found| found.1 == bytes.len());
        found.map(|(remark, _)| remark_finding(remark, last.offset, self.options)).into_iter().collect()
    }
}

/// Bytes behind a packet that belong to no other.
#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    length: usize,
    /// With them the packet is clean.
    forgotten: bool,
    /// They may as well be the beginning of the next one.
    begun: bool,
}

/// One whole packet.
fn packet(
    bytes: &[u8],
    offset: usize,
    length: usize,
    behind: Behind,
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
        let repaired = if behind.forgotten && fault.code == FaultCode::Truncated {
            complete(part(bytes, offset, length + behind.length), version)
                .filter(|repaired| is_clean(repaired, version, options.from))
        } else {
            repair(frame, &reading, fault, options.from)
        };
        findings.push(finding(frame, &reading, fault, offset, repaired, options));
    }
    let mut forgotten = if behind.forgotten { behind.length } else { 0 };
    let whole = part(bytes, offset, length + behind.length);
    let shape_of = Shape { bytes: whole, framed: length, reading: &reading, from: options.from };
    if let Some((remark, used)) = suspect(&shape_of, behind) {
        forgotten = forgotten.max(used.saturating_sub(length));
        let is_told = remark.rule == LintRule::LengthWrong
            && findings.iter().any(|finding| finding.repair.is_some() && finding.repair == remark.repair);
        if !is_told {
            findings.push(remark_finding(remark, offset, options));
        }
    }
    let remarks = remarks_on_content(frame, &reading, options.from);
    findings.extend(remarks.into_iter().map(|remark| remark_finding(remark, offset, options)));
    let alone = findings.iter().any(|finding| finding.repair.is_some()) || findings.is_empty();
    let repair = if alone { None } else { repair_all(frame, version, options.from) };
    let version = reading.version;
    let mut packet = Packet { forgotten, ..shape(reading, offset, length, findings, repair, options) };
    packet.from = packet.from.or_else(|| lint::side_of(frame, version));
    packet
}

/// The mistake that explains a packet that does not fit together. Bytes that may begin the next
/// packet are claimed only for content that is whole with them.
fn suspect(shape: &Shape<'_>, behind: Behind) -> Option<(Remark, usize)> {
    let faulty = shape.reading.faults.iter().any(|fault| fault.severity == WireSeverity::Fault);
    let cut_payload = behind.length > 0 && shape.reading.packet_type == Some(PacketType::Publish);
    if !faulty && !cut_payload {
        return None;
    }
    let found = remarks_on_shape(shape)?;
    let claims_next = behind.begun && found.1 > shape.framed;
    (!claims_next || lint::is_whole_with(shape, &found.0)).then_some(found)
}

fn remark_finding(remark: Remark, offset: usize, options: &Options) -> Finding {
    Finding {
        code: remark.rule.name(),
        severity: remark.rule.severity(),
        statement: remark.statement,
        field: remark.field,
        offset: offset + remark.offset,
        length: remark.length,
        message: remark_message(&remark, options.language),
        repair: remark.repair,
    }
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

/// Faults that only say that bytes are missing at the end.
fn is_of_the_cut(fault: &Fault, length: usize) -> bool {
    matches!(
        fault.code,
        FaultCode::Truncated
            | FaultCode::EmptyPayload
            | FaultCode::PropertyLength
            | FaultCode::MissingAuthenticationMethod
            | FaultCode::AuthenticationDataWithoutMethod
    ) || fault.code == FaultCode::EmptyTopicName && fault.version == Version::V5
        || fault.offset >= length
}

/// The side that alone sends this packet; `None` if both do.
pub(crate) fn only_side(packet_type: Option<PacketType>, version: Version) -> Option<Side> {
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
