//! Signatures: the hexadecimal HMAC, keyed with a secret, over names and values in the order of the
//! names, without anything in between.

use hexmq_device::mac::{HashName, from_hex, to_hex};

/// The hash function that a sign method names: `hmacsha1`, also `hmacSha1`, `HmacMD5`, `Sha256`.
pub fn method_named(name: &str) -> Option<HashName> {
    let name = name.to_ascii_lowercase();
    let bare = name.strip_prefix("hmac").unwrap_or(&name);
    HashName::ALL.into_iter().find(|hash| hash.name() == bare)
}

/// `hmacmd5`, `hmacsha1` or `hmacsha256`.
pub const fn method_name(hash: HashName) -> &'static str {
    match hash {
        HashName::Md5 => "hmacmd5",
        HashName::Sha1 => "hmacsha1",
        HashName::Sha256 => "hmacsha256",
    }
}

/// What a device signs to connect. `client_id` is the part before the first `|`; without a timestamp
/// the very word is left out.
pub fn connect_content(
    client_id: &str,
    device_name: &str,
    product_key: &str,
    timestamp: Option<&str>,
) -> String {
    let content = format!("clientId{client_id}deviceName{device_name}productKey{product_key}");
    match timestamp {
        Some(timestamp) => content + "timestamp" + timestamp,
        None => content,
    }
}

/// What a device signs with its product's secret to get its own.
pub fn register_content(device_name: &str, product_key: &str, random: &str) -> String {
    format!("deviceName{device_name}productKey{product_key}random{random}")
}

/// The signature in lower-case hexadecimal.
pub fn sign(method: HashName, secret: &str, content: &str) -> String {
    to_hex(&method.hmac(secret.as_bytes(), content.as_bytes()))
}

/// Whether `signature`, in hexadecimal of either case, is that of `content` under `secret`. The time
/// does not depend on where they differ.
pub fn verify(method: HashName, secret: &str, content: &str, signature: &str) -> bool {
    from_hex(signature.as_bytes())
        .is_some_and(|mac| method.verify(secret.as_bytes(), content.as_bytes(), &mac))
}
