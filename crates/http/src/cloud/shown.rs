//! How the things of the platform are written.

use std::collections::BTreeMap;

use hexmq_device::mac::to_hex;
use hexmq_device::{Command, Datum, Device, DeviceRef, DialectName, Product, Secret, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::input::{bad_request, hex};
use crate::times::{At, zone};

/// Part of a list; `next` is the cursor of the next part, `null` at the end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

impl<T> List<T> {
    /// A list that is whole.
    pub(crate) fn whole(items: Vec<T>) -> List<T> {
        List { items, next: None }
    }

    /// A page of the platform as a page of the API.
    pub(crate) fn of<U>(page: hexmq_device::port::Page<U>, show: impl FnMut(U) -> T) -> List<T> {
        List { items: page.items.into_iter().map(show).collect(), next: page.next }
    }
}

/// What the devices of a product speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dialect {
    Onenet,
    OnenetToken,
    Aliyun,
    Plain,
}

impl From<Dialect> for DialectName {
    fn from(dialect: Dialect) -> DialectName {
        match dialect {
            Dialect::Onenet => DialectName::Onenet,
            Dialect::OnenetToken => DialectName::OnenetToken,
            Dialect::Aliyun => DialectName::Aliyun,
            Dialect::Plain => DialectName::Plain,
        }
    }
}

impl From<DialectName> for Dialect {
    fn from(dialect: DialectName) -> Dialect {
        match dialect {
            DialectName::Onenet => Dialect::Onenet,
            DialectName::OnenetToken => Dialect::OnenetToken,
            DialectName::Aliyun => Dialect::Aliyun,
            DialectName::Plain => Dialect::Plain,
        }
    }
}

/// What happens to values that the thing model does not allow: nothing, a line in the log, or they are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Checks {
    Off,
    Report,
    Refuse,
}

impl From<Checks> for Validation {
    fn from(checks: Checks) -> Validation {
        match checks {
            Checks::Off => Validation::Off,
            Checks::Report => Validation::Report,
            Checks::Refuse => Validation::Refuse,
        }
    }
}

impl From<Validation> for Checks {
    fn from(validation: Validation) -> Checks {
        match validation {
            Validation::Off => Checks::Off,
            Validation::Report => Checks::Report,
            Validation::Refuse => Checks::Refuse,
        }
    }
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductShown {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    /// The namespace of its topics.
    pub(crate) number: u32,
    pub(crate) has_secret: bool,
    /// Only with `?reveal=true`, or where it was made by this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) secret: Option<String>,
    pub(crate) created_at: At,
    /// Zone of device times that name none, such as `+08:00`.
    pub(crate) zone: String,
    pub(crate) validation: Checks,
    pub(crate) dynamic_registration: bool,
    /// Days that points, events and commands are kept; `null`: for ever.
    pub(crate) history_days: Option<u32>,
    /// Quirks that are switched; `…/quirks` lists all of them.
    pub(crate) switches: BTreeMap<String, bool>,
}

impl ProductShown {
    pub(crate) fn of(product: Product, reveal: bool) -> ProductShown {
        ProductShown {
            id: product.id,
            name: product.name,
            dialect: product.dialect.into(),
            number: product.number,
            has_secret: product.secret.is_some(),
            secret: shown(product.secret, reveal),
            created_at: At(product.created_at_ms),
            zone: zone(product.zone_minutes),
            validation: product.validation.into(),
            dynamic_registration: product.dynamic_registration,
            history_days: product.history_days,
            switches: product.switches,
        }
    }
}

fn shown(secret: Option<Secret>, reveal: bool) -> Option<String> {
    secret.filter(|_| reveal).map(|secret| secret.0)
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceShown {
    pub(crate) id: String,
    pub(crate) product: String,
    pub(crate) name: String,
    /// `never` (connected), `online`, `offline` or `disabled`.
    pub(crate) status: &'static str,
    /// Why it is away: the stable name of a reason such as `keep_alive_timeout`.
    pub(crate) reason: Option<String>,
    /// Since when it is here or away; `null`: it was never here.
    pub(crate) since: Option<At>,
    /// Where it connects from, or its gateway.
    pub(crate) peer: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: At,
    /// When it connected or registered first.
    pub(crate) activated_at: Option<At>,
    pub(crate) has_secret: bool,
    pub(crate) has_password: bool,
    /// Only with `?reveal=true`, or where it was made by this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) secret: Option<String>,
    /// Only with `?reveal=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) password: Option<String>,
    /// What its cloud's own API knows of besides; its member `secret` only with `?reveal=true`.
    pub(crate) extra: Json,
}

impl DeviceShown {
    pub(crate) fn of(device: Device, reveal: bool) -> DeviceShown {
        let status = device.status();
        let extra = if reveal { device.extra.clone() } else { device.public_extra() };
        DeviceShown {
            status,
            id: device.id,
            product: device.product,
            name: device.name,
            reason: device.presence.reason,
            since: device.presence.since_ms.map(At),
            peer: device.presence.peer,
            disabled: device.disabled,
            tags: device.tags,
            created_at: At(device.created_at_ms),
            activated_at: device.activated_at_ms.map(At),
            has_secret: device.secret.is_some(),
            has_password: device.password.is_some(),
            secret: shown(device.secret, reveal),
            password: shown(device.password, reveal),
            extra,
        }
    }
}

/// A value as it is written: binary ones as `value_hex` beside a `value` of `null`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValueShown {
    pub(crate) value: Json,
    /// Only of binary values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) value_hex: Option<String>,
}

impl ValueShown {
    pub(crate) fn of(value: &Datum) -> ValueShown {
        ValueShown { value: value.to_json(), value_hex: value.bytes().map(to_hex) }
    }
}

/// The value that JSON or hex says.
pub(crate) fn datum(id: &str, value: Option<Json>, value_hex: Option<&str>) -> Result<Datum, ApiError> {
    match (value.filter(|value| !value.is_null()), value_hex) {
        (None, Some(text)) => Ok(Datum::Binary(hex("value_hex", text)?)),
        (Some(value), None) => {
            Datum::of_json(value).ok_or_else(|| bad_request(format!("the value of `{id}` is no value")))
        }
        (Some(_), Some(_)) => {
            Err(bad_request(format!("`{id}` has a `value` and a `value_hex`; one of them is enough")))
        }
        (None, None) => Err(bad_request(format!("`{id}` has no value"))),
    }
}

/// Which device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceName {
    pub(crate) product: String,
    pub(crate) id: String,
}

