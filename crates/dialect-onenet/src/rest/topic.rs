//! Topics between the devices of a product: published to from outside, announced, and who listens to them.
//!
//! A topic needs no announcement to be used; the list is the application's own.

use hexmq_device::DeviceRef;
use serde_json::{Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::{Call, text_of};
use super::device::is_online;
use super::grant::{Grant, Need, grant};

const DOCUMENT: &str = "topics";
const TOPICS_MAX: usize = 100;
const NAME_CHARACTERS_MAX: usize = 1024;
const BODY_MAX: usize = 65_536;

/// A topic name that applications may use.
fn name(text: &str) -> Result<&str, Fault> {
    let is_one = !text.is_empty()
        && !text.starts_with('$')
        && !text.contains(['+', '#', '\0'])
        && text.chars().count() <= NAME_CHARACTERS_MAX;
    if is_one {
        return Ok(text);
    }
    Err(Fault::wrong(format!(
        "a topic has 1 to {NAME_CHARACTERS_MAX} characters, no + and #, and does not begin with $"
    )))
}

pub(super) fn publish(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Write, None)?;
    let topic = name(call.required("topic")?)?;
    let length = call.request.body.len();
    if length > BODY_MAX {
        return Err(Fault::wrong(format!("the message has {length} bytes; {BODY_MAX} are possible")));
    }
    call.platform.publish(&grant.product.id, topic, &call.request.body, 0)?;
    Ok(Answer::Done)
}

fn owner(grant: &Grant) -> DeviceRef {
    DeviceRef::new(&*grant.product.id, "")
}

fn names(document: &Json) -> Vec<String> {
    let names = document.as_array().map_or(&[][..], Vec::as_slice);
    names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

pub(super) fn create(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let members = call.object()?;
    let wanted = text_of(&members, "name").ok_or_else(|| Fault::wrong("name required"))?;
    name(&wanted)?;
    call.change_document(&owner(&grant), DOCUMENT, |document| {
        let mut names = names(document);
        if names.contains(&wanted) {
            return Err(Fault::exists(format!("topic exists: {wanted}")));
        }
        if names.len() >= TOPICS_MAX {
            return Err(Fault::wrong(format!("a product has {TOPICS_MAX} topics at most")));
        }
        names.push(wanted.clone());
        *document = json!(names);
        Ok(())
    })?;
    Ok(Answer::Done)
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Read, None)?;
    let (document, _) = call.document(&owner(&grant), DOCUMENT)?;
    Ok(Answer::Data(json!(names(&document))))
}

pub(super) fn delete(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let unwanted = call.required("name")?;
    call.change_document(&owner(&grant), DOCUMENT, |document| {
        let mut names = names(document);
        let before = names.len();
        names.retain(|name| name != unwanted);
        if names.len() == before {
            return Err(Fault::missing(format!("topic not found: {unwanted}")));
        }
        *document = json!(names);
        Ok(())
    })?;
    Ok(Answer::Done)
}

pub(super) fn subscribers(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Read, None)?;
    let topic = name(call.required("topic")?)?;
    let page = call.number("page", 1, 1..=10_000)?;
    let per_page = call.number("per_page", 30, 1..=100)?;
    let found = call.platform.subscribers(&grant.product.id, topic)?;
    let first = (page as usize - 1).saturating_mul(per_page as usize);
    let mut shown = Vec::new();
    for id in found.iter().skip(first).take(per_page as usize) {
        // A device may have been removed since it subscribed.
        if let Ok(device) = grant.device(call, id) {
            shown.push(json!({"id": device.id, "title": device.name, "online": is_online(&device)}));
        }
    }
    Ok(Answer::Data(json!({
        "total_count": found.len(), "page": page, "per_page": per_page, "devices": shown,
    })))
}

pub(super) fn of_device(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    Ok(Answer::Data(json!(call.platform.subscriptions(&device.reference())?)))
}
