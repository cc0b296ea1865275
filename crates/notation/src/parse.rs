//! Reading a packet from its line: words, then values by the type of the field, then order.

use hexmq_wire::{PacketType, ReasonCode, Version};

use crate::ParseError;
use crate::layout::{Absent, Kind, Layout, Row, layout};
use crate::pattern::{Expected, Pattern};
use crate::property::property_kind;
use crate::record::{Name, Value};
use crate::text::{hex_digits, read_binary, read_pair, read_text};
use crate::word::{Span, Word, words};

/// A field as given on the line.
struct Given {
    column: usize,
    name: Name,
    expected: Expected,
}

/// Reads one packet, with wildcards. CONNECT says its version itself.
pub(crate) fn parse_pattern(line: Span<'_>, version: Version) -> Result<Pattern, ParseError> {
    let words = words(line)?;
    let Some((first, rest)) = words.split_first() else {
        return Err(line.error("expected a packet"));
    };
    let packet_type = packet_type(first)?;
    let version = if packet_type == PacketType::Connect { connect_version(rest, first)? } else { version };
    if packet_type == PacketType::Auth && version != Version::V5 {
        return Err(ParseError::new(first.column, "expected a packet of 3.x; AUTH is of 5.0"));
    }
    let layout = layout(packet_type, version);
    let (given, open) = give(rest, packet_type, &layout)?;
    let end = rest.last().map_or(first.column, |word| word.column);
    let fields = arrange(given, &layout, packet_type, end)?;
    let pattern = Pattern { packet_type, version, fields, open };
    check(&pattern, end)?;
    Ok(pattern)
}

fn packet_type(word: &Word<'_>) -> Result<PacketType, ParseError> {
    let found = PacketType::ALL.into_iter().find(|packet_type| packet_type.name() == word.name);
    found.filter(|_| word.value.is_none()).ok_or_else(|| {
        ParseError::new(
            word.column,
            format!("expected the name of a packet, such as CONNECT, or `hex`; got `{}`", word.name),
        )
    })
}

fn version_word(text: &str) -> Option<Version> {
    match text {
        "v3" => Some(Version::V3),
        "v4" => Some(Version::V4),
        "v5" => Some(Version::V5),
        _ => None,
    }
}

