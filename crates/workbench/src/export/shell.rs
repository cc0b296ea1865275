//! Words of a POSIX shell.

/// A word as the shell has to be given it: bare where it is harmless, else in single quotes.
pub(super) fn quoted(word: &str) -> String {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_harmless) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The argument of `printf` that prints these bytes.
pub(super) fn printf(bytes: &[u8]) -> String {
    let mut format = String::with_capacity(bytes.len() * 4 + 2);
    for byte in bytes {
        format.push_str(&format!("\\{byte:03o}"));
    }
    format!("'{format}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_survive_the_shell() {
        assert_eq!(quoted("a/b-1"), "a/b-1");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(printf(&[0, 0x27, 0xFF]), r"'\000\047\377'");
    }
}
