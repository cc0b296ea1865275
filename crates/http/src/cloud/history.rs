//! `…/history`: points of a device, one by one or summarised.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{Bucket, TimeQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::data::{PointShown, known, names, newest_first};
use super::devices::{Pair, device};
use super::shown::List;
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, Named, bad_query, page};
use crate::times::{At, duration_ms};

/// Points of a page.
const POINTS_MAX: usize = 10_000;

/// Which points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only these properties, separated by commas.
    id: Option<String>,
    /// Measured from this time on.
    #[param(value_type = Option<String>)]
    from: Option<At>,
    /// Measured before this time.
    #[param(value_type = Option<String>)]
    to: Option<At>,
    /// 1 to 10,000 items; 100 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `asc` or `desc`; `asc`, the oldest first, if absent.
    order: Option<String>,
    /// Summarises the numbers of each stretch of this length: `60s`, `5m`, `1h`, `1d`.
    step: Option<String>,
}

/// A point, or with `?step=` a summary.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Line {
    Point(PointShown),
    Summary(Summary),
}

/// The numbers of a stretch of time.
#[derive(Debug, Serialize, ToSchema)]
struct Summary {
    id: String,
    /// Its beginning.
    at: At,
    count: u64,
    min: f64,
    max: f64,
    avg: f64,
    sum: f64,
    last: f64,
}

impl Summary {
    fn of(bucket: Bucket) -> Summary {
        Summary {
            id: bucket.id,
            at: At(bucket.at_ms),
            count: bucket.count,
            min: bucket.minimum,
            max: bucket.maximum,
            avg: if bucket.count == 0 { 0.0 } else { bucket.sum / bucket.count as f64 },
            sum: bucket.sum,
            last: bucket.last,
        }
    }
}

/// Lists the points of a device in order of time, or summarises them.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/history", tag = "data", params(Which),
    responses((status = 200, body = List<Line>)))]
pub(super) async fn points(
    cloud: Cloud,
    Named((product, id)): Named<Pair>,
    Asked(asked): Asked<Which>,
) -> Result<Response, ApiError> {
    let step = asked.step.as_deref().map(|step| {
        duration_ms(step)
            .ok_or_else(|| bad_query(format!("step={step} is no length of time; write it like 5m")))
    });
    let step = step.transpose()?;
    let query = TimeQuery {
        product,
        device: Some(id),
        ids: names(asked.id.as_deref()),
        from_ms: asked.from.map(|at| at.0),
        to_ms: asked.to.map(|at| at.0),
        newest_first: newest_first(asked.order.as_deref(), false)?,
        page: page(asked.limit, asked.cursor, POINTS_MAX)?,
    };
    let list = cloud
        .ask(move |platform| {
            known(platform, &query)?;
            Ok(match step {
                None => List::of(platform.points(&query)?, |point| Line::Point(PointShown::of(point))),
                Some(step) => {
                    let buckets = platform.summary(&query, step)?;
                    List::whole(
                        buckets.into_iter().map(|bucket| Line::Summary(Summary::of(bucket))).collect(),
                    )
                }
            })
        })
        .await?;
    Ok(Json(list).into_response())
}

/// Which points are to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfProperty {
    /// Of this property; of all if absent.
    id: Option<String>,
}

/// Removes the points of a device.
#[utoipa::path(delete, path = "/api/v1/products/{product}/devices/{device}/history", tag = "data",
    params(OfProperty), responses((status = 204, description = "They are gone")))]
pub(super) async fn remove(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Asked(asked): Asked<OfProperty>,
) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.delete_points(&device(names), asked.id.as_deref())).await?;
    Ok(StatusCode::NO_CONTENT)
}
