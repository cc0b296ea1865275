//! What devices ask of the platform, in the words of no cloud.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{Datum, DeviceRef, Secret};

/// One thing that a device wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// For whom: the device itself, or one that it says is behind it. The dialect reads names from payloads
    /// too, so whoever decides checks that it is.
    pub device: DeviceRef,
    /// What.
    pub ask: Ask,
    /// What the dialect needs to answer; `None`: no answer is wanted.
    pub receipt: Option<Receipt>,
}

/// What a dialect needs to write an answer. Only the dialect that made it reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    /// Topic of the answer.
    pub topic: String,
    /// The message's own id, as JSON or text.
    pub id: Json,
    /// Its method.
    pub method: Option<String>,
    /// Which kind of answer, in the dialect's own words.
    pub form: &'static str,
    /// Whatever else.
    pub more: Json,
}

/// A value with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPoint {
    /// Property identifier or data stream.
    pub id: String,
    /// The value.
    pub value: Datum,
    /// When it was measured; `None`: when it came.
    pub at_ms: Option<i64>,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Event identifier.
    pub id: String,
    /// Its values.
    pub params: Json,
    /// When; `None`: when it came.
    pub at_ms: Option<i64>,
}

/// What devices ask of the platform, whatever their cloud calls it.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Values and events to keep.
    Post {
        /// Values.
        points: Vec<NewPoint>,
        /// Events.
        events: Vec<NewEvent>,
    },
    /// Values and events of several devices, the asking one or those behind it: kept for each device by
    /// itself. Answer: [`Outcome::Posted`] with all faults, or the first refusal if any device was refused.
    PostAll(Vec<(DeviceRef, Vec<NewPoint>, Vec<NewEvent>)>),
    /// The answer to an order.
    Answered(Answered),
    /// Desired values; all if empty. Answer: [`Outcome::Desired`].
    DesiredGet(Vec<String>),
    /// Desired values are not desired any more; with a version only if it is that one.
    DesiredDelete(Vec<(String, Option<u64>)>),
    /// Something about its shadow. Answer: [`Outcome::Shadow`].
    Shadow(ShadowAsk),
    /// Tags to be set.
    TagsUpdate(Vec<(String, String)>),
    /// Tags to be removed.
    TagsDelete(Vec<String>),
    /// Devices to be bound to it; the dialect names each with its signature for [`SubDevice::sign`].
    TopologyAdd(Vec<SubDevice>),
    /// Devices to be unbound.
    TopologyDelete(Vec<DeviceRef>),
    /// The devices bound to it. Answer: [`Outcome::Devices`].
    TopologyGet,
    /// It has found devices that it could bind.
    Found(Vec<DeviceRef>),
    /// Devices behind it sign in; all or none. Answer: [`Outcome::Devices`].
    SubLogin(Vec<SubDevice>),
    /// Devices behind it sign out. Answer: [`Outcome::Devices`].
    SubLogout(Vec<DeviceRef>),
    /// Devices behind it register. Answer: [`Outcome::Secrets`].
    SubRegister(Vec<SubDevice>),
    /// The thing model. Answer: [`Outcome::Model`].
    ModelGet,
    /// The remote configuration. Answer: [`Outcome::Config`].
    ConfigGet,
    /// Which firmware it runs.
    FirmwareIs {
        /// Of which module; `default` if it does not say.
        module: String,
        /// Version.
        version: String,
    },
    /// Whether there is newer firmware. Answer: [`Outcome::Firmware`].
    FirmwareGet {
        /// Of which module.
        module: String,
    },
    /// How far an update has come.
    FirmwareProgress {
        /// Of which module.
        module: String,
        /// Percent, or a negative number for a failure.
        step: i32,
        /// In its words.
        text: String,
    },
    /// Lines of its own log.
    Log(Json),
    /// Bytes that only the application understands; with their topic.
    Raw {
        /// Topic.
        topic: String,
        /// Application message.
        payload: Vec<u8>,
    },
    /// A message for people and applications that changes nothing: reported as an event of this name.
    Note {
        /// Stable name.
        name: &'static str,
        /// What it says.
        params: Json,
    },
}

/// A device behind a gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct SubDevice {
    /// Which.
    pub device: DeviceRef,
    /// How it proves itself.
    pub sign: Option<SubSign>,
}

/// The signature of a device behind a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubSign {
    /// What is signed.
    pub content: String,
    /// HMAC method.
    pub method: crate::mac::HashName,
    /// The signature as sent, in hex.
    pub sign: String,
    /// Signed with the secret of the product, not with that of the device.
    pub with_product_secret: bool,
    /// The key is what the secret is in base64; a secret that is not base64 is taken as it is.
    pub base64_key: bool,
}

impl SubSign {
    /// Whether it was made with this secret.
    pub fn is_signed_with(&self, secret: &Secret) -> bool {
        let decoded = if self.base64_key { crate::mac::from_base64(&secret.0) } else { None };
        let key = decoded.as_deref().unwrap_or(secret.0.as_bytes());
        crate::mac::from_hex(self.sign.as_bytes())
            .is_some_and(|sign| self.method.verify(key, self.content.as_bytes(), &sign))
    }
}

/// A device answers an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// What the [`Downlink`] of the order carried as its correlation.
    pub correlation: String,
    /// The answer's bytes.
    pub payload: Vec<u8>,
    /// The code it answers with, where its cloud has codes; 200 is success.
    pub code: Option<i64>,
    /// What it returns, where that is JSON.
    pub data: Option<Json>,
}

/// What a device wants of its shadow.
#[derive(Clone, Debug, PartialEq)]
pub enum ShadowAsk {
    /// Reported values to be merged; `None` as a value removes a name.
    Update {
        /// Names and values.
        reported: BTreeMap<String, Option<Json>>,
        /// Larger than that of the shadow, or -1 to begin anew.
        version: i64,
        /// The desired values are to be forgotten.
        clear_desired: bool,
    },
    /// All of it.
    Get,
    /// Reported names to be removed; all if `None`.
    Delete {
        /// Names.
        names: Option<Vec<String>>,
        /// Larger than that of the shadow.
        version: i64,
    },
}
