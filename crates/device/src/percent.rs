//! Percent decoding (RFC 3986 section 2.1), as tokens and forms of the clouds use it.

use std::borrow::Cow;

use crate::mac::from_hex;

/// `%XX` by their bytes, all else as it is: a `+` stays one. `None` for a `%` without two hexadecimal digits,
/// and for bytes that are no UTF-8.
pub fn decoded(raw: &str) -> Option<Cow<'_, str>> {
    decode(raw, false)
}

/// The same for a form, in which `+` is a blank.
pub fn form_decoded(raw: &str) -> Option<Cow<'_, str>> {
    decode(raw, true)
}

fn decode(raw: &str, is_form: bool) -> Option<Cow<'_, str>> {
    let is_coded = raw.contains('%') || is_form && raw.contains('+');
    if !is_coded {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, behind) = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let [byte] = *from_hex(&[*high, *low])?.as_slice() else { return None };
                (byte, behind)
            }
            (b'%', _) => return None,
            (b'+', _) if is_form => (b' ', behind),
            _ => (byte, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_blank_in_forms_alone() {
        assert_eq!(decoded("a%2Fb+c").as_deref(), Some("a/b+c"));
        assert_eq!(form_decoded("a%2fb+c").as_deref(), Some("a/b c"));
        assert!(matches!(decoded("a+b"), Some(Cow::Borrowed("a+b"))));
        for wrong in ["%", "%4", "a%G0", "%ff"] {
            assert_eq!((decoded(wrong), form_decoded(wrong)), (None, None), "{wrong}");
        }
    }
}
