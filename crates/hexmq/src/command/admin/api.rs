//! Calls of the HTTP API, and what to tell a person when they fail.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{Method, Request, Response, header};

use super::part;
use crate::command::client::Trouble;

/// The server cannot be reached.
const EXIT_UNREACHABLE: u8 = 3;
/// Longer than any call of the API takes, so that nothing hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest answer that is held as a whole.
const ANSWER_MAX: u64 = 256 << 20;
/// Items asked for at a time.
const PAGE: usize = 1000;

/// Which server, and as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct ApiArgs {
    /// The server's HTTP API
    #[arg(
        long,
        global = true,
        env = "HEXMQ_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:18083"
    )]
    url: String,
    /// API key
    #[arg(long, global = true, env = "HEXMQ_TOKEN", hide_env_values = true, value_name = "KEY")]
    token: Option<String>,
    /// The administrator's password, in place of an API key
    #[arg(
        long,
        global = true,
        env = "HEXMQ_ADMIN_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    admin_password: Option<String>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A connection to the API.
pub(crate) struct Api {
    agent: ureq::Agent,
    base: String,
    authorization: Option<String>,
}

/// What is sent with a call.
pub(crate) enum Body<'a> {
    Nothing,
    Json(&'a Value),
    /// Media type and bytes.
    Bytes(&'a str, &'a [u8]),
}

impl ApiArgs {
    /// Ready to call. Nothing is sent yet.
    pub(crate) fn open(&self) -> Result<Api, Trouble> {
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            let why = "it begins with neither http:// nor https://";
            return Err(Trouble::new(
                format!("`{}` is no URL of a server", self.url),
                why,
                "--url http://HOST:18083",
            )
            .with_code(2));
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            // What is sent holds a password, and is for this server alone.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("hexmq/", env!("CARGO_PKG_VERSION")))
            .build();
        let basic = |password: &String| format!("Basic {}", STANDARD.encode(format!("admin:{password}")));
        let bearer = |token: &String| format!("Bearer {token}");
        Ok(Api {
            agent: ureq::Agent::new_with_config(config),
            base: self.url.trim_end_matches('/').to_owned(),
            authorization: self.admin_password.as_ref().map(basic).or(self.token.as_ref().map(bearer)),
        })
    }
}

impl Api {
    /// Reads.
    pub(crate) fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Trouble> {
        self.call(Method::GET, &with_query(path, query), Body::Nothing)
    }

    /// Reads all parts of a list, up to `most` items; whether there are more.
    pub(crate) fn list(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        most: usize,
    ) -> Result<(Vec<Value>, bool), Trouble> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let limit = (most - items.len()).min(PAGE);
            let mut asked = query.to_vec();
            asked.push(("limit", Some(limit.to_string())));
            asked.push(("cursor", cursor));
            let mut page = self.get(path, &asked)?;
            if let Some(Value::Array(some)) = page.get_mut("items").map(Value::take) {
                items.extend(some);
            }
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                return Ok((items, cursor.is_some()));
            }
        }
    }

    /// Does something; an answer without a body is `null`.
    pub(crate) fn call(&self, method: Method, target: &str, body: Body<'_>) -> Result<Value, Trouble> {
        let (kind, bytes) = self.bytes(method, target, body)?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            let why = format!("{error} (content type {kind})");
            Trouble::new(format!("{} does not answer like HexMQ", self.base), why, "check --url")
        })
    }

    /// Does something; the answer as it is, with its media type.
    pub(crate) fn bytes(
        &self,
        method: Method,
        target: &str,
        body: Body<'_>,
    ) -> Result<(String, Vec<u8>), Trouble> {
        let mut answer = self.send(method, target, body)?;
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let status = answer.status();
        let bytes = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().map_err(|error| {
            let what = format!("the answer of {} broke off", self.base);
            Trouble::new(what, error, "try again; the server's log says more").with_code(EXIT_UNREACHABLE)
        })?;
        if status.is_success() {
            return Ok((kind, bytes));
        }
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let error = said.get("error");
        let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
        let Some(message) = text("message") else {
            let why = format!("it answers {status} to {target}");
            return Err(Trouble::new(
                format!("{} does not answer like HexMQ", self.base),
                why,
                "check --url",
            ));
        };
        let remedy = match status.as_u16() {
            401 => {
                "set HEXMQ_TOKEN to an API key, or give --admin-password; it was printed when the server first started"
            }
            _ => text("hint").unwrap_or("see /api/v1/openapi.json"),
        };
        let why = format!("{} ({status})", text("code").unwrap_or("error"));
        Err(Trouble::new(message, why, remedy))
    }

    fn send(&self, method: Method, target: &str, body: Body<'_>) -> Result<Response<ureq::Body>, Trouble> {
        let url = format!("{}{target}", self.base);
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let bad = |error: ureq::http::Error| {
            Trouble::new(format!("`{url}` cannot be asked for"), error, "check --url and the key")
                .with_code(2)
        };
        let sent = match body {
            Body::Nothing => self.agent.run(request.body(()).map_err(bad)?),
            Body::Json(value) => {
                let request = request.header(header::CONTENT_TYPE, "application/json");
                self.agent.run(request.body(value.to_string()).map_err(bad)?)
            }
            Body::Bytes(kind, bytes) => {
                let request = request.header(header::CONTENT_TYPE, kind);
                self.agent.run(request.body(bytes).map_err(bad)?)
            }
        };
        sent.map_err(|error| {
            let remedy = "is `hexmq serve` running there? --url or HEXMQ_URL says where; --http off means that it has no API";
            Trouble::new(format!("cannot reach {}", self.base), error, remedy).with_code(EXIT_UNREACHABLE)
        })
    }
}

/// A path with what is given of a query.
pub(crate) fn with_query(path: &str, query: &[(&str, Option<String>)]) -> String {
    let given = query.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let parts: Vec<String> = given.map(|(name, value)| format!("{name}={}", part(value))).collect();
    if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
}