impl From<DeviceRef> for DeviceName {
    fn from(device: DeviceRef) -> DeviceName {
        DeviceName { product: device.product, id: device.device }
    }
}

impl From<DeviceName> for DeviceRef {
    fn from(name: DeviceName) -> DeviceRef {
        DeviceRef::new(name.product, name.id)
    }
}

/// A command and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Command)]
pub(crate) struct CommandShown {
    pub(crate) id: String,
    pub(crate) product: String,
    pub(crate) device: String,
    /// What it is: `{"payload_hex":…}` or `{"service":…,"params":…}`.
    pub(crate) order: Json,
    /// `created`, `sent`, `acked`, `answered`, `timed_out` or `refused`.
    pub(crate) state: &'static str,
    /// Why it was refused or has failed.
    pub(crate) reason: Option<String>,
    pub(crate) qos: u8,
    /// The answer, where it is text.
    pub(crate) reply: Option<String>,
    pub(crate) reply_hex: Option<String>,
    /// The code of the answer, where its cloud has codes.
    pub(crate) reply_code: Option<i64>,
    /// What the device returned.
    pub(crate) reply_data: Option<Json>,
    pub(crate) created_at: At,
    pub(crate) sent_at: Option<At>,
    pub(crate) answered_at: Option<At>,
    /// It is not sent after this.
    pub(crate) deadline: At,
}

impl CommandShown {
    pub(crate) fn of(command: Command) -> CommandShown {
        let text = command.reply.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let printable = |text: &&str| !text.chars().any(|c| c.is_control() && !c.is_whitespace());
        CommandShown {
            reply: text.filter(printable).map(str::to_owned),
            reply_hex: command.reply.as_deref().map(to_hex),
            id: command.id,
            product: command.device.product,
            device: command.device.device,
            order: command.order,
            state: command.state.name(),
            reason: command.reason,
            qos: command.qos,
            reply_code: command.reply_code,
            reply_data: command.reply_data,
            created_at: At(command.created_at_ms),
            sent_at: command.sent_at_ms.map(At),
            answered_at: command.answered_at_ms.map(At),
            deadline: At(command.deadline_ms),
        }
    }
}

/// What became of a message to a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// `sent`, `offline`, `not_subscribed` or `full`.
    pub(crate) delivery: &'static str,
}

impl From<hexmq_device::port::Sent> for Delivery {
    fn from(sent: hexmq_device::port::Sent) -> Delivery {
        use hexmq_device::port::Sent;
        Delivery {
            delivery: match sent {
                Sent::Sent => "sent",
                Sent::Offline => "offline",
                Sent::NotSubscribed => "not_subscribed",
                Sent::Full => "full",
            },
        }
    }
}
