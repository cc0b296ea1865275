//! What a cloud's own rules say of a packet, laid over what the standard says.
//!
//! A dialect is recognised by what only its cloud uses: a topic of the cloud, a client identifier
//! that names its sign method, a token. Numbers for client identifier and user name are read as
//! OneNET's legacy access, but never blamed for not being it. A packet that speaks of no cloud gets no
//! layer.
//!
//! The fields of a layer stand inside the field that carries them; its findings stand apart from
//! those of the standard.

mod aliyun;
mod json;
mod onenet;
mod site;
pub(crate) mod text;

use std::fmt;

use hexmq_wire::PacketType;

use crate::Language;
use crate::explanation::{DialectLayer, Explanation, Options, Packet, Severity};
use site::Site;

/// What is known besides the bytes.
#[derive(Clone, Default)]
pub struct Knowledge {
    /// The secret to check signatures with: a device's or a product's secret or access key.
    pub secret: Option<String>,
    /// The time, in Unix seconds, by which a token may have expired.
    pub now: Option<i64>,
}

impl fmt::Debug for Knowledge {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knowledge")
            .field("secret", &self.secret.as_ref().map(|_| "***"))
            .field("now", &self.now)
            .finish()
    }
}

/// Explains every packet in `bytes`, whatever the bytes are, with the dialects of the clouds in it.
/// Never fails: what cannot be read is said in the explanation.
pub fn explain(bytes: &[u8], options: &Options) -> Explanation {
    explain_knowing(bytes, options, &Knowledge::default())
}

/// As [`explain`], with what is known of signatures and of the time.
pub fn explain_knowing(bytes: &[u8], options: &Options, knowledge: &Knowledge) -> Explanation {
    let mut explanation = crate::explain::explain(bytes, options);
    for packet in &mut explanation.packets {
        packet.dialect = layer(bytes, packet, options.language, knowledge);
    }
    explanation
}

fn layer(
    bytes: &[u8],
    packet: &mut Packet,
    language: Language,
    knowledge: &Knowledge,
) -> Option<DialectLayer> {
    let packet_type = packet.packet_type?;
    // Where the packet itself is in doubt, so is what it carries: shown, but not blamed.
    let doubtful = packet.findings.iter().any(|finding| finding.severity >= Severity::Suspicion);
    let mut site = Site::new(bytes, packet, language, knowledge);
    let dialect = match packet_type {
        PacketType::Connect => {
            aliyun::connect::explain(&mut site).or_else(|| onenet::connect::explain(&mut site))
        }
        PacketType::Publish => {
            aliyun::publish::explain(&mut site).or_else(|| onenet::publish::explain(&mut site))
        }
        PacketType::Subscribe | PacketType::Unsubscribe => aliyun::publish::explain_filters(&mut site)
            .or_else(|| onenet::publish::explain_filters(&mut site)),
        _ => None,
    }?;
    let findings = if doubtful { Vec::new() } else { site.into_findings() };
    Some(DialectLayer { dialect, findings })
}
