//! The output formats of `sub` and `rr`: plain, verbose, and `-F` with the sequences of
//! mosquitto_sub.

mod json;
mod time;

use std::io::{self, Write};
use std::str::FromStr;

use hexmq_wire::Publish;
use jiff::Zoned;

/// How messages are printed.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// `-F`.
    pub(crate) format: Option<Format>,
    /// `-v`.
    pub(crate) verbose: bool,
    /// Not `-N`.
    pub(crate) end_of_line: bool,
    /// `--pretty`.
    pub(crate) pretty: bool,
}

impl Output {
    /// Prints one message. What cannot be printed is told in `complaints`.
    pub(crate) fn print(
        &self,
        message: &Publish<'_>,
        now: &Zoned,
        out: &mut impl Write,
        complaints: &mut impl Write,
    ) -> io::Result<()> {
        if let Some(format) = &self.format {
            format.print(message, now, self.pretty, out, complaints)?;
        } else if self.verbose {
            if message.payload.is_empty() {
                // As mosquitto_sub does: nothing at all where lines are not ended.
                return if self.end_of_line {
                    writeln!(out, "{} (null)", message.topic_name)
                } else {
                    Ok(())
                };
            }
            write!(out, "{} ", message.topic_name)?;
            out.write_all(message.payload)?;
        } else {
            out.write_all(message.payload)?;
        }
        if self.end_of_line {
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// A parsed `-F`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Printed as it is.
    Literal(String),
    /// `@X`.
    Time(char),
    /// `%X`.
    Field(char, Width),
}

/// Flags and widths between `%` and the letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Width {
    left: bool,
    zeros: bool,
    minimum: usize,
    maximum: Option<usize>,
}

/// What may follow `%`.
const FIELDS: &str = "%ACDEFIJPRSUXjlmpqrtx";

/// No field is made wider than this.
const WIDTH_MAX: usize = 10_000;

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            let part = match next {
                '%' => field(&mut rest)?,
                '@' => match rest.next() {
                    Some('@') => Part::Literal("@".into()),
                    Some(letter) => Part::Time(letter),
                    None => return Err("nothing follows the last @; @@ is a literal one".into()),
                },
                '\\' => Part::Literal(escape(rest.next())?.to_string()),
                other => Part::Literal(other.to_string()),
            };
            match part {
                Part::Literal(text) => literal.push_str(&text),
                part => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(part);
                }
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Format(parts))
    }
}

fn escape(letter: Option<char>) -> Result<char, String> {
    Ok(match letter {
        Some('\\') => '\\',
        Some('0') => '\0',
        Some('a') => '\u{7}',
        Some('e') => '\u{1b}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\u{b}',
        Some(other) => return Err(format!("`\\{other}` is none of \\\\ \\0 \\a \\e \\n \\r \\t \\v")),
        None => return Err("nothing follows the last \\; \\\\ is a literal one".into()),
    })
}

/// Flags, minimum, maximum and letter of a `%` sequence.
fn field(rest: &mut std::str::Chars<'_>) -> Result<Part, String> {
    let mut width = Width::default();
    let mut next = rest.next();
    if next == Some('-') {
        width.left = true;
        next = rest.next();
    }
    if next == Some('0') {
        width.zeros = true;
        next = rest.next();
    }
    (width.minimum, next) = number(rest, next)?;
    if next == Some('.') {
        let first = rest.next();
        let maximum;
        (maximum, next) = number(rest, first)?;
        width.maximum = Some(maximum);
    }
    match next {
        Some('%') => Ok(Part::Literal("%".into())),
        Some(letter) if FIELDS.contains(letter) => Ok(Part::Field(letter, width)),
        Some(letter) => {
            Err(format!("`%{letter}` means nothing; %% is a literal %, and one of {FIELDS} a field"))
        }
        None => Err("a % sequence is not finished; %% is a literal %".into()),
    }
}

fn number(rest: &mut std::str::Chars<'_>, mut next: Option<char>) -> Result<(usize, Option<char>), String> {
    let mut number = 0;
    while let Some(digit) = next.and_then(|next| next.to_digit(10)) {
        number = number * 10 + digit as usize;
        if number > WIDTH_MAX {
            return Err(format!("a width above {WIDTH_MAX}"));
        }
        next = rest.next();
    }
    Ok((number, next))
}

