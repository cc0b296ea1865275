//! `/api/v1/products/{product}/devices`, and all devices at `/api/v1/devices`.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{DeviceQuery, PortError, PortErrorKind};
use hexmq_device::{Device, DeviceRef, Presence, Secret};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::products::Reveal;
use super::shown::DeviceShown;
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, LIMIT_MAX, Named, Sent, bad_query, page, stated};
use crate::times::At;

/// A device to be registered.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDevice {
    /// Device id or DeviceName, 1 to 64 of `A-Z a-z 0-9 _ - . : @`; made if absent.
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    /// Auth info, access key or DeviceSecret; made if absent, where its dialect has one.
    pub(super) secret: Option<String>,
    /// Accepted as it is in place of whatever the dialect asks for: for devices whose secret is lost.
    pub(super) password: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) disabled: bool,
    /// What its cloud's own API knows of besides: description, location …
    #[serde(default)]
    pub(super) extra: Option<serde_json::Value>,
}

impl NewDevice {
    pub(super) fn device(self, product: &str, now_ms: i64) -> Device {
        let id = self.id.unwrap_or_default();
        Device {
            product: product.to_owned(),
            name: self.name.unwrap_or_else(|| id.clone()),
            id,
            secret: self.secret.map(Secret),
            password: self.password.map(Secret),
            tags: self.tags,
            disabled: self.disabled,
            created_at_ms: now_ms,
            activated_at_ms: None,
            presence: Presence::default(),
            extra: self.extra.unwrap_or(serde_json::Value::Null),
        }
    }
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceChange {
    name: Option<String>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    secret: Option<Option<String>>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    password: Option<Option<String>>,
    /// Tags to set; `null` removes one. Others stay.
    #[serde(default)]
    tags: BTreeMap<String, Option<String>>,
    /// A device that becomes disabled loses its connection.
    disabled: Option<bool>,
    /// What is secret in it stays unless it is stated.
    extra: Option<serde_json::Value>,
}

impl DeviceChange {
    fn apply(self, mut device: Device) -> Device {
        if let Some(name) = self.name {
            device.name = name;
        }
        if let Some(secret) = self.secret {
            device.secret = secret.map(Secret);
        }
        if let Some(password) = self.password {
            device.password = password.map(Secret);
        }
        for (tag, value) in self.tags {
            match value {
                Some(value) => device.tags.insert(tag, value),
                None => device.tags.remove(&tag),
            };
        }
        if let Some(disabled) = self.disabled {
            device.disabled = disabled;
        }
        if let Some(extra) = self.extra {
            device.set_extra(extra);
        }
        device
    }
}

/// Which devices.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// 1 to 1000 items; 100 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Whose id or name contains this.
    text: Option<String>,
    /// That have this tag, as `name` or `name:value`.
    tag: Option<String>,
    /// `never`, `online`, `offline` or `disabled`.
    status: Option<String>,
    /// Only these ids, separated by commas.
    ids: Option<String>,
    /// Created at or after this time.
    #[param(value_type = Option<String>)]
    created_from: Option<At>,
    /// Created before this time.
    #[param(value_type = Option<String>)]
    created_to: Option<At>,
    /// Adds `total`: how many there are in all, counted up to a million.
    #[serde(default)]
    #[param(required = false)]
    count: bool,
    /// Shows secrets; needs the scope `manage`.
    #[serde(default)]
    #[param(required = false)]
    pub(super) reveal: bool,
}

impl Which {
    /// The question to the platform, within the limits of who asks.
    pub(super) fn query(&self, cloud: &Cloud, product: Option<String>) -> Result<DeviceQuery, ApiError> {
        const STATES: [&str; 4] = ["never", "online", "offline", "disabled"];
        if let Some(status) = &self.status
            && !STATES.contains(&&**status)
        {
            return Err(bad_query(format!("status={status} is none of {}", STATES.join(", "))));
        }
        let tag = self.tag.as_deref().map(|tag| match tag.split_once(':') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (tag.to_owned(), None),
        });
        let ids = self.ids.as_deref().map(|ids| ids.split(',').map(str::to_owned).collect());
        Ok(DeviceQuery {
            product: product.or_else(|| cloud.caller.product().map(str::to_owned)),
            text: self.text.clone(),
            tag,
            status: self.status.clone(),
            ids: cloud.caller.device().map(|device| vec![device.to_owned()]).or(ids),
            created_from_ms: self.created_from.map(|at| at.0),
            created_to_ms: self.created_to.map(|at| at.0),
            page: page(self.limit, self.cursor.clone(), LIMIT_MAX)?,
        })
    }
}

