//! The paths and what stands behind them.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use hexmq_observe::Gauges;

use crate::auth::require_admin;
use crate::error::ApiError;
use crate::serve::Service;
use crate::status::{PATIENCE, status};

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

pub(crate) fn router(service: Arc<Service>) -> Router {
    let guarded = Router::new()
        .route("/api/v1/status", get(get_status))
        .route("/api/v1/explain", post(crate::explain::explain))
        .route("/metrics", get(get_metrics))
        .merge(crate::recorder::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&service), require_admin));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .merge(guarded)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(service)
}

/// The process runs and answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Clients are served.
async fn readyz(State(service): State<Arc<Service>>) -> Response {
    if service.backend.is_ready() {
        return "ready\n".into_response();
    }
    let hint = "it is starting or stopping; see its log on stderr";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "the server does not serve clients", hint)
        .into_response()
}

async fn get_status(State(service): State<Arc<Service>>) -> Result<Response, ApiError> {
    let status = off_thread(move || status(&*service.backend)).await?;
    Ok(Json(status).into_response())
}

async fn get_metrics(State(service): State<Arc<Service>>) -> Result<Response, ApiError> {
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

async fn not_found(uri: Uri) -> ApiError {
    let hint = "the API is under /api/v1; /healthz, /readyz and /metrics stand beside it";
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", uri.path()), hint)
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    let hint = "the header `allow` names the methods it takes";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, hint)
}
