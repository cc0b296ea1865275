//! Recordings where other commands take packets.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use hexmq_workbench::recording::{Conversation, Event, Kind, Moment, Note, Recording, import};
use hexmq_workbench::{
    Explanation, Finding, Language, Layout, Outcome, Severity, Side, plain_hex, render_packets,
};
use serde_json::{Value, json};

/// Most bytes of traffic that are held at once.
pub(crate) const TRAFFIC_MAX: usize = 256 * 1024 * 1024;

/// By so many bytes a file is recognised.
const START: usize = 8 * 1024;

/// Reads the recording, page or capture in this file; `None`: it is something else.
pub(crate) fn recognise(path: &Path) -> io::Result<Option<Result<Recording, String>>> {
    let mut reader = BufReader::with_capacity(START, File::open(path)?);
    if Kind::of(reader.fill_buf()?).is_none() {
        return Ok(None);
    }
    Ok(Some(import(reader, TRAFFIC_MAX).map_err(|error| error.to_string())))
}

/// Reads the recording, page or capture in this file.
pub(crate) fn open(path: &Path) -> Result<Recording, String> {
    let shown = path.display();
    match recognise(path) {
        Err(error) => Err(format!("cannot read {shown}: {error}")),
        Ok(None) => Err(format!("{shown}: neither a recording, nor a page that holds one, nor a capture")),
        Ok(Some(Err(error))) => Err(format!("{shown}: {error}")),
        Ok(Some(Ok(recording))) => Ok(recording),
    }
}

/// Every packet of a recording explained, both directions, with what only the dialogue shows; and
/// what became of it as a whole.
pub(crate) fn explain(recording: &Recording, from: Option<Side>, layout: &Layout) -> (String, Outcome) {
    let mut page = String::new();
    let mut tally = Tally::default();
    for number in recording.connections() {
        let conversation = Conversation::of(recording, number);
        let _ = writeln!(page, "{}\n", heading(&conversation, layout.language));
        for moment in &conversation.moments {
            if sender(&moment.event).is_none_or(|sender| from.is_none_or(|from| from == sender)) {
                tell(&mut page, moment, layout, &mut tally);
            }
        }
        tally.connections += 1;
    }
    if recording.cut_off {
        page.push_str(match layout.language {
            Language::English => {
                "!! the recording is cut off: whoever wrote it was stopped in the middle of a line\n\n"
            }
            Language::Chinese => "!! 录制不完整：写入者在一行中间被中断\n\n",
        });
    }
    page.push_str(&tally.line(layout.language));
    (page, tally.outcome())
}

/// The same as JSON.
pub(crate) fn explain_json(
    recording: &Recording,
    from: Option<Side>,
    language: Language,
) -> (Value, Outcome) {
    let mut tally = Tally::default();
    let mut connections = Vec::new();
    for number in recording.connections() {
        let conversation = Conversation::of(recording, number);
        let (mut packets, mut notes) = (Vec::new(), Vec::new());
        for moment in &conversation.moments {
            let at = moment.at.to_string();
            match &moment.event {
                Event::Packet(spoken) if from.is_none_or(|from| from == spoken.from) => {
                    let explanation = spoken.explain(language);
                    tally.add(&explanation);
                    let whole = explanation.to_json();
                    for mut packet in whole["packets"].as_array().cloned().unwrap_or_default() {
                        packet["at"] = at.clone().into();
                        packet["hex"] = plain_hex(&spoken.bytes).into();
                        packets.push(packet);
                    }
                }
                Event::Strays { from, bytes } | Event::Begun { from, bytes, .. } => {
                    tally.strays += 1;
                    notes.push(json!({ "at": at, "from": from.name(), "hex": plain_hex(bytes), "text": "no whole packet" }));
                }
                Event::Note(Note { text, reason, .. }) => {
                    notes.push(json!({ "at": at, "text": text, "reason": reason }));
                }
                _ => {}
            }
        }
        let (client, server) = match conversation.open() {
            Some(open) => (Some(&open.client), Some(&open.server)),
            None => (None, None),
        };
        tally.connections += 1;
        connections.push(json!({
            "connection": number, "client": client, "server": server, "packets": packets, "notes": notes,
        }));
    }
    (json!({ "connections": connections, "cut_off": recording.cut_off }), tally.outcome())
}

