//! The device cloud over HTTP: products, devices, what they report and what they are told.

mod batch;
mod commands;
mod csv;
mod data;
mod devices;
mod doctor;
mod files;
mod firmware;
mod history;
mod keys;
mod model;
mod products;
mod shown;
mod state;
mod vendor;
mod webhooks;

pub(crate) use doctor::{DoctorShown, Rounds};
pub(crate) use files::routes as files;
pub(crate) use shown::List;
pub(crate) use vendor::answer as vendors;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::desk::Room;

/// Largest body of an import, in bytes.
const IMPORT_BYTES_MAX: usize = 16 << 20;
/// Largest firmware, in bytes.
const FIRMWARE_BYTES_MAX: usize = 64 << 20;

/// The paths of the device cloud.
pub(crate) fn routes() -> OpenApiRouter<Room> {
    OpenApiRouter::new()
        .routes(routes!(products::list, products::create))
        .routes(routes!(products::one, products::change, products::remove))
        .routes(routes!(products::quirks))
        .routes(routes!(products::publish))
        .routes(routes!(products::subscribers))
        .routes(routes!(model::show, model::set, model::remove))
        .routes(routes!(model::draft))
        .routes(routes!(firmware::list))
        .routes(routes!(firmware::remove))
        .routes(routes!(firmware::offer))
        .routes(routes!(devices::list, devices::create))
        .routes(routes!(devices::everywhere))
        .routes(routes!(devices::one, devices::change, devices::remove))
        .routes(routes!(batch::export))
        .routes(routes!(data::latest))
        .routes(routes!(history::points, history::remove))
        .routes(routes!(data::events))
        .routes(routes!(data::events_of_product))
        .routes(routes!(data::log))
        .routes(routes!(data::log_of_product))
        .routes(routes!(commands::list, commands::send))
        .routes(routes!(commands::one))
        .routes(routes!(commands::list_of_product))
        .routes(routes!(state::shadow))
        .routes(routes!(state::desired, state::set_desired))
        .routes(routes!(state::topology, state::set_topology))
        .routes(routes!(state::subscriptions))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::remove))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::change, webhooks::remove))
        .routes(routes!(doctor::examine))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(batch::import))
                .routes(routes!(data::post))
                .layer(DefaultBodyLimit::max(IMPORT_BYTES_MAX)),
        )
        .merge(
            OpenApiRouter::new()
                .routes(routes!(firmware::add))
                .layer(DefaultBodyLimit::max(FIRMWARE_BYTES_MAX)),
        )
}
