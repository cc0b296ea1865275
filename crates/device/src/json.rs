//! JSON (RFC 8259) in which every value knows its place.
//!
//! Members keep their order and may repeat, as devices repeat them; numbers keep their text. Depth
//! and number of values are bounded by [`DEPTH_MAX`] and [`VALUES_MAX`], so that no payload takes more
//! than some megabytes.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Number, Value as Json};

use crate::Span;

/// Objects and arrays in each other, at most.
pub const DEPTH_MAX: usize = 64;

/// Values in one text, at most. The longest messages of the clouds have some thousands.
pub const VALUES_MAX: usize = 100_000;

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// From its first to its last byte.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind<'a>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number, as it is written.
    Number(&'a str),
    /// A string without its quotes and escapes.
    String(Cow<'a, str>),
    /// The elements.
    Array(Vec<Node<'a>>),
    /// The members in their order.
    Object(Vec<Member<'a>>),
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Without quotes and escapes.
    pub name: Cow<'a, str>,
    /// Where the name stands, quotes included.
    pub name_span: Span,
    /// The value.
    pub value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The members of an object.
    pub fn members(&self) -> Option<&[Member<'a>]> {
        match &self.kind {
            NodeKind::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn elements(&self) -> Option<&[Node<'a>]> {
        match &self.kind {
            NodeKind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The value of the first member of this name.
    pub fn member(&self, name: &str) -> Option<&Node<'a>> {
        self.members()?.iter().find(|member| member.name == name).map(|member| &member.value)
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a string, or of a number as it is written.
    pub fn text_or_number(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::String(text) => Some(text),
            NodeKind::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The value without its places. Of members with one name the last counts; a number too large for 64 bits
    /// becomes a floating-point number, and `null` if it is too large for that.
    pub fn to_json(&self) -> Json {
        match &self.kind {
            NodeKind::Null => Json::Null,
            NodeKind::Boolean(value) => Json::Bool(*value),
            NodeKind::Number(text) => number(text).map_or(Json::Null, Json::Number),
            NodeKind::String(text) => Json::String(text.clone().into_owned()),
            NodeKind::Array(elements) => Json::Array(elements.iter().map(Node::to_json).collect()),
            NodeKind::Object(members) => {
                let member = |member: &Member<'_>| (member.name.clone().into_owned(), member.value.to_json());
                Json::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }
}

fn number(text: &str) -> Option<Number> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    match text.parse::<u64>() {
        Ok(integer) => Some(integer.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}

/// Why bytes are not JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// The byte that does not fit.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: JsonErrorKind,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonErrorKind {
    /// The bytes are not UTF-8 from here on.
    NotUtf8,
    /// The text ends in the middle of a value.
    Ends,
    /// A value begins here, but nothing of JSON begins with this byte.
    NoValue,
    /// Something else is expected here: a comma, a colon, a closing bracket, a name.
    Unexpected,
    /// A number that JSON writes differently.
    Number,
    /// A control character inside a string.
    Control,
    /// A backslash with something behind it that is no escape.
    Escape,
    /// More than [`DEPTH_MAX`] objects and arrays in each other.
    TooDeep,
    /// More than [`VALUES_MAX`] values.
    TooMany,
    /// Something stands behind the value.
    Trailing,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            JsonErrorKind::NotUtf8 => "not UTF-8",
            JsonErrorKind::Ends => "the text ends too early",
            JsonErrorKind::NoValue => "no JSON value begins here",
            JsonErrorKind::Unexpected => "a comma, a colon, a bracket or a name is expected here",
            JsonErrorKind::Number => "no JSON number",
            JsonErrorKind::Control => "a control character inside a string",
            JsonErrorKind::Escape => "no such escape",
            JsonErrorKind::TooDeep => "too many objects and arrays in each other",
            JsonErrorKind::TooMany => "too many values",
            JsonErrorKind::Trailing => "something stands behind the JSON value",
        };
        write!(f, "{what} (byte {})", self.offset)
    }
}

impl std::error::Error for JsonError {}

/// Reads one JSON value with nothing but blanks around it. Offsets count from the start of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Node<'_>, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError { offset: error.valid_up_to(), kind: JsonErrorKind::NotUtf8 })?;
    let mut reader = Reader { text, at: 0, values_left: VALUES_MAX };
    reader.blanks();
    let node = reader.value(0)?;
    reader.blanks();
    if reader.at < text.len() { Err(reader.error(JsonErrorKind::Trailing)) } else { Ok(node) }
}

/// Whether `text` as a whole is a number by the grammar of JSON.
pub fn is_number(text: &str) -> bool {
    number_length(text.as_bytes()) == Some(text.len())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values_left: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, kind: JsonErrorKind) -> JsonError {
        let kind = if self.at >= self.text.len() { JsonErrorKind::Ends } else { kind };
        JsonError { offset: self.at, kind }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, JsonError> {
        let start = self.at;
        self.values_left = self.values_left.checked_sub(1).ok_or(self.error(JsonErrorKind::TooMany))?;
        let kind = match self.peek() {
            Some(b'{' | b'[') if depth >= DEPTH_MAX => return Err(self.error(JsonErrorKind::TooDeep)),
            Some(b'{') => NodeKind::Object(self.object(depth + 1)?),
            Some(b'[') => NodeKind::Array(self.array(depth + 1)?),
            Some(b'"') => NodeKind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => NodeKind::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(Node { span: Span::between(start, self.at), kind })
    }

    fn word(&mut self) -> Result<NodeKind<'a>, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words = [
            ("null", NodeKind::Null),
            ("true", NodeKind::Boolean(true)),
            ("false", NodeKind::Boolean(false)),
        ];
        for (word, kind) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.error(JsonErrorKind::NoValue))
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = number_length(rest.as_bytes()).ok_or(self.error(JsonErrorKind::Number))?;
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Node<'a>>, JsonError> {
        let mut elements = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(elements);
        }
        loop {
            self.blanks();
            elements.push(self.value(depth)?);
            if self.closes(b']')? {
                return Ok(elements);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member<'a>>, JsonError> {
        let mut members = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(members);
        }
        loop {
            self.blanks();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.error(JsonErrorKind::Unexpected));
            }
            let name = self.string()?;
            let name_span = Span::between(start, self.at);
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.error(JsonErrorKind::Unexpected));
            }
            self.at += 1;
            self.blanks();
            let value = self.value(depth)?;
            members.push(Member { name, name_span, value });
            if self.closes(b'}')? {
                return Ok(members);
            }
        }
    }

    /// Behind an element: whether the bracket closes (else a comma was passed).
    fn closes(&mut self, bracket: u8) -> Result<bool, JsonError> {
        self.blanks();
        match self.peek() {
            Some(byte) if byte == bracket => {
                self.at += 1;
                Ok(true)
            }
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.error(JsonErrorKind::Unexpected)),
        }
    }

    /// A string from its opening quote on.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let run = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match unescaped {
                        Some(text) => Cow::Owned(text + run),
                        None => Cow::Borrowed(run),
                    });
                }
                Some(b'\\') => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(self.text.get(start..self.at).unwrap_or_default());
                    let c = self.escape()?;
                    text.push(c);
                    start = self.at;
                }
                Some(0..=0x1F) | None => return Err(self.error(JsonErrorKind::Control)),
                Some(_) => self.at += 1,
            }
        }
    }

    /// What the escape at the backslash means. Half of a surrogate pair becomes U+FFFD: firmware
    /// that cuts a text should not lose the whole message for it.
    fn escape(&mut self) -> Result<char, JsonError> {
        let wrong = JsonError { offset: self.at, kind: JsonErrorKind::Escape };
        self.at += 1;
        let c = match self.peek() {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => {
                self.at += 1;
                let first = self.four_digits().ok_or(wrong)?;
                return Ok(self.character(first));
            }
            None => return Err(self.error(JsonErrorKind::Ends)),
            Some(_) => return Err(wrong),
        };
        self.at += 1;
        Ok(c)
    }

    fn character(&mut self, first: u32) -> char {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if (0xD800..0xDC00).contains(&first) && rest.starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            match self.four_digits() {
                Some(second @ 0xDC00..0xE000) => {
                    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                }
                _ => self.at = before,
            }
        }
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// How long the number at the beginning of `bytes` is.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let byte = |at: usize| bytes.get(at).copied();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(byte(0) == Some(b'-'));
    let whole = digits(at);
    if whole == 0 || whole > 1 && byte(at) == Some(b'0') {
        return None;
    }
    at += whole;
    if byte(at) == Some(b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(byte(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(byte(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent == 0 {
            return None;
        }
        at += 1 + sign + exponent;
    }
    Some(at)
}

/// Appends `text` as a JSON string with its quotes.
pub fn write_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}
