//! The vendor's numbers for what can go wrong, by what was asked. Source: the vendor's list of error codes for
//! devices, as its device libraries quote it.

use hexmq_device::{ModelFaultKind, ProblemKind};

/// All is well.
pub const SUCCESS: u32 = 200;
/// The parameters are missing, malformed or too many.
pub const PARAMETERS: u32 = 460;
/// The topic is not understood.
pub const TOPIC: u32 = 6203;
/// The data is not valid JSON.
pub const NOT_JSON: u32 = 6207;
/// More than 200 properties.
pub const PROPERTIES_MAX: u32 = 6106;
/// More than 200 events.
pub const EVENTS_MAX: u32 = 6356;
/// More than 20 devices.
pub const DEVICES_MAX: u32 = 6357;
/// A gateway cannot be behind itself.
pub const ITSELF: u32 = 6402;
/// The sign method is unknown.
pub const SIGN_METHOD: u32 = 6292;
/// There is no thing model.
pub const NO_MODEL: u32 = 5159;
/// There is no remote configuration.
pub const NO_CONFIG: u32 = 6710;

/// To a gateway: a device behind it has signed in elsewhere.
pub const KICKED: u32 = 427;
/// To a gateway: a device behind it is deleted.
pub const BEHIND_DELETED: u32 = 521;
/// To a gateway: a device behind it is disabled.
pub const BEHIND_DISABLED: u32 = 522;
/// The device is not bound to the gateway.
pub const NOT_BOUND: u32 = 6401;

/// The code of a problem with a request of this form ([`crate::topic::Entry::name`]).
pub fn of_problem(form: &str, kind: ProblemKind) -> u32 {
    let login = matches!(form, "sub_login" | "sub_batch_login");
    match kind {
        ProblemKind::BadRequest | ProblemKind::OldVersion => PARAMETERS,
        ProblemKind::Forbidden => 403,
        ProblemKind::UnknownProduct if form == "sub_register" => 5005,
        ProblemKind::UnknownProduct => 6250,
        ProblemKind::UnknownDevice if form == "ota_request" => 9112,
        ProblemKind::UnknownDevice => 6100,
        ProblemKind::DeviceDisabled => 6204,
        ProblemKind::BadSignature => match form {
            "topology_add" => 401,
            "product_register" | "sub_register" => 6600,
            _ => 6287,
        },
        ProblemKind::AlreadyActive => 6289,
        ProblemKind::RegistrationOff => 6288,
        ProblemKind::NotBound => NOT_BOUND,
        ProblemKind::BoundElsewhere => 6619,
        ProblemKind::NotSignedIn => 520,
        ProblemKind::TooMany if form == "topology_add" => 6400,
        ProblemKind::TooMany if login => 428,
        ProblemKind::TooMany => 429,
        ProblemKind::Missing => match form {
            "config_get" => NO_CONFIG,
            "tsl_get" | "dynamic_tsl_get" => NO_MODEL,
            "desired_get" | "desired_delete" => 6661,
            _ => 404,
        },
        ProblemKind::Unavailable => 500,
    }
}

/// The code of a value that the thing model does not allow, in a request of this form.
pub fn of_fault(form: &str, kind: ModelFaultKind) -> u32 {
    match kind {
        ModelFaultKind::Unknown if form == "property_post" => 6317,
        ModelFaultKind::Unknown => 6313,
        ModelFaultKind::Integer => 6306,
        ModelFaultKind::Real => 6307,
        ModelFaultKind::Boolean => 6308,
        ModelFaultKind::Text => 6309,
        ModelFaultKind::Date => 6310,
        ModelFaultKind::Structure => 6311,
        ModelFaultKind::Array => 6312,
        ModelFaultKind::Enumeration => 6324,
        ModelFaultKind::Missing => 6302,
        ModelFaultKind::Access | ModelFaultKind::Time => PARAMETERS,
    }
}
