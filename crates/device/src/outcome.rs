//! What came of what a device asked.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{DeviceRef, Secret};

/// A device's shadow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shadow {
    /// Names, values and when they were set (milliseconds since 1970 UTC), as reported.
    pub reported: BTreeMap<String, (Json, i64)>,
    /// The same as desired.
    pub desired: BTreeMap<String, (Json, i64)>,
    /// Counts its changes.
    pub version: i64,
    /// Milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// A desired value.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The value.
    pub value: Json,
    /// Counts the changes of this value.
    pub version: u64,
}

/// What came of an [`Ask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Values were kept, but for these.
    Posted(Vec<ModelFault>),
    /// Desired values by name.
    Desired(BTreeMap<String, Desired>),
    /// The shadow; `with_state`: the whole of it was asked for.
    Shadow {
        /// As it is now.
        shadow: Shadow,
        /// Whether the answer shows it.
        with_state: bool,
    },
    /// Devices.
    Devices(Vec<DeviceRef>),
    /// Devices and their secrets, and those that could not be registered.
    Secrets(Vec<(DeviceRef, Result<Secret, Problem>)>),
    /// The thing model as TSL; `None`: there is none.
    Model(Option<Json>),
    /// The remote configuration; `None`: there is none.
    Config(Option<Offer>),
    /// Newer firmware; `None`: there is none.
    Firmware(Option<Offer>),
    /// It is not done.
    Refused(Problem),
}

/// A file that a device may fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Id of the file.
    pub id: String,
    /// Firmware version.
    pub version: String,
    /// Firmware module; `default` if it has no name.
    pub module: String,
    /// Bytes.
    pub size: u64,
    /// Where it is.
    pub url: String,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// MD5 in lower-case hex.
    pub md5: String,
}

/// Why something is not done, in words every dialect can translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// In a sentence.
    pub message: String,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Problem {
        Problem { kind, message: message.into() }
    }
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request lacks something or says something impossible.
    BadRequest,
    /// It is not allowed.
    Forbidden,
    /// There is no such product.
    UnknownProduct,
    /// There is no such device.
    UnknownDevice,
    /// The device is disabled.
    DeviceDisabled,
    /// A signature is wrong.
    BadSignature,
    /// The device is registered already.
    AlreadyActive,
    /// Devices do not register themselves here.
    RegistrationOff,
    /// The device is not bound to this gateway.
    NotBound,
    /// It is bound to another gateway.
    BoundElsewhere,
    /// The device is not signed in.
    NotSignedIn,
    /// Too many at once.
    TooMany,
    /// A version is not newer than the one there is.
    OldVersion,
    /// What is asked for is not there.
    Missing,
    /// The registry or the history cannot be asked now.
    Unavailable,
}

/// A value that the thing model does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFault {
    /// Property, or `event.output`.
    pub identifier: String,
    /// What is wrong.
    pub kind: ModelFaultKind,
    /// In a sentence.
    pub message: String,
}

/// What can be wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFaultKind {
    /// The model has no such property, event or service.
    Unknown,
    /// No whole number, or out of range.
    Integer,
    /// No number, or out of range.
    Real,
    /// Neither 0 nor 1.
    Boolean,
    /// None of the values.
    Enumeration,
    /// No text, or too long.
    Text,
    /// No text of UTC milliseconds.
    Date,
    /// No object, or a member is wrong.
    Structure,
    /// No array, too long, or an element is wrong.
    Array,
    /// A required input is missing.
    Missing,
    /// The property may not be written, or not be read.
    Access,
    /// Its time lies too far in the future.
    Time,
}
