//! `/api/v1/recorder/watches`: which connections are recorded.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_observe::recorder::{Recorder, Ring, Rule, Watch, WatchError};
use hexmq_workbench::recording::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::off_thread;
use crate::cloud::List;
use crate::error::ApiError;
use crate::serve::Service;

/// Shards get so long to look at their connections.
const PATIENCE: Duration = Duration::from_secs(2);

const SHAPE: &str = "send {\"client_id\":\"…\",\"address\":\"192.0.2.7 or 192.0.2.0/24\",\"listener\":\"mqtt://…\"} with at \
                     least one of them, and an \"id\" of your own if you like";

/// Which connections to record: at least one of `client_id`, `address` and `listener`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWatch)]
struct Wanted {
    /// Made if absent.
    id: Option<String>,
    client_id: Option<String>,
    /// `192.0.2.7` or `192.0.2.0/24`.
    address: Option<String>,
    /// URL of a listener.
    listener: Option<String>,
    #[schema(ignore)]
    product: Option<serde_json::Value>,
}

/// A watch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Watch)]
struct Shown {
    id: String,
    client_id: Option<String>,
    address: Option<String>,
    listener: Option<String>,
    created_at: String,
    entries: u64,
    bytes: u64,
    pushed_out: u64,
}

fn shown(recorder: &Recorder, watch: &Watch) -> Shown {
    let rule = watch.rule();
    let (entries, bytes, next) =
        watch.shelf().look(|ring: &Ring<_>| (ring.len() as u64, ring.bytes() as u64, ring.next()));
    Shown {
        id: watch.id().to_owned(),
        client_id: rule.client_id.as_deref().map(str::to_owned),
        address: rule.address.map(|network| network.to_string()),
        listener: rule.listener.map(|number| recorder.listener(number).to_owned()),
        created_at: format!("{:.3}", Timestamp(watch.created_ns())),
        entries,
        bytes,
        pushed_out: next - entries,
    }
}

/// Lists the watches.
#[utoipa::path(get, path = "/api/v1/recorder/watches", tag = "recorder",
    responses((status = 200, body = List<Shown>)))]
pub(super) async fn list(State(service): State<Arc<Service>>) -> Response {
    let recorder = &service.observer.recorder;
    let items: Vec<Shown> = recorder.watches().iter().map(|watch| shown(recorder, watch)).collect();
    Json(List::whole(items)).into_response()
}

/// Shows a watch.
#[utoipa::path(get, path = "/api/v1/recorder/watches/{watch}", tag = "recorder",
    responses((status = 200, body = Shown)))]
pub(super) async fn one(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let watch = find(&service, &id)?;
    Ok(Json(shown(&service.observer.recorder, &watch)).into_response())
}

/// The watch of this id.
pub(super) fn find(service: &Service, id: &str) -> Result<Arc<Watch>, ApiError> {
    service.observer.recorder.watch(id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    let hint = "GET /api/v1/recorder/watches lists them";
    ApiError::new(StatusCode::NOT_FOUND, "watch_not_found", format!("there is no watch `{id}`"), hint)
}

/// Records connections from now on.
#[utoipa::path(post, path = "/api/v1/recorder/watches", tag = "recorder", request_body = Wanted,
    responses((status = 201, body = Shown)))]
pub(super) async fn add(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let bad = |message: String| ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message, SHAPE);
    let body = body.map_err(|rejection| bad(rejection.body_text()))?;
    let wanted: Wanted =
        serde_json::from_slice(&body).map_err(|error| bad(format!("the body cannot be read: {error}")))?;
    let rule = rule(&service.observer.recorder, &wanted)?;
    let watch = service.observer.recorder.add_watch(wanted.id.as_deref(), rule).map_err(refused)?;
    apply(&service).await?;
    let location = format!("/api/v1/recorder/watches/{}", watch.id());
    let shown = Json(shown(&service.observer.recorder, &watch));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], shown).into_response())
}

/// Ends a watch and forgets what it has recorded.
#[utoipa::path(delete, path = "/api/v1/recorder/watches/{watch}", tag = "recorder",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !service.observer.recorder.remove_watch(&id) {
        return Err(unknown(&id));
    }
    apply(&service).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn rule(recorder: &Recorder, wanted: &Wanted) -> Result<Rule, ApiError> {
    let bad = |code, message: String| ApiError::new(StatusCode::BAD_REQUEST, code, message, SHAPE);
    if wanted.product.is_some() {
        let hint = "watch by client_id, address or listener";
        let message = "this server has no products";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "product_not_supported", message, hint));
    }
    let address = wanted.address.as_deref().map(str::parse).transpose();
    let listener = wanted.listener.as_deref().map(|url| {
        let number = recorder.listeners().iter().position(|listener| **listener == *url);
        number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| {
            let message = format!("no listener is `{url}`; there are {}", recorder.listeners().join(", "));
            bad("listener_not_found", message)
        })
    });
    if wanted.client_id.as_deref() == Some("") {
        return Err(bad("bad_request", "client_id is empty".to_owned()));
    }
    Ok(Rule {
        client_id: wanted.client_id.as_deref().map(Into::into),
        address: address.map_err(|message| bad("bad_address", message))?,
        listener: listener.transpose()?,
    })
}

fn refused(error: WatchError) -> ApiError {
    let (status, code, hint) = match error {
        WatchError::EmptyRule => (StatusCode::BAD_REQUEST, "bad_request", SHAPE),
        WatchError::BadId => (StatusCode::BAD_REQUEST, "bad_id", "leave the id out, and one is made"),
        WatchError::Exists => {
            (StatusCode::CONFLICT, "watch_exists", "DELETE it first, or leave the id out, and one is made")
        }
        WatchError::TooMany { .. } => {
            (StatusCode::CONFLICT, "too_many_watches", "DELETE /api/v1/recorder/watches/{id} ends one")
        }
    };
    ApiError::new(status, code, error.to_string(), hint)
}

/// Has the shards look at their connections again: when this is over, all that is read from then on is
/// recorded.
async fn apply(service: &Arc<Service>) -> Result<(), ApiError> {
    let asked = Arc::clone(service);
    let silent = off_thread(move || {
        let taping = !asked.observer.recorder.watches().is_empty();
        asked.backend.retape(taping, PATIENCE)
    })
    .await?;
    if silent.is_empty() {
        return Ok(());
    }
    let hint = "it is done as soon as they answer; /readyz tells whether they do";
    let message = format!("{} shards have not answered yet", silent.len());
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shards_silent", message, hint))
}
