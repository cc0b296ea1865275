//! Documents of devices and products: shadows, desired values, tags, firmware states.

use std::sync::Arc;

use hexmq_device::port::{PortError, PortErrorKind, PortResult, Sent};
use hexmq_device::{
    Ask, Datum, DesiredValues, DeviceRef, DialectName, Order, Outcome, Problem, ProblemKind, Shadow,
    ShadowAsk,
};
use serde_json::{Value as Json, json};

use crate::core::{Core, lock};
use crate::decide::{problem, settled};

/// A document that others change at the same time is tried again so often.
const TRIES: usize = 8;
/// Tags of a device, and bytes of a name and of a value.
const TAGS_MAX: usize = 100;
const TAG_NAME_MAX: usize = 64;
const TAG_VALUE_MAX: usize = 512;

impl Core {
    /// A document as JSON; one that is not JSON is an error of the data base.
    pub(crate) fn json_document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Json>> {
        let Some(document) = self.registry.document(owner, kind)? else { return Ok(None) };
        let json = serde_json::from_str(&document.text).map_err(|error| {
            let message = format!("the {kind} of {owner} in the data base is not JSON: {error}");
            PortError::new(PortErrorKind::Invalid, "bad_document", message)
        })?;
        Ok(Some(json))
    }

    /// Reads a document, changes it, and writes it if nobody else has meanwhile.
    pub(crate) fn edit_document<T>(
        &self,
        owner: &DeviceRef,
        kind: &str,
        mut change: impl FnMut(Option<&Json>) -> PortResult<(Json, T)>,
    ) -> PortResult<T> {
        let mut conflict = None;
        for _ in 0..TRIES {
            let stored = self.registry.document(owner, kind)?;
            let version = stored.as_ref().map_or(0, |document| document.version);
            // What cannot be read is begun anew.
            let json: Option<Json> = stored.and_then(|document| serde_json::from_str(&document.text).ok());
            let (changed, result) = change(json.as_ref())?;
            if json.as_ref() == Some(&changed) {
                return Ok(result);
            }
            let text = changed.to_string();
            match self.registry.put_document(owner, kind, Some(&text), Some(version), self.now_ms()) {
                Ok(_) => return Ok(result),
                Err(error) if error.kind == PortErrorKind::Conflict => conflict = Some(error),
                Err(error) => return Err(error),
            }
        }
        let changing =
            || PortError::new(PortErrorKind::Conflict, "document_changes", "others keep changing it");
        Err(conflict.unwrap_or_else(changing))
    }

    /// What comes of a request that the registry has to be asked for. It waits with bounded patience.
    pub(crate) fn asked_of_registry(
        self: &Arc<Self>,
        device: &DeviceRef,
        ask: Ask,
    ) -> Result<Outcome, Problem> {
        let (core, device) = (Arc::clone(self), device.clone());
        let asked = self.asking.ask(move |_| core.ask_registry(&device, ask));
        asked.map_err(|error| problem(&error))
    }

    fn ask_registry(self: &Arc<Self>, device: &DeviceRef, ask: Ask) -> PortResult<Outcome> {
        Ok(match ask {
            Ask::DesiredGet(names) => Outcome::Desired(self.desired_values(device)?.of(&names)),
            Ask::DesiredDelete(names) => {
                self.edit_document(device, "desired", |json| {
                    let mut desired = json.and_then(DesiredValues::of_json).unwrap_or_default();
                    desired.delete(&names);
                    Ok((desired.to_json(), ()))
                })?;
                Outcome::Done
            }
            Ask::Shadow(ask) => return self.ask_shadow(device, &ask),
            Ask::TagsUpdate(tags) => settled(self.update_tags(device, &tags)),
            Ask::TagsDelete(names) => settled(self.delete_tags(device, &names)),
            Ask::TopologyAdd(devices) => settled(self.bind_signed(device, &devices)),
            Ask::TopologyDelete(devices) => settled(self.change_bindings(device, &[], &devices)),
            Ask::TopologyGet => Outcome::Devices(self.bound_to(device)?),
            Ask::SubLogin(devices) => self.sub_login(device, &devices)?,
            Ask::SubLogout(devices) => self.sub_logout(device, devices),
            Ask::SubRegister(devices) => self.sub_register(device, &devices)?,
            Ask::ModelGet => Outcome::Model(self.tsl(&device.product)?),
            Ask::ConfigGet => Outcome::Config(self.config_of(device)?),
            Ask::FirmwareIs { module, version } => settled(self.firmware_is(device, &module, &version)),
            Ask::FirmwareGet { module } => Outcome::Firmware(self.firmware_for(device, &module)?),
            other => {
                let message = format!("{other:?} is not asked of the registry");
                Outcome::Refused(Problem::new(ProblemKind::BadRequest, message))
            }
        })
    }

