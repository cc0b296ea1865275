//! The credential doctor: which ingredient of a sign-in is wrong.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{Platform, PortErrorKind};
use hexmq_device::{DeviceRef, Diagnosis, SignIn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown::DeviceName;
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Sent, bad_request, hex};

/// What a device sends to sign in: the bytes of its CONNECT, or the three strings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Patient {
    /// CONNECT, as it was sent.
    hex: Option<String>,
    client_id: Option<String>,
    user_name: Option<String>,
    /// Text; or `password_hex`.
    password: Option<String>,
    password_hex: Option<String>,
    /// Protocol version: 3, 4 or 5; 4 if absent.
    version: Option<u8>,
    /// It came over TLS.
    #[serde(default)]
    secure: bool,
    /// Which device it is meant to be, if the three strings do not say.
    device: Option<DeviceName>,
}

/// What the doctor found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub(crate) struct DoctorShown {
    /// Whether it would be let in now.
    admitted: bool,
    /// Stable name of the decisive finding; `ok` if it would be let in.
    code: &'static str,
    message: String,
    /// What to do.
    hint: String,
    ingredients: Vec<Part>,
}

impl DoctorShown {
    /// Code, message and hint, if what is registered keeps it out. Somebody whose product is unknown may be no
    /// device at all.
    pub(crate) fn decisive(&self) -> Option<(&'static str, &str, &str)> {
        let decides = !self.admitted && self.code != "unknown_product";
        decides.then_some((self.code, &*self.message, &*self.hint))
    }
}

/// A part of what a device signs in with. Secrets are not among them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ingredient)]
struct Part {
    /// `product`, `device`, `sign_method`, `timestamp`, `signature`, `expiry` …
    name: &'static str,
    sent: Option<String>,
    expected: Option<String>,
    /// `null`: it could not be judged.
    right: Option<bool>,
    note: Option<String>,
}

impl From<Diagnosis> for DoctorShown {
    fn from(diagnosis: Diagnosis) -> DoctorShown {
        let part = |ingredient: hexmq_device::Ingredient| Part {
            name: ingredient.name,
            sent: ingredient.sent,
            expected: ingredient.expected,
            right: ingredient.right,
            note: ingredient.note,
        };
        DoctorShown {
            admitted: diagnosis.admitted,
            code: diagnosis.code,
            message: diagnosis.message,
            hint: diagnosis.hint,
            ingredients: diagnosis.ingredients.into_iter().map(part).collect(),
        }
    }
}

/// Says which ingredient of a sign-in is wrong, given what is registered.
#[utoipa::path(post, path = "/api/v1/doctor", tag = "doctor", request_body = Patient,
    responses((status = 200, body = DoctorShown)))]
pub(super) async fn examine(cloud: Cloud, Sent(patient): Sent<Patient>) -> Result<Response, ApiError> {
    let diagnosis = match &patient.hex {
        Some(text) => {
            if patient.client_id.is_some() || patient.user_name.is_some() || patient.password.is_some() {
                return Err(bad_request("`hex` holds the three strings; leave them out, or the hex"));
            }
            let bytes = hex("hex", text)?;
            cloud.ask(move |platform| Ok(of_connect(platform, &bytes, &patient))).await??
        }
        None => of_strings(&cloud, patient).await?,
    };
    Ok(Json(DoctorShown::from(diagnosis)).into_response())
}

fn of_connect(platform: &dyn Platform, bytes: &[u8], patient: &Patient) -> Result<Diagnosis, ApiError> {
    let sign_in = hexmq_workbench::sign_in(bytes).ok_or_else(|| {
        let hint = "POST /api/v1/explain shows every byte and what is wrong with it";
        let message = "the bytes are no whole and sound CONNECT";
        ApiError::new(StatusCode::BAD_REQUEST, "no_connect", message, hint)
    })?;
    let sign_in = SignIn { secure: patient.secure, ..sign_in };
    let device = patient.device.clone().map(DeviceRef::from);
    Ok(platform.diagnose(&sign_in, device.as_ref())?)
}

async fn of_strings(cloud: &Cloud, patient: Patient) -> Result<Diagnosis, ApiError> {
    let Some(client_id) = patient.client_id else {
        return Err(bad_request("neither `hex` nor `client_id` says what the device sends"));
    };
    let password = match (patient.password, patient.password_hex) {
        (Some(_), Some(_)) => {
            return Err(bad_request("there are `password` and `password_hex`; one of them is enough"));
        }
        (Some(text), None) => Some(text.into_bytes()),
        (None, Some(text)) => Some(hex("password_hex", &text)?),
        (None, None) => None,
    };
    let level = patient.version.unwrap_or(4);
    if !(3..=5).contains(&level) {
        return Err(bad_request(format!("`version` is {level}; 3 is 3.1, 4 is 3.1.1, 5 is 5.0")));
    }
    let device = patient.device.map(DeviceRef::from);
    let (user_name, secure) = (patient.user_name, patient.secure);
    cloud
        .ask(move |platform| {
            let sign_in = SignIn {
                client_identifier: &client_id,
                user_name: user_name.as_deref(),
                password: password.as_deref(),
                level,
                secure,
                ..SignIn::default()
            };
            platform.diagnose(&sign_in, device.as_ref())
        })
        .await
}

/// Looks at refused connections. A registry that does not answer is asked once, not for each of them.
pub(crate) struct Rounds<'a> {
    platform: Option<&'a dyn Platform>,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(platform: Option<&'a dyn Platform>) -> Rounds<'a> {
        Rounds { platform }
    }

    /// What is wrong with the credentials in the bytes of a refused connection; `None` if they are no whole
    /// CONNECT of a device.
    pub(crate) fn look(&mut self, bytes: &[u8], secure: bool) -> Option<DoctorShown> {
        let platform = self.platform?;
        let sign_in = hexmq_workbench::sign_in(bytes)?;
        // Whoever says no user name is no device of any cloud.
        sign_in.user_name?;
        match platform.diagnose(&SignIn { secure, ..sign_in }, None) {
            Ok(diagnosis) => Some(diagnosis.into()),
            Err(error) => {
                if error.kind == PortErrorKind::Unavailable {
                    self.platform = None;
                }
                None
            }
        }
    }
}
