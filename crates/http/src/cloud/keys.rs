//! API keys for applications.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::{ApiKey, DeviceRef, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown::List;
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Named, Sent, bad_request};
use crate::times::At;

/// What a key is for. Each scope is for itself; `admin` is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// To read products, devices, data, commands and logs.
    Read,
    /// To write data, send commands and publish.
    Write,
    /// To create, change and delete products and devices, and to see secrets.
    Manage,
    /// Everything that the administrator may.
    Admin,
}

impl From<Use> for Scope {
    fn from(of: Use) -> Scope {
        match of {
            Use::Read => Scope::Read,
            Use::Write => Scope::Write,
            Use::Manage => Scope::Manage,
            Use::Admin => Scope::Admin,
        }
    }
}

impl From<Scope> for Use {
    fn from(scope: Scope) -> Use {
        match scope {
            Scope::Read => Use::Read,
            Scope::Write => Use::Write,
            Scope::Manage => Use::Manage,
            Scope::Admin => Use::Admin,
        }
    }
}

/// A key, without itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyShown {
    id: String,
    name: String,
    scopes: Vec<Use>,
    /// Only this product; `null`: all.
    product: Option<String>,
    /// Only this device of the product; `null`: all.
    device: Option<String>,
    created_at: At,
    expires_at: Option<At>,
    /// The key itself; only in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<String>,
}

impl KeyShown {
    fn of(key: ApiKey, itself: Option<String>) -> KeyShown {
        KeyShown {
            id: key.id,
            name: key.name,
            scopes: key.scopes.into_iter().map(Use::from).collect(),
            product: key.product,
            device: key.device,
            created_at: At(key.created_at_ms),
            expires_at: key.expires_at_ms.map(At),
            key: itself,
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    #[serde(default)]
    name: String,
    scopes: Vec<Use>,
    /// Only this product; all if absent.
    product: Option<String>,
    /// Only this device of the product; all if absent.
    device: Option<String>,
    /// It is not valid after this.
    expires_at: Option<At>,
}

/// Lists the keys, without themselves.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", responses((status = 200, body = List<KeyShown>)))]
pub(super) async fn list(cloud: Cloud) -> Result<Response, ApiError> {
    let keys = cloud.ask(|platform| platform.keys()).await?;
    Ok(Json(List::whole(keys.into_iter().map(|key| KeyShown::of(key, None)).collect())).into_response())
}

/// Makes a key. It is shown in this answer and never again.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = NewKey,
    responses((status = 201, body = KeyShown)))]
pub(super) async fn create(cloud: Cloud, Sent(mut new): Sent<NewKey>) -> Result<Response, ApiError> {
    if new.scopes.is_empty() {
        return Err(bad_request("`scopes` is empty; it lists read, write, manage or admin"));
    }
    new.scopes.sort_unstable();
    new.scopes.dedup();
    if new.device.is_some() && new.product.is_none() {
        return Err(bad_request("`device` is given without its `product`"));
    }
    let (key, itself) = cloud
        .ask(move |platform| {
            match (&new.product, &new.device) {
                (Some(product), Some(device)) => {
                    platform.device(&DeviceRef::new(&**product, &**device))?;
                }
                (Some(product), None) => {
                    platform.product(product)?;
                }
                _ => {}
            }
            platform.create_key(ApiKey {
                id: String::new(),
                name: new.name,
                sha256: String::new(),
                scopes: new.scopes.into_iter().map(Scope::from).collect(),
                product: new.product,
                device: new.device,
                created_at_ms: platform.now_ms(),
                expires_at_ms: new.expires_at.map(|at| at.0),
            })
        })
        .await?;
    let location = format!("/api/v1/keys/{}", key.id);
    let shown = KeyShown::of(key, Some(itself));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// Removes a key: it opens nothing from now on.
#[utoipa::path(delete, path = "/api/v1/keys/{key}", tag = "keys",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(cloud: Cloud, Named(id): Named<String>) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.delete_key(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
