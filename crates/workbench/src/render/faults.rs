//! What is wrong, under the table: the bytes with a caret, the rule, and the repair.

use std::fmt::Write as _;

use super::{Layout, version_name};
use crate::explanation::{Finding, Packet, Severity};
use crate::hex::spaced_hex;
use crate::language::say;
use crate::stream::part;
use crate::width::wrap;

const INDENT: &str = "   ";

/// Appends the findings of a packet.
pub(super) fn list(page: &mut String, bytes: &[u8], packet: &Packet, layout: &Layout) {
    let law = version_name(packet.version);
    for finding in &packet.findings {
        page.push('\n');
        one(page, bytes, packet, finding, law, layout);
    }
    // A vendor's rule begins with the vendor's name.
    for finding in packet.dialect.iter().flat_map(|layer| &layer.findings) {
        page.push('\n');
        one(page, bytes, packet, finding, "", layout);
    }
    if let Some(repair) = &packet.repair {
        let line = say!(layout.language, "repaired as a whole:", "整体修正后：");
        let _ = writeln!(page, "\n{INDENT}{}", layout.style().good(&line));
        hex_lines(page, part(bytes, packet.offset, packet.length + packet.forgotten), repair, layout);
    }
}

fn one(page: &mut String, bytes: &[u8], packet: &Packet, finding: &Finding, law: &str, layout: &Layout) {
    let style = layout.style();
    let head = head(finding, law, layout);
    let head = if finding.severity == Severity::Fault { style.fault(&head) } else { style.warning(&head) };
    let _ = writeln!(page, "{head}");
    excerpt(page, bytes, packet, finding, layout);
    for line in wrap(&finding.message, layout.columns() - INDENT.len()) {
        let _ = writeln!(page, "{INDENT}{line}");
    }
    if let Some(repair) = &finding.repair {
        let line = say!(layout.language, "repaired:", "修正后：");
        let _ = writeln!(page, "{INDENT}{}", style.good(&line));
        hex_lines(page, part(bytes, packet.offset, packet.length + packet.forgotten), repair, layout);
    }
}

/// What bytes that are no packet probably are; they stand above.
pub(super) fn about_stray(page: &mut String, finding: &Finding, layout: &Layout) {
    let head = head(finding, "", layout);
    let _ = writeln!(page, "{}", layout.style().warning(&head));
    for line in wrap(&finding.message, layout.columns() - INDENT.len()) {
        let _ = writeln!(page, "{INDENT}{line}");
    }
    if let Some(repair) = &finding.repair {
        let line = say!(layout.language, "repaired:", "修正后：");
        let _ = writeln!(page, "{INDENT}{}", layout.style().good(&line));
        hex_lines(page, repair, repair, layout);
    }
}

/// `!! fault reserved_flags, byte 0, MQTT 3.1.1 [MQTT-3.8.1-1]`
fn head(finding: &Finding, law: &str, layout: &Layout) -> String {
    let language = layout.language;
    let (code, offset) = (finding.code, finding.offset);
    let (mark, kind) = match finding.severity {
        Severity::Fault => ("!!", say!(language, "fault", "错误")),
        Severity::Suspicion => ("! ", say!(language, "suspicion", "可疑")),
        Severity::Warning => ("! ", say!(language, "warning", "警告")),
        Severity::Hint => ("! ", say!(language, "hint", "提示")),
    };
    let law = match finding.statement {
        Some(rule) if law.is_empty() => say!(language, ", [{rule}]", "，[{rule}]"),
        Some(statement) => say!(language, ", {law} [{statement}]", "，{law} [{statement}]"),
        None => String::new(),
    };
    let last = offset + finding.length.saturating_sub(1);
    let place = if last > offset {
        say!(language, "bytes {offset}-{last}", "第 {offset}-{last} 字节")
    } else {
        say!(language, "byte {offset}", "第 {offset} 字节")
    };
    say!(language, "{mark} {kind} {code}, {place}{law}", "{mark} {kind} {code}，{place}{law}")
}

fn bytes_per_line(layout: &Layout) -> usize {
    ((layout.columns() - INDENT.len() - 8) / 3).clamp(8, 32)
}

/// The bytes around the place and carets under those concerned.
fn excerpt(page: &mut String, bytes: &[u8], packet: &Packet, finding: &Finding, layout: &Layout) {
    const BEFORE: usize = 6;
    let most = bytes_per_line(layout);
    let packet_end = packet.offset + packet.length;
    let from = finding.offset.saturating_sub(BEFORE).max(packet.offset);
    // A short packet is shown from its beginning.
    let from = if finding.offset - packet.offset < most / 2 { packet.offset } else { from };
    let shown = part(bytes, from, most.min(packet_end.saturating_sub(from)));
    let dots = |there: bool| if there { "... " } else { "" };
    let before = dots(from > packet.offset);
    let after = if from + shown.len() < packet_end { " ..." } else { "" };
    let _ = writeln!(page, "{INDENT}{before}{}{after}", layout.style().hex(&spaced_hex(shown)));
    let first = finding.offset.saturating_sub(from);
    let marked = finding.length.clamp(1, shown.len().saturating_sub(first).max(1));
    let caret = if finding.length == 0 { "^".to_owned() } else { "^".repeat(marked * 3 - 1) };
    let blanks = before.len() + first * 3;
    let _ = writeln!(page, "{INDENT}{}{}", " ".repeat(blanks), layout.style().fault(&caret));
}

/// The repaired packet, ready to be copied, with carets under the bytes that are new.
fn hex_lines(page: &mut String, wrong: &[u8], right: &[u8], layout: &Layout) {
    let most = bytes_per_line(layout);
    for (index, line) in right.chunks(most).enumerate() {
        let _ = writeln!(page, "{INDENT}{}", layout.style().hex(&spaced_hex(line)));
        let at = index * most;
        let carets: String =
            (0..line.len()).map(|i| if is_new(wrong, right, at + i) { "^^ " } else { "   " }).collect();
        if !carets.trim().is_empty() {
            let _ = writeln!(page, "{INDENT}{}", layout.style().good(carets.trim_end()));
        }
    }
}

/// Whether the byte at `index` was changed. Where bytes were removed only those in front of the
/// removal can be compared.
fn is_new(wrong: &[u8], right: &[u8], index: usize) -> bool {
    let same = |from_end: usize| {
        right.len().checked_sub(from_end).and_then(|at| right.get(at))
            == wrong.len().checked_sub(from_end).and_then(|at| wrong.get(at))
    };
    wrong.get(index) != right.get(index) && !same(right.len() - index)
}
