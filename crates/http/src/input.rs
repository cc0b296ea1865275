//! Bodies and queries, refused with a reason where they are wrong.

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use crate::error::ApiError;

/// Where to look for what may be sent.
const SHAPES: &str = "/api/v1/openapi.json says what may stand there";

/// A JSON body, whatever its `Content-Type` says.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Sent<T>, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        json(&bytes).map(Sent)
    }
}

/// Reads a body as JSON.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A body that begins with a byte order mark is what some editors save.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| bad_request(format!("the body cannot be read: {error}")))
}

/// The body did not come whole.
pub(crate) fn unread(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    bad_request("the body ended early".to_owned())
}

pub(crate) fn too_large() -> ApiError {
    let hint = "send it in parts; bodies have 1 MiB, imports 16 MiB, firmware 64 MiB";
    let message = "the body is larger than this path takes";
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message, hint)
}

/// What is said makes no sense.
pub(crate) fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message, SHAPES)
}

/// The same of the query.
pub(crate) fn bad_query(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message, SHAPES)
}

/// What stands behind `?`.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(rejection) => Err(bad_query(format!("the query cannot be read: {}", rejection.body_text()))),
        }
    }
}

/// The names in the path.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named<T>, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Named(names)),
            Err(rejection) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "bad_path",
                format!("the path cannot be read: {}", rejection.body_text()),
                "write what is no letter or digit as % and two hex digits, in UTF-8",
            )),
        }
    }
}

/// A body of bytes within the path's bound.
pub(crate) async fn bytes(request: Request) -> Result<Bytes, ApiError> {
    request.extract::<Bytes, _>().await.map_err(|rejection| unread(&rejection))
}

/// A member that may be left out, be `null`, or have a value: `None`, `Some(None)`, `Some(Some(…))`.
pub(crate) fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Bytes written as hex, with or without blanks.
pub(crate) fn hex(name: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    hexmq_workbench::parse_hex(text).map_err(|error| {
        let hint = "write bytes as two hex digits each, with or without spaces, commas or 0x";
        let message = format!("`{name}`, {}", error.message(hexmq_workbench::Language::English));
        ApiError::new(StatusCode::BAD_REQUEST, "bad_hex", message, hint)
    })
}

/// Items a page may have.
pub(crate) const LIMIT_MAX: usize = 1000;
/// Items of a page that is not told how many.
pub(crate) const LIMIT: usize = 100;

/// How much of a list is asked for.
pub(crate) fn page(
    limit: Option<usize>,
    cursor: Option<String>,
    most: usize,
) -> Result<hexmq_device::port::PageAsk, ApiError> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=most).contains(&limit) {
        return Err(bad_query(format!("limit={limit} is not from 1 to {most}")));
    }
    Ok(hexmq_device::port::PageAsk { limit, cursor })
}
