//! How many columns of a terminal a text takes, and breaking it there.
//!
//! Chinese, Japanese and Korean characters take two columns, combining marks none. This follows
//! the wide and full-width classes of Unicode's East Asian Width, reduced to whole blocks.

use std::ops::RangeInclusive;

/// Blocks whose characters take two columns.
const WIDE: [RangeInclusive<u32>; 12] = [
    0x1100..=0x115F,
    0x2E80..=0x303E,
    0x3041..=0x33FF,
    0x3400..=0x4DBF,
    0x4E00..=0x9FFF,
    0xA000..=0xA4CF,
    0xAC00..=0xD7A3,
    0xF900..=0xFAFF,
    0xFE30..=0xFE6F,
    0xFF00..=0xFF60,
    0xFFE0..=0xFFE6,
    0x1F300..=0x1FAFF,
];

/// Blocks above them, in planes 2 and 3.
const WIDE_PLANES: RangeInclusive<u32> = 0x20000..=0x3FFFD;

/// Characters that take no column of their own.
const NARROWEST: [RangeInclusive<u32>; 4] =
    [0x0300..=0x036F, 0x200B..=0x200F, 0xFE00..=0xFE0F, 0xFEFF..=0xFEFF];

/// Columns of one character.
pub fn char_width(c: char) -> usize {
    let code = u32::from(c);
    if code < 0x300 {
        return 1;
    }
    if NARROWEST.iter().any(|block| block.contains(&code)) {
        0
    } else if WIDE_PLANES.contains(&code) || WIDE.iter().any(|block| block.contains(&code)) {
        2
    } else {
        1
    }
}

/// Columns of a text.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// `text` and blanks up to `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(text))));
    padded
}

/// Breaks `text` into lines of at most `columns` columns: at blanks, and between wide characters
/// but never before a closing mark. A word that is longer than a line is cut.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(4);
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in pieces(text) {
        let lacks_room = width(&line) + width(piece.trim_end()) > columns;
        if lacks_room && !line.is_empty() {
            lines.push(line.trim_end().to_owned());
            line.clear();
        }
        for c in piece.chars() {
            if width(&line) + char_width(c) > columns && c != ' ' {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.trim_end().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The parts of a text between which a line may break; blanks stay at the end of a part.
fn pieces(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    for (at, c) in text.char_indices() {
        if previous.is_some_and(|previous| may_break(previous, c)) {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        previous = Some(c);
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn may_break(before: char, after: char) -> bool {
    const CLOSING: &str = "，。；：！？、）》”’】";
    const OPENING: &str = "（《“‘【";
    if after == ' ' || CLOSING.contains(after) || OPENING.contains(before) {
        return false;
    }
    before == ' ' || char_width(before) == 2 || char_width(after) == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_character_takes_two_columns() {
        assert_eq!(width("keep 保持"), 9);
        assert_eq!(width("ＡＢ"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(pad("保", 4), "保  ");
    }

    #[test]
    fn lines_break_at_blanks_and_between_wide_characters() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("剩余长度，多", 8), ["剩余长", "度，多"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn no_line_is_wider_than_asked() {
        let text = "The server closes after 180 s of silence 服务端在 180 秒无报文后断开。abcdefghijklmnopqrstuvwxyz";
        for columns in 4..60 {
            for line in wrap(text, columns) {
                assert!(width(&line) <= columns.max(4) + 2, "{columns}: {line:?}");
            }
        }
    }
}
