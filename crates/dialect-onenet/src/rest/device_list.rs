//! Many devices: found, counted, and what they last said.
//!
//! The vendor counts pages, the platform goes on where it stopped: a page is found by walking there. What the
//! platform cannot ask for (an auth info, a visibility) is looked for on the way, up to [`WALK_MAX`] devices.

use hexmq_device::Device;
use hexmq_device::port::{DeviceQuery, PageAsk};
use serde_json::{Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::Call;
use super::clock;
use super::device::{is_online, summary};
use super::grant::{Grant, Need, grant};
use crate::secret;

/// Devices that one call walks over, at most.
pub(super) const WALK_MAX: usize = 100_000;

/// Devices asked for at once.
const STEP: usize = 500;

/// Ids in one call, at most.
const IDS_MAX: usize = 1000;

/// What is asked of each device beyond what the platform can be asked.
#[derive(Debug, Default)]
struct Wanted {
    auth_info: Option<String>,
    online: Option<bool>,
    private: Option<bool>,
}

impl Wanted {
    fn is_all(&self) -> bool {
        self.auth_info.is_none() && self.online != Some(false) && self.private.is_none()
    }

    fn takes(&self, device: &Device) -> bool {
        let private = || device.extra.get("private").and_then(Json::as_bool).unwrap_or(true);
        self.auth_info.as_ref().is_none_or(|info| secret::is_device_secret(device, info.as_bytes()))
            && self.online.is_none_or(|online| is_online(device) == online)
            && self.private.is_none_or(|wanted| private() == wanted)
    }
}

/// Devices in order until `each` has enough, or the walk is long enough; whether it came to the end.
pub(super) fn walk(
    call: &Call<'_>,
    query: &DeviceQuery,
    mut each: impl FnMut(Device) -> bool,
) -> Result<bool, Fault> {
    let mut query = DeviceQuery { page: PageAsk { limit: STEP, cursor: None }, ..query.clone() };
    let mut walked = 0;
    loop {
        let page = call.platform.devices(&query)?;
        walked += page.items.len();
        for device in page.items {
            if !each(device) {
                return Ok(false);
            }
        }
        match page.next {
            Some(next) if walked < WALK_MAX => query.page.cursor = Some(next),
            Some(_) => return Ok(false),
            None => return Ok(true),
        }
    }
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Read, None)?;
    let page = call.number("page", 1, 1..=10_000)?;
    let per_page = call.number("per_page", 30, 1..=100)?;
    let query = DeviceQuery {
        product: Some(grant.product.id.clone()),
        text: call.text("key_words").map(str::to_owned),
        tag: call.text("tag").map(|tag| (tag.to_owned(), None)),
        status: (call.flag("online")? == Some(true)).then(|| "online".to_owned()),
        ids: call.list("device_id").or_else(|| grant.only().map(|device| vec![device.id.clone()])),
        created_from_ms: call.time("begin", &grant.product)?,
        // The day that is named is still meant.
        created_to_ms: call.time("end", &grant.product)?.map(|end| end.saturating_add(86_400_000)),
        page: PageAsk::default(),
    };
    let wanted = Wanted {
        auth_info: call.text("auth_info").filter(|_| grant.sees_secrets).map(str::to_owned),
        online: call.flag("online")?,
        private: call.flag("private")?,
    };
    let first = (page as usize - 1).saturating_mul(per_page as usize);
    let end = first.saturating_add(per_page as usize);
    let counted = if wanted.is_all() { Some(call.platform.count_devices(&query)?) } else { None };
    let (mut found, mut shown) = (0, Vec::new());
    walk(call, &query, |device| {
        if wanted.takes(&device) {
            if (first..end).contains(&found) {
                shown.push(Json::Object(summary(&device, &grant)));
            }
            found += 1;
        }
        counted.is_none() || found < end
    })?;
    Ok(Answer::Data(json!({
        "total_count": counted.unwrap_or(found as u64), "page": page, "per_page": per_page, "devices": shown,
    })))
}

/// The devices of `devIds` that there are, in their order.
fn named(call: &Call<'_>, grant: &Grant) -> Result<Vec<Device>, Fault> {
    let ids = call.list("devIds").ok_or_else(|| Fault::wrong("devIds required"))?;
    if ids.len() > IDS_MAX {
        return Err(Fault::wrong(format!("devIds has {} ids; {IDS_MAX} at most", ids.len())));
    }
    let query = DeviceQuery {
        product: Some(grant.product.id.clone()),
        ids: Some(ids.clone()),
        ..DeviceQuery::default()
    };
    let mut found = Vec::new();
    walk(call, &query, |device| {
        found.push(device);
        true
    })?;
    found.retain(|device| grant.only().is_none_or(|own| own.id == device.id));
    found.sort_by_key(|device| ids.iter().position(|id| *id == device.id));
    Ok(found)
}

pub(super) fn status(call: &Call<'_>) -> Reply {
    let hint = call.text("devIds").filter(|ids| !ids.contains(','));
    let grant = grant(call, Need::Read, hint)?;
    let devices = named(call, &grant)?;
    let shown: Vec<Json> = devices
        .iter()
        .map(|device| json!({"id": device.id, "title": device.name, "online": is_online(device)}))
        .collect();
    Ok(Answer::Data(json!({"total_count": shown.len(), "devices": shown})))
}

pub(super) fn latest(call: &Call<'_>) -> Reply {
    let hint = call.text("devIds").filter(|ids| !ids.contains(','));
    let grant = grant(call, Need::Read, hint)?;
    let zone = grant.product.zone_minutes;
    let mut shown = Vec::new();
    for device in named(call, &grant)? {
        let points = call.platform.latest(&device.reference())?;
        let streams = points.iter().map(|point| {
            let at = clock::with_ms(point.at_ms, zone);
            json!({"id": point.id, "at": at, "value": super::upload::value(point)})
        });
        let streams: Vec<Json> = streams.collect();
        shown.push(json!({"id": device.id, "title": device.name, "datastreams": streams}));
    }
    Ok(Answer::Data(json!({"devices": shown})))
}
