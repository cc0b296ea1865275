//! `POST /api/v1/explain`: the packets in a piece of hex, byte by byte.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hexmq_workbench::{Knowledge, Options, Side, Version, explain_knowing, parse_hex};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::off_thread;
use crate::error::ApiError;
use crate::recorder::Lang;

/// Packets to be explained.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExplainRequest)]
struct Request {
    hex: String,
    #[serde(default)]
    #[schema(required = false)]
    from: From,
    #[serde(default)]
    #[schema(required = false)]
    version: ReadAs,
    #[serde(default)]
    lang: Lang,
    /// What signatures of cloud devices are checked with; it is kept nowhere.
    #[serde(default)]
    secret: Option<String>,
}

/// Who sent the bytes; `auto` if absent.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum From {
    Client,
    Server,
    #[default]
    Auto,
}

/// Protocol version: 3, 4, 5 or `auto`.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(untagged)]
enum ReadAs {
    Level(u8),
    Named(Auto),
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Auto {
    Auto,
}

impl Default for ReadAs {
    fn default() -> Self {
        ReadAs::Named(Auto::Auto)
    }
}

const SHAPE: &str = "send {\"hex\":\"10 0c …\",\"from\":\"client|server|auto\",\"version\":3|4|5|\"auto\",\"lang\":\"en|zh\",\"secret\":\"…\"}; \
                     only `hex` is needed";

/// Explains every byte of packets.
#[utoipa::path(post, path = "/api/v1/explain", tag = "workbench", request_body = Request,
    responses((status = 200, body = serde_json::Value)))]
pub(crate) async fn explain(body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let body = body.map_err(|rejection| refuse_body(&rejection))?;
    let request: Request = serde_json::from_slice(&body).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            format!("the body cannot be read: {error}"),
            SHAPE,
        )
    })?;
    let version = version(request.version)?;
    let explanation = off_thread(move || explain_hex(&request, version)).await??;
    Ok(Json(explanation).into_response())
}

fn refuse_body(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let hint = "split the stream between packets";
        return ApiError::new(rejection.status(), "body_too_large", "the body is larger than 1 MiB", hint);
    }
    ApiError::new(StatusCode::BAD_REQUEST, "bad_request", "the body ended early", SHAPE)
}

fn version(read_as: ReadAs) -> Result<Option<Version>, ApiError> {
    match read_as {
        ReadAs::Named(Auto::Auto) => Ok(None),
        ReadAs::Level(level) => Version::from_level(level).map(Some).ok_or_else(|| {
            let message = format!("there is no MQTT version {level}");
            ApiError::new(StatusCode::BAD_REQUEST, "bad_version", message, "3 is 3.1, 4 is 3.1.1, 5 is 5.0")
        }),
    }
}

fn explain_hex(request: &Request, version: Option<Version>) -> Result<serde_json::Value, ApiError> {
    let language = request.lang.language();
    let bytes = parse_hex(&request.hex).map_err(|error| {
        let hint = "write bytes as two hex digits each, with or without spaces, commas or 0x";
        ApiError::new(StatusCode::BAD_REQUEST, "bad_hex", error.message(language), hint)
    })?;
    let from = match request.from {
        From::Client => Some(Side::Client),
        From::Server => Some(Side::Server),
        From::Auto => None,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let now = now.and_then(|since| i64::try_from(since.as_secs()).ok());
    let knowledge = Knowledge { secret: request.secret.clone(), now };
    Ok(explain_knowing(&bytes, &Options { from, version, language }, &knowledge).to_json())
}
