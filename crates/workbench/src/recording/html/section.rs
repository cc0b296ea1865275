//! One connection on the page: its sequence, and every packet of it.

use std::fmt::Write as _;
use std::io::{self, Write};

use hexmq_notation::{print_bytes, print_hex};

use super::{both, bytes_of, escape, severity_text, spans};
use crate::explanation::{Finding, Packet, Severity};
use crate::language::{Language, text};
use crate::recording::{Close, Conversation, Event, Moment, Note, Spoken, Timestamp};
use crate::render::rows::told;
use crate::stream::part;
use crate::{Explanation, Side, spaced_hex};

/// Packets of a connection that are explained byte by byte; the others are told in a line.
const EXPLAINED_MAX: usize = 2000;

/// Bytes of a field or packet that are shown.
const SHOWN: usize = 256;

/// `Connection 1: 192.0.2.7:50312 → 192.0.2.1:1883 (tcp)`
pub(super) fn title(conversation: &Conversation) -> String {
    let mut page = String::new();
    let number = conversation.connection;
    spans(&mut page, &format!("Connection {number}"), &format!("连接 {number}"));
    if let Some(open) = conversation.open() {
        let (client, server) = (escape(&open.client), escape(&open.server));
        let _ = write!(page, ": {client} → {server} ({})", open.via.name());
    }
    page
}

/// Writes the section of one connection.
pub(super) fn write(conversation: &Conversation, output: &mut impl Write) -> io::Result<()> {
    let number = conversation.connection;
    let mut page = format!("<section id=\"c{number}\">\n<h2>{}</h2>\n", title(conversation));
    sequence(&mut page, conversation);
    output.write_all(page.as_bytes())?;
    let mut explained = 0;
    for (index, moment) in conversation.moments.iter().enumerate() {
        let mut page = String::new();
        let id = format!("c{number}m{index}");
        let is_packet = matches!(moment.event, Event::Packet(_));
        details(&mut page, &id, moment, is_packet && explained < EXPLAINED_MAX);
        explained += usize::from(is_packet);
        output.write_all(page.as_bytes())?;
    }
    output.write_all(b"</section>\n")
}

/// The diagram: client on the left, server on the right, time downwards.
fn sequence(page: &mut String, conversation: &Conversation) {
    let number = conversation.connection;
    let start = conversation.moments.first().map_or(Timestamp::default(), |moment| moment.at);
    page.push_str("<div class=\"sequence\">\n<div class=\"lanes\"><span></span><div class=\"ends\"><span class=\"client\">");
    both(page, &text("client", "客户端"));
    page.push_str("</span><span class=\"server\">");
    both(page, &text("server", "服务端"));
    page.push_str("</span></div></div>\n");
    for (index, moment) in conversation.moments.iter().enumerate() {
        let _ = write!(
            page,
            "<div class=\"lanes\"><span class=\"time\">{}</span><div class=\"lane\">",
            since(start, moment.at)
        );
        let id = format!("c{number}m{index}");
        match (&moment.event, side(&moment.event)) {
            (event, Some(from)) => {
                let label = escape(&shorten(&line(event), 90));
                let mark = if index < EXPLAINED_MAX && is_at_fault(event) { "✗ " } else { "" };
                let _ = write!(page, "<a class=\"arrow {}\" href=\"#{id}\">{mark}{label}</a>", from.name());
            }
            (event, None) => {
                page.push_str("<div class=\"event\">");
                happened(page, event);
                page.push_str("</div>");
            }
        }
        page.push_str("</div></div>\n");
    }
    page.push_str("</div>\n");
}

/// Who sent what crosses here; `None` where nothing does.
fn side(event: &Event) -> Option<Side> {
    match event {
        Event::Packet(spoken) => Some(spoken.from),
        Event::Strays { from, .. } | Event::Begun { from, .. } => Some(*from),
        Event::Open(_) | Event::Note(_) | Event::Close(_) => None,
    }
}

/// Whether something is wrong with what crosses.
fn is_at_fault(event: &Event) -> bool {
    match event {
        Event::Packet(spoken) => {
            findings(&spoken.explain(Language::English)).any(|it| it.severity >= Severity::Suspicion)
        }
        event => side(event).is_some(),
    }
}

