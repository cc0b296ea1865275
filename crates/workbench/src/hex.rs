//! Bytes from the text people paste: serial consoles, debug assistants, C arrays, web pages.
//!
//! Understood: digits glued or apart (blanks, line ends, `,` `;` `:` `-` `|`), the prefixes `0x`
//! and `\x`, the suffix `h`, braces, brackets and quotes around them, full-width characters, and
//! comments (`//`, `#`, `/* */`). Whatever else stands there is refused with its place: a guess
//! would explain bytes nobody sent.

use crate::Language;
use crate::language::say;
use crate::width::width;

/// Why a text is not hex, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexError {
    /// What is wrong.
    pub kind: HexErrorKind,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The character at that place; `None` at the end of the text.
    pub found: Option<char>,
    /// The line it stands in.
    pub source: String,
}

/// What is wrong with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HexErrorKind {
    /// A character that is neither a hex digit nor a separator.
    NotHex,
    /// A group with an odd number of digits: which half of a byte is missing cannot be known.
    OddDigits {
        /// Digits of the group.
        digits: usize,
    },
    /// `0x` or `\x` without a digit behind it.
    DigitsMissing,
    /// `/*` without `*/`.
    CommentOpen,
}

/// Reads the bytes that `text` writes down.
///
/// # Errors
/// The first character that does not fit, with line and column.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, HexError> {
    let mut reader = Reader::new(text);
    let mut bytes = Vec::with_capacity(text.len() / 3 + 1);
    while reader.skip_to_digits()? {
        reader.digits(&mut bytes)?;
    }
    Ok(bytes)
}

/// Bytes as pairs of lower-case digits with blanks between them.
pub fn spaced_hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        if !out.is_empty() {
            out.push(' ');
        }
        push_hex(*byte, &mut out);
    }
    out
}

/// Bytes as lower-case digits without blanks.
pub fn plain_hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push_hex(*byte, &mut out);
    }
    out
}

fn push_hex(byte: u8, out: &mut String) {
    for nibble in [byte >> 4, byte & 0x0F] {
        out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
    }
}

/// A full-width character as its ordinary twin; others as they are.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

fn is_separator(c: char) -> bool {
    const MARKS: &str = ",;:-|{}[]()<>\"'`“”‘’、。＂\u{FEFF}\u{200B}";
    c.is_whitespace() || MARKS.contains(c)
}

