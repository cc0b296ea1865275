//! The shape of every error.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

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

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
    message: &'a str,
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
