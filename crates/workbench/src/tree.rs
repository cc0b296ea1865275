//! One packet through the decoder, with a trace that keeps every field and every fault.

use hexmq_wire::{
    Fault, Field as WireField, Frame, Leniency, PacketType, Severity as WireSeverity, Trace, Value, Verdict,
    Version, decode,
};

use crate::explanation::{Field, FieldValue};

/// A packet as the decoder told it. Offsets count from the start of the packet.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) packet_type: Option<PacketType>,
    pub(crate) version: Version,
    pub(crate) fields: Vec<Field>,
    pub(crate) faults: Vec<Fault>,
}

/// Reads one packet, or what there is of it.
pub(crate) fn read(bytes: &[u8], version: Version) -> Reading {
    let frame = Frame::new(bytes);
    let version = version_of(frame, version);
    let mut tree = Tree { version, roots: Vec::new(), open: Vec::new(), faults: Vec::new() };
    // What the packet means is not wanted here, and every fault is in the trace.
    let _ = decode(frame, version, &Leniency::default(), &mut tree);
    while !tree.open.is_empty() {
        tree.close(bytes.len());
    }
    Reading { packet_type: frame.packet_type(), version, fields: tree.roots, faults: tree.faults }
}

/// Counts of a packet's faults, without its fields.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) faults: usize,
    pub(crate) warnings: usize,
    /// Faults that a packet does not have merely because it is cut off.
    pub(crate) faults_of_its_own: usize,
    /// The lengths in the packet do not add up.
    pub(crate) misshapen: bool,
    /// Bytes are left over behind the last field.
    pub(crate) overfull: bool,
}

impl Judgement {
    pub(crate) fn is_clean(&self) -> bool {
        self.faults == 0 && self.warnings == 0
    }
}

/// Judges one packet.
pub(crate) fn judge(bytes: &[u8], version: Version) -> Judgement {
    let frame = Frame::new(bytes);
    let mut judgement = Judgement::default();
    let _ = decode(frame, version, &Leniency::default(), &mut judgement);
    judgement
}

/// The version a packet is read with: a CONNECT says its own.
pub(crate) fn version_of(frame: Frame<'_>, version: Version) -> Version {
    struct FirstField(Version);
    impl Trace for FirstField {
        const FIELDS: bool = true;
        const WARNINGS: bool = false;
        fn field(&mut self, field: WireField<'_>) {
            // 5.0 and 3.1.1 name this flag differently, so it tells how the decoder reads.
            match field.name {
                "clean_start" => self.0 = Version::V5,
                "protocol_name" if field.value == Value::Text("MQIsdp") => self.0 = Version::V3,
                _ => {}
            }
        }
        fn fault(&mut self, _: Fault) -> Verdict {
            Verdict::GoOn
        }
    }
    if frame.packet_type() != Some(PacketType::Connect) {
        return version;
    }
    let mut first = FirstField(Version::V4);
    let _ = decode(frame, version, &Leniency::default(), &mut first);
    first.0
}

struct Tree {
    version: Version,
    roots: Vec<Field>,
    open: Vec<Field>,
    faults: Vec<Fault>,
}

impl Tree {
    fn keep(&mut self, field: Field) {
        match self.open.last_mut() {
            Some(group) => group.fields.push(field),
            None => self.roots.push(field),
        }
    }

    fn take(&self, field: WireField<'_>) -> Field {
        Field {
            name: field.name,
            offset: field.offset,
            length: field.length,
            bits: field.bits,
            value: match field.value {
                Value::Group => FieldValue::Group,
                Value::Number(number) => FieldValue::Number(number),
                Value::Flag(flag) => FieldValue::Flag(flag),
                Value::Text(text) => FieldValue::Text(text.to_owned()),
                Value::Bytes(bytes) => FieldValue::Bytes(bytes.to_vec()),
            },
            text: String::new(),
            section: match self.version {
                Version::V3 | Version::V4 => field.section.v4,
                Version::V5 => field.section.v5,
            },
            fields: Vec::new(),
        }
    }
}

impl Trace for Tree {
    const FIELDS: bool = true;

    fn open(&mut self, field: WireField<'_>) {
        let group = self.take(field);
        self.open.push(group);
    }

    fn field(&mut self, field: WireField<'_>) {
        let field = self.take(field);
        self.keep(field);
    }

    fn close(&mut self, end: usize) {
        if let Some(mut group) = self.open.pop() {
            group.length = end.saturating_sub(group.offset);
            self.keep(group);
        }
    }

    fn fault(&mut self, fault: Fault) -> Verdict {
        self.faults.push(fault);
        Verdict::GoOn
    }
}

impl Trace for Judgement {
    const FIELDS: bool = false;

    fn fault(&mut self, fault: Fault) -> Verdict {
        use hexmq_wire::FaultCode as Code;
        match fault.severity {
            WireSeverity::Warning => self.warnings += 1,
            WireSeverity::Fault => self.faults += 1,
        }
        let is_of_a_cut = matches!(
            fault.code,
            Code::Truncated
                | Code::EmptyPayload
                | Code::PropertyLength
                | Code::MissingAuthenticationMethod
                | Code::AuthenticationDataWithoutMethod
        ) || fault.code == Code::EmptyTopicName && fault.version == Version::V5;
        self.faults_of_its_own += usize::from(!is_of_a_cut && fault.severity == WireSeverity::Fault);
        self.overfull |= fault.code == Code::TrailingBytes;
        self.misshapen |= matches!(
            fault.code,
            Code::Truncated
                | Code::TrailingBytes
                | Code::PropertyLength
                | Code::UnknownProperty
                | Code::UnexpectedPacketType
                | Code::RemainingLengthTooLong
        );
        Verdict::GoOn
    }
}