/// Walks over the characters and knows where it is.
struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Reader<'a> {
        Reader { text, chars: text.chars().map(narrow).collect(), at: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn peek_is_digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|c| c.is_ascii_hexdigit())
    }

    /// Passes separators and comments. True: a digit or a prefix stands here. False: the end.
    fn skip_to_digits(&mut self) -> Result<bool, HexError> {
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('/')) | ('#', _) => self.skip_line(),
                ('/', Some('*')) => self.skip_comment()?,
                ('\\', Some('x' | 'X')) => return Ok(true),
                // A backslash at the end of a line continues a C string.
                ('\\', None | Some('\n' | '\r')) => self.at += 1,
                _ if is_separator(c) => self.at += 1,
                _ if c.is_ascii_hexdigit() => return Ok(true),
                _ => return Err(self.error(HexErrorKind::NotHex, self.at)),
            }
        }
        Ok(false)
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) -> Result<(), HexError> {
        let start = self.at;
        self.at += 2;
        while let Some(c) = self.peek(0) {
            if c == '*' && self.peek(1) == Some('/') {
                self.at += 2;
                return Ok(());
            }
            self.at += 1;
        }
        Err(self.error(HexErrorKind::CommentOpen, start))
    }

    /// One group of digits with its prefix or suffix.
    fn digits(&mut self, bytes: &mut Vec<u8>) -> Result<(), HexError> {
        let prefixed = self.at_prefix();
        if prefixed {
            self.at += 2;
            if !self.peek_is_digit(0) {
                return Err(self.error(HexErrorKind::DigitsMissing, self.at));
            }
        }
        let start = self.at;
        let mut group = Vec::new();
        while self.peek_is_digit(0) && !(self.at > start && self.at_prefix()) {
            group
                .extend(self.peek(0).and_then(|c| c.to_digit(16)).and_then(|digit| u8::try_from(digit).ok()));
            self.at += 1;
        }
        let suffixed = self.take_suffix();
        match group.as_slice() {
            // `0x5` and `5h` are whole numbers; a bare `5` may be half of a byte.
            [digit] if prefixed || suffixed => bytes.push(*digit),
            // `2G`: the digit is there, but it is none.
            digits
                if digits.len() % 2 == 1
                    && self.peek(0).is_some_and(|c| !is_separator(c) && !self.at_prefix()) =>
            {
                return Err(self.error(HexErrorKind::NotHex, self.at));
            }
            digits if digits.len() % 2 == 1 => {
                return Err(self.error(HexErrorKind::OddDigits { digits: digits.len() }, start));
            }
            digits => {
                bytes.extend(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, d| byte << 4 | d)))
            }
        }
        Ok(())
    }

    fn at_prefix(&self) -> bool {
        matches!((self.peek(0), self.peek(1)), (Some('0' | '\\'), Some('x' | 'X')))
    }

    fn take_suffix(&mut self) -> bool {
        let is_suffix =
            matches!(self.peek(0), Some('h' | 'H')) && !self.peek(1).is_some_and(char::is_alphanumeric);
        if is_suffix {
            self.at += 1;
        }
        is_suffix
    }

    fn error(&self, kind: HexErrorKind, at: usize) -> HexError {
        let before = self.text.chars().take(at);
        let (mut line, mut column) = (1, 1);
        for c in before {
            if c == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        let source =
            self.text.split('\n').nth(line - 1).unwrap_or_default().trim_end_matches('\r').to_owned();
        HexError { kind, line, column, found: self.text.chars().nth(at), source }
    }
}

impl HexError {
    /// What was found and what was expected, for a person.
    pub fn message(&self, language: Language) -> String {
        let (line, column) = (self.line, self.column);
        let place = say!(language, "line {line}, column {column}: ", "第 {line} 行第 {column} 列：");
        place + &self.complaint(language)
    }

    fn complaint(&self, language: Language) -> String {
        let found = match self.found {
            Some(c) => say!(language, "'{c}'", "“{c}”"),
            None => say!(language, "the end of the text", "文本末尾"),
        };
        match self.kind {
            HexErrorKind::NotHex => {
                let hint = lookalike(self.found).map_or_else(String::new, |digit| {
                    say!(language, "; perhaps the digit {digit} was meant", "；是不是想写数字 {digit}？")
                });
                say!(
                    language,
                    "{found} is no hex digit; 0-9 or A-F was expected{hint}",
                    "{found} 不是十六进制数字，这里应为 0-9 或 A-F{hint}",
                )
            }
            HexErrorKind::OddDigits { digits } => say!(
                language,
                "a group of {digits} digits starts here, but a byte has two: one digit is missing or too many",
                "从这里开始的一组有 {digits} 个数字，而每个字节要两个：少写或多写了一个",
            ),
            HexErrorKind::DigitsMissing => {
                say!(
                    language,
                    "{found} follows a prefix; hex digits were expected",
                    "前缀之后是 {found}，这里应为十六进制数字"
                )
            }
            HexErrorKind::CommentOpen => {
                say!(language, "the comment that begins here has no */", "从这里开始的注释没有 */ 结尾")
            }
        }
    }

    /// The line it stands in and, under it, a caret at the place. A long line is cut around it.
    pub fn excerpt(&self) -> String {
        const AROUND: usize = 30;
        let first = self.column.saturating_sub(1 + AROUND);
        let shown: String = self.source.chars().skip(first).take(2 * AROUND).map(visible).collect();
        let before: String = shown.chars().take(self.column - 1 - first).collect();
        let cut = if first > 0 { "… " } else { "" };
        format!("{cut}{shown}\n{}^", " ".repeat(width(cut) + width(&before)))
    }
}

