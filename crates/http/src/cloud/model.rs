//! Thing models as TSL.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{PortError, PortErrorKind};
use serde_json::Value;

use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Named, Sent};

/// Shows the thing model of a product as TSL.
#[utoipa::path(get, path = "/api/v1/products/{product}/model", tag = "products",
    responses((status = 200, body = Value), (status = 404, description = "The product has none")))]
pub(super) async fn show(cloud: Cloud, Named(product): Named<String>) -> Result<Response, ApiError> {
    let tsl = cloud
        .ask(move |platform| {
            platform.product(&product)?;
            platform.model(&product)?.ok_or_else(|| {
                let message = format!("the product {product} has no thing model; `model/draft` makes one");
                PortError::new(PortErrorKind::NotFound, "no_model", message)
            })
        })
        .await?;
    Ok(Json(tsl).into_response())
}

/// Sets the thing model of a product; it is what Aliyun exports as TSL.
#[utoipa::path(put, path = "/api/v1/products/{product}/model", tag = "products", request_body = Value,
    responses((status = 204, description = "It is set")))]
pub(super) async fn set(
    cloud: Cloud,
    Named(product): Named<String>,
    Sent(tsl): Sent<Value>,
) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.set_model(&product, Some(tsl))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the thing model of a product.
#[utoipa::path(delete, path = "/api/v1/products/{product}/model", tag = "products",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(cloud: Cloud, Named(product): Named<String>) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.set_model(&product, None)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a thing model from what the devices of a product have sent. It is shown and not set.
#[utoipa::path(get, path = "/api/v1/products/{product}/model/draft", tag = "products",
    responses((status = 200, body = Value)))]
pub(super) async fn draft(cloud: Cloud, Named(product): Named<String>) -> Result<Response, ApiError> {
    let tsl = cloud.ask(move |platform| platform.draft_model(&product)).await?;
    Ok(Json(tsl).into_response())
}