fn connect_version(words: &[Word<'_>], first: &Word<'_>) -> Result<Version, ParseError> {
    let found = words.iter().filter(|word| word.value.is_none()).find_map(|word| version_word(word.name));
    found.ok_or_else(|| ParseError::new(first.column, "expected CONNECT to name its version: v3, v4 or v5"))
}

/// Reads the values of all words.
fn give(
    words: &[Word<'_>],
    packet_type: PacketType,
    layout: &Layout,
) -> Result<(Vec<Given>, bool), ParseError> {
    let mut given = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate() {
        if word.name == "..." && word.value.is_none() {
            if index + 1 < words.len() {
                return Err(ParseError::new(word.column, "expected `...` as the last word"));
            }
            return Ok((given, true));
        }
        given.push(give_one(word, packet_type, layout)?);
    }
    Ok((given, false))
}

fn give_one(word: &Word<'_>, packet_type: PacketType, layout: &Layout) -> Result<Given, ParseError> {
    let column = word.column;
    let is = |name, value| Ok(Given { column, name, expected: Expected::Is(value) });
    if word.value.is_none() {
        if let Some(code) = read_code(word.name)
            && layout.row(false, "code").is_some()
        {
            return is(Name::field("code"), Value::Code(code));
        }
        if let Some(version) = version_word(word.name)
            && packet_type == PacketType::Connect
        {
            return is(Name::field("version"), Value::Version(version));
        }
    }
    let (will, text) = match word.name.strip_prefix("will.") {
        Some(text) => (true, text),
        None => (false, word.name),
    };
    let text = if text == "clean_session" { "clean_start" } else { text };
    let (name, kind) =
        find(will, text, layout, packet_type).ok_or_else(|| unknown(word, packet_type, layout))?;
    match (kind, word.value) {
        (Kind::Flag, None) => is(name, Value::Flag),
        (Kind::Flag, Some(value)) => Err(value.error(format!("expected `{name}` alone, a flag"))),
        (_, None) => Err(ParseError::new(column, format!("expected `{name}=` and a value"))),
        (kind, Some(value)) => Ok(Given { column, name, expected: read_expected(kind, value)? }),
    }
}

/// What a name means in this packet. `version` and `code` are not written with a name.
fn find(will: bool, text: &str, layout: &Layout, packet_type: PacketType) -> Option<(Name, Kind)> {
    if let Some(row) = layout.row(will, text) {
        return (!matches!(text, "version" | "code")).then_some((row.name, row.kind));
    }
    let (property, kind) = property_kind(text).filter(|_| layout.properties)?;
    (!will || packet_type == PacketType::Connect).then_some((Name::property(property, will), kind))
}

fn unknown(word: &Word<'_>, packet_type: PacketType, layout: &Layout) -> ParseError {
    let what = format!("expected {} of {}; got `{}`", layout.names(), packet_type.name(), word.name);
    let hint = match property_kind(word.name) {
        Some(_) if !layout.properties => " (properties are of 5.0)",
        _ => "",
    };
    ParseError::new(word.column, format!("{what}{hint}"))
}

fn read_expected(kind: Kind, value: Span<'_>) -> Result<Expected, ParseError> {
    if value.text == "*" {
        return Ok(Expected::Any);
    }
    if let Kind::Number { max } = kind
        && let Some((low, high)) = value.text.split_once("..")
    {
        let low = read_number(Span { text: low, ..value }, max)?;
        return Ok(Expected::Between(low, read_number(Span { text: high, ..value }, max)?));
    }
    read_value(kind, value).map(Expected::Is)
}

fn read_value(kind: Kind, value: Span<'_>) -> Result<Value, ParseError> {
    Ok(match kind {
        Kind::Number { max } => Value::Number(read_number(value, max)?),
        Kind::Text => Value::Text(read_text(value)?),
        Kind::Binary => Value::Binary(read_binary(value)?),
        Kind::Codes => Value::Codes(read_codes(value)?),
        Kind::Pair => {
            let (key, value) = read_pair(value)?;
            Value::Pair(key, value)
        }
        Kind::Flag | Kind::Version | Kind::Code => return Err(value.error("expected a word without `=`")),
    })
}

fn read_number(value: Span<'_>, max: u64) -> Result<u64, ParseError> {
    let number = match value.text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.text.parse(),
    };
    number
        .ok()
        .filter(|&number| number <= max)
        .ok_or_else(|| value.error(format!("expected a number from 0 to {max}")))
}

fn read_code(text: &str) -> Option<u8> {
    text.strip_prefix("0x").filter(|digits| digits.len() == 2).and_then(hex_digits)?.first().copied()
}

fn read_codes(value: Span<'_>) -> Result<Vec<u8>, ParseError> {
    let codes = value.text.split(',').map(read_code).collect::<Option<Vec<u8>>>();
    codes.ok_or_else(|| value.error("expected codes such as `0x00,0x80`"))
}

/// Brings the given fields into the order of print and adds what was left out.
fn arrange(
    given: Vec<Given>,
    layout: &Layout,
    packet_type: PacketType,
    end: usize,
) -> Result<Vec<(Name, Expected)>, ParseError> {
    let mut given = given;
    let mut fields = Vec::new();
    let groups = take_group(&mut given, layout, packet_type, end)?;
    take_rows(&mut given, layout.head, &mut fields, packet_type, end)?;
    take_properties(&mut given, false, &mut fields);
    take_rows(&mut given, layout.tail, &mut fields, packet_type, end)?;
    if given.iter().any(|given| given.name.will) {
        take_rows(&mut given, layout.will, &mut fields, packet_type, end)?;
        take_properties(&mut given, true, &mut fields);
    }
    fields.extend(groups);
    match given.first() {
        Some(twice) => Err(ParseError::new(twice.column, format!("expected `{}` once", twice.name))),
        None => Ok(fields),
    }
}

fn take_rows(
    given: &mut Vec<Given>,
    rows: &[Row],
    fields: &mut Vec<(Name, Expected)>,
    packet_type: PacketType,
    end: usize,
) -> Result<(), ParseError> {
    for row in rows {
        if let Some(at) = given.iter().position(|given| given.name == row.name) {
            fields.push((row.name, given.remove(at).expected));
            continue;
        }
        match row.absent {
            Absent::Missing => {}
            Absent::Error => {
                let what = if row.kind == Kind::Code {
                    "a code such as 0x00".to_owned()
                } else {
                    format!("`{}=`", row.name)
                };
                return Err(ParseError::new(end, format!("expected {what} in {}", packet_type.name())));
            }
            Absent::Zero | Absent::Silent => {
                fields.extend(row.kind.zero().map(|zero| (row.name, Expected::Is(zero))))
            }
        }
    }
    Ok(())
}

fn take_properties(given: &mut Vec<Given>, will: bool, fields: &mut Vec<(Name, Expected)>) {
    let taken = given.extract_if(.., |given| given.name.property && given.name.will == will);
    fields.extend(taken.map(|given| (given.name, given.expected)));
}

/// Takes the repeating group off the end: each begins with its first row.
fn take_group(
    given: &mut Vec<Given>,
    layout: &Layout,
    packet_type: PacketType,
    end: usize,
) -> Result<Vec<(Name, Expected)>, ParseError> {
    let Some(first) = layout.group.first() else {
        return Ok(Vec::new());
    };
    let in_group =
        |given: &mut Given| !given.name.property && layout.group.iter().any(|row| row.name == given.name);
    let mut members: Vec<Given> = given.extract_if(.., in_group).collect();
    if members.is_empty() {
        return Err(ParseError::new(end, format!("expected `{}=` in {}", first.name, packet_type.name())));
    }
    let mut fields = Vec::new();
    while !members.is_empty() {
        let next = members.iter().skip(1).position(|given| given.name == first.name);
        let mut one: Vec<Given> = members.drain(..next.map_or(members.len(), |at| at + 1)).collect();
        if let Some(stray) = one.first().filter(|given| given.name != first.name) {
            return Err(ParseError::new(
                stray.column,
                format!("expected `{}=` before `{}`", first.name, stray.name),
            ));
        }
        take_rows(&mut one, layout.group, &mut fields, packet_type, end)?;
        if let Some(twice) = one.first() {
            return Err(ParseError::new(
                twice.column,
                format!("expected `{}` once for each `{}`", twice.name, first.name),
            ));
        }
    }
    Ok(fields)
}

/// What the packet model cannot hold; `hex` can.
fn check(pattern: &Pattern, column: usize) -> Result<(), ParseError> {
    let error = |message: &str| Err(ParseError::new(column, message));
    let get = |text: &'static str| {
        pattern.fields.iter().find(|(name, _)| *name == Name::field(text)).map(|(_, expected)| expected)
    };
    if get("pid") == Some(&Expected::Is(Value::Number(0))) {
        return error("expected a packet identifier from 1 to 65535 (write `hex` for a packet with 0)");
    }
    if pattern.packet_type == PacketType::Publish {
        match (get("qos"), get("pid").is_some()) {
            (Some(Expected::Is(Value::Number(0))), true) => return error("expected no `pid` at `qos=0`"),
            (Some(Expected::Is(Value::Number(0))), false) if get("dup").is_some() => {
                return error("expected no `dup` at `qos=0` (write `hex` for such a packet)");
            }
            (Some(Expected::Is(Value::Number(1..))), false) => {
                return error("expected `pid=` with `qos=1` and `qos=2`");
            }
            _ => {}
        }
    }
    match get("code") {
        Some(Expected::Is(Value::Code(code))) if !code_exists(pattern, *code) => {
            error("expected a code of this packet's version (write `hex` for another)")
        }
        _ => Ok(()),
    }
}

fn code_exists(pattern: &Pattern, code: u8) -> bool {
    match (pattern.version, pattern.packet_type) {
        (Version::V5, _) => ReasonCode::from_u8(code).is_some(),
        (_, PacketType::Connack) => ReasonCode::from_return_code(code).is_some(),
        _ => code == 0,
    }
}
