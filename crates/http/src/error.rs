//! The shape of every error.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{PortError, PortErrorKind};
use serde::Serialize;
use utoipa::ToSchema;

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// Stable, in snake_case.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What to try.
    pub(crate) hint: &'static str,
}

/// Every answer that is an error.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ErrorBody)]
pub(crate) struct Inner<'a> {
    /// Stable name for programs, in snake_case.
    code: &'a str,
    /// What happened.
    message: &'a str,
    /// What to try.
    hint: &'a str,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: &'static str,
    ) -> ApiError {
        ApiError { status, code, message: message.into(), hint }
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> ApiError {
        let (status, hint) = match error.kind {
            PortErrorKind::NotFound => {
                (StatusCode::NOT_FOUND, "the lists under /api/v1/products show what there is")
            }
            PortErrorKind::Conflict => {
                (StatusCode::CONFLICT, "choose another id, or read it again and change what it is now")
            }
            PortErrorKind::Invalid => {
                (StatusCode::BAD_REQUEST, "/api/v1/openapi.json says what may stand there")
            }
            PortErrorKind::Forbidden => (StatusCode::FORBIDDEN, "change what forbids it first"),
            PortErrorKind::Offline => (
                StatusCode::CONFLICT,
                "send a command with `timeout_s`, and it is kept until the device comes",
            ),
            PortErrorKind::Full => {
                (StatusCode::SERVICE_UNAVAILABLE, "send less at a time, or try again later")
            }
            PortErrorKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "try again in a few seconds; /api/v1/status tells whether the data base answers",
            ),
        };
        ApiError::new(status, error.code, error.message, hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let inner = Inner { code: self.code, message: &self.message, hint: self.hint };
        let mut response = (self.status, Json(Body { error: inner })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"hexmq\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
