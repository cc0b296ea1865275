//! The explanation as a page for the terminal.
//!
//! Left the bytes with their offsets, right what they are; underneath what is wrong, with a caret
//! under the bytes. Colour only underlines what marks and words say already.

mod faults;
pub(crate) mod rows;
mod style;

use std::fmt::Write as _;

use hexmq_wire::Version;

use crate::Language;
use crate::explanation::{Dialect, Explanation, Finding, Packet, Rest, Severity, Side, Skipped};
use crate::hex::spaced_hex;
use crate::language::say;
use crate::stream::part;
use crate::text::packets::packet_text;
use crate::width::wrap;
use style::Style;

/// How the page looks.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether escape sequences for colour may be used.
    pub colour: bool,
    /// The language of labels; the explanation should be in the same.
    pub language: Language,
    /// Show every byte of long fields; otherwise their middle is left out.
    pub whole: bool,
}

impl Layout {
    /// Narrower pages cannot hold bytes and words beside each other.
    const NARROWEST: usize = 60;
    /// Longer lines are tiring to read.
    const WIDEST: usize = 120;

    fn columns(&self) -> usize {
        self.width.clamp(Layout::NARROWEST, Layout::WIDEST)
    }

    fn style(&self) -> Style {
        Style { colour: self.colour }
    }
}

/// The page that shows `explanation` of `bytes`.
pub fn render(bytes: &[u8], explanation: &Explanation, layout: &Layout) -> String {
    render_packets(bytes, explanation, layout) + &summary(explanation, layout)
}

/// The same without the line that counts, for pages that are made of several.
pub fn render_packets(bytes: &[u8], explanation: &Explanation, layout: &Layout) -> String {
    let mut page = String::new();
    let mut skipped = explanation.skipped.iter().peekable();
    for packet in &explanation.packets {
        while let Some(stray) = skipped.next_if(|stray| stray.offset < packet.offset) {
            stray_bytes(&mut page, bytes, stray, layout);
        }
        whole_packet(&mut page, bytes, packet, layout);
    }
    for stray in skipped {
        stray_bytes(&mut page, bytes, stray, layout);
    }
    if let Some(rest) = &explanation.rest {
        leftover(&mut page, bytes, rest, layout);
    }
    page
}

fn whole_packet(page: &mut String, bytes: &[u8], packet: &Packet, layout: &Layout) {
    let title = title(packet, layout.language);
    let _ = writeln!(page, "{}", layout.style().title(&title));
    about(page, packet, layout);
    dialect(page, packet, layout);
    rows::table(page, bytes, packet, layout);
    faults::list(page, bytes, packet, layout);
    page.push('\n');
}

fn about(page: &mut String, packet: &Packet, layout: &Layout) {
    let Some(packet_type) = packet.packet_type else { return };
    for line in wrap(packet_text(packet_type).in_language(layout.language), layout.columns()) {
        let _ = writeln!(page, "{line}");
    }
    page.push('\n');
}

/// Whose dialect the packet speaks.
fn dialect(page: &mut String, packet: &Packet, layout: &Layout) {
    let name = match packet.dialect.as_ref().map(|layer| layer.dialect) {
        None => return,
        Some(Dialect::OneNet) => say!(layout.language, "China Mobile OneNET", "中国移动 OneNET"),
        Some(Dialect::Aliyun) => say!(layout.language, "Aliyun IoT Platform", "阿里云物联网平台"),
    };
    let line = say!(layout.language, "It is also read by the rules of {name}.", "同时按{name}的约定解读。");
    let _ = writeln!(page, "{line}\n");
}

/// `CONNECT, MQTT 3.1.1, client -> server, 39 bytes at offset 0`
fn title(packet: &Packet, language: Language) -> String {
    let (name, offset, length) = (packet.type_name(), packet.offset, packet.length);
    let version = version_name(packet.version);
    let way = match packet.from {
        Some(Side::Client) => say!(language, "client -> server", "客户端 -> 服务端"),
        Some(Side::Server) => say!(language, "server -> client", "服务端 -> 客户端"),
        None => say!(language, "either direction", "双向均可"),
    };
    say!(
        language,
        "== {name}, {version}, {way}, {length} bytes at offset {offset} ==",
        "== {name}，{version}，{way}，从第 {offset} 字节起共 {length} 字节 ==",
    )
}

