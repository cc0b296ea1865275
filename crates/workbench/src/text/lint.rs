//! What the rules beyond the decoder's say: what stands there, the rule, and the way out.

use super::dialogue::dialogue_text;
use super::meaning::label;
use crate::Language;
use crate::hex::spaced_hex;
use crate::language::{Text, say, text};
use crate::lint::{LintRule, Remark, Said};

/// The sentence for a person.
pub(crate) fn remark_message(remark: &Remark, language: Language) -> String {
    message(remark.rule, remark.field, &remark.said, language)
}

/// What stands there and what the rule says.
pub(crate) fn message(rule: LintRule, field: &str, said: &Said, language: Language) -> String {
    let text = rule_text(rule).in_language(language);
    match found(field, said, language) {
        Some(found) if language == Language::English => format!("{found} {text}"),
        Some(found) => format!("{found}{text}"),
        None => text.to_owned(),
    }
}

fn found(field: &str, said: &Said, language: Language) -> Option<String> {
    let label = label(field, language);
    Some(match said {
        Said::Nothing => return None,
        Said::Length { written, says, fits, right } => {
            let (written, right) = (spaced_hex(written), spaced_hex(right));
            say!(
                language,
                "{label}: the length says {says} ({written}), but {fits} ({right}) fits.",
                "{label}：长度写的是 {says}（{written}），而 {fits}（{right}）才对得上。",
            )
        }
        Said::Bytes { written, right } if right.is_empty() => {
            let written = shortened(written);
            say!(language, "{label}: {written} should not be there.", "{label}：{written} 不该出现在这里。")
        }
        Said::Bytes { written, right } => {
            let (written, right) = (shortened(written), shortened(right));
            say!(
                language,
                "{label}: {written} stands where {right} was probably meant.",
                "{label}：这里写的是 {written}，本意大概是 {right}。"
            )
        }
        Said::Missing(bytes) => {
            let bytes = shortened(bytes);
            say!(
                language,
                "{label}: with {bytes} put in here everything fits.",
                "{label}：在这里补上 {bytes} 就全对上了。"
            )
        }
        Said::Text(shown) => {
            let shown = quoted(shown);
            say!(language, "{label}: {shown}.", "{label}：{shown}。")
        }
        Said::Number(number) => say!(language, "{label} = {number}.", "{label} = {number}。"),
    })
}

fn shortened(bytes: &[u8]) -> String {
    const MOST: usize = 12;
    let more = if bytes.len() > MOST { " ..." } else { "" };
    spaced_hex(bytes.get(..MOST).unwrap_or(bytes)) + more
}

/// Control characters by their escapes, so that a blank at the end can be seen between the quotes.
fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let shown: String = text
        .chars()
        .take(MOST)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    let more = if text.chars().nth(MOST).is_some() { "..." } else { "" };
    format!("\"{shown}{more}\"")
}

/// The rule and the way out.
pub(crate) fn rule_text(rule: LintRule) -> Text {
    identifier_text(rule)
        .or_else(|| length_text(rule))
        .or_else(|| remaining_length_text(rule))
        .or_else(|| connect_text(rule))
        .or_else(|| stray_text(rule))
        .or_else(|| advice_text(rule))
        .unwrap_or_else(|| dialogue_text(rule))
}

