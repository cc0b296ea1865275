//! Registers what is simulated over the HTTP API.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use super::args::Args;
use super::simulation::Device;
use crate::command::client::Trouble;

/// Requests at once: the server has other things to do.
const WORKERS: usize = 4;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the HTTP API is, and who asks.
#[derive(Debug, clap::Args)]
pub(super) struct ApiArgs {
    /// Register the product and its devices first; what is registered already stays as it is
    #[arg(long, requires = "product")]
    pub(super) provision: bool,
    /// The HTTP API
    #[arg(long, value_name = "URL", env = "HEXMQ_URL", default_value = "http://127.0.0.1:18083")]
    url: String,
    /// Password of the administrator; without it HEXMQ_TOKEN is sent as API key
    #[arg(long, value_name = "PW", env = "HEXMQ_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
    /// An API key
    #[arg(long, env = "HEXMQ_TOKEN", hide = true, hide_env_values = true)]
    token: Option<String>,
}

/// The API as this run reaches it.
struct Api {
    agent: ureq::Agent,
    base: String,
    authorization: Option<String>,
}

/// Registers the product and the devices.
pub(super) fn provision(args: &Args, devices: &[Device]) -> Result<(), Trouble> {
    let product = args.product.as_deref().unwrap_or_default();
    let api = Api::new(&args.api);
    let body = json!({
        "id": product,
        "name": product,
        "dialect": args.dialect.name(),
        "secret": args.product_secret,
    });
    api.create("/products", &without_null(body))?;
    let path = format!("/products/{product}/devices");
    let share = devices.len().div_ceil(WORKERS).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = devices
            .chunks(share)
            .map(|devices| {
                scope.spawn(|| {
                    devices.iter().try_for_each(|device| {
                        let body = json!({"id": device.id, "name": device.id, "secret": device.secret});
                        api.create(&path, &body)
                    })
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let broken = || Trouble::new("devices were not registered", "a thread broke", "it again");
            worker.join().unwrap_or_else(|_| Err(broken()))
        })
    })
}

/// What is not said is decided by the server.
fn without_null(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body
}

impl Api {
    fn new(args: &ApiArgs) -> Api {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let authorization = match (&args.admin_password, &args.token) {
            (Some(password), _) => Some(format!("Basic {}", BASE64.encode(format!("admin:{password}")))),
            (None, Some(token)) => Some(format!("Bearer {token}")),
            (None, None) => None,
        };
        let base = format!("{}/api/v1", args.url.trim_end_matches('/'));
        Api { agent: config.into(), base, authorization }
    }

    /// Creates something; that it is there already is fine.
    fn create(&self, path: &str, body: &Value) -> Result<(), Trouble> {
        let url = format!("{}{path}", self.base);
        let mut request = self.agent.post(&url).header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.send(body.to_string()).map_err(|error| {
            Trouble::new(
                format!("{url} cannot be asked"),
                error,
                "--url with the address after `listening http://`",
            )
        })?;
        let status = response.status().as_u16();
        if matches!(status, 200 | 201 | 409) {
            // Read to the end, so that the connection serves again.
            let _ = response.body_mut().read_to_string();
            return Ok(());
        }
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let remedy = if matches!(status, 401 | 403) {
            "--admin-password, or an API key in HEXMQ_TOKEN"
        } else {
            "what the answer says"
        };
        Err(Trouble::new(format!("POST {url} was answered {status}"), text, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_is_not_said() {
        assert_eq!(without_null(json!({"a": 1, "b": null})), json!({"a": 1}));
    }
}
