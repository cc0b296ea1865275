//! HMAC with the three hash functions that device clouds offer.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashName {
    /// MD5: 16 bytes.
    Md5,
    /// SHA-1: 20 bytes.
    Sha1,
    /// SHA-256: 32 bytes.
    Sha256,
}

impl HashName {
    /// All of them, shortest first.
    pub const ALL: [HashName; 3] = [HashName::Md5, HashName::Sha1, HashName::Sha256];

    /// `md5`, `sha1`, `sha256`.
    pub const fn name(self) -> &'static str {
        match self {
            HashName::Md5 => "md5",
            HashName::Sha1 => "sha1",
            HashName::Sha256 => "sha256",
        }
    }

    /// Bytes of the result.
    pub const fn length(self) -> usize {
        match self {
            HashName::Md5 => 16,
            HashName::Sha1 => 20,
            HashName::Sha256 => 32,
        }
    }

    /// The one whose result has this many bytes.
    pub fn of_length(length: usize) -> Option<HashName> {
        HashName::ALL.into_iter().find(|hash| hash.length() == length)
    }

    /// The HMAC of `message` under `key`, of any length each: [`HashName::length`] bytes.
    pub fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            HashName::Md5 => keyed::<Hmac<Md5>>(key, message).map(|mac| mac.finalize().into_bytes().to_vec()),
            HashName::Sha1 => {
                keyed::<Hmac<Sha1>>(key, message).map(|mac| mac.finalize().into_bytes().to_vec())
            }
            HashName::Sha256 => {
                keyed::<Hmac<Sha256>>(key, message).map(|mac| mac.finalize().into_bytes().to_vec())
            }
        }
        .unwrap_or_default()
    }

    /// Whether `sign` is the HMAC of `message` under `key`. The time does not depend on where they
    /// differ.
    pub fn verify(self, key: &[u8], message: &[u8], sign: &[u8]) -> bool {
        match self {
            HashName::Md5 => {
                keyed::<Hmac<Md5>>(key, message).is_some_and(|mac| mac.verify_slice(sign).is_ok())
            }
            HashName::Sha1 => {
                keyed::<Hmac<Sha1>>(key, message).is_some_and(|mac| mac.verify_slice(sign).is_ok())
            }
            HashName::Sha256 => {
                keyed::<Hmac<Sha256>>(key, message).is_some_and(|mac| mac.verify_slice(sign).is_ok())
            }
        }
    }
}

/// HMAC takes a key of any length, so there always is one (RFC 2104, section 2).
fn keyed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

/// The bytes that `text` is in hexadecimal, of either case; `None` if it is not.
pub fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// The bytes that `text` is in standard base64, with or without its padding; `None` if it is not.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &symbol in group {
            bits = bits << 6 | u32::from(sextet(symbol)?);
        }
        // Two symbols are one byte, three are two; one alone is none.
        let length = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        let bits = bits << (6 * (4 - group.len()) + 8);
        bytes.extend(bits.to_be_bytes().into_iter().take(length));
    }
    Some(bytes)
}

fn sextet(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// `bytes` in lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test case 2, and RFC 4231, test case 2.
    #[test]
    fn the_examples_of_the_rfcs() {
        let message = b"what do ya want for nothing?";
        for (hash, expected) in [
            (HashName::Md5, "750c783e6ab0b503eaa86e310a5db738"),
            (HashName::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (HashName::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ] {
            let mac = hash.hmac(b"Jefe", message);
            assert_eq!(to_hex(&mac), expected);
            assert_eq!(mac.len(), hash.length());
            assert!(hash.verify(b"Jefe", message, &mac));
            assert!(!hash.verify(b"jefe", message, &mac));
            assert!(!hash.verify(b"Jefe", message, &mac[1..]));
        }
    }

    /// RFC 4648, section 10.
    #[test]
    fn base64_with_and_without_padding() {
        let expected = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmE=", "fooba"),
        ];
        for (text, bytes) in expected {
            assert_eq!(from_base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(from_base64("+/+/"), Some(vec![0xFB, 0xFF, 0xBF]));
        for text in ["Z", "Zm9vY", "Zg==Zg==", "Z-9v", "Zm 9v"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    #[test]
    fn hexadecimal_of_either_case() {
        assert_eq!(from_hex(b"00fFA1"), Some(vec![0x00, 0xFF, 0xA1]));
        assert_eq!(from_hex(b""), Some(vec![]));
        assert_eq!(from_hex(b"0"), None);
        assert_eq!(from_hex(b"0g"), None);
    }
}
