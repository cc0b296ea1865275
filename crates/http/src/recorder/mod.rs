//! The flight recorder over HTTP: refused connections, watches, recordings, and both live.

mod convert;
mod live;
mod query;
mod recording;
mod rejections;
mod watches;

pub(crate) use query::Lang;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::desk::Room;

/// The paths of the recorder.
pub(crate) fn routes() -> OpenApiRouter<Room> {
    OpenApiRouter::new()
        .routes(routes!(rejections::list))
        .routes(routes!(live::rejections))
        .routes(routes!(watches::list, watches::add))
        .routes(routes!(watches::one, watches::remove))
        .routes(routes!(recording::download))
        .routes(routes!(live::watch))
}
