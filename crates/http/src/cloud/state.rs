//! What a device is to become, what it is bound to, and what it has subscribed to.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hexmq_device::{Datum, DeviceRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::devices::{Pair, device};
use super::shown::{DeviceName, List};
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Named, Sent, bad_request};
use crate::times::At;

/// A device's shadow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shadow)]
struct ShadowShown {
    reported: BTreeMap<String, Stated>,
    desired: BTreeMap<String, Stated>,
    /// Counts its changes.
    version: i64,
    at: At,
}

/// A value and when it was set.
#[derive(Debug, Serialize, ToSchema)]
struct Stated {
    value: Value,
    at: At,
}

/// Shows the shadow of a device.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/shadow", tag = "state",
    responses((status = 200, body = ShadowShown)))]
pub(super) async fn shadow(cloud: Cloud, Named(names): Named<Pair>) -> Result<Response, ApiError> {
    let shadow = cloud.ask(move |platform| platform.shadow(&device(names))).await?;
    let states = |states: BTreeMap<String, (Value, i64)>| {
        states.into_iter().map(|(name, (value, at_ms))| (name, Stated { value, at: At(at_ms) })).collect()
    };
    let shown = ShadowShown {
        reported: states(shadow.reported),
        desired: states(shadow.desired),
        version: shadow.version,
        at: At(shadow.at_ms),
    };
    Ok(Json(shown).into_response())
}

/// A desired value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Desired)]
struct DesiredShown {
    id: String,
    value: Value,
    /// Counts the changes of this value.
    version: u64,
}

/// Lists the desired values of a device.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/desired", tag = "state",
    responses((status = 200, body = List<DesiredShown>)))]
pub(super) async fn desired(cloud: Cloud, Named(names): Named<Pair>) -> Result<Response, ApiError> {
    let desired = cloud.ask(move |platform| platform.desired(&device(names))).await?;
    let shown = desired.into_iter().map(|(id, desired)| DesiredShown {
        id,
        value: desired.value,
        version: desired.version,
    });
    Ok(Json(List::whole(shown.collect())).into_response())
}

/// Values a device is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDesired {
    /// By property; `null` means that nothing is desired any more. Others stay.
    values: BTreeMap<String, Value>,
}

/// Sets desired values; a device that is here is told as its dialect does it.
#[utoipa::path(put, path = "/api/v1/products/{product}/devices/{device}/desired", tag = "state",
    request_body = NewDesired, responses((status = 204, description = "They are set")))]
pub(super) async fn set_desired(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Sent(new): Sent<NewDesired>,
) -> Result<StatusCode, ApiError> {
    if new.values.is_empty() {
        return Err(bad_request("`values` is empty; send {\"values\":{\"brightness\":80}}"));
    }
    let values = new.values.into_iter().map(|(id, value)| (id, Datum::of_json(value))).collect();
    cloud.ask(move |platform| platform.set_desired(&device(names), values)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the devices bound to a gateway.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/topology", tag = "state",
    responses((status = 200, body = List<DeviceName>)))]
pub(super) async fn topology(cloud: Cloud, Named(names): Named<Pair>) -> Result<Response, ApiError> {
    let bound = cloud.ask(move |platform| platform.topology(&device(names))).await?;
    Ok(Json(List::whole(bound.into_iter().map(DeviceName::from).collect())).into_response())
}

/// The devices bound to a gateway.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Topology {
    devices: Vec<DeviceName>,
}

/// Binds these devices to a gateway, and no others.
#[utoipa::path(put, path = "/api/v1/products/{product}/devices/{device}/topology", tag = "state",
    request_body = Topology, responses((status = 200, body = List<DeviceName>)))]
pub(super) async fn set_topology(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Sent(new): Sent<Topology>,
) -> Result<Response, ApiError> {
    let gateway = device(names);
    if let (Some(limit), Some(outside)) = (
        cloud.caller.product(),
        new.devices.iter().find(|device| cloud.caller.product().is_some_and(|limit| limit != device.product)),
    ) {
        let message = format!("the key is for the product {limit} only, and {} is of another", outside.id);
        let hint = "use a key without this limit";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "outside_of_key", message, hint));
    }
    let wanted: BTreeSet<DeviceRef> = new.devices.into_iter().map(DeviceRef::from).collect();
    let bound = cloud
        .ask(move |platform| {
            let before: BTreeSet<DeviceRef> = platform.topology(&gateway)?.into_iter().collect();
            let add: Vec<DeviceRef> = wanted.difference(&before).cloned().collect();
            let gone: Vec<DeviceRef> = before.difference(&wanted).cloned().collect();
            platform.change_topology(&gateway, &add, &gone)?;
            platform.topology(&gateway)
        })
        .await?;
    Ok(Json(List::whole(bound.into_iter().map(DeviceName::from).collect())).into_response())
}

/// A subscription of a device.
#[derive(Debug, Serialize, ToSchema)]
struct Subscription {
    topic_filter: String,
}

/// Lists the topic filters a device has subscribed to.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/subscriptions", tag = "state",
    responses((status = 200, body = List<Subscription>)))]
pub(super) async fn subscriptions(cloud: Cloud, Named(names): Named<Pair>) -> Result<Response, ApiError> {
    let filters = cloud
        .ask(move |platform| {
            let device = device(names);
            platform.device(&device)?;
            platform.subscriptions(&device)
        })
        .await?;
    let shown = filters.into_iter().map(|topic_filter| Subscription { topic_filter });
    Ok(Json(List::whole(shown.collect())).into_response())
}
