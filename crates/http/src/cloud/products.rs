//! `/api/v1/products`.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::{Product, Secret};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shown::{Checks, Dialect, List, ProductShown};
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, Named, Sent, bad_query, bad_request, hex, stated};
use crate::times::zone_minutes;

/// Beijing, where both clouds are at home.
const ZONE_MINUTES: i16 = 480;

/// Whether secrets are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Reveal {
    /// Shows secrets; needs the scope `manage`.
    #[serde(default)]
    #[param(required = false)]
    pub(super) reveal: bool,
}

/// A product to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProduct {
    /// Product id or ProductKey, 1 to 64 of `A-Z a-z 0-9 _ - . : @`; made if absent.
    id: Option<String>,
    name: Option<String>,
    dialect: Dialect,
    /// Master API key, base64 access key or ProductSecret.
    secret: Option<String>,
    /// Zone of device times that name none; `+08:00` if absent.
    zone: Option<String>,
    /// `report` if absent.
    validation: Option<Checks>,
    /// Whether devices may register themselves as their cloud does it, which takes the secret of the product; if
    /// absent, whether there is one.
    dynamic_registration: Option<bool>,
    /// Days that points, events and commands are kept; for ever if absent.
    history_days: Option<u32>,
    /// Quirks to switch on or off.
    #[serde(default)]
    switches: BTreeMap<String, bool>,
}

impl NewProduct {
    fn product(self) -> Result<(Product, bool), ApiError> {
        let given = self.secret.is_some();
        let id = self.id.unwrap_or_default();
        let product = Product {
            name: self.name.unwrap_or_else(|| id.clone()),
            id,
            dialect: self.dialect.into(),
            secret: self.secret.map(Secret),
            number: 0,
            created_at_ms: 0,
            zone_minutes: self.zone.as_deref().map_or(Ok(ZONE_MINUTES), zone)?,
            validation: self.validation.map(Into::into).unwrap_or_default(),
            dynamic_registration: self.dynamic_registration.unwrap_or(given),
            history_days: days(self.history_days)?,
            switches: self.switches,
        };
        Ok((product, given))
    }
}

fn zone(text: &str) -> Result<i16, ApiError> {
    zone_minutes(text).ok_or_else(|| bad_request(format!("`zone` is `{text}`; write it like +08:00")))
}

fn days(days: Option<u32>) -> Result<Option<u32>, ApiError> {
    match days {
        Some(0) => Err(bad_request("`history_days` is 0; leave it out to keep everything")),
        days => Ok(days),
    }
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductChange {
    name: Option<String>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    secret: Option<Option<String>>,
    zone: Option<String>,
    validation: Option<Checks>,
    dynamic_registration: Option<bool>,
    /// `null`: for ever.
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<u32>)]
    history_days: Option<Option<u32>>,
    /// Quirks to switch; `null` puts one back to its default. Others stay as they are.
    #[serde(default)]
    switches: BTreeMap<String, Option<bool>>,
}

impl ProductChange {
    fn apply(self, mut product: Product) -> Result<Product, ApiError> {
        if let Some(name) = self.name {
            product.name = name;
        }
        if let Some(secret) = self.secret {
            product.secret = secret.map(Secret);
        }
        if let Some(text) = self.zone.as_deref() {
            product.zone_minutes = zone(text)?;
        }
        if let Some(validation) = self.validation {
            product.validation = validation.into();
        }
        if let Some(allowed) = self.dynamic_registration {
            product.dynamic_registration = allowed;
        }
        if let Some(kept) = self.history_days {
            product.history_days = days(kept)?;
        }
        for (quirk, on) in self.switches {
            match on {
                Some(on) => product.switches.insert(quirk, on),
                None => product.switches.remove(&quirk),
            };
        }
        Ok(product)
    }
}

/// Lists products.
#[utoipa::path(get, path = "/api/v1/products", tag = "products", params(Reveal),
    responses((status = 200, body = List<ProductShown>)))]
pub(super) async fn list(cloud: Cloud, Asked(asked): Asked<Reveal>) -> Result<Response, ApiError> {
    let reveal = cloud.caller.reveal(asked.reveal)?;
    let products = cloud.ask(|platform| platform.products()).await?;
    let limit = cloud.caller.product();
    let within = |product: &Product| limit.is_none_or(|limit| limit == product.id);
    let shown = products.into_iter().filter(within).map(|product| ProductShown::of(product, reveal));
    Ok(Json(List::whole(shown.collect())).into_response())
}

/// Makes a product.
#[utoipa::path(post, path = "/api/v1/products", tag = "products", request_body = NewProduct,
    responses((status = 201, body = ProductShown), (status = 409, description = "There is one with this id")))]
