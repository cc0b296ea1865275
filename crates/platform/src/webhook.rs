//! One delivery to a webhook: what is sent, how it is signed, what counts as success.

use std::time::Duration;

use hexmq_device::mac::{self, HashName};

/// So long a webhook may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The signature of a delivery: HMAC-SHA256 of `TIMESTAMP.BODY` under the webhook's secret, in lower-case hex. The
/// header is `X-HexMQ-Signature: sha256=…`, the timestamp that of `X-HexMQ-Timestamp`, in seconds since 1970 UTC.
pub fn signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let mut signed = format!("{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    mac::to_hex(&HashName::Sha256.hmac(secret.as_bytes(), &signed))
}

/// What a delivery needs besides its body.
pub(crate) struct Delivery<'a> {
    pub(crate) url: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) timestamp: i64,
    pub(crate) attempt: u32,
}

/// Who delivers: redirects are not followed, since the body was signed for this receiver.
pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent("hexmq-webhook")
        .build();
    ureq::Agent::new_with_config(config)
}

/// Delivers once; an answer of 2xx is success.
pub(crate) fn deliver(agent: &ureq::Agent, delivery: &Delivery<'_>, body: &[u8]) -> Result<(), String> {
    let Delivery { url, secret, id, kind, timestamp, attempt } = *delivery;
    let answer = agent
        .post(url)
        .header("Content-Type", "application/json")
        .header("X-HexMQ-Id", id)
        .header("X-HexMQ-Kind", kind)
        .header("X-HexMQ-Attempt", attempt.to_string())
        .header("X-HexMQ-Timestamp", timestamp.to_string())
        .header("X-HexMQ-Signature", format!("sha256={}", signature(secret, timestamp, body)))
        .send(body)
        .map_err(|error| format!("{error}"))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
}
