//! What devices report: their latest values, events and log; and values that applications post for them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hexmq_device::mac::to_hex;
use hexmq_device::port::TimeQuery;
use hexmq_device::{DeviceRef, Event, LogLine, NewPoint, Point};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::csv;
use super::devices::{Pair, device};
use super::shown::{List, ValueShown, datum};
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, LIMIT_MAX, Named, bad_query, bad_request, bytes, json, page};
use crate::times::At;

/// Points the platform is given in one call.
const POINTS_AT_ONCE: usize = 1000;

/// A value of a property at a time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Point)]
pub(super) struct PointShown {
    id: String,
    #[serde(flatten)]
    value: ValueShown,
    /// When it was measured.
    at: At,
    /// When it came.
    received_at: At,
}

impl PointShown {
    pub(super) fn of(point: Point) -> PointShown {
        PointShown {
            value: ValueShown::of(&point.value),
            id: point.id,
            at: At(point.at_ms),
            received_at: At(point.received_at_ms),
        }
    }
}

/// Shows the latest value of each property of a device.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/properties", tag = "data",
    responses((status = 200, body = List<PointShown>)))]
pub(super) async fn latest(cloud: Cloud, Named(names): Named<Pair>) -> Result<Response, ApiError> {
    let points = cloud.ask(move |platform| platform.latest(&device(names))).await?;
    Ok(Json(List::whole(points.into_iter().map(PointShown::of).collect())).into_response())
}

/// Values that an application posts for a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPoints {
    /// Values by property.
    #[serde(default)]
    values: BTreeMap<String, Value>,
    /// When they were measured; now if absent.
    at: Option<At>,
    /// Values with times of their own, and binary ones.
    #[serde(default)]
    points: Vec<PointSent>,
}

/// A value that is posted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PointSent {
    id: String,
    value: Option<Value>,
    value_hex: Option<String>,
    /// When it was measured; now if absent.
    at: Option<At>,
}

impl NewPoints {
    fn points(self) -> Result<Vec<NewPoint>, ApiError> {
        let at_ms = self.at.map(|at| at.0);
        let mut points = Vec::with_capacity(self.values.len() + self.points.len());
        for (id, value) in self.values {
            points.push(NewPoint { value: datum(&id, Some(value), None)?, id, at_ms });
        }
        for sent in self.points {
            let value = datum(&sent.id, sent.value, sent.value_hex.as_deref())?;
            points.push(NewPoint { id: sent.id, value, at_ms: sent.at.map(|at| at.0).or(at_ms) });
        }
        Ok(points)
    }
}

/// How many were kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Posted {
    posted: usize,
}

/// Posts values for a device, as JSON, or as CSV with the columns `id`, `value` and, where they are needed, `at` and
/// `value_hex`.
#[utoipa::path(post, path = "/api/v1/products/{product}/devices/{device}/properties", tag = "data",
    request_body(content((NewPoints = "application/json"), (String = "text/csv"))),
    responses((status = 200, body = Posted)))]
pub(super) async fn post(
    cloud: Cloud,
    Named(names): Named<Pair>,
    request: Request,
) -> Result<Response, ApiError> {
    let _place = cloud.large().await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_csv = kind.is_some_and(|kind| kind.starts_with("text/csv"));
    let body = bytes(request).await?;
    let points = if is_csv { csv::points(&body)? } else { json::<NewPoints>(&body)?.points()? };
    if points.is_empty() {
        return Err(bad_request("there is no value; send {\"values\":{\"temperature\":21.5}}"));
    }
    let posted = points.len();
    let device = device(names);
    let mut rest = points.into_iter();
    loop {
        let some: Vec<NewPoint> = rest.by_ref().take(POINTS_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(Json(Posted { posted }).into_response());
        }
        let device = device.clone();
        cloud.ask(move |platform| platform.post(&device, some)).await?;
    }
}

/// A stretch of time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Stretch {
    /// Only these, separated by commas.
    id: Option<String>,
    /// From this time on.
    #[param(value_type = Option<String>)]
    from: Option<At>,
    /// Up to and without this time.
    #[param(value_type = Option<String>)]
    to: Option<At>,
    /// 1 to 1000 items; 100 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `asc` or `desc`; `desc`, the newest first, if absent.
    order: Option<String>,
}

/// Whether the newest come first.
pub(super) fn newest_first(order: Option<&str>, default: bool) -> Result<bool, ApiError> {
    match order {
        None => Ok(default),
        Some("desc") => Ok(true),
        Some("asc") => Ok(false),
        Some(order) => Err(bad_query(format!("order={order} is neither asc nor desc"))),
    }
}

