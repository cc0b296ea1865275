//! The administrator: `admin` with its password, by HTTP Basic.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The administrator's password. It is never shown.
#[derive(Clone)]
pub struct AdminPassword(Arc<str>);

impl AdminPassword {
    /// A password; whoever has it may do everything.
    pub fn new(password: &str) -> AdminPassword {
        AdminPassword(password.into())
    }

    /// Whether a request's `Authorization` header names `admin` with this password.
    pub(crate) fn admits(&self, header: &str) -> bool {
        let Some((scheme, encoded)) = header.split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(decoded) = STANDARD.decode(encoded.trim()) else { return false };
        let expected = [b"admin:", self.0.as_bytes()].concat();
        same(&decoded, &expected)
    }
}

impl fmt::Debug for AdminPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminPassword(…)")
    }
}

/// Compares without telling by its time where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    let longest = a.len().max(b.len());
    let at = |bytes: &[u8], n: usize| bytes.get(n).copied().unwrap_or(0);
    let difference = (0..longest).fold(0_u8, |sum, n| sum | (at(a, n) ^ at(b, n)));
    std::hint::black_box(difference) == 0 && a.len() == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_admin_with_the_password() {
        let password = AdminPassword::new("s3cret:x");
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(password.admits(&basic("admin:s3cret:x")));
        assert!(password.admits(&basic("admin:s3cret:x").replace("Basic", "basic")));
        for wrong in ["admin:s3cret:", "admin:s3cret:xy", "root:s3cret:x", "admin:", "", "admin:s3cret:x\0"] {
            assert!(!password.admits(&basic(wrong)), "{wrong:?}");
        }
        assert!(!password.admits("Basic"));
        assert!(!password.admits("Basic !!!"));
        assert!(!password.admits("Bearer s3cret:x"));
    }
}