fn heading(conversation: &Conversation, language: Language) -> String {
    let number = conversation.connection;
    let name = match language {
        Language::English => format!("connection {number}"),
        Language::Chinese => format!("连接 {number}"),
    };
    match conversation.open() {
        Some(open) => format!("######## {name}: {} -> {} ({})", open.client, open.server, open.via.name()),
        None => format!("######## {name}"),
    }
}

fn sender(event: &Event) -> Option<Side> {
    match event {
        Event::Packet(spoken) => Some(spoken.from),
        Event::Strays { from, .. } | Event::Begun { from, .. } => Some(*from),
        Event::Open(_) | Event::Note(_) | Event::Close(_) => None,
    }
}

/// One moment of a conversation.
fn tell(page: &mut String, moment: &Moment, layout: &Layout, tally: &mut Tally) {
    let at = moment.at;
    match &moment.event {
        Event::Open(_) => {}
        Event::Packet(spoken) => {
            let explanation = spoken.explain(layout.language);
            tally.add(&explanation);
            let _ = writeln!(page, "{at:.6}");
            page.push_str(&render_packets(&spoken.bytes, &explanation, layout));
        }
        Event::Strays { from, bytes } | Event::Begun { from, bytes, .. } => {
            tally.strays += 1;
            let (name, count) = (from.name(), bytes.len());
            let shown = plain_hex(bytes.get(..32).unwrap_or(bytes));
            let more = if count > 32 { " ..." } else { "" };
            let _ = match layout.language {
                Language::English => writeln!(
                    page,
                    "{at:.6}\n!! {count} bytes of the {name} are no whole packet: {shown}{more}\n"
                ),
                Language::Chinese => {
                    writeln!(page, "{at:.6}\n!! {name} 的 {count} 个字节不是完整报文：{shown}{more}\n")
                }
            };
        }
        Event::Note(note) => {
            let words: Vec<&str> = [&note.decision, &note.reason, &note.statement]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            let _ = writeln!(page, "{at:.6}\n-- {} [{}]\n", visible(&note.text), visible(&words.join(", ")));
        }
        Event::Close(close) => {
            let by = close.by.map_or("", |side| side.name());
            let reason = close.reason.as_deref().unwrap_or_default();
            let _ = match layout.language {
                Language::English => writeln!(page, "{at:.6}\n-- closed {by} {}\n", visible(reason)),
                Language::Chinese => writeln!(page, "{at:.6}\n-- 连接关闭 {by} {}\n", visible(reason)),
            };
        }
    }
}

/// What a file holds must not steer the terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// What was found.
#[derive(Default)]
struct Tally {
    connections: usize,
    packets: usize,
    faults: usize,
    suspicions: usize,
    warnings: usize,
    strays: usize,
}

impl Tally {
    fn add(&mut self, explanation: &Explanation) {
        self.packets += explanation.packets.len();
        let count =
            |findings: &[Finding], severity| findings.iter().filter(|it| it.severity == severity).count();
        for packet in &explanation.packets {
            let of_dialect = packet.dialect.as_ref().map_or(&[][..], |layer| &layer.findings);
            for findings in [&packet.findings[..], of_dialect] {
                self.faults += count(findings, Severity::Fault);
                self.suspicions += count(findings, Severity::Suspicion);
                self.warnings += count(findings, Severity::Warning);
            }
        }
        self.strays += explanation.skipped.len();
    }

    fn outcome(&self) -> Outcome {
        if self.packets == 0 {
            Outcome::NothingDecodable
        } else if self.faults + self.suspicions + self.strays > 0 {
            Outcome::Faulty
        } else {
            Outcome::Clean
        }
    }

    fn line(&self, language: Language) -> String {
        let Tally { connections, packets, faults, suspicions, warnings, strays } = self;
        match language {
            Language::English => format!(
                "connections {connections}, packets {packets}, faults {faults}, suspicions {suspicions}, \
                 warnings {warnings}, stretches of bytes that are no packet {strays}\n"
            ),
            Language::Chinese => format!(
                "连接 {connections}，报文 {packets}，错误 {faults}，可疑 {suspicions}，警告 {warnings}，非报文字节段 {strays}\n"
            ),
        }
    }
}