    pub(crate) fn desired_values(&self, device: &DeviceRef) -> PortResult<DesiredValues> {
        let json = self.json_document(device, "desired")?;
        Ok(json.as_ref().and_then(DesiredValues::of_json).unwrap_or_default())
    }

    fn ask_shadow(&self, device: &DeviceRef, ask: &ShadowAsk) -> PortResult<Outcome> {
        if matches!(ask, ShadowAsk::Get) {
            let json = self.json_document(device, "shadow")?;
            let shadow = json.as_ref().and_then(Shadow::of_json).unwrap_or_default();
            return Ok(Outcome::Shadow { shadow, with_state: true });
        }
        let now_ms = self.now_ms();
        self.edit_document(device, "shadow", |json| {
            let mut shadow = json.and_then(Shadow::of_json).unwrap_or_default();
            let outcome = match shadow.ask(ask.clone(), now_ms) {
                Ok(_) => Outcome::Shadow { shadow: shadow.clone(), with_state: false },
                Err(problem) => Outcome::Refused(problem),
            };
            Ok((shadow.to_json(), outcome))
        })
    }

    /// The shadow as people see it: what the device has said of itself there, or else its newest values; and what is
    /// desired of it.
    pub(crate) fn shadow_view(&self, device: &DeviceRef) -> PortResult<Shadow> {
        self.stored_device(device)?;
        let json = self.json_document(device, "shadow")?;
        let mut shadow = json.as_ref().and_then(Shadow::of_json).unwrap_or_default();
        if json.is_none() {
            for point in self.history.latest(device)? {
                shadow.reported.insert(point.id, (point.value.to_json(), point.at_ms));
                shadow.at_ms = shadow.at_ms.max(point.received_at_ms);
            }
        }
        for (name, desired) in self.desired_values(device)?.values {
            shadow.desired.entry(name).or_insert((desired.value, shadow.at_ms));
        }
        Ok(shadow)
    }

    /// Sets what is desired, and tells the device if it is here: by its shadow if it has one, else by setting the
    /// properties.
    pub(crate) fn desire(
        self: &Arc<Self>,
        device: &DeviceRef,
        desired: Vec<(String, Option<Datum>)>,
    ) -> PortResult<()> {
        self.stored_device(device)?;
        let row = self.row(&device.product)?;
        let desired: Vec<(String, Option<Json>)> =
            desired.into_iter().map(|(name, value)| (name, value.map(|value| value.to_json()))).collect();
        self.edit_document(device, "desired", |json| {
            let mut values = json.and_then(DesiredValues::of_json).unwrap_or_default();
            values
                .set(&desired)
                .map_err(|problem| crate::core::invalid("too_many_names", problem.message))?;
            Ok((values.to_json(), ()))
        })?;
        let has_shadow = self.registry.document(device, "shadow")?.is_some();
        if has_shadow {
            let now_ms = self.now_ms();
            self.edit_document(device, "shadow", |json| {
                let mut shadow = json.and_then(Shadow::of_json).unwrap_or_default();
                let desired = shadow.desire(&desired, now_ms);
                desired.map_err(|problem| crate::core::invalid("too_many_names", problem.message))?;
                Ok((shadow.to_json(), ()))
            })?;
        }
        if !self.is_here(device) {
            return Ok(());
        }
        if has_shadow || row.product.dialect == DialectName::Plain {
            self.order_now(device, &Order::Shadow(self.shadow_view(device)?))?;
            return Ok(());
        }
        let set: serde_json::Map<_, _> =
            desired.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        if !set.is_empty() {
            self.order_now(device, &Order::Set(Json::Object(set)))?;
        }
        Ok(())
    }

