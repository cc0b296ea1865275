//! Just enough of Rust's grammar to know what is code, where a function ends and what is a test.

/// A function and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// 1-based line of the `fn`.
    pub(super) line: usize,
    /// Lines from the `fn` to the closing brace.
    pub(super) lines: usize,
}

/// Rust source with the insides of comments, strings and characters blanked out, line by line the
/// same as before; and without test modules.
#[derive(Debug)]
pub(super) struct Code {
    bytes: Vec<u8>,
}

impl Code {
    pub(super) fn new(text: &str) -> Code {
        let mut code = Code { bytes: blanked(text.as_bytes()) };
        code.blank_tests();
        code
    }

    /// How often the piece of code occurs.
    pub(super) fn count(&self, piece: &str) -> usize {
        self.bytes.windows(piece.len()).filter(|window| *window == piece.as_bytes()).count()
    }

    /// Every function with a body.
    pub(super) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for at in self.find_all(b"fn ") {
            let is_word = at == 0 || !is_word_byte(self.bytes[at - 1]);
            let name: Vec<u8> =
                self.bytes[at + 3..].iter().copied().take_while(|&byte| is_word_byte(byte)).collect();
            if !is_word || name.is_empty() {
                continue;
            }
            let Some(end) = self.end_of_item(at) else { continue };
            let lines = 1 + self.lines_between(at, end);
            let line = 1 + self.lines_between(0, at);
            functions.push(Function { name: String::from_utf8_lossy(&name).into_owned(), line, lines });
        }
        functions
    }

    fn lines_between(&self, from: usize, to: usize) -> usize {
        self.bytes[from..to].iter().filter(|&&byte| byte == b'\n').count()
    }

    fn find_all<'a>(&'a self, piece: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        self.bytes
            .windows(piece.len())
            .enumerate()
            .filter(move |(_, window)| *window == piece)
            .map(|(at, _)| at)
    }

    /// The closing brace of the item that begins at `from`; `None` for one that ends with `;`.
    fn end_of_item(&self, from: usize) -> Option<usize> {
        let (mut braces, mut others) = (0_i32, 0_i32);
        for (at, &byte) in self.bytes.iter().enumerate().skip(from) {
            match byte {
                b'(' | b'[' => others += 1,
                b')' | b']' => others -= 1,
                b';' if braces == 0 && others == 0 => return None,
                b'{' => braces += 1,
                b'}' if braces == 1 => return Some(at),
                b'}' => braces -= 1,
                _ => {}
            }
        }
        None
    }

    fn blank_tests(&mut self) {
        let starts: Vec<usize> = self.find_all(b"#[cfg(test)]").collect();
        for start in starts {
            // The attribute's own brackets come first and are balanced.
            if let Some(end) = self.end_of_item(start) {
                blank(&mut self.bytes[start..=end]);
            }
        }
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn blanked(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = match token_end(text, at) {
            Some(end) => {
                blank(&mut bytes[at..end]);
                end
            }
            None => at + 1,
        };
        at = end;
    }
    bytes
}

/// Where the comment, string or character that begins at `at` ends, if one does begin there.
fn token_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..];
    if rest.starts_with(b"//") {
        return Some(at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return Some(at + block_comment(rest));
    }
    let after_word = at > 0 && is_word_byte(text[at - 1]);
    match rest[0] {
        b'"' => Some(at + quoted(rest, b'"')),
        b'r' if !after_word || text[at - 1] == b'b' => raw_string(rest).map(|length| at + length),
        // A lifetime has no closing quote after its first character.
        b'\'' if rest.get(1) == Some(&b'\\') => Some(at + quoted(rest, b'\'')),
        b'\'' => {
            let width = std::str::from_utf8(&rest[1..rest.len().min(5)])
                .map_or(1, |text| text.chars().next().map_or(1, char::len_utf8));
            (rest.get(1 + width) == Some(&b'\'')).then_some(at + width + 2)
        }
        _ => None,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut closing = vec![b'#'; hashes + 1];
    closing[0] = b'"';
    let body = &rest[hashes + 2..];
    let end = body.windows(closing.len()).position(|window| window == closing);
    Some(end.map_or(rest.len(), |end| hashes + 2 + end + closing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_tests_are_not_code() {
        let code = Code::new(
            "fn a() { b(\"x.unwrap()\"); c(r#\"y\".unwrap()\"#); } // z.unwrap()\n\
             /* /* .unwrap() */ .unwrap() */ fn d<'a>(e: &'a str) { f('\"'); e.unwrap() }\n\
             #[cfg(test)]\nmod tests { fn g() { h.unwrap() } }\n",
        );
        assert_eq!(code.count(".unwrap()"), 1);
        let names: Vec<_> = code.functions().into_iter().map(|function| function.name).collect();
        assert_eq!(names, ["a", "d"]);
    }

    #[test]
    fn a_function_is_counted_from_its_name_to_its_closing_brace() {
        let code = Code::new(
            "trait T { fn no_body(&self) -> [u8; 2]; }\n\nfn long(\n    a: u8,\n) {\n    if a {\n    }\n}\n",
        );
        assert_eq!(code.functions(), [Function { name: "long".to_owned(), line: 3, lines: 6 }]);
    }
}