/// One line for what crosses.
fn line(event: &Event) -> String {
    match event {
        Event::Packet(spoken) => {
            let line = print_bytes(&spoken.bytes, spoken.version);
            match spoken.packet_type() {
                // What cannot be decoded is told in hex, but its type is known.
                Some(packet_type) if line.starts_with("hex ") => format!("{} {line}", packet_type.name()),
                _ => line,
            }
        }
        _ => print_hex(bytes_of(event)),
    }
}

/// Milliseconds since the beginning.
fn since(start: Timestamp, at: Timestamp) -> String {
    let nanos = at.0.saturating_sub(start.0);
    format!("+{}.{:03} s", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
}

/// What happens besides bytes.
fn happened(page: &mut String, event: &Event) {
    match event {
        Event::Open(open) => {
            let (client, server) = (&open.client, &open.server);
            spans(page, &format!("opened: {client} → {server}"), &format!("建立连接：{client} → {server}"));
        }
        Event::Note(note) => self::note(page, note),
        Event::Close(Close { by, reason, .. }) => {
            let (en, zh) = match by {
                Some(Side::Client) => ("closed by the client", "客户端关闭连接"),
                Some(Side::Server) => ("closed by the server", "服务端关闭连接"),
                None => ("closed", "连接关闭"),
            };
            both(page, &text(en, zh));
            if let Some(reason) = reason {
                let _ = write!(page, " (<code>{}</code>)", escape(reason));
            }
        }
        Event::Packet(_) | Event::Strays { .. } | Event::Begun { .. } => {}
    }
}

fn note(page: &mut String, note: &Note) {
    page.push_str(&escape(&note.text));
    for word in [&note.decision, &note.reason, &note.statement].into_iter().flatten() {
        let _ = write!(page, " <code>{}</code>", escape(word));
    }
    if let Some(lost) = note.lost {
        let (count, from) = (lost.bytes, lost.from.name());
        page.push(' ');
        spans(
            page,
            &format!("{count} bytes of the {from} are missing"),
            &format!("缺少{}的 {count} 个字节", if lost.from == Side::Client { "客户端" } else { "服务端" }),
        );
    }
}

/// What crosses at one moment, to be unfolded.
fn details(page: &mut String, id: &str, moment: &Moment, explained: bool) {
    let Some(from) = side(&moment.event) else { return };
    let _ = write!(page, "<details id=\"{id}\" class=\"{}\"><summary>", from.name());
    let _ = write!(page, "<span class=\"time\">{:.6}</span> ", moment.at);
    page.push_str(if from == Side::Client { "→ " } else { "← " });
    let line = escape(&shorten(&line(&moment.event), 300));
    let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
    let _ = write!(page, "<span class=\"name\">{name}</span> <code>{rest}</code>");
    match &moment.event {
        Event::Packet(spoken) if explained => packet(page, spoken),
        Event::Packet(spoken) => {
            page.push_str("</summary><div class=\"inside\">");
            dump(page, &spoken.bytes);
        }
        Event::Begun { bytes, needs, .. } => {
            badge(page, Severity::Fault, "not whole", "不完整");
            page.push_str("</summary><div class=\"inside\"><p>");
            spans(
                page,
                &format!("the packet lacks {needs} bytes or more"),
                &format!("报文至少还缺 {needs} 个字节"),
            );
            page.push_str("</p>");
            dump(page, bytes);
        }
        event => {
            badge(page, Severity::Fault, "no packet", "不是报文");
            page.push_str("</summary><div class=\"inside\">");
            dump(page, bytes_of(event));
        }
    }
    page.push_str("</div></details>\n");
}

fn badge(page: &mut String, severity: Severity, en: &str, zh: &str) {
    let _ = write!(page, "<span class=\"badge {}\">", severity.name());
    spans(page, en, zh);
    page.push_str("</span>");
}

/// The packet explained in both languages.
fn packet(page: &mut String, spoken: &Spoken) {
    let english = spoken.explain(Language::English);
    let chinese = spoken.explain(Language::Chinese);
    for finding in findings(&english) {
        let severity = severity_text(finding.severity);
        badge(page, finding.severity, severity.en, severity.zh);
    }
    page.push_str("</summary><div class=\"inside\">");
    dump(page, &spoken.bytes);
    for (explanation, language, class) in
        [(&english, Language::English, "en"), (&chinese, Language::Chinese, "zh")]
    {
        let _ = write!(page, "<div class=\"{class}\" lang=\"{class}\">");
        for packet in &explanation.packets {
            list(page, packet, language);
            table(page, packet, &spoken.bytes, language);
        }
        for reason in explanation
            .skipped
            .iter()
            .map(|it| &it.reason)
            .chain(explanation.rest.iter().map(|it| &it.reason))
        {
            let _ = write!(page, "<p class=\"warning\">{}</p>", escape(reason));
        }
        page.push_str("</div>");
    }
}

/// What the standard, the lint and the dialects say.
fn findings(explanation: &Explanation) -> impl Iterator<Item = &Finding> {
    explanation.packets.iter().flat_map(findings_of)
}

fn findings_of(packet: &Packet) -> impl Iterator<Item = &Finding> {
    packet.findings.iter().chain(packet.dialect.iter().flat_map(|layer| &layer.findings))
}

fn list(page: &mut String, packet: &Packet, language: Language) {
    let mut findings = findings_of(packet).peekable();
    if findings.peek().is_none() {
        return;
    }
    page.push_str("<ul class=\"findings\">");
    for finding in findings {
        let severity = severity_text(finding.severity).in_language(language);
        let _ = write!(page, "<li class=\"{}\"><b>{severity}</b> ", finding.severity.name());
        let _ = write!(page, "<span>{} <code>{}</code>", escape(&finding.message), escape(finding.code));
        if let Some(statement) = finding.statement {
            let _ = write!(page, " <code>[{}]</code>", escape(statement));
        }
        if let Some(repair) = &finding.repair {
            let label = text("repaired: ", "修正后：").in_language(language);
            let _ = write!(page, "<br>{label}<code>{}</code>", shown_hex(repair));
        }
        page.push_str("</span></li>");
    }
    page.push_str("</ul>");
}

fn table(page: &mut String, packet: &Packet, bytes: &[u8], language: Language) {
    let heads = match language {
        Language::English => ["byte", "hex", "field", "meaning", "section"],
        Language::Chinese => ["字节", "十六进制", "字段", "含义", "章节"],
    };
    page.push_str("<table><thead><tr>");
    for (head, class) in heads.into_iter().zip(["", "", "", "", "section"]) {
        let _ = write!(page, "<th class=\"{class}\">{head}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for row in told(packet, language) {
        let field = row.field;
        let hex = shown_hex(part(bytes, field.offset, field.length));
        let bits = field.bits.map_or_else(String::new, |(bit, bits)| match bits {
            1 => format!(".{bit}"),
            _ => format!(".{}–{bit}", bit + bits - 1),
        });
        let _ =
            write!(page, "<tr><td class=\"wire\">{}{bits}</td><td class=\"hex\">{hex}</td>", field.offset);
        let (indent, label) = (row.depth, escape(&row.label));
        let _ = write!(page, "<td style=\"padding-left:{indent}em\">{label}");
        if let Some(value) = &row.value {
            let _ = write!(page, " = <code>{}</code>", escape(value));
        }
        let _ = write!(page, "</td><td>{}</td>", escape(&field.text));
        let _ = write!(page, "<td class=\"section quiet\">{}</td></tr>", escape(field.section));
    }
    page.push_str("</tbody></table>");
}

/// Bytes in hex, the middle left out where they are many.
fn shown_hex(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        Some(first) => format!("{} … (+{})", spaced_hex(first), bytes.len() - SHOWN),
        None => spaced_hex(bytes),
    }
}

/// Offsets, hex and characters, sixteen bytes a line.
fn dump(page: &mut String, bytes: &[u8]) {
    page.push_str("<div class=\"dump hex\">");
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    for (row, line) in shown.chunks(16).enumerate() {
        let characters: String = line
            .iter()
            .map(|&byte| if (0x20..0x7F).contains(&byte) { char::from(byte) } else { '·' })
            .collect();
        let _ = writeln!(page, "{:04x}  {:<48} {}", row * 16, spaced_hex(line), escape(&characters));
    }
    if bytes.len() > shown.len() {
        let _ = writeln!(page, "… +{}", bytes.len() - shown.len());
    }
    page.push_str("</div>");
}

fn shorten(line: &str, most: usize) -> String {
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}