/// `MQTT 3.1.1`
pub(crate) fn version_name(version: Version) -> &'static str {
    match version {
        Version::V3 => "MQTT 3.1",
        Version::V4 => "MQTT 3.1.1",
        Version::V5 => "MQTT 5.0",
    }
}

fn stray_bytes(page: &mut String, bytes: &[u8], stray: &Skipped, layout: &Layout) {
    let (offset, reason) = (stray.offset, &stray.reason);
    let line = say!(layout.language, "!! offset {offset}: {reason}", "!! 第 {offset} 字节起：{reason}");
    strays(page, bytes, &line, (stray.offset, stray.length), &stray.findings, layout);
}

fn leftover(page: &mut String, bytes: &[u8], rest: &Rest, layout: &Layout) {
    let (offset, reason) = (rest.offset, &rest.reason);
    let Some(begun) = &rest.begun else {
        let line = match rest.needs {
            // The packet is above, and whole but for its length.
            Some(_) => {
                say!(layout.language, "!! a server still waits: it {reason}", "!! 服务端还在等待：{reason}")
            }
            None => say!(layout.language, "!! offset {offset}: {reason}", "!! 第 {offset} 字节起：{reason}"),
        };
        return strays(page, bytes, &line, (rest.offset, rest.length), &rest.findings, layout);
    };
    let title = title(begun, layout.language);
    let _ = writeln!(page, "{}", layout.style().title(&title));
    let line = say!(layout.language, ".. the packet is not whole: it {reason}", ".. 报文不完整：{reason}");
    for line in wrap(&line, layout.columns()) {
        let _ = writeln!(page, "{}", layout.style().warning(&line));
    }
    page.push('\n');
    rows::table(page, bytes, begun, layout);
    faults::list(page, bytes, begun, layout);
    for finding in &rest.findings {
        page.push('\n');
        faults::about_stray(page, finding, layout);
    }
    page.push('\n');
}

fn strays(
    page: &mut String,
    bytes: &[u8],
    line: &str,
    (offset, length): (usize, usize),
    findings: &[Finding],
    layout: &Layout,
) {
    const SHOWN: usize = 32;
    for line in wrap(line, layout.columns()) {
        let _ = writeln!(page, "{}", layout.style().fault(&line));
    }
    let more = if length > SHOWN { " ..." } else { "" };
    let hex = spaced_hex(part(bytes, offset, length.min(SHOWN)));
    if length > 0 {
        for line in wrap(&format!("{hex}{more}"), layout.columns() - 3) {
            let _ = writeln!(page, "   {}", layout.style().hex(&line));
        }
    }
    for finding in findings {
        faults::about_stray(page, finding, layout);
    }
    page.push('\n');
}

/// One line: how many packets, faults and warnings.
fn summary(explanation: &Explanation, layout: &Layout) -> String {
    let all = || explanation.findings().chain(explanation.dialect_findings());
    let strays = || explanation.skipped.iter().flat_map(|stray| &stray.findings);
    let left = || explanation.rest.iter().flat_map(|rest| &rest.findings);
    let count =
        |severity| all().chain(strays()).chain(left()).filter(|finding| finding.severity == severity).count();
    let (packets, faults, warnings) =
        (explanation.packets.len(), count(Severity::Fault), count(Severity::Warning));
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let (p, f, w) = (s(packets), s(faults), s(warnings));
    let mut line = say!(
        layout.language,
        "{packets} packet{p}, {faults} fault{f}, {warnings} warning{w}",
        "{packets} 个报文，{faults} 处错误，{warnings} 处警告",
    );
    let suspicions = count(Severity::Suspicion);
    if suspicions > 0 {
        let s = s(suspicions);
        line += &say!(layout.language, ", {suspicions} suspicion{s}", "，{suspicions} 处可疑");
    }
    if let Some(needs) = explanation.rest.as_ref().and_then(|rest| rest.needs) {
        line += &say!(
            layout.language,
            "; the last one needs {needs} more bytes",
            "；最后一个还缺 {needs} 个字节"
        );
    }
    line + "\n"
}
