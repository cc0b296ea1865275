//! Words of a line: what stands between blanks, with its column. Blanks inside quotes do not count.

use crate::ParseError;

/// One word: `name=value`, or a bare word without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// Column of its first character.
    pub(crate) column: usize,
    /// What stands before `=`, or the whole word.
    pub(crate) name: &'a str,
    /// What stands after `=`.
    pub(crate) value: Option<Span<'a>>,
}

/// A piece of the line as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span<'a> {
    /// Column of its first character.
    pub(crate) column: usize,
    /// The text.
    pub(crate) text: &'a str,
}

impl<'a> Span<'a> {
    pub(crate) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.column, message)
    }

    /// The rest of this span from byte `at` on.
    pub(crate) fn from(&self, at: usize) -> Span<'a> {
        let (before, rest) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        Span { column: self.column + before.chars().count(), text: rest }
    }

    /// Without the blanks around it.
    pub(crate) fn trimmed(&self) -> Span<'a> {
        let blanks = self.text.len() - self.text.trim_start().len();
        let rest = self.from(blanks);
        Span { text: rest.text.trim_end(), ..rest }
    }

    /// The next word as written and what follows it; `None` at the end of the line or before a comment.
    pub(crate) fn split_word(&self) -> Result<Option<(Span<'a>, Span<'a>)>, ParseError> {
        let start = self.text.len() - self.text.trim_start().len();
        let rest = self.from(start);
        if rest.text.is_empty() || rest.text.starts_with('#') {
            return Ok(None);
        }
        let end = rest.word_end()?;
        Ok(Some((
            Span { column: rest.column, text: rest.text.get(..end).unwrap_or_default() },
            rest.from(end),
        )))
    }

    /// Byte offset of the first blank outside quotes.
    fn word_end(&self) -> Result<usize, ParseError> {
        let mut quote = None;
        let mut escaped = false;
        for (at, c) in self.text.char_indices() {
            match (quote, c) {
                (Some(_), _) if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(_), '"') => quote = None,
                (None, '"') => quote = Some(at),
                (None, c) if c.is_whitespace() => return Ok(at),
                _ => {}
            }
        }
        match quote {
            Some(at) => Err(self.from(at).error("expected a closing `\"` on this line")),
            None => Ok(self.text.len()),
        }
    }
}

/// All words of a line, without its comment.
pub(crate) fn words<'a>(line: Span<'a>) -> Result<Vec<Word<'a>>, ParseError> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some((word, next)) = rest.split_word()? {
        words.push(split_field(word));
        rest = next;
    }
    Ok(words)
}

fn split_field(word: Span<'_>) -> Word<'_> {
    match word.text.find('=') {
        Some(at) => {
            let value = word.from(at + 1);
            Word { column: word.column, name: word.text.get(..at).unwrap_or_default(), value: Some(value) }
        }
        None => Word { column: word.column, name: word.text, value: None },
    }
}
