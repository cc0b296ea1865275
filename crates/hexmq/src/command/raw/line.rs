//! What a line asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use hexmq_notation::{Expectation, parse_duration, parse_pattern, parse_sent};
use hexmq_wire::{PacketType, Version};
use hexmq_workbench::{Language, parse_hex};

/// The words a line may begin with, besides packets and hex.
pub(super) const WORDS: [&str; 14] = [
    "auto", "close", "connect", "exit", "expect", "explain", "help", "quit", "set", "sleep", "vars",
    "version", "wait", "hex",
];

/// Names and the texts that stand for them.
pub(super) type Variables = BTreeMap<String, String>;

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Nothing,
    Send(Vec<u8>),
    Set {
        name: String,
        value: String,
    },
    ShowVariables,
    Wait(Awaited),
    Expect(Awaited),
    Sleep(Duration),
    /// A packet by its number; without one the last.
    Explain(Option<usize>),
    Auto {
        what: Auto,
        on: bool,
    },
    Version(Version),
    Connect,
    Close,
    Help,
    Quit,
}

/// What is done without being asked each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auto {
    Ping,
    Ack,
}

/// What is to come, and how long it may take.
#[derive(Debug, PartialEq)]
pub(super) struct Awaited {
    pub(super) what: What,
    /// As written in the line.
    pub(super) text: String,
    pub(super) patience: Option<Duration>,
}

#[derive(Debug, PartialEq)]
pub(super) enum What {
    /// Any packet of this type.
    Type(PacketType),
    /// A packet with these fields, or these bytes.
    Packet(Expectation),
    /// The end of the connection.
    Closed,
    /// No packet at all.
    Nothing,
}

/// Reads a line; packets other than CONNECT are read and written in `version`.
pub(super) fn parse(text: &str, variables: &Variables, version: Version) -> Result<Line, String> {
    let text = substitute(text.trim(), variables)?;
    let (word, rest) = split(&text);
    let line = match word {
        "" => Line::Nothing,
        _ if word.starts_with('#') => Line::Nothing,
        "set" => set(rest)?,
        "vars" => Line::ShowVariables,
        "wait" => Line::Wait(awaited(rest, version)?),
        "expect" => Line::Expect(awaited(rest, version)?),
        "sleep" => {
            Line::Sleep(parse_duration(rest).ok_or("expected a time such as `sleep 500ms` or `sleep 2s`")?)
        }
        "explain" | "?" => Line::Explain(number(rest)?),
        "auto" => auto(rest)?,
        "version" => {
            Line::Version(parse_version(rest).ok_or("expected `version 3`, `version 4` or `version 5`")?)
        }
        "connect" => Line::Connect,
        "close" => Line::Close,
        "help" => Line::Help,
        "quit" | "exit" => Line::Quit,
        _ => Line::Send(sent(&text, word, version)?),
    };
    Ok(line)
}

/// The first word and what follows it.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// `3`, `4`, `5`, also with `v` in front.
pub(super) fn parse_version(text: &str) -> Option<Version> {
    match text.strip_prefix('v').unwrap_or(text) {
        "3" | "3.1" => Some(Version::V3),
        "4" | "3.1.1" => Some(Version::V4),
        "5" | "5.0" => Some(Version::V5),
        _ => None,
    }
}

