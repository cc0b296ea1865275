//! Ids and secrets out of the system's randomness.

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{Secret, mac};

pub(crate) fn bytes<const N: usize>() -> PortResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = format!("the system gives no random bytes: {error}");
        PortError::new(PortErrorKind::Unavailable, "no_randomness", message)
    })?;
    Ok(bytes)
}

/// A UUID of version 4 in lower case.
pub(crate) fn uuid() -> PortResult<String> {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes::<16>()?;
    let (g, i) = (g & 0x0F | 0x40, i & 0x3F | 0x80);
    let part = mac::to_hex;
    Ok([part(&[a, b, c, d]), part(&[e, f]), part(&[g, h]), part(&[i, j]), part(&[k, l, m, n, o, p])]
        .join("-"))
}

/// 32 letters and digits, 128 bits.
pub(crate) fn secret() -> PortResult<Secret> {
    Ok(Secret(mac::to_hex(&bytes::<16>()?)))
}

/// A short id for things that people name: 12 letters and digits.
pub(crate) fn short() -> PortResult<String> {
    Ok(mac::to_hex(&bytes::<6>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_version_4_and_no_two_are_the_same() {
        let (one, other) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
        assert_eq!(one, one.to_lowercase());
    }
}