impl Format {
    fn print(
        &self,
        message: &Publish<'_>,
        now: &Zoned,
        pretty: bool,
        out: &mut impl Write,
        complaints: &mut impl Write,
    ) -> io::Result<()> {
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.write_all(text.as_bytes())?,
                Part::Time(letter) => out.write_all(time::strftime(*letter, now).as_bytes())?,
                Part::Field('J', _) => match json::unquoted(message, now, pretty) {
                    Some(text) => out.write_all(&text)?,
                    None => writeln!(
                        complaints,
                        "error: the payload is not valid JSON on topic {}\n  why: %J prints it as a JSON value\n  \
                         try: %j prints any payload as a string",
                        message.topic_name
                    )?,
                },
                Part::Field('j', _) => out.write_all(&json::quoted(message, now, pretty))?,
                Part::Field(letter, width) => width.print(*letter, message, now, out)?,
            }
        }
        Ok(())
    }
}

impl Width {
    /// Mosquitto's rules, letter by letter: which parameters take which flags, and what stands
    /// for a property that is not there.
    fn print(self, letter: char, message: &Publish<'_>, now: &Zoned, out: &mut impl Write) -> io::Result<()> {
        let properties = message.properties;
        let identifier = message.delivery.packet_identifier().map_or(0, |identifier| identifier.get());
        match letter {
            'A' => self.number(properties.topic_alias().map(u32::from), out),
            'C' => self.text(properties.content_type().unwrap_or_default(), out),
            'D' => out.write_all(properties.correlation_data().unwrap_or_default()),
            'E' => self.number(properties.message_expiry_interval(), out),
            'F' => self.number(properties.payload_format_indicator().map(u32::from), out),
            'I' => self.text(&time::iso_8601(now), out),
            'P' => {
                let pairs: Vec<String> =
                    properties.user_properties().map(|(name, value)| format!("{name}:{value}")).collect();
                out.write_all(pairs.join(" ").as_bytes())
            }
            'R' => properties.response_topic().map_or(Ok(()), |topic| self.text(topic, out)),
            'S' => self.number(properties.subscription_identifiers().next(), out),
            'U' => out.write_all(time::unix(now).as_bytes()),
            'X' => self.hex(message.payload, true, out),
            'l' => self.number(u32::try_from(message.payload.len()).ok(), out),
            'm' => self.number(Some(identifier.into()), out),
            'p' => self.payload(message.payload, out),
            'q' => write!(out, "{}", message.qos() as u8),
            'r' => write!(out, "{}", u8::from(message.retain)),
            't' => self.text(message.topic_name, out),
            'x' => self.hex(message.payload, false, out),
            _ => Ok(()),
        }
    }

    /// Left-aligned fields are filled with blanks, whatever the `0` flag says.
    fn pad(self, count: usize, out: &mut impl Write) -> io::Result<()> {
        let filling = if self.zeros && !self.left { b'0' } else { b' ' };
        (0..count).try_for_each(|_| out.write_all(&[filling]))
    }

    fn aligned(self, bytes: &[u8], padding: usize, out: &mut impl Write) -> io::Result<()> {
        if self.left {
            out.write_all(bytes)?;
            return self.pad(padding, out);
        }
        self.pad(padding, out)?;
        out.write_all(bytes)
    }

    fn number(self, value: Option<u32>, out: &mut impl Write) -> io::Result<()> {
        let Some(value) = value else {
            // There is nothing to align, so the `0` flag counts even with `-`.
            return Width { left: false, ..self }.pad(self.minimum, out);
        };
        let digits = value.to_string();
        self.aligned(digits.as_bytes(), self.minimum.saturating_sub(digits.len()), out)
    }

    /// Strings are never filled with zeros. Widths count bytes, as in C; a maximum does not cut a
    /// character in two.
    fn text(self, text: &str, out: &mut impl Write) -> io::Result<()> {
        let mut end = self.maximum.unwrap_or(text.len()).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        let blanks = Width { zeros: false, ..self };
        blanks.aligned(text.as_bytes(), self.minimum.saturating_sub(text.len()), out)
    }

    /// The width of a payload is its exact width.
    fn payload(self, payload: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.minimum == 0 {
            return out.write_all(payload);
        }
        let length = payload.len().min(self.minimum);
        self.aligned(payload.get(..length).unwrap_or_default(), self.minimum - length, out)
    }

    /// With a width, as many bytes as half the shorter of payload and width: what mosquitto_sub
    /// 2.0 prints, so that scripts see no difference.
    fn hex(self, payload: &[u8], upper: bool, out: &mut impl Write) -> io::Result<()> {
        let count = if self.minimum == 0 { payload.len() } else { payload.len().min(self.minimum) / 2 };
        let mut digits = Vec::with_capacity(count * 2);
        for byte in payload.iter().take(count) {
            if upper { write!(digits, "{byte:02X}")? } else { write!(digits, "{byte:02x}")? }
        }
        self.aligned(&digits, self.minimum.saturating_sub(digits.len()), out)
    }
}

#[cfg(test)]
mod tests;
