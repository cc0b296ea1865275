//! Webhooks: places that are told of what happens.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::Secret;
use hexmq_device::port::{PortError, PortErrorKind, Webhook, WebhookState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::products::Reveal;
use super::shown::List;
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, Named, Sent, bad_request};

/// What a webhook may be told of.
const KINDS: [&str; 4] = ["uplink", "presence", "command", "event"];

/// A webhook and how its deliveries go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
struct WebhookShown {
    id: String,
    url: String,
    /// `uplink`, `presence`, `command`, `event`; all if empty.
    kinds: Vec<String>,
    /// Only of this product; `null`: of all.
    product: Option<String>,
    disabled: bool,
    /// Only with `?reveal=true`, or where it was made by this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
    delivered: u64,
    given_up: u64,
    waiting: u64,
    last_error: Option<String>,
}

impl WebhookShown {
    fn of(webhook: Webhook, state: WebhookState, reveal: bool) -> WebhookShown {
        WebhookShown {
            id: webhook.id,
            url: webhook.url,
            kinds: webhook.kinds,
            product: webhook.product,
            disabled: webhook.disabled,
            secret: Some(webhook.secret.0).filter(|_| reveal),
            delivered: state.delivered,
            given_up: state.given_up,
            waiting: state.waiting,
            last_error: state.last_error,
        }
    }
}

/// A webhook to be made, or to take the place of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// `http://…` or `https://…`
    url: String,
    /// Signs the body with HMAC-SHA256; made if absent, and kept if the webhook is changed.
    secret: Option<String>,
    /// `uplink`, `presence`, `command`, `event`; all if empty.
    #[serde(default)]
    kinds: Vec<String>,
    /// Only of this product.
    product: Option<String>,
    #[serde(default)]
    disabled: bool,
}

impl NewWebhook {
    fn webhook(self, id: String) -> Result<Webhook, ApiError> {
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return Err(bad_request("`url` begins with neither http:// nor https://"));
        }
        if let Some(kind) = self.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(bad_request(format!("`{kind}` in `kinds` is none of {}", KINDS.join(", "))));
        }
        let secret = Secret(self.secret.unwrap_or_default());
        let (url, kinds) = (self.url, self.kinds);
        Ok(Webhook { id, url, secret, kinds, product: self.product, disabled: self.disabled })
    }
}

/// Lists the webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(Reveal),
    responses((status = 200, body = List<WebhookShown>)))]
pub(super) async fn list(cloud: Cloud, Asked(asked): Asked<Reveal>) -> Result<Response, ApiError> {
    let reveal = cloud.caller.reveal(asked.reveal)?;
    let webhooks = cloud.ask(|platform| platform.webhooks()).await?;
    let shown = webhooks.into_iter().map(|(webhook, state)| WebhookShown::of(webhook, state, reveal));
    Ok(Json(List::whole(shown.collect())).into_response())
}

/// Makes a webhook.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, body = WebhookShown)))]
pub(super) async fn create(cloud: Cloud, Sent(new): Sent<NewWebhook>) -> Result<Response, ApiError> {
    let secret_given = new.secret.is_some();
    let webhook = new.webhook(String::new())?;
    let webhook = cloud.ask(move |platform| platform.put_webhook(webhook)).await?;
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    let shown = WebhookShown::of(webhook, WebhookState::default(), !secret_given);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// Changes a webhook.
#[utoipa::path(put, path = "/api/v1/webhooks/{webhook}", tag = "webhooks", request_body = NewWebhook,
    responses((status = 200, body = WebhookShown)))]
pub(super) async fn change(
    cloud: Cloud,
    Named(id): Named<String>,
    Sent(new): Sent<NewWebhook>,
) -> Result<Response, ApiError> {
    let secret_given = new.secret.is_some();
    let mut webhook = new.webhook(id)?;
    let (webhook, state) = cloud
        .ask(move |platform| {
            let found = platform.webhooks()?.into_iter().find(|(found, _)| found.id == webhook.id);
            let (before, state) = found.ok_or_else(|| {
                let message = format!("there is no webhook `{}`", webhook.id);
                PortError::new(PortErrorKind::NotFound, "unknown_webhook", message)
            })?;
            if !secret_given {
                webhook.secret = before.secret;
            }
            Ok((platform.put_webhook(webhook)?, state))
        })
        .await?;
    Ok(Json(WebhookShown::of(webhook, state, false)).into_response())
}

/// Removes a webhook.
#[utoipa::path(delete, path = "/api/v1/webhooks/{webhook}", tag = "webhooks",
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(cloud: Cloud, Named(id): Named<String>) -> Result<StatusCode, ApiError> {
    cloud.ask(move |platform| platform.delete_webhook(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
