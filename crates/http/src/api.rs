//! The paths and what stands behind them.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef, Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use hexmq_observe::Gauges;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::require;
use crate::desk::{Desk, Room};
use crate::error::ApiError;
use crate::serve::Service;
use crate::status::{PATIENCE, Status, status};

/// Largest request body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// What the administrator and applications see.
pub(crate) fn router(service: Arc<Service>, desk: Arc<Desk>) -> Router {
    let room = Room { service, desk };
    let (guarded, _) = guarded().split_for_parts();
    let guarded = guarded.route_layer(middleware::from_fn_with_state(room.clone(), require));
    let (open, _) = open().split_for_parts();
    open.merge(guarded)
        .fallback(elsewhere::<Room>)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(room)
}

/// What devices and the vendors' application servers see, and nothing else.
pub(crate) fn device_router(desk: Arc<Desk>) -> Router {
    let (files, _) = crate::cloud::files::<Arc<Desk>>().split_for_parts();
    files
        .fallback(elsewhere::<Arc<Desk>>)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(desk)
}

/// Paths for those who prove themselves.
pub(crate) fn guarded() -> OpenApiRouter<Room> {
    OpenApiRouter::new()
        .routes(routes!(get_status))
        .routes(routes!(crate::explain::explain))
        .routes(routes!(get_metrics))
        .merge(crate::recorder::routes())
        .merge(crate::cloud::routes())
}

/// Paths for everybody.
pub(crate) fn open() -> OpenApiRouter<Room> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(get_openapi))
        .merge(crate::cloud::files())
}

/// Describes this API.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "server", responses((status = 200, body = serde_json::Value)))]
async fn get_openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi::text()).into_response()
}

/// The process runs and answers.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Clients are served.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses((status = 200, body = String), (status = 503, description = "It is starting or stopping")))]
async fn readyz(State(service): State<Arc<Service>>) -> Response {
    if service.backend.is_ready() {
        return "ready\n".into_response();
    }
    let hint = "it is starting or stopping; see its log on stderr";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "the server does not serve clients", hint)
        .into_response()
}

/// How the server does.
#[utoipa::path(get, path = "/api/v1/status", tag = "server", responses((status = 200, body = Status)))]
async fn get_status(State(room): State<Room>) -> Result<Response, ApiError> {
    let status = off_thread(move || {
        let cloud = room.desk.platform.as_ref().map(|platform| platform.gauges());
        status(&*room.service.backend, cloud)
    })
    .await?;
    Ok(Json(status).into_response())
}

/// Counters and gauges for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, body = String)))]
async fn get_metrics(State(room): State<Room>) -> Result<Response, ApiError> {
    let Room { service, desk } = room;
    let page = off_thread(move || {
        let backend = &*service.backend;
        let (census, silent) = backend.census(PATIENCE);
        let gauges = Gauges {
            uptime_s: backend.uptime().as_secs(),
            retained_messages: backend.retained_messages(),
            silent_shards: silent.len() as u64,
            durability: backend.durability(),
            store: backend.store(),
        };
        let mut page = hexmq_observe::render(&census, &service.observer.counters, &gauges);
        service.observer.recorder.render(&mut page);
        if let Some(platform) = &desk.platform {
            crate::status::render(&mut page, &platform.gauges());
        }
        page
    })
    .await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, page).into_response())
}

/// Runs what may wait where waiting hurts nobody.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        let hint = "see the server's log on stderr";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer could not be made", hint)
    })
}

/// Paths that are none of ours may be a vendor's.
async fn elsewhere<S>(State(state): State<S>, request: Request) -> Result<Response, ApiError>
where
    S: Send + Sync,
    Arc<Desk>: FromRef<S>,
{
    let desk = Arc::<Desk>::from_ref(&state);
    let uri = request.uri().clone();
    crate::cloud::vendors(&desk, request).await?.ok_or_else(|| not_found(&uri))
}

fn not_found(uri: &Uri) -> ApiError {
    let hint = "the API is under /api/v1; /healthz, /readyz and /metrics stand beside it";
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", uri.path()), hint)
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    let hint = "the header `allow` names the methods it takes";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, hint)
}