fn identifier_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::MissingPacketIdentifier => text(
            "QoS 1 and 2, SUBSCRIBE and UNSUBSCRIBE need two bytes of packet identifier; they seem to be left out, and the \
             receiver takes the first two bytes of what follows for them. Put in an identifier from 1 to 65535 and count it \
             in the Remaining Length.",
            "QoS 1、QoS 2 以及 SUBSCRIBE、UNSUBSCRIBE 都要有两字节报文标识符；这里似乎漏掉了，接收方会把后面内容的前两个字节当成它。请补上 1 到 \
             65535 的标识符，并计入剩余长度。",
        ),
        LintRule::PacketIdentifierAtQos0 => text(
            "A QoS 0 PUBLISH has no packet identifier: the two bytes become the beginning of the message. Leave them out, or \
             send with QoS 1 (first byte 32).",
            "QoS 0 的 PUBLISH 没有报文标识符：这两个字节会变成消息内容的开头。请去掉，或改用 QoS 1（首字节 32）。",
        ),
        LintRule::QosByteMissing => text(
            "Behind each topic filter of a SUBSCRIBE stands one byte with the requested QoS; it is left out. Without it the \
             packet is an UNSUBSCRIBE.",
            "SUBSCRIBE 的每个主题过滤器之后都要有一个字节的请求 QoS，这里漏掉了。没有它就成了 UNSUBSCRIBE 的格式。",
        ),
        LintRule::QosByteInUnsubscribe => text(
            "The filters of an UNSUBSCRIBE have no QoS byte behind them; it seems to be copied from the SUBSCRIBE.",
            "UNSUBSCRIBE 的过滤器后面没有 QoS 字节；这个字节似乎是从 SUBSCRIBE 里抄来的。",
        ),
        LintRule::PropertyLengthMissing => text(
            "In MQTT 5.0 properties stand here; without any, one byte 00 says so. The packet looks like one of 3.1.1.",
            "MQTT 5.0 在这里有属性；没有属性时也要用一个字节 00 表示。这个报文像是 3.1.1 的写法。",
        ),
        _ => return None,
    })
}

fn length_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::LengthInDecimal => text(
            "The decimal number seems to be typed as hex digits. Convert it first: 51 is 33 in hex.",
            "似乎把十进制数直接当成十六进制写了。要先换算：十进制 51 是十六进制 33。",
        ),
        LintRule::LengthInCharacters => text(
            "The length seems to count characters. It counts bytes: in UTF-8 a Chinese character has three.",
            "长度似乎数的是字符。应当数字节：UTF-8 里一个汉字占三个字节。",
        ),
        LintRule::LengthInHexDigits => text(
            "The length seems to count hex digits. It counts bytes: two digits are one byte.",
            "长度似乎数的是十六进制数字的个数。应当数字节：两个数字是一个字节。",
        ),
        LintRule::LengthCountsQosByte => text(
            "The length of the topic filter seems to include the QoS byte behind it. It counts the filter alone.",
            "主题过滤器的长度似乎把后面的 QoS 字节也算进去了。它只数过滤器本身。",
        ),
        LintRule::LengthCountsItself => text(
            "The length seems to include its own two bytes. It counts only what follows them.",
            "长度似乎把它自己的两个字节也算进去了。它只数后面的内容。",
        ),
        LintRule::LengthBytesSwapped => text(
            "The two bytes of the length seem to be exchanged: the high one comes first (00 09, not 09 00).",
            "长度的两个字节似乎写反了：高位在前（00 09，而不是 09 00）。",
        ),
        LintRule::LengthNibblesSwapped => {
            text("The two digits of the length seem to be exchanged.", "长度的两个十六进制数字似乎写反了。")
        }
        LintRule::LengthWrong => text(
            "With another length here, and only here, everything behind it fits.",
            "只要改这一处长度，后面的内容就全都对上了。",
        ),
        LintRule::LengthMissing => text(
            "Every string begins with two bytes of length, high byte first, also where it is below 256.",
            "每个字符串前面都要有两字节长度，高位在前；小于 256 时高位写 00。",
        ),
        LintRule::LengthDoubled => text("The length seems to stand here twice.", "长度似乎写了两遍。"),
        LintRule::PayloadLengthPrefix => text(
            "The message begins with its own length. Strings have one, the payload has none: it reaches to the end of the \
             packet, and the receiver takes these two bytes for part of it.",
            "消息内容开头是它自己的长度。字符串前面有长度，有效载荷没有：它一直到报文末尾，接收方会把这两个字节当成内容。",
        ),
        _ => return None,
    })
}