/// Names separated by commas.
pub(super) fn names(text: Option<&str>) -> Option<Vec<String>> {
    text.map(|text| text.split(',').map(str::to_owned).collect())
}

impl Stretch {
    /// The question to the platform.
    pub(super) fn query(self, product: String, device: Option<String>) -> Result<TimeQuery, ApiError> {
        Ok(TimeQuery {
            product,
            device,
            ids: names(self.id.as_deref()),
            from_ms: self.from.map(|at| at.0),
            to_ms: self.to.map(|at| at.0),
            newest_first: newest_first(self.order.as_deref(), true)?,
            page: page(self.limit, self.cursor, LIMIT_MAX)?,
        })
    }
}

/// Something that happened to a device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct EventShown {
    device: String,
    id: String,
    params: Value,
    at: At,
    received_at: At,
}

impl EventShown {
    fn of(event: Event) -> EventShown {
        EventShown {
            device: event.device.device,
            id: event.id,
            params: event.params,
            at: At(event.at_ms),
            received_at: At(event.received_at_ms),
        }
    }
}

/// Lists the events of a device; `id` are event identifiers.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/events", tag = "data", params(Stretch),
    responses((status = 200, body = List<EventShown>)))]
pub(super) async fn events(
    cloud: Cloud,
    Named((product, id)): Named<Pair>,
    Asked(asked): Asked<Stretch>,
) -> Result<Response, ApiError> {
    let query = asked.query(product, Some(id))?;
    let page = cloud
        .ask(move |platform| {
            known(platform, &query)?;
            platform.events(&query)
        })
        .await?;
    Ok(Json(List::of(page, EventShown::of)).into_response())
}

/// Lists the events of all devices of a product.
#[utoipa::path(get, path = "/api/v1/products/{product}/events", tag = "data", params(Stretch),
    responses((status = 200, body = List<EventShown>)))]
pub(super) async fn events_of_product(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(asked): Asked<Stretch>,
) -> Result<Response, ApiError> {
    let query = asked.query(product, None)?;
    let page = cloud
        .ask(move |platform| {
            known(platform, &query)?;
            platform.events(&query)
        })
        .await?;
    Ok(Json(List::of(page, EventShown::of)).into_response())
}

/// An empty list would hide that there is no such product or device.
pub(super) fn known(
    platform: &dyn hexmq_device::port::Platform,
    query: &TimeQuery,
) -> hexmq_device::port::PortResult<()> {
    match &query.device {
        Some(device) => platform.device(&DeviceRef::new(&*query.product, &**device)).map(|_| ()),
        None => platform.product(&query.product).map(|_| ()),
    }
}

/// A line of a device's log: one stage of one message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
struct LineShown {
    device: String,
    at: At,
    /// `up`: from the device; `down`: to it.
    direction: &'static str,
    /// `received`, `understood`, `refused`, `stored`, `replied`, `sent`, `acked`, `answered`, `connected` …
    stage: &'static str,
    topic: Option<String>,
    /// The application message, its first 4096 bytes.
    hex: Option<String>,
    /// What it means.
    meaning: Option<String>,
    /// What is wrong with it.
    error: Option<String>,
}

impl LineShown {
    fn of(line: LogLine) -> LineShown {
        LineShown {
            device: line.device.device,
            at: At(line.at_ms),
            direction: line.direction.name(),
            stage: line.stage,
            topic: line.topic,
            hex: (!line.bytes.is_empty()).then(|| to_hex(&line.bytes)),
            meaning: line.meaning,
            error: line.error,
        }
    }
}

/// Lists the log of a device; `id` are stages.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/log", tag = "data", params(Stretch),
    responses((status = 200, body = List<LineShown>)))]
pub(super) async fn log(
    cloud: Cloud,
    Named((product, id)): Named<Pair>,
    Asked(asked): Asked<Stretch>,
) -> Result<Response, ApiError> {
    let query = asked.query(product, Some(id))?;
    let page = cloud.ask(move |platform| platform.log(&query)).await?;
    Ok(Json(List::of(page, LineShown::of)).into_response())
}

/// Lists the log of all devices of a product; `id` are stages.
#[utoipa::path(get, path = "/api/v1/products/{product}/log", tag = "data", params(Stretch),
    responses((status = 200, body = List<LineShown>)))]
pub(super) async fn log_of_product(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(asked): Asked<Stretch>,
) -> Result<Response, ApiError> {
    let query = asked.query(product, None)?;
    let page = cloud
        .ask(move |platform| {
            known(platform, &query)?;
            platform.log(&query)
        })
        .await?;
    Ok(Json(List::of(page, LineShown::of)).into_response())
}
