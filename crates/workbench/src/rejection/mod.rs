//! What a server refused, judged: where the bytes are wrong, which rule says so, what to do, and the
//! bytes as they would be right.
//!
//! The server decides and keeps the bytes; all that is said about them is found here, when somebody
//! reads. Passwords are masked in everything that is said, unless they are asked for.

mod foreign;
mod layer;
mod reason;
mod template;

#[cfg(test)]
mod tests;

use hexmq_wire::{Fault, Version};

use crate::explain::explain;
use crate::explanation::{Explanation, Field, Finding, Options, Packet, Side};
use crate::recording::mask_passwords;
use crate::{Language, Severity};

/// What the server knows of a connection that it refused, or closed for what was sent.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'a> {
    /// What the client had sent: the packet at fault, as far as it came and was kept.
    pub bytes: &'a [u8],
    /// Bytes it had sent, kept or not.
    pub sent: usize,
    /// The stable name of the reason.
    pub reason: &'a str,
    /// There was a session: the bytes are a later packet, not the first.
    pub connected: bool,
    /// The rule the server found broken. Its offset counts from the start of `bytes`.
    pub fault: Option<&'a Fault>,
    /// The version of the connection, where one was agreed on.
    pub version: Option<Version>,
    /// What went wrong in TLS or WebSocket under it: the stable name of the rule and the circumstances. The bytes
    /// then are those of the network, and not what they carry.
    pub layer: Option<(&'a str, &'a str)>,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the client had sent, for showing.
    pub bytes: Vec<u8>,
    /// Something in `bytes` or `repair` is masked.
    pub masked: bool,
    /// The stable name of the rule: a fault of the packet, or the reason itself.
    pub rule: String,
    /// The normative statement that is broken, where the rule has a number.
    pub statement: Option<&'static str>,
    /// First byte and number of bytes concerned; no bytes: something is missing there.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The packet as it would be right. It decodes clean and changes only what the rule names.
    pub repair: Option<Vec<u8>>,
}

/// What is found before passwords are masked.
struct Found {
    rule: String,
    statement: Option<&'static str>,
    place: Option<(usize, usize)>,
    message: String,
    hint: String,
    repair: Option<Vec<u8>>,
}

/// Judges what was refused. `reveal`: passwords are shown.
pub fn judge_rejection(rejected: &Rejected<'_>, reveal: bool, language: Language) -> Verdict {
    let shown =
        if reveal || layer::is_no_mqtt(rejected) { rejected.bytes.to_vec() } else { foreign::mask(rejected) };
    let case = Case::new(rejected, &shown, language);
    let found = layer::found(&case)
        .or_else(|| foreign::found(&case))
        .or_else(|| Some(case.of_fault(rejected.fault?)))
        .unwrap_or_else(|| reason::found(&case));
    let repair = found.repair.map(|repair| if reveal { repair } else { mask_passwords(&repair) });
    Verdict {
        masked: shown != rejected.bytes,
        rule: found.rule,
        statement: found.statement,
        place: found.place,
        message: found.message,
        hint: found.hint,
        repair,
        bytes: shown,
    }
}

/// A rejection with its bytes explained.
struct Case<'a> {
    rejected: &'a Rejected<'a>,
    language: Language,
    /// Of the bytes as they came: places and repairs.
    real: Explanation,
    /// Of the bytes as they are shown: words.
    shown: Explanation,
}

impl<'a> Case<'a> {
    fn new(rejected: &'a Rejected<'a>, shown: &[u8], language: Language) -> Case<'a> {
        let version = rejected.version.or(rejected.fault.map(|fault| fault.version));
        let options = Options { from: Some(Side::Client), version, language };
        let real = explain(rejected.bytes, &options);
        let shown = if shown == rejected.bytes { real.clone() } else { explain(shown, &options) };
        Case { rejected, language, real, shown }
    }

    /// The packet at the beginning, whole or not.
    fn packet(&self) -> Option<&Packet> {
        first(&self.real)
    }

    /// The place of a field of that packet.
    fn place(&self, field: &str) -> Option<(usize, usize)> {
        let field = find(&self.packet()?.fields, field)?;
        Some((field.offset, field.length))
    }

    /// A rule of the standard that the server found broken.
    fn of_fault(&self, fault: &Fault) -> Found {
        let is_it = |finding: &&Finding| finding.code == fault.code.name();
        let at_place = |finding: &&Finding| is_it(finding) && finding.offset == fault.offset;
        let look = |explanation: &'_ Explanation| -> Option<Finding> {
            let findings = || first(explanation).into_iter().flat_map(|packet| &packet.findings);
            findings().find(at_place).or_else(|| findings().find(is_it)).cloned()
        };
        let finding = look(&self.real);
        let message = look(&self.shown).map(|finding| finding.message);
        let rule = crate::text::faults::fault_text(fault.code).in_language(self.language);
        let repair = finding.as_ref().and_then(|finding| finding.repair.clone()).or_else(|| self.repair());
        Found {
            rule: fault.code.name().to_owned(),
            statement: fault.statement.or(finding.and_then(|finding| finding.statement)),
            place: Some(self.within(fault.offset, fault.length)),
            message: message.unwrap_or_else(|| rule.to_owned()),
            hint: reason::hint_of_fault(fault.code, repair.is_some(), self.language),
            repair,
        }
    }

    /// The first thing the explanation finds wrong by itself.
    fn of_finding(&self, worst: Severity) -> Option<Found> {
        let is_bad = |finding: &&Finding| finding.severity >= worst;
        let finding = first(&self.real)?.findings.iter().find(is_bad)?;
        let shown = first(&self.shown).and_then(|packet| {
            packet.findings.iter().find(|shown| shown.code == finding.code && shown.offset == finding.offset)
        });
        let repair = finding.repair.clone().or_else(|| self.repair());
        Some(Found {
            rule: finding.code.to_owned(),
            statement: finding.statement,
            place: Some(self.within(finding.offset, finding.length)),
            message: shown.map_or_else(String::new, |shown| shown.message.clone()),
            hint: reason::hint_of_repair(repair.is_some(), self.language),
            repair,
        })
    }

    /// The repair of the packet as a whole, or of anything in it.
    fn repair(&self) -> Option<Vec<u8>> {
        let packet = self.packet()?;
        let parts = || packet.findings.iter().find_map(|finding| finding.repair.clone());
        packet.repair.clone().or_else(parts)
    }

    /// A place that does not reach behind what is there.
    fn within(&self, offset: usize, length: usize) -> (usize, usize) {
        let there = self.rejected.bytes.len();
        // What was not kept keeps its place.
        let there = if self.rejected.sent > there { self.rejected.sent } else { there };
        let offset = offset.min(there);
        (offset, length.min(there - offset))
    }
}

/// The packet at the beginning, whole or not.
fn first(explanation: &Explanation) -> Option<&Packet> {
    let whole = explanation.packets.first().filter(|packet| packet.offset == 0);
    let begun = || explanation.rest.as_ref().filter(|rest| rest.offset == 0)?.begun.as_ref();
    whole.or_else(begun)
}

/// The first field of this name, at any depth.
fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find_map(|field| if field.name == name { Some(field) } else { find(&field.fields, name) })
}
