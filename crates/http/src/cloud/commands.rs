//! What devices are told: commands, their life and their answers.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hexmq_device::port::{NewCommand, PortError, PortErrorKind, TimeQuery};
use hexmq_device::{CommandState, Order};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::data::{known, names, newest_first};
use super::devices::{Pair, device};
use super::shown::{CommandShown, List};
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, LIMIT_MAX, Named, Sent, bad_query, bad_request, hex, page};
use crate::times::At;

/// Days a command may wait for its device, in seconds.
const TIMEOUT_S_MAX: u32 = 31 * 86_400;
/// An answer is waited for at most so long, in seconds.
const WAIT_S_MAX: u64 = 30;

/// A command to be sent: `payload` or `payload_hex`, or a `service` with its `params`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    /// Text, or JSON that is sent as text.
    payload: Option<Value>,
    payload_hex: Option<String>,
    /// `set` sets the properties in `params`, `get` reads those that `params` lists; anything else is a service of
    /// the thing model.
    service: Option<String>,
    params: Option<Value>,
    /// The dialect's synchronous form of a service call, if it has one.
    #[serde(default)]
    sync: bool,
    /// 0, 1 or 2; 1 if absent.
    qos: Option<u8>,
    /// Seconds that it is kept for a device that is away; 0, and if absent: it is refused then.
    #[serde(default)]
    timeout_s: u32,
    /// Seconds that an answer is waited for once it was sent; the dialect's own if absent.
    answer_s: Option<u32>,
    /// It is sent again at the next sign-in while it is not answered.
    #[serde(default)]
    again: bool,
}

impl NewOrder {
    fn command(self) -> Result<NewCommand, ApiError> {
        let qos = self.qos.unwrap_or(1);
        if qos > 2 {
            return Err(bad_request(format!("`qos` is {qos}; it is 0, 1 or 2")));
        }
        if self.timeout_s > TIMEOUT_S_MAX {
            let message =
                format!("`timeout_s` is {}; at most it is {TIMEOUT_S_MAX} (31 days)", self.timeout_s);
            return Err(bad_request(message));
        }
        let order = match (self.payload, self.payload_hex, self.service) {
            (Some(Value::String(text)), None, None) => Order::Raw(text.into_bytes()),
            (Some(json), None, None) => Order::Raw(json.to_string().into_bytes()),
            (None, Some(text), None) => Order::Raw(hex("payload_hex", &text)?),
            (None, None, Some(service)) => call(service, self.params, self.sync)?,
            _ => {
                return Err(bad_request(
                    "exactly one of `payload`, `payload_hex` and `service` says what the command is",
                ));
            }
        };
        let (timeout_s, answer_s, again) = (self.timeout_s, self.answer_s, self.again);
        Ok(NewCommand { order, qos, timeout_s, answer_s, again })
    }
}

fn call(service: String, params: Option<Value>, sync: bool) -> Result<Order, ApiError> {
    match (&*service, params) {
        ("", _) => Err(bad_request("`service` is empty")),
        ("set", Some(params @ Value::Object(_))) => Ok(Order::Set(params)),
        ("set", _) => Err(bad_request("`params` of `set` is an object of properties and values")),
        ("get", None) => Ok(Order::Get(Vec::new())),
        ("get", Some(Value::Object(params))) => {
            Ok(Order::Get(params.into_iter().map(|(name, _)| name).collect()))
        }
        ("get", Some(Value::Array(items))) => {
            let name = |item: Value| match item {
                Value::String(name) => Ok(name),
                other => Err(bad_request(format!("`params` of `get` lists names, and {other} is none"))),
            };
            Ok(Order::Get(items.into_iter().map(name).collect::<Result<_, _>>()?))
        }
        ("get", Some(_)) => Err(bad_request("`params` of `get` is an array of property names")),
        (_, params) => {
            let params = params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            Ok(Order::Invoke { service, params, sync })
        }
    }
}

/// How long an answer is waited for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Patience {
    /// Seconds, up to 30, that the call waits until nothing further will happen to the command.
    wait: Option<u64>,
}

impl Patience {
    /// In milliseconds; 0: not at all.
    fn ms(&self) -> Result<u64, ApiError> {
        match self.wait {
            Some(seconds) if seconds > WAIT_S_MAX => {
                Err(bad_query(format!("wait={seconds} is more than {WAIT_S_MAX}; ask again instead")))
            }
            seconds => Ok(seconds.unwrap_or_default() * 1000),
        }
    }
}

