//! What a dialect is to the platform: pure functions between bytes of a cloud and the words of this crate.
//!
//! A dialect does no I/O and keeps no state. It reads what a device says of itself, judges whether that is
//! true given what is registered, reads uplinks into [`Ask`]s, and writes answers and orders as the device
//! expects them.

use crate::{
    Device, DeviceRef, DialectName, Downlink, Order, OrderError, Outcome, Product, Quirk, Receipt, Request,
    Secret,
};

/// What a CONNECT says of who connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignIn<'a> {
    /// Client Identifier.
    pub client_identifier: &'a str,
    /// User Name.
    pub user_name: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
    /// Protocol version: 3, 4 or 5.
    pub level: u8,
    /// It came over TLS.
    pub secure: bool,
    /// Keep Alive in seconds; 0: none.
    pub keep_alive_s: u16,
}

/// One cloud's words.
pub trait Dialect: Send + Sync + 'static {
    /// Which one.
    fn name(&self) -> DialectName;

    /// The quirks it can switch.
    fn quirks(&self) -> &'static [Quirk];

    /// The product and device that a CONNECT names if it is of this dialect; whether there is such a product
    /// is not known here.
    fn claim(&self, sign_in: &SignIn<'_>) -> Option<DeviceRef>;

    /// Whether the sign-in is written as only this cloud's devices write theirs: a guess, for the doctor, where
    /// no product says which cloud is meant. Such a sign-in can be diagnosed even if it claims nothing.
    fn recognises(&self, sign_in: &SignIn<'_>) -> bool {
        let _ = sign_in;
        false
    }

    /// Whether the claim is true. `device` is `None` if none of that id is registered.
    fn verify(
        &self,
        sign_in: &SignIn<'_>,
        product: &Product,
        device: Option<&Device>,
        now_ms: i64,
    ) -> Result<Admission, Refused>;

    /// Why a CONNECT is refused or what is odd about it, ingredient by ingredient.
    fn diagnose(
        &self,
        sign_in: &SignIn<'_>,
        product: Option<&Product>,
        device: Option<&Device>,
        now_ms: i64,
    ) -> Diagnosis;

    /// What a message of a device means.
    fn uplink(&self, uplink: &Uplink<'_>) -> Result<Understood, UplinkError>;

    /// What a device is sent that has registered itself by connecting, once its secret is made.
    fn registered(&self, sign_in: &SignIn<'_>, registration: &Registration, secret: &Secret) -> Downlink;

    /// The answer to an [`Ask`], if the device wants one.
    fn reply(&self, receipt: &Receipt, outcome: &Outcome) -> Option<Downlink>;

    /// How a device is told to do something. `command` is the id of the command (a lower-case UUID), `number`
    /// a number that is unique for the device and fits 31 bits.
    fn downlink(
        &self,
        product: &Product,
        device: &DeviceRef,
        order: &Order,
        command: &str,
        number: u32,
    ) -> Result<Downlink, OrderError>;

    /// All that the connection of a gateway may do while these devices behind it are signed in; the first rule
    /// that fits decides. `None`: this cloud knows no gateways.
    fn gateway_rules(
        &self,
        product: &Product,
        gateway: &DeviceRef,
        behind: &[DeviceRef],
    ) -> Option<Vec<TopicRule>> {
        let _ = (product, gateway, behind);
        None
    }

    /// What a gateway is told when a device behind it is not signed in any more and it was not the gateway's own
    /// wish: `reason` is `disabled`, `deleted`, `unbound` or `signed_in_elsewhere`. `None`: nothing.
    fn signed_out(&self, gateway: &DeviceRef, device: &DeviceRef, reason: &str) -> Option<Downlink> {
        let _ = (gateway, device, reason);
        None
    }

    /// How long an answer to a command is waited for once it was sent, in milliseconds. `None`: for as long as
    /// the command is valid.
    fn answer_wait_ms(&self) -> Option<i64> {
        Some(20_000)
    }
}

/// A device is let in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// What it may do; the first rule that fits decides, and what no rule fits is forbidden.
    pub rules: Vec<TopicRule>,
    /// How it is treated.
    pub manners: Manners,
    /// It gets what the platform sends without asking for it, until it unsubscribes.
    pub subscribed: bool,
    /// Sent right behind CONNACK, subscribed or not.
    pub greeting: Vec<Downlink>,
    /// What is to be changed in the registry because of this sign-in.
    pub registration: Option<Registration>,
    /// What is odd but survived, for its log: stable name and sentence.
    pub notices: Vec<(&'static str, String)>,
}

/// A device registers itself by connecting.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Which device; it is created if it is not there.
    pub device: DeviceRef,
    /// What it gets.
    pub style: RegistrationStyle,
}

/// What a device that registers itself gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationStyle {
    /// Its secret.
    Secret,
    /// A client identifier and a token, which becomes the device's password.
    Token,
}