    /// Sends what is no command to a device that is here.
    pub(crate) fn order_now(self: &Arc<Self>, device: &DeviceRef, order: &Order) -> PortResult<Sent> {
        let row = self.row(&device.product)?;
        let id = crate::random::uuid()?;
        let downlink = row.dialect.downlink(&row.product, device, order, &id, self.next_number());
        let downlink =
            downlink.map_err(|error| PortError::new(PortErrorKind::Invalid, error.code, error.message))?;
        let (number, at) = self.route(device)?;
        let (heard, word) = std::sync::mpsc::sync_channel(1);
        let (core, sent, target) = (Arc::clone(self), downlink.clone(), device.clone());
        let done = Box::new(move |outcome| {
            if outcome == Sent::Sent {
                core.log(crate::loglines::down(&target, core.now_ms(), "sent", &sent));
            }
            let _ = heard.try_send(outcome);
        });
        self.send(number, &at, &downlink, None, done);
        word.recv_timeout(std::time::Duration::from_secs(2)).map_err(|_| {
            PortError::new(
                PortErrorKind::Unavailable,
                "shard_silent",
                "the server has not said whether it was sent",
            )
        })
    }

    fn update_tags(&self, device: &DeviceRef, tags: &[(String, String)]) -> PortResult<()> {
        let fits =
            |(name, value): &(String, String)| name.len() <= TAG_NAME_MAX && value.len() <= TAG_VALUE_MAX;
        if let Some((name, _)) = tags.iter().find(|tag| !fits(tag)) {
            let message = format!(
                "tag {name}: names have at most {TAG_NAME_MAX} bytes, values at most {TAG_VALUE_MAX}"
            );
            return Err(crate::core::invalid("bad_tag", message));
        }
        self.edit_tags(device, |stored| stored.extend(tags.iter().cloned()))
    }

    fn delete_tags(&self, device: &DeviceRef, names: &[String]) -> PortResult<()> {
        self.edit_tags(device, |stored| names.iter().for_each(|name| drop(stored.remove(name))))
    }

    fn edit_tags(
        &self,
        device: &DeviceRef,
        change: impl FnOnce(&mut std::collections::BTreeMap<String, String>),
    ) -> PortResult<()> {
        let _edit = lock(&self.edits);
        let mut stored = self.stored_device(device)?;
        change(&mut stored.tags);
        if stored.tags.len() > TAGS_MAX {
            let message = format!("a device has at most {TAGS_MAX} tags");
            return Err(PortError::new(PortErrorKind::Full, "too_many_tags", message));
        }
        self.registry.update_device(&stored)
    }

    /// Which firmware a device runs: an offer of the same version is done with.
    fn firmware_is(&self, device: &DeviceRef, module: &str, version: &str) -> PortResult<()> {
        let at_ms = self.now_ms();
        let offers = self.offers(&device.product)?;
        self.edit_document(device, "firmware_state", |json| {
            let mut state = firmware_state(json);
            put(&mut state, "modules", module, json!({"version": version, "at_ms": at_ms}));
            let offered = part_of(&state, "offers", module).and_then(Json::as_str).map(str::to_owned);
            let is_done = offered
                .is_some_and(|id| offers.iter().any(|offer| offer.id == id && offer.version == version));
            if is_done && let Some(Json::Object(offers)) = state.get_mut("offers") {
                offers.remove(module);
            }
            Ok((state, ()))
        })
    }

    pub(crate) fn firmware_progress(
        &self,
        device: &DeviceRef,
        module: &str,
        step: i32,
        text: &str,
    ) -> PortResult<()> {
        let at_ms = self.now_ms();
        self.edit_document(device, "firmware_state", |json| {
            let mut state = firmware_state(json);
            put(&mut state, "progress", module, json!({"step": step, "text": text, "at_ms": at_ms}));
            Ok((state, ()))
        })
    }

    /// A device is offered firmware: it gets the same answer when it asks.
    pub(crate) fn offer_to(&self, device: &DeviceRef, module: &str, id: &str) -> PortResult<()> {
        self.edit_document(device, "firmware_state", |json| {
            let mut state = firmware_state(json);
            put(&mut state, "offers", module, json!(id));
            Ok((state, ()))
        })
    }
}

/// `{"modules":{…},"offers":{…},"progress":{…}}`
fn firmware_state(json: Option<&Json>) -> Json {
    json.filter(|json| json.is_object()).cloned().unwrap_or_else(|| json!({}))
}

/// What the state of a device's firmware says of a module.
pub(crate) fn part_of<'a>(state: &'a Json, part: &str, module: &str) -> Option<&'a Json> {
    state.get(part)?.get(module)
}

fn put(state: &mut Json, part: &str, module: &str, value: Json) {
    let Some(state) = state.as_object_mut() else { return };
    let part = state.entry(part).or_insert_with(|| json!({}));
    if let Some(part) = part.as_object_mut() {
        part.insert(module.to_owned(), value);
    }
}