/// A control character would move the caret.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The digit a letter is easily taken for.
fn lookalike(found: Option<char>) -> Option<char> {
    match found? {
        'o' | 'O' | 'Ｏ' | '〇' => Some('0'),
        'l' | 'I' | 'i' => Some('1'),
        's' | 'S' => Some('5'),
        'g' => Some('9'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PING: [u8; 2] = [0xC0, 0x00];

    #[test]
    fn every_usual_spelling_gives_the_bytes() {
        for text in [
            "c000",
            "C0 00",
            "c0\n00",
            "0xC0, 0x00",
            "0xc00x00",
            "\\xc0\\x00",
            "{0xC0,0x00};",
            "C0h 00h",
            "C0H,0h",
            "\"\\xc0\" \\\n\"\\x00\"",
            "C0:00",
            "c0-00",
            "Ｃ０　００",
            "０ｘＣ０，０ｘ００",
            "C0，00；",
            "[c0][00]",
            "c0 // PINGREQ\n00",
            "/* PINGREQ */ c0 00",
            "c0 00 # beat",
            "\u{FEFF}c0 00",
            "0xC000",
            "“C0 00”",
        ] {
            assert_eq!(parse_hex(text).as_deref(), Ok(PING.as_slice()), "{text:?}");
        }
    }

    #[test]
    fn a_prefixed_single_digit_is_a_byte() {
        assert_eq!(parse_hex("{0x1, 0x5, 7h}"), Ok(vec![1, 5, 7]));
    }

    #[test]
    fn nothing_gives_no_bytes() {
        assert_eq!(parse_hex(" \n{ }"), Ok(vec![]));
    }

    fn place(text: &str) -> (HexErrorKind, usize, usize, Option<char>) {
        let error = parse_hex(text).expect_err("bad text");
        (error.kind, error.line, error.column, error.found)
    }

    #[test]
    fn the_first_bad_column_is_named() {
        assert_eq!(place("10 2G 00"), (HexErrorKind::NotHex, 1, 5, Some('G')));
        assert_eq!(place("10 2 00"), (HexErrorKind::OddDigits { digits: 1 }, 1, 4, Some('2')));
        assert_eq!(place("100 0x25"), (HexErrorKind::OddDigits { digits: 3 }, 1, 1, Some('1')));
        assert_eq!(place("10 G2"), (HexErrorKind::NotHex, 1, 4, Some('G')));
        assert_eq!(place("10\n25 字"), (HexErrorKind::NotHex, 2, 4, Some('字')));
        assert_eq!(place("10 25 0"), (HexErrorKind::OddDigits { digits: 1 }, 1, 7, Some('0')));
        assert_eq!(place("102"), (HexErrorKind::OddDigits { digits: 3 }, 1, 1, Some('1')));
        assert_eq!(place("10 0x"), (HexErrorKind::DigitsMissing, 1, 6, None));
        assert_eq!(place("10 /* x"), (HexErrorKind::CommentOpen, 1, 4, Some('/')));
    }

    #[test]
    fn the_caret_stands_under_the_place_whatever_the_width() {
        let error = parse_hex("１０ 25 O4").expect_err("a letter");
        assert_eq!(error.excerpt(), "１０ 25 O4\n        ^");
        assert!(error.message(Language::English).contains("perhaps the digit 0"));
        assert!(error.message(Language::Chinese).contains("第 1 行第 7 列"));
        let long = format!("{}x", "00 ".repeat(100));
        let excerpt = parse_hex(&long).expect_err("an x").excerpt();
        let (shown, caret) = excerpt.split_once('\n').expect("two lines");
        assert_eq!(shown.chars().nth(caret.chars().count() - 1), Some('x'));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_is_written_is_read_again(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(parse_hex(&spaced_hex(&bytes)), Ok(bytes.clone()));
            prop_assert_eq!(parse_hex(&plain_hex(&bytes)), Ok(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused_with_a_place(text in "[0-9a-fxhG\\\\/*# \n，０Ａ字]{0,40}") {
            if let Err(error) = parse_hex(&text) {
                prop_assert!(error.line >= 1 && error.column >= 1);
                prop_assert!(error.excerpt().contains('^'));
            }
        }
    }
}