fn remaining_length_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::RemainingLengthInDecimal => text(
            "The decimal number of bytes seems to be typed as hex digits. Convert it first: 37 is 25 in hex.",
            "似乎把十进制的字节数直接当成十六进制写了。要先换算：十进制 37 是十六进制 25。",
        ),
        LintRule::RemainingLengthInHexDigits => text(
            "It seems to count hex digits. It counts bytes: two digits are one byte.",
            "它似乎数的是十六进制数字的个数。应当数字节：两个数字是一个字节。",
        ),
        LintRule::RemainingLengthCountsHeader => text(
            "It seems to include the fixed header. It counts only what follows it; a server waits for the bytes that never \
             come.",
            "它似乎把固定报头也算进去了。它只数后面的字节；否则服务端会一直等那些不会来的字节。",
        ),
        LintRule::RemainingLengthInCharacters => text(
            "It seems to count characters. It counts bytes: in UTF-8 a Chinese character has three.",
            "它似乎数的是字符。应当数字节：UTF-8 里一个汉字占三个字节。",
        ),
        LintRule::RemainingLengthMissing => text(
            "The second byte of every packet begins the Remaining Length; it seems to be left out.",
            "每个报文从第二个字节开始是剩余长度；这里似乎漏掉了。",
        ),
        LintRule::RemainingLengthNotEncoded => text(
            "It seems to be written as a plain number. From 128 on it takes more bytes, seven bits in each, the lowest first: \
             178 is b2 01.",
            "它似乎是按普通数字写的。从 128 起要用多个字节，每字节七位，低位在前：178 写作 b2 01。",
        ),
        LintRule::RemainingLengthTooLarge => text(
            "The packet is whole before as many bytes came; a server waits for the rest, which belongs to no field.",
            "报文还没到这个长度就已经完整了；服务端会一直等剩下的、不属于任何字段的字节。",
        ),
        LintRule::RemainingLengthTooSmall => text(
            "The packet goes on behind as many bytes; what is left over is taken for the next packet.",
            "报文在这个长度之后还没有结束；剩下的字节会被当成下一个报文。",
        ),
        _ => return None,
    })
}

fn connect_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::ConnectFieldsSwapped => text(
            "Behind the protocol name come level, connect flags and the two bytes of Keep Alive, in this order.",
            "协议名之后依次是协议级别、连接标志和两字节保持连接时间。",
        ),
        LintRule::ConnectFieldMissing => text(
            "Behind the protocol name come level, connect flags and two bytes of Keep Alive: four bytes. One of them is left \
             out, and everything behind it is shifted.",
            "协议名之后是协议级别、连接标志和两字节保持连接时间，共四个字节。这里漏了一个，后面的内容全部错位。",
        ),
        LintRule::ConnectFieldExtra => text(
            "Behind the protocol name come level, connect flags and two bytes of Keep Alive: four bytes. There are more, and \
             everything behind them is shifted.",
            "协议名之后是协议级别、连接标志和两字节保持连接时间，共四个字节。这里多了，后面的内容全部错位。",
        ),
        LintRule::ProtocolNameMangled => text(
            "A CONNECT begins with 00 04 4d 51 54 54: the length and the four letters MQTT.",
            "CONNECT 的开头是 00 04 4d 51 54 54：长度和 MQTT 四个字母。",
        ),
        LintRule::ConnectFlagsUnfit => text(
            "The flags announce which fields follow: bit 7 user name, bit 6 password, bit 2 will. They do not fit the fields \
             that are there: c2 with user name and password, 02 without, c0 and 00 to keep the session.",
            "连接标志说明后面有哪些字段：第 7 位用户名，第 6 位密码，第 2 位遗嘱。它与实际字段不符：有用户名和密码用 c2，没有用 02；要保留会话则用 \
             c0 或 00。",
        ),
        LintRule::NibblesSwapped => text(
            "The two digits of a byte seem to be exchanged: the packet type is the upper half (82 is SUBSCRIBE, 28 is not).",
            "字节的两个十六进制数字似乎写反了：报文类型在高四位（82 是 SUBSCRIBE，28 不是）。",
        ),
        LintRule::WrongSideContent => {
            text("Only the other side sends this.", "只有另一方才会发送这样的内容。")
        }
        _ => return None,
    })
}

