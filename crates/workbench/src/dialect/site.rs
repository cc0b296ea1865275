//! Where a dialect finds its fields in a packet, puts its own, and says what is wrong.

use hexmq_device::Span;

use super::Knowledge;
use crate::Language;
use crate::explain::is_clean;
use crate::explanation::{Field, FieldValue, Finding, Packet, Severity};
use crate::stream::{part, with_remaining_length};

/// Findings of one layer, at most: each may bring a repaired packet, and a payload can be wrong in as
/// many places as it has bytes.
const FINDINGS_MOST: usize = 64;

/// A packet while the layer of a dialect is laid over it.
pub(super) struct Site<'a> {
    bytes: &'a [u8],
    packet: &'a mut Packet,
    pub(super) language: Language,
    pub(super) knowledge: &'a Knowledge,
    findings: Vec<Finding>,
}

/// The content of a field that carries something of a dialect.
#[derive(Clone, Debug)]
pub(super) struct Carrier<'a> {
    /// The field.
    pub(super) name: &'static str,
    /// Its content, without a length in front.
    pub(super) content: &'a [u8],
    /// Where the content begins in the whole input.
    pub(super) at: usize,
}

impl<'a> Carrier<'a> {
    /// The content as text; empty if it is none.
    pub(super) fn text(&self) -> &'a str {
        std::str::from_utf8(self.content).unwrap_or_default()
    }

    /// All of it.
    pub(super) fn whole(&self) -> Span {
        Span::new(0, self.content.len())
    }

    /// A field inside it; `span` counts from the start of the content.
    pub(super) fn field(&self, name: &'static str, span: Span, value: FieldValue, text: String) -> Field {
        let span = span.shifted(self.at);
        Field {
            name,
            offset: span.offset,
            length: span.length,
            bits: None,
            value,
            text,
            section: "",
            fields: Vec::new(),
        }
    }
}

/// What a dialect says about a place in a carrier.
pub(super) struct Blame<'c> {
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    /// The vendor's rule.
    pub(super) rule: &'static str,
    pub(super) carrier: &'c Carrier<'c>,
    /// Counts from the start of the content.
    pub(super) span: Span,
    pub(super) message: String,
    /// What the content of the carrier should be instead.
    pub(super) right_content: Option<Vec<u8>>,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        packet: &'a mut Packet,
        language: Language,
        knowledge: &'a Knowledge,
    ) -> Site<'a> {
        Site { bytes, packet, language, knowledge, findings: Vec::new() }
    }

    pub(super) fn packet(&self) -> &Packet {
        self.packet
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// The first field of this name, at any depth.
    fn find(&self, name: &str) -> Option<&Field> {
        fn search<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
            fields
                .iter()
                .find_map(|field| if field.name == name { Some(field) } else { search(&field.fields, name) })
        }
        search(&self.packet.fields, name)
    }

    /// The number that the first field of this name is.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.find(name)?.value {
            FieldValue::Number(number) => Some(number),
            FieldValue::Flag(flag) => Some(u64::from(flag)),
            _ => None,
        }
    }

    /// The content of the first field of this name.
    pub(super) fn carrier(&self, name: &'static str) -> Option<Carrier<'a>> {
        self.carrier_of(self.find(name)?)
    }

    /// The payload of a PUBLISH; an empty one stands at the end of the packet.
    pub(super) fn payload(&self) -> Carrier<'a> {
        let end = self.packet.offset + self.packet.length;
        self.carrier("payload").unwrap_or(Carrier { name: "payload", content: &[], at: end })
    }

    /// The contents of all fields of this name.
    pub(super) fn carriers(&self, name: &'static str) -> Vec<Carrier<'a>> {
        fn collect<'f>(fields: &'f [Field], name: &str, found: &mut Vec<&'f Field>) {
            for field in fields {
                if field.name == name {
                    found.push(field);
                }
                collect(&field.fields, name, found);
            }
        }
        let mut found = Vec::new();
        collect(&self.packet.fields, name, &mut found);
        found.into_iter().filter_map(|field| self.carrier_of(field)).collect()
    }

    fn carrier_of(&self, field: &Field) -> Option<Carrier<'a>> {
        let length = match &field.value {
            FieldValue::Text(text) => text.len(),
            FieldValue::Bytes(bytes) => bytes.len(),
            _ => return None,
        };
        let at = (field.offset + field.length).checked_sub(length)?;
        Some(Carrier { name: field.name, content: part(self.bytes, at, length), at })
    }

    /// Puts `fields` into the field that is this carrier.
    pub(super) fn put(&mut self, carrier: &Carrier<'_>, section: &'static str, fields: Vec<Field>) {
        fn settle(field: &mut Field, section: &'static str) {
            if field.section.is_empty() {
                field.section = section;
            }
            field.fields.iter_mut().for_each(|inner| settle(inner, section));
        }
        fn insert(fields: &mut [Field], carrier: &Carrier<'_>, new: &mut Vec<Field>) {
            for field in fields {
                let is_it = field.name == carrier.name
                    && field.offset + field.length == carrier.at + carrier.content.len();
                if is_it {
                    field.fields.append(new);
                    return;
                }
                insert(&mut field.fields, carrier, new);
            }
        }
        let mut new = fields;
        new.iter_mut().for_each(|field| settle(field, section));
        insert(&mut self.packet.fields, carrier, &mut new);
    }

    /// Says what is wrong, with the repaired packet where the right content makes a clean one.
    pub(super) fn blame(&mut self, blame: Blame<'_>) {
        if self.findings.len() >= FINDINGS_MOST {
            return;
        }
        let repair = blame.right_content.and_then(|content| self.with_content(blame.carrier, &content));
        let span = blame.span.shifted(blame.carrier.at);
        self.findings.push(Finding {
            code: blame.code,
            severity: blame.severity,
            statement: Some(blame.rule),
            field: blame.carrier.name,
            offset: span.offset,
            length: span.length,
            message: blame.message,
            repair,
        });
    }

    /// Says something about a field of the packet itself.
    pub(super) fn blame_field(
        &mut self,
        name: &'static str,
        code: &'static str,
        severity: Severity,
        rule: &'static str,
        message: String,
    ) {
        let Some((offset, length)) = self.find(name).map(|field| (field.offset, field.length)) else {
            return;
        };
        let statement = Some(rule);
        let finding =
            Finding { code, severity, statement, field: name, offset, length, message, repair: None };
        self.findings.push(finding);
    }

    /// The packet with another content of this carrier, if that is clean.
    fn with_content(&self, carrier: &Carrier<'_>, content: &[u8]) -> Option<Vec<u8>> {
        let frame = part(self.bytes, self.packet.offset, self.packet.length);
        let start = carrier.at.checked_sub(self.packet.offset)?;
        let mut packet = frame.get(..start)?.to_vec();
        if carrier.name != "payload" {
            let length = u16::try_from(content.len()).ok()?.to_be_bytes();
            let place = packet.len().checked_sub(2)?;
            packet.splice(place.., length);
        }
        packet.extend_from_slice(content);
        packet.extend_from_slice(frame.get(start + carrier.content.len()..)?);
        let packet = with_remaining_length(&packet)?;
        is_clean(&packet, self.packet.version, self.packet.from).then_some(packet)
    }
}

/// `content` with other bytes at `span`.
pub(super) fn replaced(content: &[u8], span: Span, by: &[u8]) -> Vec<u8> {
    let mut new = content.to_vec();
    let end = span.end().min(new.len());
    new.splice(span.offset.min(end)..end, by.iter().copied());
    new
}