/// Devices in the order of product and id.
#[derive(Debug, Serialize, ToSchema)]
struct Devices {
    items: Vec<DeviceShown>,
    next: Option<String>,
    /// With `?count=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total: Option<u64>,
}

/// Lists the devices of a product.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices", tag = "devices", params(Which),
    responses((status = 200, body = Devices)))]
pub(super) async fn list(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(which): Asked<Which>,
) -> Result<Response, ApiError> {
    let query = which.query(&cloud, Some(product.clone()))?;
    // An empty list would hide that there is no such product.
    cloud.ask(move |platform| platform.product(&product)).await?;
    answer(&cloud, &which, query).await
}

/// Lists the devices of all products.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(Which),
    responses((status = 200, body = Devices)))]
pub(super) async fn everywhere(cloud: Cloud, Asked(which): Asked<Which>) -> Result<Response, ApiError> {
    let query = which.query(&cloud, None)?;
    answer(&cloud, &which, query).await
}

async fn answer(cloud: &Cloud, which: &Which, query: DeviceQuery) -> Result<Response, ApiError> {
    let reveal = cloud.caller.reveal(which.reveal)?;
    let count = which.count;
    let (page, total) = cloud
        .ask(move |platform| {
            let total = count.then(|| platform.count_devices(&query)).transpose()?;
            Ok((platform.devices(&query)?, total))
        })
        .await?;
    let items = page.items.into_iter().map(|device| DeviceShown::of(device, reveal)).collect();
    Ok(Json(Devices { items, next: page.next, total }).into_response())
}

/// Registers a device.
#[utoipa::path(post, path = "/api/v1/products/{product}/devices", tag = "devices", request_body = NewDevice,
    responses((status = 201, body = DeviceShown), (status = 409, description = "There is one with this id")))]
pub(super) async fn create(
    cloud: Cloud,
    Named(product): Named<String>,
    Sent(new): Sent<NewDevice>,
) -> Result<Response, ApiError> {
    let secret_given = new.secret.is_some();
    let device = cloud
        .ask(move |platform| {
            let device = new.device(&product, platform.now_ms());
            let none =
                || Err(PortError::new(PortErrorKind::Unavailable, "no_answer", "nothing was registered"));
            platform.create_devices(vec![device])?.pop().unwrap_or_else(none)
        })
        .await?;
    let location = format!("/api/v1/products/{}/devices/{}", device.product, device.id);
    let mut shown = DeviceShown::of(device, !secret_given);
    shown.password = None;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// Product and device of a path.
pub(super) type Pair = (String, String);

/// The device a path names.
pub(super) fn device((product, device): Pair) -> DeviceRef {
    DeviceRef::new(product, device)
}

/// Shows a device.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}", tag = "devices", params(Reveal),
    responses((status = 200, body = DeviceShown)))]
pub(super) async fn one(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Asked(asked): Asked<Reveal>,
) -> Result<Response, ApiError> {
    let reveal = cloud.caller.reveal(asked.reveal)?;
    let found = cloud.ask(move |platform| platform.device(&device(names))).await?;
    Ok(Json(DeviceShown::of(found, reveal)).into_response())
}

/// Changes a device.
#[utoipa::path(patch, path = "/api/v1/products/{product}/devices/{device}", tag = "devices",
    request_body = DeviceChange, responses((status = 200, body = DeviceShown)))]
pub(super) async fn change(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Sent(change): Sent<DeviceChange>,
) -> Result<Response, ApiError> {
    let changed = cloud
        .ask(move |platform| platform.update_device(change.apply(platform.device(&device(names))?)))
        .await?;
    Ok(Json(DeviceShown::of(changed, false)).into_response())
}

/// Removes a device and what is kept of it; its connection is closed.
#[utoipa::path(delete, path = "/api/v1/products/{product}/devices/{device}", tag = "devices",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(cloud: Cloud, Named(names): Named<Pair>) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.delete_device(&device(names))).await?;
    Ok(StatusCode::NO_CONTENT)
}