/// A command that was taken.
#[derive(Debug, Serialize, ToSchema)]
struct Taken {
    id: String,
    /// Where it stands now: `created`, `sent`, `acked`, `answered`, `timed_out` or `refused`.
    state: &'static str,
    /// Why it was refused.
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reply_hex: Option<String>,
}

/// Sends a command to a device, or keeps it until the device comes.
#[utoipa::path(post, path = "/api/v1/products/{product}/devices/{device}/commands", tag = "commands",
    params(Patience), request_body = NewOrder, responses((status = 202, body = Taken)))]
pub(super) async fn send(
    cloud: Cloud,
    Named(names): Named<Pair>,
    Asked(patience): Asked<Patience>,
    Sent(order): Sent<NewOrder>,
) -> Result<Response, ApiError> {
    let patience_ms = patience.ms()?;
    let command = order.command()?;
    let device = device(names);
    let mut command = cloud.ask(move |platform| platform.command(&device, command)).await?;
    if patience_ms > 0 && !command.state.is_final() {
        let id = command.id.clone();
        command = cloud.wait(move |platform| platform.wait_for(&id, patience_ms)).await?;
    }
    let location = format!(
        "/api/v1/products/{}/devices/{}/commands/{}",
        command.device.product, command.device.device, command.id
    );
    let shown = CommandShown::of(command);
    let taken = Taken {
        id: shown.id,
        state: shown.state,
        reason: shown.reason,
        reply: shown.reply,
        reply_hex: shown.reply_hex,
    };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(taken)).into_response())
}

/// Shows a command.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/commands/{command}", tag = "commands",
    params(Patience), responses((status = 200, body = CommandShown)))]
pub(super) async fn one(
    cloud: Cloud,
    Named((product, id, command)): Named<(String, String, String)>,
    Asked(patience): Asked<Patience>,
) -> Result<Response, ApiError> {
    let patience_ms = patience.ms()?;
    let device = device((product, id));
    let wanted = command.clone();
    let mut found = cloud
        .ask(move |platform| {
            let found = platform.find_command(&wanted)?;
            if found.device == device {
                return Ok(found);
            }
            let message = format!("the device {device} has no command `{wanted}`");
            Err(PortError::new(PortErrorKind::NotFound, "unknown_command", message))
        })
        .await?;
    if patience_ms > 0 && !found.state.is_final() {
        found = cloud.wait(move |platform| platform.wait_for(&command, patience_ms)).await?;
    }
    Ok(Json(CommandShown::of(found)).into_response())
}

/// Which commands.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only in these states, separated by commas.
    state: Option<String>,
    /// Created from this time on.
    #[param(value_type = Option<String>)]
    from: Option<At>,
    /// Created before this time.
    #[param(value_type = Option<String>)]
    to: Option<At>,
    /// 1 to 1000 items; 100 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `asc` or `desc`; `desc`, the newest first, if absent.
    order: Option<String>,
}

impl Which {
    fn query(self, product: String, device: Option<String>) -> Result<TimeQuery, ApiError> {
        let states = names(self.state.as_deref());
        if let Some(wrong) = states.iter().flatten().find(|name| CommandState::named(name).is_none()) {
            let right = "created, sent, acked, answered, timed_out, refused";
            return Err(bad_query(format!("state={wrong} is none of {right}")));
        }
        Ok(TimeQuery {
            product,
            device,
            ids: states,
            from_ms: self.from.map(|at| at.0),
            to_ms: self.to.map(|at| at.0),
            newest_first: newest_first(self.order.as_deref(), true)?,
            page: page(self.limit, self.cursor, LIMIT_MAX)?,
        })
    }
}

/// Lists the commands of a device.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices/{device}/commands", tag = "commands",
    params(Which), responses((status = 200, body = List<CommandShown>)))]
pub(super) async fn list(
    cloud: Cloud,
    Named((product, id)): Named<Pair>,
    Asked(asked): Asked<Which>,
) -> Result<Response, ApiError> {
    answer(&cloud, asked.query(product, Some(id))?).await
}

/// Lists the commands of all devices of a product.
#[utoipa::path(get, path = "/api/v1/products/{product}/commands", tag = "commands", params(Which),
    responses((status = 200, body = List<CommandShown>)))]
pub(super) async fn list_of_product(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(asked): Asked<Which>,
) -> Result<Response, ApiError> {
    answer(&cloud, asked.query(product, None)?).await
}

async fn answer(cloud: &Cloud, query: TimeQuery) -> Result<Response, ApiError> {
    let page = cloud
        .ask(move |platform| {
            known(platform, &query)?;
            platform.commands(&query)
        })
        .await?;
    Ok(Json(List::of(page, CommandShown::of)).into_response())
}