fn stray_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::HexDigitsAsText => text(
            "These bytes are the letters of hex digits: a packet was sent as text. Switch the tool to hex sending.",
            "这些字节是十六进制数字的字符：报文被当成文本发送了。请把调试助手切到十六进制发送。",
        ),
        LintRule::LineEndAppended => text(
            "A line end behind the packet: serial tools append it. The server takes it for the next packet and closes the \
             connection. Switch \"send new line\" off.",
            "报文后面多了回车换行：串口工具会自动追加。服务端会把它当成下一个报文而断开连接。请关闭“发送新行”。",
        ),
        LintRule::SerialText => text(
            "Text of a module or terminal between the packets: it does not belong to MQTT.",
            "报文之间夹着模块或终端输出的文字：它不属于 MQTT。",
        ),
        LintRule::ByteOrderMark => text(
            "U+FEFF (ef bb bf), a byte order mark that editors put in front of text. Save the file without it.",
            "U+FEFF（ef bb bf）是编辑器加在文本开头的字节顺序标记。请保存为不带 BOM 的格式。",
        ),
        LintRule::TrailingNul => text(
            "A NUL behind the text: the end of a C string was counted. Use strlen, not sizeof.",
            "文本后面多了 NUL：把 C 字符串的结尾也算进去了。应使用 strlen，而不是 sizeof。",
        ),
        LintRule::TrailingSpace => text(
            "A blank at the end is part of the name: \"a\" and \"a \" are different, and nothing shows it.",
            "末尾的空格也是名字的一部分：“a”与“a ”并不相同，而且看不出来。",
        ),
        _ => return None,
    })
}

fn advice_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::ClientIdentifierEmpty => text(
            "Without a client identifier there is nothing to keep a session under: Clean Session must be 1, else the server \
             refuses with code 2.",
            "没有客户端标识符就无法保存会话：清理会话必须为 1，否则服务端以返回码 2 拒绝。",
        ),
        LintRule::ClientIdentifierLong => text(
            "In MQTT 3.1 a client identifier has at most 23 characters; a server may refuse a longer one with code 2.",
            "MQTT 3.1 的客户端标识符最多 23 个字符；更长时服务端可以用返回码 2 拒绝。",
        ),
        LintRule::TopicFilterInvalid => text(
            "A wildcard fills its level alone, and # stands only at the end: a/+/c, a/#. The server answers such a filter with \
             a failure, or closes.",
            "通配符必须独占一层，# 只能在末尾：a/+/c、a/#。服务端会以失败回答这样的过滤器，或直接断开。",
        ),
        LintRule::KeepAliveOff => text(
            "The server never notices that this client is gone: its will is not sent and its connection stays. Clouds refuse \
             it. Some 30 to 300 seconds are usual.",
            "服务端永远发现不了这个客户端已经离线：遗嘱不会发布，连接一直占着。云平台会拒绝。通常取 30 到 300 秒。",
        ),
        LintRule::KeepAliveTiny => text(
            "A pause of one and a half times as long ends the connection; over radio this happens by itself, and PINGREQ every \
             few seconds costs battery. Some 30 to 300 seconds are usual.",
            "停顿超过它的一倍半就会断线；无线网络上经常如此，而且每几秒一个 PINGREQ 很费电。通常取 30 到 300 秒。",
        ),
        LintRule::RetainedCommand => text(
            "A command that is retained is delivered again whenever the device subscribes, and carried out again. Send commands \
             without RETAIN.",
            "保留的命令会在设备每次订阅时再次下发、再次执行。请不要给命令置保留标志。",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_own_text_in_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for &rule in LintRule::ALL {
            let said = rule_text(rule);
            assert!(seen.insert(said.en) && seen.insert(said.zh), "{} repeats a text", rule.name());
            assert!(!said.en.starts_with("A rule of"), "{} has no text", rule.name());
            assert!(!said.zh.is_ascii(), "{} is not Chinese", rule.name());
        }
    }

    #[test]
    fn blanks_can_be_seen() {
        assert_eq!(quoted("a \n"), "\"a \\n\"");
        assert!(quoted(&"x".repeat(100)).ends_with("...\""));
    }
}
