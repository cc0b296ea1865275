//! Commands: sent, looked after, answered.

use hexmq_device::port::{NewCommand, PageAsk, TimeQuery};
use hexmq_device::{Command, CommandState, Order};
use serde_json::{Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::Call;
use super::clock;
use super::device::is_online;
use super::grant::{Grant, Need, grant};
use super::point_query::{Stretch, newest_first};

/// A command has less bytes than this.
const BODY_MAX: usize = 65_536;

/// 31 days, in seconds.
const VALIDITY_MAX_S: u32 = 2_678_400;

fn body(call: &Call<'_>) -> Result<Vec<u8>, Fault> {
    let length = call.request.body.len();
    if length >= BODY_MAX {
        return Err(Fault::wrong(format!(
            "the command has {length} bytes; less than {BODY_MAX} are possible"
        )));
    }
    Ok(call.request.body.clone())
}

pub(super) fn send(call: &Call<'_>) -> Reply {
    let id = call.required("device_id")?;
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    // Type 1, data that is pushed, knows neither validity nor repetition.
    let is_command = call.number("type", 0, 0..=1)? == 0;
    let timeout_s = call.number("timeout", 0, 0..=VALIDITY_MAX_S)?;
    let qos = call.number("qos", 0, 0..=1)?;
    let timeout_s = if is_command { timeout_s } else { 0 };
    if timeout_s == 0 && !is_online(&device) {
        return Err(Fault::offline(id));
    }
    let new = NewCommand {
        order: Order::Raw(body(call)?),
        qos: 0,
        timeout_s,
        answer_s: None,
        again: is_command && qos == 1,
    };
    let command = call.platform.command(&device.reference(), new)?;
    sent(id, &command)?;
    Ok(Answer::Data(json!({"cmd_uuid": command.id})))
}

/// Whether it was not refused at once.
fn sent(device: &str, command: &Command) -> Result<(), Fault> {
    match (command.state, command.reason.as_deref()) {
        (CommandState::Refused, Some("offline") | None) => Err(Fault::offline(device)),
        (CommandState::Refused, Some("not_subscribed")) => {
            Err(Fault::internal(format!("device {device} has not subscribed to commands")))
        }
        (CommandState::Refused, Some(reason)) => Err(Fault::internal(format!("not sent: {reason}"))),
        _ => Ok(()),
    }
}

/// `/v1/synccmds`: the answer is waited for.
pub(super) fn send_and_wait(call: &Call<'_>) -> Reply {
    let id = call.required("device_id")?;
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    let timeout_s = call.number("timeout", 5, 5..=30)?;
    if !is_online(&device) {
        return Err(Fault::offline(id));
    }
    let new = NewCommand {
        order: Order::Raw(body(call)?),
        qos: 0,
        timeout_s: 0,
        answer_s: Some(timeout_s),
        again: false,
    };
    let command = call.platform.command(&device.reference(), new)?;
    sent(id, &command)?;
    let command = call.platform.wait_for(&command.id, u64::from(timeout_s) * 1000)?;
    sent(id, &command)?;
    match (command.state, &command.reply) {
        (CommandState::Answered, reply) => {
            let answer = crate::token::base64(reply.as_deref().unwrap_or_default());
            Ok(Answer::Data(json!({"cmd_uuid": command.id, "cmd_resp": answer})))
        }
        _ => Err(Fault::no_answer()),
    }
}

/// A command, if whoever asks may see its device.
fn found(call: &Call<'_>, id: &str) -> Result<Command, Fault> {
    match call.platform.find_command(id) {
        Ok(command) => {
            let grant = grant(call, Need::Read, Some(&command.device.device))?;
            let sees = grant.product.id == command.device.product
                && grant.only().is_none_or(|own| own.id == command.device.device);
            if sees { Ok(command) } else { Err(Fault::missing(format!("no command {id}"))) }
        }
        Err(error) => {
            grant(call, Need::Read, None)?;
            Err(error.into())
        }
    }
}

/// The vendor's number and word for a state.
fn number(command: &Command) -> (u8, &'static str) {
    match command.state {
        CommandState::Created => (1, "command created"),
        CommandState::Sent | CommandState::Acked => (2, "command sent"),
        CommandState::Answered => (4, "command response received"),
        CommandState::TimedOut => (5, "command response timeout"),
        CommandState::Refused if command.reason.as_deref() == Some("offline") => (0, "device not online"),
        CommandState::Refused => (3, "send failed"),
    }
}

pub(super) fn status(call: &Call<'_>, id: &str) -> Reply {
    let (status, desc) = number(&found(call, id)?);
    Ok(Answer::Data(json!({"status": status, "desc": desc})))
}

/// The bytes of the answer and nothing else; none as long as there is no answer.
pub(super) fn reply(call: &Call<'_>, id: &str) -> Reply {
    Ok(Answer::Bytes(found(call, id)?.reply.unwrap_or_default()))
}

pub(super) fn history(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    let stretch = Stretch::read(call, &grant.product)?;
    let states: Option<&[CommandState]> = match call.text("status") {
        None => None,
        Some("0" | "3") => Some(&[CommandState::Refused]),
        Some("1") => Some(&[CommandState::Created]),
        Some("2") => Some(&[CommandState::Sent, CommandState::Acked]),
        Some("4") => Some(&[CommandState::Answered]),
        Some("5") => Some(&[CommandState::TimedOut]),
        Some(other) => return Err(Fault::wrong(format!("status is \"{other}\": a number from 0 to 5"))),
    };
    let query = TimeQuery {
        product: device.product,
        device: Some(device.id),
        ids: states.map(|states| states.iter().map(|state| state.name().to_owned()).collect()),
        from_ms: stretch.from_ms,
        to_ms: stretch.to_ms,
        newest_first: newest_first(call)?,
        page: PageAsk {
            limit: call.number("limit", 100, 1..=1000)? as usize,
            cursor: call.text("cursor").map(str::to_owned),
        },
    };
    let page = call.platform.commands(&query)?;
    let items: Vec<Json> = page.items.iter().map(|command| item(command, &grant)).collect();
    Ok(Answer::Data(match page.next {
        Some(cursor) => json!({"count": items.len(), "cursor": cursor, "items": items}),
        None => json!({"count": items.len(), "items": items}),
    }))
}

fn item(command: &Command, grant: &Grant) -> Json {
    let time = |ms: i64| json!(clock::with_ms(ms, grant.product.zone_minutes));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let order = match Order::of_json(&command.order) {
        Some(Order::Raw(bytes)) => text(&bytes),
        _ => command.order.to_string(),
    };
    json!({
        "cmd_uuid": command.id,
        "dev_id": command.device.device,
        "expire_time": time(command.deadline_ms),
        "status": number(command).0,
        "send_time": command.sent_at_ms.map(time),
        "confirm_time": command.answered_at_ms.map(time),
        "confirm_body": command.reply.as_deref().map(text),
        "body": order,
    })
}
