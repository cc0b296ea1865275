//! The flight recorder over HTTP: refused connections, watches, recordings, and both live.

mod convert;
mod live;
mod query;
mod recording;
mod rejections;
mod watches;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::serve::Service;

/// The paths of the recorder.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/api/v1/rejections", get(rejections::list))
        .route("/api/v1/rejections/stream", get(live::rejections))
        .route("/api/v1/recorder/watches", get(watches::list).post(watches::add))
        .route("/api/v1/recorder/watches/{id}", get(watches::one).delete(watches::remove))
        .route("/api/v1/recorder/watches/{id}/recording", get(recording::download))
        .route("/api/v1/recorder/stream", get(live::watch))
}