/// Puts in the variables: `$name` if there is one of this name (topics begin with `$` too),
/// `${name}` always, `$$` for `$`.
fn substitute(text: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        rest = behind;
        if let Some(behind) = rest.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some(braced) = rest.strip_prefix('{') {
            let (name, behind) = braced.split_once('}').ok_or("`${` without `}`")?;
            let value = variables
                .get(name)
                .ok_or_else(|| format!("there is no variable `{name}`; `set {name}=…`"))?;
            out.push_str(value);
            rest = behind;
        } else {
            let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
            let (name, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            match variables.get(name) {
                Some(value) => {
                    out.push_str(value);
                    rest = behind;
                }
                None => out.push('$'),
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn set(rest: &str) -> Result<Line, String> {
    let (name, value) = rest.split_once('=').ok_or("expected `set NAME=VALUE`")?;
    let name = name.trim();
    if name.is_empty() || !name.chars().all(is_name_char) {
        return Err(format!("`{name}` is no name for a variable: letters, digits and _"));
    }
    Ok(Line::Set { name: name.to_owned(), value: value.trim().to_owned() })
}

fn number(rest: &str) -> Result<Option<usize>, String> {
    match rest.strip_prefix('#').unwrap_or(rest) {
        "" => Ok(None),
        digits => {
            digits.parse().map(Some).map_err(|_| format!("expected the number of a packet; got `{rest}`"))
        }
    }
}

fn auto(rest: &str) -> Result<Line, String> {
    let (what, on) = split(rest);
    let what = match what {
        "ping" => Auto::Ping,
        "ack" => Auto::Ack,
        _ => return Err("expected `auto ping on`, `auto ack on`, or `off`".to_owned()),
    };
    match on {
        "on" | "" => Ok(Line::Auto { what, on: true }),
        "off" => Ok(Line::Auto { what, on: false }),
        _ => Err(format!("expected `on` or `off`; got `{on}`")),
    }
}

/// `PACKET [TIME]`, `closed [TIME]`, `nothing [TIME]`.
fn awaited(rest: &str, version: Version) -> Result<Awaited, String> {
    let (text, patience) = match rest.rsplit_once(char::is_whitespace) {
        // A bare number is a field of hex bytes, not a time.
        Some((before, last)) if last.ends_with(|c: char| c.is_ascii_alphabetic()) => {
            match parse_duration(last) {
                Some(patience) => (before.trim(), Some(patience)),
                None => (rest, None),
            }
        }
        _ => (rest, None),
    };
    let what = match text {
        "" => return Err("expected a packet, `closed` or `nothing`".to_owned()),
        "closed" => What::Closed,
        "nothing" => What::Nothing,
        _ => match PacketType::from_name(text) {
            Some(packet_type) => What::Type(packet_type),
            None if split(text).0 == "hex" => {
                let bytes = parse_sent(text, version).map_err(|error| error.to_string())?;
                What::Packet(Expectation::Bytes { bytes, version })
            }
            None => What::Packet(Expectation::Packet(
                parse_pattern(text, version).map_err(|error| error.to_string())?,
            )),
        },
    };
    Ok(Awaited { what, text: text.to_owned(), patience })
}

/// The bytes of a packet in the notation, or of hex.
fn sent(text: &str, word: &str, version: Version) -> Result<Vec<u8>, String> {
    if word == "hex" || PacketType::from_name(word).is_some() {
        return parse_sent(text, version).map_err(|error| error.to_string());
    }
    match parse_hex(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) => Err("no bytes in this line".to_owned()),
        Err(error) => Err(match nearest(word) {
            Some(near) => format!("`{word}` is no command, packet or hex; did you mean `{near}`?"),
            None => format!("no command or packet, and as hex: {}", error.message(Language::English)),
        }),
    }
}

/// The command or packet that is spelt almost like this.
fn nearest(word: &str) -> Option<&'static str> {
    const ALIKE: f64 = 0.8;
    let names = WORDS.into_iter().chain(PacketType::ALL.into_iter().map(PacketType::name));
    names
        .map(|name| (name, strsim::jaro_winkler(&word.to_lowercase(), &name.to_lowercase())))
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Line, String> {
        let variables =
            Variables::from([("id".to_owned(), "dev1".to_owned()), ("dp".to_owned(), "x".to_owned())]);
        parse(text, &variables, Version::V4)
    }

    #[test]
    fn hex_and_notation_are_sent() {
        assert_eq!(read("c0 00"), Ok(Line::Send(vec![0xC0, 0])));
        assert_eq!(read("0xC0,0x00 // ping"), Ok(Line::Send(vec![0xC0, 0])));
        assert_eq!(read("PINGREQ"), Ok(Line::Send(vec![0xC0, 0])));
        assert_eq!(read("hex 30 len( str(\"t\") 00*2 )"), Ok(Line::Send(vec![0x30, 5, 0, 1, b't', 0, 0])));
        assert_eq!(read("  # nothing"), Ok(Line::Nothing));
    }

    #[test]
    fn variables_are_put_in_and_topics_with_dollar_stay() {
        let sent = |text| match read(text) {
            Ok(Line::Send(bytes)) => String::from_utf8_lossy(bytes.get(4..).unwrap_or_default()).into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(sent("PUBLISH topic=$id"), "dev1");
        assert_eq!(sent("PUBLISH topic=${id}x"), "dev1x");
        assert_eq!(sent("PUBLISH topic=$SYS/a"), "$SYS/a");
        assert_eq!(sent("PUBLISH topic=$$dp"), "$dp");
        assert!(read("PUBLISH topic=${nobody}").is_err_and(|error| error.contains("nobody")));
        assert_eq!(read("set a = $id "), Ok(Line::Set { name: "a".to_owned(), value: "dev1".to_owned() }));
    }

    #[test]
    fn waiting_takes_types_patterns_and_times() {
        let awaited = |text| match read(text) {
            Ok(Line::Wait(awaited) | Line::Expect(awaited)) => awaited,
            other => panic!("{other:?}"),
        };
        assert_eq!(awaited("wait CONNACK").what, What::Type(PacketType::Connack));
        assert_eq!(awaited("wait CONNACK 5s").patience, Some(Duration::from_secs(5)));
        assert!(matches!(awaited("expect SUBACK pid=1 codes=0x00 200ms").what, What::Packet(_)));
        assert_eq!(awaited("expect hex d0 00").patience, None);
        assert_eq!(awaited("expect nothing 1s").what, What::Nothing);
        assert_eq!(awaited("wait closed").what, What::Closed);
    }

    #[test]
    fn what_is_not_understood_is_told_with_a_proposal() {
        assert_eq!(
            read("CONECT"),
            Err("`CONECT` is no command, packet or hex; did you mean `CONNECT`?".to_owned())
        );
        assert_eq!(
            read("slep 1s"),
            Err("`slep` is no command, packet or hex; did you mean `sleep`?".to_owned())
        );
        assert!(read("c0 0g").is_err_and(|error| error.contains("column 5")));
        assert!(read("CONNECT v4 ids=x").is_err_and(|error| error.starts_with("column ")));
        assert!(read("sleep soon").is_err());
    }
}
