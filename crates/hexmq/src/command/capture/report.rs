//! What is printed while a capture is read: packets and notes as they come, and what is wrong.

use std::io::Write;

use hexmq_wire::Fault;
use hexmq_workbench::capture::{Connection, Note, NoteKind, Packet, Sink, Totals};
use hexmq_workbench::recording::Timestamp;
use hexmq_workbench::{
    DialogueFinding, Dialogues, Explanation, Finding, Language, Layout, Options, Severity, Side, explain,
    packet_line, render,
};

use super::choice::Choice;
use super::json;
use super::record::Record;
use super::summary::Summary;
use crate::command::explain::colour_wanted;

/// How much is told of packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    pub(super) packets: bool,
    pub(super) explain: bool,
    pub(super) lint: bool,
}

/// Prints what it is told.
pub(super) struct Report<W: Write> {
    output: W,
    json: bool,
    language: Language,
    /// Columns of a line.
    width: Option<usize>,
    detail: Detail,
    choice: Choice,
    record: Option<Record>,
    summary: Summary,
    /// Judges conversations, where that is asked for.
    dialogues: Option<Dialogues>,
    start: Option<Timestamp>,
    /// The worst finding.
    worst: Option<Severity>,
    /// Whoever reads the output went away.
    gone: bool,
}

impl<W: Write> Report<W> {
    pub(super) fn new(
        output: W,
        json: bool,
        language: Language,
        width: Option<usize>,
        detail: Detail,
        choice: Choice,
        record: Option<Record>,
    ) -> Report<W> {
        Report {
            output,
            json,
            language,
            width,
            detail,
            choice,
            record,
            summary: Summary::default(),
            dialogues: detail.lint.then(Dialogues::new),
            start: None,
            worst: None,
            gone: false,
        }
    }

    fn line(&mut self, line: &str) {
        self.gone |= writeln!(self.output, "{line}").is_err();
    }

    /// A line that is cut to the width.
    fn cut_line(&mut self, line: &str) {
        match self.width.and_then(|width| line.char_indices().nth(width.saturating_sub(1))) {
            Some((end, _)) => self.line(&format!("{}…", line.get(..end).unwrap_or(line))),
            None => self.line(line),
        }
    }

    fn wanted(&self, connection: &Connection, at: Timestamp) -> bool {
        self.choice.connection(connection) == Some(true)
            && self.choice.time(at, self.start.unwrap_or_default())
    }

    /// Hands on what was printed so far.
    pub(super) fn flush(&mut self) {
        self.gone |= self.output.flush().is_err();
    }

    /// Prints connections and totals, and says what the exit code is.
    pub(super) fn finish(mut self, totals: &Totals, damaged: bool) -> u8 {
        if self.json {
            self.line(&json::totals(totals).to_string());
        } else if totals.packets > 0 || !damaged {
            let page = self.summary.page(totals, self.language, self.width, self.detail.packets);
            self.gone |= write!(self.output, "{page}").is_err();
        }
        // A reader that goes away early (`| head`) is no error of ours.
        let _ = self.output.flush();
        let written = self.record.take().is_none_or(Record::finish);
        let faulty = self.summary.faulty || self.worst.is_some_and(|worst| worst >= Severity::Suspicion);
        match (self.summary.packets, faulty || damaged || !written) {
            (0, _) if written => 2,
            (_, true) => 1,
            (_, false) => 0,
        }
    }

    /// What the conversation shows at this packet, and the packet itself.
    fn judge_packet(&mut self, connection: &Connection, packet: &Packet<'_>) {
        let found = self
            .dialogues
            .as_mut()
            .map(|dialogues| dialogues.packet(connection.number, packet.from, Some(packet.at), packet.bytes));
        let told = self.detail.packets || self.detail.lint;
        if told && !self.gone && self.wanted(connection, packet.at) {
            self.print_packet(connection, packet, &found.unwrap_or_default());
        }
    }

    /// What a conversation as a whole shows when it is over.
    fn judge_end(&mut self, connection: &Connection) {
        let Some(dialogues) = &mut self.dialogues else { return };
        let found = dialogues.close(connection.number, Some(connection.last));
        if self.gone || !self.wanted(connection, connection.last) || found.is_empty() {
            return;
        }
        let findings = self.in_words(&found);
        if self.json {
            return self.line(&json::end_findings(connection, &findings).to_string());
        }
        self.line(&format!("{} #{} -- the conversation as a whole", connection.last, connection.number));
        self.findings(findings.iter());
    }

    fn in_words(&mut self, found: &[DialogueFinding]) -> Vec<Finding> {
        let findings: Vec<Finding> = found.iter().map(|found| found.to_finding(0, self.language)).collect();
        self.worst = self.worst.max(findings.iter().map(|finding| finding.severity).max());
        findings
    }