/// Topics and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRule {
    /// A topic filter.
    pub filter: String,
    /// It may publish to matching topics.
    pub publish: bool,
    /// It may subscribe to filters that this one covers.
    pub subscribe: bool,
    /// Who gets what it publishes.
    pub reach: Reach,
}

/// Who gets a message of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The platform alone.
    Platform,
    /// The subscribers of its namespace alone.
    Topics,
    /// Both.
    Both,
}

/// How a connection is treated, beyond the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// SUBSCRIBE, UNSUBSCRIBE and PUBREL with flags 0000 are read as if they had 0010.
    pub zero_flags: bool,
    /// A PUBREL whose identifier is not awaited is the PUBCOMP of the oldest QoS 2 delivery.
    pub pubrel_as_pubcomp: bool,
    /// One packet per TCP segment, with so many milliseconds between them.
    pub packet_gap_ms: Option<u32>,
    /// RETAIN is never set on what it gets.
    pub no_retain: bool,
    /// The largest QoS of what it gets: 0, 1 or 2.
    pub largest_qos: u8,
    /// SUBACK grants QoS 1 whatever was asked.
    pub grants_qos_1: bool,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            zero_flags: false,
            pubrel_as_pubcomp: false,
            packet_gap_ms: None,
            no_retain: false,
            largest_qos: 2,
            grants_qos_1: false,
        }
    }
}

/// A device is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What CONNACK says.
    pub code: RefusedCode,
    /// Stable name of what is wrong: `unknown_device`, `wrong_secret`, `token_expired` …
    pub rule: &'static str,
    /// In a sentence.
    pub message: String,
}

/// The return codes of 3.x that fit; MQTT 5 has 0x85, 0x86, 0x87 and 0x88 for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedCode {
    /// 2: client identifier not allowed.
    Identifier,
    /// 3: the registry cannot be asked.
    Unavailable,
    /// 4: user name or password wrong.
    Credentials,
    /// 5: not authorised.
    NotAuthorized,
}

/// What the doctor found.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Whether it would be let in.
    pub admitted: bool,
    /// Stable name of the decisive finding; `ok` if it would be let in.
    pub code: &'static str,
    /// In a sentence.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Each ingredient: what was sent, what was expected, whether it is right. Secrets are not among them.
    pub ingredients: Vec<Ingredient>,
}

/// A part of what a device signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingredient {
    /// `product`, `device`, `sign_method`, `timestamp`, `signature`, `expiry` …
    pub name: &'static str,
    /// As it was sent.
    pub sent: Option<String>,
    /// What it would have to be, where that may be told.
    pub expected: Option<String>,
    /// `None`: it could not be judged.
    pub right: Option<bool>,
    /// In a sentence, if something is to be said.
    pub note: Option<String>,
}

/// A message of a device that is for the platform.
#[derive(Clone, Copy, Debug)]
pub struct Uplink<'a> {
    /// Its product.
    pub product: &'a Product,
    /// Whose connection it came on.
    pub device: &'a DeviceRef,
    /// Topic name.
    pub topic: &'a str,
    /// Application message.
    pub payload: &'a [u8],
    /// 0, 1 or 2.
    pub qos: u8,
    /// Milliseconds since 1970 UTC.
    pub received_at_ms: i64,
}

/// What a message means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understood {
    /// For the device's log: `property post, 3 values`.
    pub meaning: String,
    /// What the device wants, in order.
    pub requests: Vec<Request>,
    /// Answers that need nobody's decision (a time of day).
    pub replies: Vec<Downlink>,
    /// What is odd but survived, for its log: stable name and sentence.
    pub notices: Vec<(&'static str, String)>,
}

/// Why a message is not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct UplinkError {
    /// Stable name of the rule that is broken.
    pub rule: &'static str,
    /// First byte of the payload that is wrong.
    pub offset: usize,
    /// How many are wrong; 0 where something is missing.
    pub length: usize,
    /// In a sentence.
    pub message: String,
    /// What the device is told, if its cloud tells it anything.
    pub replies: Vec<Downlink>,
}
