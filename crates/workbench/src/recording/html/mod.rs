//! A recording as one page that needs nothing else: every packet explained, both directions, in
//! English and Chinese, with the recording itself inside, so that it can be read back.

mod read;
mod section;
#[cfg(test)]
mod tests;

pub use read::{is_html, read_html};

use std::fmt::Write as _;
use std::io::{self, Write};

use super::line::{entry_line, head_line};
use super::{CHUNK_MAX, Chunk, Conversation, Entry, Event, Recording};
use crate::explanation::Severity;
use crate::language::{Language, Text, text};

/// What begins the recording inside the page, on a line of its own.
const BEGIN: &str = "<script type=\"application/json\" id=\"hexmq-recording\">[";

/// What ends it.
const END: &str = "]</script>";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page; it opens in `language` and has a button for the other.
///
/// # Errors
/// Those of the output.
pub fn write_html(recording: &Recording, language: Language, output: &mut impl Write) -> io::Result<()> {
    let code = match language {
        Language::English => "en",
        Language::Chinese => "zh",
    };
    write!(
        output,
        "<!doctype html>\n<html lang=\"{code}\" data-lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\">\n<title>HexMQ: MQTT recording</title>\n"
    )?;
    embed(recording, output)?;
    writeln!(output, "<style>\n{STYLE}</style>\n</head>\n<body>")?;
    let conversations: Vec<Conversation> =
        recording.connections().into_iter().map(|number| Conversation::of(recording, number)).collect();
    output.write_all(header(recording, &conversations).as_bytes())?;
    for conversation in &conversations {
        section::write(conversation, output)?;
    }
    writeln!(output, "<script>\n{SCRIPT}</script>\n</body>\n</html>")
}

/// The lines of the recording as an array, a line each. A `<` stands as its escape, so that nothing
/// in it can end the script.
fn embed(recording: &Recording, output: &mut impl Write) -> io::Result<()> {
    let safe = |line: String| line.replace('<', "\\u003c");
    write!(output, "{BEGIN}\n{}", safe(head_line(&recording.head)?))?;
    for entry in &recording.entries {
        match entry {
            Entry::Bytes(chunk) => {
                for part in chunk.bytes.chunks(CHUNK_MAX) {
                    let part = Entry::Bytes(Chunk { bytes: part.to_vec(), ..chunk.clone() });
                    write!(output, ",\n{}", safe(entry_line(&part)?))?;
                }
            }
            other => write!(output, ",\n{}", safe(entry_line(other)?))?,
        }
    }
    writeln!(output, "\n{END}")
}

/// The title, what there is in the page, and the buttons.
fn header(recording: &Recording, conversations: &[Conversation]) -> String {
    let packets: usize = conversations.iter().map(|it| it.packets().count()).sum();
    let connections = conversations.len();
    let mut page = String::from("<header>\n<h1>");
    both(&mut page, &text("MQTT recording", "MQTT 录制"));
    page.push_str("</h1>\n<span class=\"quiet\">");
    spans(
        &mut page,
        &format!("{connections} connections, {packets} packets"),
        &format!("{connections} 个连接，{packets} 个报文"),
    );
    if let Some(first) = recording.entries.first() {
        let _ = write!(page, " · <span class=\"time\">{:.3}</span>", first.at());
    }
    if let Some(by) = &recording.head.by {
        let _ = write!(page, " · {}", escape(by));
    }
    page.push_str("</span>\n<span class=\"buttons\"><button id=\"open\">");
    both(&mut page, &text("unfold all", "全部展开"));
    page.push_str("</button><button id=\"close\">");
    both(&mut page, &text("fold all", "全部折叠"));
    page.push_str(
        "</button><button id=\"language\"><span class=\"en\" lang=\"zh\">中文</span>\
         <span class=\"zh\" lang=\"en\">English</span></button></span>\n</header>\n",
    );
    if recording.head.masked {
        page.push_str("<p class=\"quiet\">");
        both(&mut page, &text("Passwords are masked: their bytes are 2a.", "密码已遮盖：其字节一律为 2a。"));
        page.push_str("</p>\n");
    }
    if conversations.len() > 1 {
        page.push_str("<ul>\n");
        for conversation in conversations {
            let number = conversation.connection;
            let _ = write!(page, "<li><a href=\"#c{number}\">");
            page.push_str(&section::title(conversation));
            page.push_str("</a></li>\n");
        }
        page.push_str("</ul>\n");
    }
    page
}

/// Text that means nothing but itself in HTML. What a page may not hold is shown as U+FFFD, and what
/// turns the direction of writing as its code.
pub(super) fn escape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' => {
                let _ = write!(out, "U+{:04X}", u32::from(c));
            }
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// A text in both languages.
fn both(page: &mut String, text: &Text) {
    spans(page, text.en, text.zh);
}

/// The same in both languages, of which one is shown.
fn spans(page: &mut String, en: &str, zh: &str) {
    let (en, zh) = (escape(en), escape(zh));
    let _ =
        write!(page, "<span class=\"en\" lang=\"en\">{en}</span><span class=\"zh\" lang=\"zh\">{zh}</span>");
}

/// How bad it is, in both languages.
fn severity_text(severity: Severity) -> Text {
    match severity {
        Severity::Fault => text("fault", "错误"),
        Severity::Suspicion => text("suspicion", "可疑"),
        Severity::Warning => text("warning", "警告"),
        Severity::Hint => text("hint", "提示"),
    }
}

/// Bytes of an event, where it has any.
fn bytes_of(event: &Event) -> &[u8] {
    match event {
        Event::Packet(spoken) => &spoken.bytes,
        Event::Strays { bytes, .. } | Event::Begun { bytes, .. } => bytes,
        Event::Open(_) | Event::Note(_) | Event::Close(_) => &[],
    }
}
