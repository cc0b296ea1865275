//! The page at the end: connections, and what else there was.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hexmq_wire::{PacketType, Version};
use hexmq_workbench::capture::{Connection, NoteKind, Totals, Traffic};
use hexmq_workbench::{Language, Side};

/// Connections kept for the page at most.
const KEPT_MAX: usize = 10_000;
/// Connections shown where not everything is asked for.
const SHOWN: usize = 100;

/// A sentence in the language asked for.
macro_rules! say {
    ($language:expr, $en:literal, $zh:literal $(,)?) => {
        match $language {
            Language::English => format!($en),
            Language::Chinese => format!($zh),
        }
    };
}

/// What is told at the end.
#[derive(Debug, Default)]
pub(super) struct Summary {
    connections: BTreeMap<u64, Connection>,
    /// MQTT packets.
    pub(super) packets: u64,
    mqtt: u64,
    encrypted: u64,
    /// Something is wrong with a packet, or bytes were none.
    pub(super) faulty: bool,
}

impl Summary {
    pub(super) fn note(&mut self, kind: &NoteKind) {
        self.faulty |= matches!(kind, NoteKind::Stray { .. });
    }

    pub(super) fn connection(&mut self, connection: &Connection) {
        self.packets += connection.packets();
        self.faulty |= connection.faulty() > 0;
        *if connection.encrypted.is_some() { &mut self.encrypted } else { &mut self.mqtt } += 1;
        if self.connections.len() < KEPT_MAX {
            self.connections.insert(connection.number, connection.clone());
        }
    }

    pub(super) fn page(
        &self,
        totals: &Totals,
        language: Language,
        width: Option<usize>,
        packets_told: bool,
    ) -> String {
        let mut page = String::new();
        if packets_told && !self.connections.is_empty() {
            page.push('\n');
        }
        let shown = if width.is_some() { SHOWN } else { KEPT_MAX };
        for connection in self.connections.values().take(shown) {
            entry(&mut page, connection, language);
        }
        let more = (self.mqtt + self.encrypted).saturating_sub(shown as u64);
        if more > 0 {
            let line = say!(
                language,
                "... and {more} more connections (--full, --json, --connection N)\n",
                "……另有 {more} 个连接（--full、--json、--connection N）\n",
            );
            page.push_str(&line);
        }
        page.push_str(&self.totals(totals, language));
        self.hints(&mut page, totals, language, packets_told);
        page
    }

    fn totals(&self, totals: &Totals, language: Language) -> String {
        let Totals { packets, connections, .. } = *totals;
        let (mqtt, encrypted, messages) = (self.mqtt, self.encrypted, self.packets);
        let span = totals.first.zip(totals.last).map_or(0, |(first, last)| last.0.saturating_sub(first.0));
        let (span, size) = (seconds(span), size(totals.bytes));
        let (p, c, m) = (plural(packets), plural(connections), plural(messages));
        let mut text = say!(
            language,
            "{packets} packet{p}, {size}, over {span}; {connections} TCP connection{c}: {mqtt} MQTT with \
             {messages} packet{m}, {encrypted} encrypted\n",
            "{packets} 个数据包，{size}，历时 {span}；{connections} 个 TCP 连接：{mqtt} 个 MQTT（{messages} 个报文），\
             {encrypted} 个加密\n",
        );
        for (count, en, zh) in [
            (totals.not_ip, "not IP", "非 IP"),
            (totals.not_tcp, "not TCP", "非 TCP"),
            (totals.fragments, "pieces of IP packets, not put together", "IP 分片（未重组）"),
            (totals.malformed, "with headers that are not whole", "首部不完整"),
            (totals.unknown_link, "of an unknown link type", "链路类型未知"),
            (totals.set_aside, "connections set aside: too many at once", "连接过多，已放弃跟踪"),
        ] {
            if count > 0 {
                let what = if language == Language::English { en } else { zh };
                let _ = writeln!(text, "  {count} {what}");
            }
        }
        text
    }

    /// What to do next.
    fn hints(&self, page: &mut String, totals: &Totals, language: Language, packets_told: bool) {
        if let Some(code) = totals.unknown_link_type {
            page.push_str(&say!(
                language,
                "Link type {code} is not read here: capture on an Ethernet interface, on \"any\" or on lo.\n",
                "不支持链路类型 {code}：请在以太网接口、any 或 lo 上抓包。\n",
            ));
        }
        if self.encrypted > 0 {
            page.push_str(&say!(
                language,
                "To read encrypted connections, run the client or the server with SSLKEYLOGFILE=keys.log and give \
                 --keylog keys.log.\n",
                "要读取加密连接，请在运行客户端或服务端时设置 SSLKEYLOGFILE=keys.log，再加上 --keylog keys.log。\n",
            ));
        }
        if self.packets == 0 && self.encrypted == 0 {
            page.push_str(&say!(
                language,
                "No MQTT packets were found. If there should be some: --port PORT reads every connection of a port.\n",
                "没有找到 MQTT 报文。如果应该有：--port PORT 会读取该端口的所有连接。\n",
            ));
        } else if self.packets > 0 && !packets_told {
            page.push_str(&say!(
                language,
                "List packets with --packets, explain them with --explain, find mistakes with --lint; one connection \
                 with --connection N.\n",
                "--packets 列出报文，--explain 逐字节解释，--lint 查错；--connection N 只看一个连接。\n",
            ));
        }
    }
}

