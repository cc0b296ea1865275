//! Sizes and times as people write them: `16MiB`, `10s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A number of bytes: `16MiB`, `64 KiB`, `4MB`, `1024`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(pub(crate) u64);

const BYTE_UNITS: [(&str, u64); 10] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("bytes", 1),
    ("B", 1),
    ("", 1),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let factor = BYTE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let value = number.parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f));
        value
            .map(ByteSize)
            .ok_or_else(|| format!("`{text}` is not a size; write 16MiB, 64KiB or a number of bytes"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |&&(_, factor): &&(&str, u64)| self.0 >= factor && self.0.is_multiple_of(factor);
        match BYTE_UNITS.iter().take(3).find(fits) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A length of time: `10s`, `500ms`, `1m30s`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

const TIME_UNITS: [(&str, u64); 6] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// Milliseconds.
    pub(crate) fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time; write 10s, 500ms, 1m30s or 2h");
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Span(Duration::ZERO));
        }
        let mut total_ms = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, next) = after.split_at(letters);
            let factor = TIME_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
            let part = number.parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f));
            total_ms = part.and_then(|part| total_ms.checked_add(part)).ok_or_else(wrong)?;
            rest = next.trim_start();
        }
        if text.trim().is_empty() { Err(wrong()) } else { Ok(Span(Duration::from_millis(total_ms))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_ms();
        let fits =
            |&&(unit, factor): &&(&str, u64)| unit != "min" && ms >= factor && ms.is_multiple_of(factor);
        match TIME_UNITS.iter().find(fits) {
            Some((unit, factor)) => write!(f, "{}{unit}", ms / factor),
            None => f.write_str("0s"),
        }
    }
}

/// The digits and the unit, without the spaces between and around them.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

struct Text<T>(&'static str, fn(u64) -> T);

impl<T: FromStr<Err = String>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let number = u64::try_from(number).map_err(|_| E::custom("it cannot be negative"))?;
        Ok((self.1)(number))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text("a size such as \"16MiB\" or a number of bytes", ByteSize))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = |s| Span(Duration::from_secs(s));
        deserializer.deserialize_any(Text("a time such as \"10s\" or a number of seconds", seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, shown) in [
            ("16MiB", 16 << 20, "16MiB"),
            ("64 KiB", 64 << 10, "64KiB"),
            ("1024", 1024, "1KiB"),
            ("4MB", 4_000_000, "4000000B"),
            ("0", 0, "0B"),
            ("1000B", 1000, "1000B"),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
            assert_eq!(ByteSize(bytes).to_string(), shown);
            assert_eq!(shown.parse(), Ok(ByteSize(bytes)));
        }
        for wrong in ["", "MiB", "-1", "1.5MiB", "16Mib", "99999999999GiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, ms, shown) in [
            ("10s", 10_000, "10s"),
            ("500ms", 500, "500ms"),
            ("1m30s", 90_000, "90s"),
            ("2h", 7_200_000, "2h"),
            ("5min", 300_000, "5m"),
            ("7d", 604_800_000, "7d"),
            ("0", 0, "0s"),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
            assert_eq!(Span(Duration::from_millis(ms)).to_string(), shown);
            assert_eq!(shown.parse(), Ok(Span(Duration::from_millis(ms))));
        }
        for wrong in ["", "10", "s", "10x", "1.5s", "-1s", "99999999999999999999d"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