    fn print_packet(
        &mut self,
        connection: &Connection,
        packet: &Packet<'_>,
        of_dialogue: &[DialogueFinding],
    ) {
        let of_dialogue = self.in_words(of_dialogue);
        let explanation = (self.detail.explain || self.detail.lint).then(|| {
            let options =
                Options { from: Some(packet.from), version: Some(packet.version), language: self.language };
            explain(packet.bytes, &options)
        });
        let findings = explanation.iter().flat_map(Explanation::findings);
        let worst = findings.map(|finding| finding.severity).max();
        self.worst = self.worst.max(worst.filter(|_| self.detail.lint));
        if self.json {
            let line = json::packet(connection, packet, explanation.as_ref(), &of_dialogue, self.detail);
            if self.detail.packets || worst.is_some() || !of_dialogue.is_empty() {
                self.line(&line.to_string());
            }
            return;
        }
        if self.detail.packets || worst.is_some() || !of_dialogue.is_empty() {
            self.cut_line(&title(connection, packet));
        }
        match (&explanation, &packet.decoded) {
            (Some(explanation), _) if self.detail.explain => self.tree(packet.bytes, explanation),
            (Some(explanation), _) => self.findings(explanation.findings()),
            (None, Err(fault)) => self.fault(fault),
            (None, Ok(_)) => {}
        }
        self.findings(of_dialogue.iter());
    }

    fn fault(&mut self, fault: &Fault) {
        let statement = fault.statement.map(|statement| format!(" [{statement}]")).unwrap_or_default();
        let line = format!("    ! {}{statement} {} at byte {}", fault.code.name(), fault.field, fault.offset);
        self.line(&line);
    }

    fn findings<'a>(&mut self, findings: impl Iterator<Item = &'a Finding>) {
        for finding in findings {
            let (severity, code, message) = (finding.severity.name(), finding.code, &finding.message);
            let statement = finding.statement.map(|id| format!(" [{id}]")).unwrap_or_default();
            self.line(&format!("    {severity} {code}{statement}: {message}"));
            if let Some(repair) = &finding.repair {
                self.cut_line(&format!("      {}", hexmq_workbench::spaced_hex(repair)));
            }
        }
    }

    fn tree(&mut self, bytes: &[u8], explanation: &Explanation) {
        let layout = Layout {
            width: self.width.unwrap_or(120),
            colour: colour_wanted(),
            language: self.language,
            whole: self.width.is_none(),
        };
        let page = render(bytes, explanation, &layout);
        self.gone |= writeln!(self.output, "{page}").is_err();
    }
}

impl<W: Write> Sink for Report<W> {
    fn opened(&mut self, connection: &Connection) {
        let start = *self.start.get_or_insert(connection.opened);
        self.start = Some(start.min(connection.opened));
        if let Some(record) = &mut self.record {
            record.opened(connection, &self.choice);
        }
        // One that begins in the middle is joined when its first packet comes.
        if let Some(dialogues) = self.dialogues.as_mut().filter(|_| connection.from_start) {
            dialogues.open(connection.number);
        }
    }

    #[inline]
    fn bytes(&mut self, connection: &Connection, at: Timestamp, from: Side, bytes: &[u8]) {
        if let Some(record) = &mut self.record
            && self.choice.time(at, self.start.unwrap_or_default())
        {
            record.bytes(connection, &self.choice, at, from, bytes);
        }
    }

    #[inline]
    fn packet(&mut self, connection: &Connection, packet: &Packet<'_>) {
        if self.choice.needs_client_id()
            && let Some(record) = &mut self.record
        {
            record.settle(connection, &self.choice);
        }
        if self.detail.packets || self.detail.lint {
            self.judge_packet(connection, packet);
        }
    }

    fn note(&mut self, connection: &Connection, note: &Note) {
        self.summary.note(&note.kind);
        if let (Some(dialogues), Some(from)) = (&mut self.dialogues, note.from) {
            dialogues.lost(connection.number, from);
        }
        if let Some(record) = &mut self.record {
            record.note(connection, &self.choice, note);
        }
        if self.gone || !self.wanted(connection, note.at) {
            return;
        }
        if self.json {
            self.line(&json::note(connection, note, self.language).to_string());
        } else if self.detail.packets || is_worth_telling(&note.kind) {
            let text = note.kind.text(self.language);
            let (at, packet, number) = (note.at, note.packet, connection.number);
            let arrow = note.from.map_or('-', arrow);
            self.line(&format!("{at} {packet:>6} #{number} {arrow} -- {text}"));
        }
    }

    fn closed(&mut self, connection: &Connection) {
        if let Some(record) = &mut self.record {
            record.closed(connection, &self.choice);
        }
        self.judge_end(connection);
        if self.choice.connection(connection) != Some(true) {
            return;
        }
        if self.json && !self.gone {
            self.line(&json::connection(connection).to_string());
        }
        self.summary.connection(connection);
    }
}

/// Without the list of packets only what keeps one from reading them is told; the summary counts the rest.
fn is_worth_telling(kind: &NoteKind) -> bool {
    matches!(kind, NoteKind::WebSocket(_))
}

const fn arrow(from: Side) -> char {
    match from {
        Side::Client => '>',
        Side::Server => '<',
    }
}

/// `2026-11-23T02:10:00.000000Z     12 #3 > PUBLISH topic=a payload=b`
fn title(connection: &Connection, packet: &Packet<'_>) -> String {
    let line = packet_line(packet.bytes, packet.version);
    let (at, number, connection) = (packet.at, packet.packet, connection.number);
    format!("{at} {number:>6} #{connection} {} {line}", arrow(packet.from))
}