fn entry(page: &mut String, connection: &Connection, language: Language) {
    let Connection { number, client, server, via, .. } = connection;
    let mut line = format!("#{number} {client} -> {server} {}", via.name());
    if let Some(name) = &connection.server_name {
        let _ = write!(line, " ({name})");
    }
    if let Some(version) = connection.version {
        let _ = write!(line, ", {}", version_name(version));
    }
    if let Some(id) = &connection.client_identifier {
        let id = id.escape_debug();
        line.push_str(&say!(language, ", client id \"{id}\"", "，客户端标识符“{id}”"));
    }
    if let Some(code) = connection.connack {
        let (code, name) = (code as u8, code.name());
        let _ = write!(line, ", CONNACK 0x{code:02X} {name}");
    }
    let _ = writeln!(page, "{line}");
    let opened = connection.opened;
    let span = seconds(connection.last.0.saturating_sub(connection.opened.0));
    let begin = match connection.from_start {
        true => String::new(),
        false => say!(language, ", begins in the middle", "，从中途开始"),
    };
    let end = end(connection, language);
    let _ = writeln!(page, "   {opened}, {span}{begin}{end}");
    for (arrow, traffic) in [('>', &connection.by_client), ('<', &connection.by_server)] {
        sent(page, arrow, traffic, language);
    }
    if let Some(why) = &connection.encrypted {
        let _ = writeln!(page, "   ! {}", why.text(language));
    }
}

fn sent(page: &mut String, arrow: char, traffic: &Traffic, language: Language) {
    let delivery = traffic.delivery;
    if traffic.bytes > 0 {
        let mut kinds = String::new();
        for (kind, count) in (0..).zip(traffic.packets).filter(|(_, count)| *count > 0) {
            let name = PacketType::from_u8(kind).map_or("RESERVED", PacketType::name);
            let _ = write!(kinds, " {name} {count}");
        }
        let size = size(traffic.bytes);
        let _ = writeln!(page, "   {arrow} {size}:{kinds}");
    }
    if traffic.faulty > 0 {
        let (count, s) = (traffic.faulty, plural(u64::from(traffic.faulty)));
        let line = say!(language, "{count} packet{s} against the standard", "{count} 个报文不符合标准");
        let _ = writeln!(page, "   {arrow} ! {line}");
    }
    if delivery.gaps > 0 {
        let (gaps, lost) = (delivery.gaps, delivery.lost);
        let s = plural(u64::from(gaps));
        let line = say!(
            language,
            "{gaps} gap{s}: {lost} bytes are not in the capture",
            "{gaps} 处缺口：抓包中缺少 {lost} 个字节",
        );
        let _ = writeln!(page, "   {arrow} ! {line}");
    }
    if delivery.repeated + delivery.reordered > 0 {
        let (repeated, reordered) = (delivery.repeated, delivery.reordered);
        let line = say!(
            language,
            "{repeated} repeated and {reordered} reordered TCP segments",
            "{repeated} 个重传、{reordered} 个乱序 TCP 段",
        );
        let _ = writeln!(page, "   {arrow}   {line}");
    }
}

fn end(connection: &Connection, language: Language) -> String {
    use hexmq_workbench::capture::End;
    let side = |side: Side| match (side, language) {
        (Side::Client, Language::English) => "client",
        (Side::Server, Language::English) => "server",
        (Side::Client, Language::Chinese) => "客户端",
        (Side::Server, Language::Chinese) => "服务端",
    };
    let mut text = match connection.end {
        Some(End::Closed(by)) => {
            let by = side(by);
            say!(language, ", closed by the {by}", "，由{by}关闭")
        }
        Some(End::Reset(by)) => {
            let by = side(by);
            say!(language, ", reset by the {by}", "，被{by}重置")
        }
        Some(End::Replaced) => {
            say!(language, ", replaced by a new connection of the same ports", "，被相同端口的新连接取代")
        }
        Some(End::SetAside) => say!(language, ", not followed to its end", "，未跟踪到结束"),
        Some(End::CaptureEnds) | None => say!(language, ", still open at the end", "，抓包结束时仍未关闭"),
    };
    if let Some((by, code)) = connection.disconnect {
        let (by, name) = (side(by), code.name());
        text += &say!(language, " (DISCONNECT {name} by the {by})", "（{by}发送 DISCONNECT {name}）");
    }
    text
}

const fn version_name(version: Version) -> &'static str {
    match version {
        Version::V3 => "MQTT 3.1",
        Version::V4 => "MQTT 3.1.1",
        Version::V5 => "MQTT 5.0",
    }
}

const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn seconds(nanoseconds: u64) -> String {
    format!("{:.3} s", nanoseconds as f64 / 1e9)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
