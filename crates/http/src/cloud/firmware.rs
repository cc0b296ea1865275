//! Firmware of a product, and offering it to a device.

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::Offer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::devices::{Pair, device};
use super::shown::{Delivery, List};
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, Named, Sent, bad_query, bad_request, bytes};

/// A file that devices may fetch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Firmware)]
struct FirmwareShown {
    id: String,
    module: String,
    version: String,
    /// Bytes.
    size: u64,
    sha256: String,
    md5: String,
    /// Where a device fetches it.
    url: String,
}

impl FirmwareShown {
    fn of(offer: Offer) -> FirmwareShown {
        FirmwareShown {
            id: offer.id,
            module: offer.module,
            version: offer.version,
            size: offer.size,
            sha256: offer.sha256,
            md5: offer.md5,
            url: offer.url,
        }
    }
}

/// Which firmware it is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Version {
    /// Firmware version.
    version: String,
    /// Firmware module; `default` if absent.
    module: Option<String>,
}

/// Lists the firmware of a product.
#[utoipa::path(get, path = "/api/v1/products/{product}/firmware", tag = "firmware",
    responses((status = 200, body = List<FirmwareShown>)))]
pub(super) async fn list(cloud: Cloud, Named(product): Named<String>) -> Result<Response, ApiError> {
    let offers = cloud.ask(move |platform| platform.firmware(&product)).await?;
    Ok(Json(List::whole(offers.into_iter().map(FirmwareShown::of).collect())).into_response())
}

/// Keeps firmware, sent as it is, up to 64 MiB.
#[utoipa::path(post, path = "/api/v1/products/{product}/firmware", tag = "firmware", params(Version),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = FirmwareShown)))]
pub(super) async fn add(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(asked): Asked<Version>,
    request: Request,
) -> Result<Response, ApiError> {
    if asked.version.is_empty() {
        return Err(bad_query("`version` is empty"));
    }
    let place = cloud.large().await?;
    let body = bytes(request).await?;
    if body.is_empty() {
        return Err(bad_request("the body is empty; send the firmware as it is: curl --data-binary @FILE"));
    }
    let name = product.clone();
    let offer = cloud
        .ask(move |platform| {
            let _place = place;
            let module = asked.module.as_deref().unwrap_or("default");
            platform.add_firmware(&product, module, &asked.version, &body)
        })
        .await?;
    let location = format!("/api/v1/products/{name}/firmware/{}", offer.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(FirmwareShown::of(offer))).into_response())
}

/// Removes firmware.
#[utoipa::path(delete, path = "/api/v1/products/{product}/firmware/{firmware}", tag = "firmware",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(
    cloud: Cloud,
    Named((product, id)): Named<(String, String)>,
) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.delete_firmware(&product, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which firmware a device is offered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOffer {
    /// Its id.
    id: String,
}

/// Offers firmware to a device: it is told now if it is here, and when it asks.
#[utoipa::path(post, path = "/api/v1/products/{product}/devices/{device}/firmware", tag = "firmware",
    request_body = NewOffer, responses((status = 202, body = Delivery)))]
pub(super) async fn offer(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Sent(new): Sent<NewOffer>,
) -> Result<Response, ApiError> {
    let sent = cloud.ask(move |platform| platform.offer_firmware(&device(names), &new.id)).await?;
    Ok((StatusCode::ACCEPTED, Json(Delivery::from(sent))).into_response())
}