pub(super) async fn create(cloud: Cloud, Sent(new): Sent<NewProduct>) -> Result<Response, ApiError> {
    let (product, secret_given) = new.product()?;
    let product = cloud.ask(move |platform| platform.create_product(product)).await?;
    let location = format!("/api/v1/products/{}", product.id);
    let shown = ProductShown::of(product, !secret_given);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// Shows a product.
#[utoipa::path(get, path = "/api/v1/products/{product}", tag = "products", params(Reveal),
    responses((status = 200, body = ProductShown)))]
pub(super) async fn one(
    cloud: Cloud,
    Named(id): Named<String>,
    Asked(asked): Asked<Reveal>,
) -> Result<Response, ApiError> {
    let reveal = cloud.caller.reveal(asked.reveal)?;
    let product = cloud.ask(move |platform| platform.product(&id)).await?;
    Ok(Json(ProductShown::of(product, reveal)).into_response())
}

/// Changes a product. Its id, dialect and number stay.
#[utoipa::path(patch, path = "/api/v1/products/{product}", tag = "products", request_body = ProductChange,
    responses((status = 200, body = ProductShown)))]
pub(super) async fn change(
    cloud: Cloud,
    Named(id): Named<String>,
    Sent(change): Sent<ProductChange>,
) -> Result<Response, ApiError> {
    let product = cloud.ask(move |platform| platform.product(&id)).await?;
    let product = change.apply(product)?;
    let product = cloud.ask(move |platform| platform.update_product(product)).await?;
    Ok(Json(ProductShown::of(product, false)).into_response())
}

/// Removes a product with all its devices and their data; their connections are closed.
#[utoipa::path(delete, path = "/api/v1/products/{product}", tag = "products",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(cloud: Cloud, Named(id): Named<String>) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.delete_product(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A deviation that firmware of a cloud depends on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quirk)]
struct QuirkShown {
    name: &'static str,
    on: bool,
    default: bool,
    what: &'static str,
    source: &'static str,
}

/// Lists the quirks that a product can switch.
#[utoipa::path(get, path = "/api/v1/products/{product}/quirks", tag = "products",
    responses((status = 200, body = List<QuirkShown>)))]
pub(super) async fn quirks(cloud: Cloud, Named(id): Named<String>) -> Result<Response, ApiError> {
    let quirks = cloud.ask(move |platform| platform.quirks(&id)).await?;
    let shown = quirks.into_iter().map(|(quirk, on)| QuirkShown {
        name: quirk.name,
        on,
        default: quirk.default,
        what: quirk.what,
        source: quirk.source,
    });
    Ok(Json(List::whole(shown.collect())).into_response())
}

/// A message for the subscribers in a product's namespace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    topic: String,
    /// Text; or `payload_hex`.
    payload: Option<String>,
    payload_hex: Option<String>,
    /// 0, 1 or 2.
    #[serde(default)]
    qos: u8,
}

/// Publishes to the devices of a product that have subscribed to the topic.
#[utoipa::path(post, path = "/api/v1/products/{product}/publish", tag = "products", request_body = NewMessage,
    responses((status = 202, description = "It is on its way")))]
pub(super) async fn publish(
    cloud: Cloud,
    Named(id): Named<String>,
    Sent(message): Sent<NewMessage>,
) -> Result<StatusCode, ApiError> {
    if message.qos > 2 {
        return Err(bad_request(format!("`qos` is {}; it is 0, 1 or 2", message.qos)));
    }
    if message.topic.is_empty() || message.topic.contains(['+', '#', '\0']) {
        return Err(bad_request("`topic` is no topic name: it is empty or has a wildcard"));
    }
    let payload = match (message.payload, message.payload_hex) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => hex("payload_hex", &text)?,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => {
            return Err(bad_request("there are `payload` and `payload_hex`; one of them is enough"));
        }
    };
    cloud.ask(move |platform| platform.publish(&id, &message.topic, &payload, message.qos)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Of which topic.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfTopic {
    /// Topic name.
    topic: String,
}

/// A device that has subscribed.
#[derive(Debug, Serialize, ToSchema)]
struct Subscriber {
    id: String,
}

/// Lists the devices of a product with a subscription that matches a topic.
#[utoipa::path(get, path = "/api/v1/products/{product}/subscribers", tag = "products", params(OfTopic),
    responses((status = 200, body = List<Subscriber>)))]
pub(super) async fn subscribers(
    cloud: Cloud,
    Named(id): Named<String>,
    Asked(asked): Asked<OfTopic>,
) -> Result<Response, ApiError> {
    if asked.topic.is_empty() {
        return Err(bad_query("`topic` is empty"));
    }
    let devices = cloud.ask(move |platform| platform.subscribers(&id, &asked.topic)).await?;
    let shown = devices.into_iter().map(|id| Subscriber { id });
    Ok(Json(List::whole(shown.collect())).into_response())
}
