//! Names of many devices from one text: `dev-{n}`, `sensor{n:05}`, `{device}`.

use std::fmt;
use std::str::FromStr;

/// A text with places for the number (`{n}`, `{n:05}`) and the id (`{device}`) of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The number, with leading zeros up to this many digits.
    Number(usize),
    Device,
}

impl Pattern {
    /// The text for one device.
    pub(super) fn fill(&self, number: u64, device: &str) -> String {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Number(width) => filled.push_str(&format!("{number:0width$}")),
                Piece::Device => filled.push_str(device),
            }
        }
        filled
    }

    /// Whether it differs from device to device.
    pub(super) fn varies(&self) -> bool {
        self.pieces.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (inside, behind) =
                behind.split_once('}').ok_or_else(|| format!("no }} behind {{{behind}"))?;
            pieces.push(match inside {
                "n" => Piece::Number(0),
                "device" => Piece::Device,
                other => Piece::Number(
                    other
                        .strip_prefix("n:")
                        .and_then(|width| width.parse().ok())
                        .filter(|width| *width <= 20)
                        .ok_or_else(|| {
                            format!("{{{other}}} is not {{n}}, {{n:05}} (up to 20 digits) or {{device}}")
                        })?,
                ),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Pattern { pieces })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Number(0) => f.write_str("{n}"),
            Piece::Number(width) => write!(f, "{{n:0{width}}}"),
            Piece::Device => f.write_str("{device}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str) -> String {
        pattern.parse::<Pattern>().map_or_else(|error| error, |pattern| pattern.fill(42, "dev"))
    }

    #[test]
    fn numbers_and_ids_are_put_in() {
        assert_eq!(filled("d-{n}"), "d-42");
        assert_eq!(filled("{n:05}x{n}"), "00042x42");
        assert_eq!(filled("up/{device}/t"), "up/dev/t");
        assert_eq!(filled("same"), "same");
        assert!(filled("{m}").contains("{m} is not"));
        assert!(filled("{n:99}").contains("up to 20 digits"));
        assert!(filled("a{n").contains("no }"));
        let pattern: Pattern = "a{n:05}{n}{device}".parse().expect("a pattern");
        assert_eq!(pattern.to_string(), "a{n:05}{n}{device}");
        assert!(pattern.varies() && !"a".parse::<Pattern>().expect("a pattern").varies());
    }
}
