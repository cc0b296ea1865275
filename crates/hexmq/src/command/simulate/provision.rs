//! Registers what is simulated over the HTTP API.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use super::args::Args;
use super::simulation::Device;
use crate::command::client::Trouble;

/// Devices of one request.
const AT_ONCE: usize = 2000;
/// Bytes of an answer that are read.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;
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
    api.post("/products", &without_null(body), &[201, 409])?;
    let path = format!("/products/{product}/devices:import?existing=skip");
    devices.chunks(AT_ONCE).try_for_each(|devices| {
        let device = |device: &Device| json!({"id": device.id, "name": device.id, "secret": device.secret});
        let answer = api.post(&path, &devices.iter().map(device).collect(), &[200])?;
        let lines = answer["lines"].as_array().into_iter().flatten();
        match lines.into_iter().find(|line| line["state"] == "failed") {
            Some(line) => Err(Trouble::new(
                format!("{} devices were not registered, the first is {}", answer["failed"], line["id"]),
                &line["error"],
                "ids of letters, digits, - _ . : @, and secrets as their cloud makes them",
            )),
            None => Ok(()),
        }
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

    /// Asks for something to be made; what is answered, if its status is one of these.
    fn post(&self, path: &str, body: &Value, statuses: &[u16]) -> Result<Value, Trouble> {
        let url = format!("{}{path}", self.base);
        let mut request = self.agent.post(&url).header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answered = request.send(body.to_string()).and_then(|mut response| {
            let status = response.status().as_u16();
            let body = response.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
            body.map(|body| (status, body))
        });
        let (status, text) = answered.map_err(|error| {
            let remedy = "--url with the address after `listening http://`";
            Trouble::new(format!("{url} cannot be asked"), error, remedy)
        })?;
        if statuses.contains(&status) {
            return Ok(serde_json::from_str(&text).unwrap_or_default());
        }
        let remedy = match status {
            401 | 403 => "--admin-password, or an API key in HEXMQ_TOKEN",
            _ => "what the answer says",
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
