//! The vendors' own HTTP APIs, at the vendors' paths: whatever no path of ours takes.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{RestRequest, RestResponse};

use crate::desk::Desk;
use crate::error::ApiError;
use crate::input::too_large;

/// Largest body of a vendor's API, in bytes.
const BODY_BYTES_MAX: usize = 8 << 20;

/// The answer of the vendor whose path this is; `None` if it is nobody's.
pub(crate) async fn answer(desk: &Arc<Desk>, request: Request) -> Result<Option<Response>, ApiError> {
    let Some(platform) = desk.platform.clone().filter(|_| !desk.vendors.is_empty()) else {
        return Ok(None);
    };
    let (parts, body) = request.into_parts();
    let place = desk.large_if(length(&parts.headers)).await?;
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else { return Err(too_large()) };
    let request = RestRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: query(&parts.uri),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: body.into(),
    };
    let asked = Arc::clone(desk);
    let found = desk
        .call(move || {
            let _place = place;
            asked.vendors.iter().find_map(|vendor| vendor.answer(&request, &*platform))
        })
        .await?;
    Ok(found.map(response))
}

fn length(headers: &axum::http::HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Names and values; what cannot be decoded is no query.
fn query(uri: &Uri) -> Vec<(String, String)> {
    Query::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default()
}

/// No header stands here that the vendor did not ask for: small devices read answers into small buffers.
fn response(answer: RestResponse) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Body::from(answer.body)).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    let kind = [("content-type".to_owned(), answer.content_type)];
    for (name, value) in kind.into_iter().chain(answer.headers).filter(|(_, value)| !value.is_empty()) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    response
}
