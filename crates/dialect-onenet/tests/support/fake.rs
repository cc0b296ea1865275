//! A platform in memory, as far as the HTTP API asks it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hexmq_device::port::{
    Bucket, DeviceQuery, NewCommand, Page, Platform, PlatformGauges, PortError, PortErrorKind, PortResult,
    Sent, TimeQuery, Webhook, WebhookState,
};
use hexmq_device::{
    ApiKey, Command, CommandState, Datum, Desired, Device, DeviceRef, Diagnosis, Document, Event, LogLine,
    NewPoint, Offer, Order, Point, Product, Quirk, Secret, Shadow, SignIn,
};
use serde_json::Value as Json;

use super::NOW_MS;

/// What it knows, open to the tests.
#[derive(Default)]
pub struct Known {
    pub products: Vec<Product>,
    pub devices: Vec<Device>,
    pub documents: BTreeMap<(DeviceRef, String), Document>,
    pub points: Vec<Point>,
    pub commands: Vec<Command>,
    pub keys: Vec<(String, ApiKey)>,
    /// Product, topic and payload.
    pub published: Vec<(String, String, Vec<u8>)>,
    /// Every call fails.
    pub away: bool,
    /// What devices answer to the next command that is waited for.
    pub answer: Option<Vec<u8>>,
}

#[derive(Default)]
pub struct Fake {
    known: Mutex<Known>,
}

fn missing<T>(what: &str) -> PortResult<T> {
    Err(PortError::new(PortErrorKind::NotFound, "missing", format!("not found: {what}")))
}

fn unasked<T>() -> PortResult<T> {
    Err(PortError::new(PortErrorKind::Unavailable, "unasked", "the API does not ask this"))
}

impl Fake {
    pub fn of(products: Vec<Product>, devices: Vec<Device>) -> Fake {
        Fake { known: Mutex::new(Known { products, devices, ..Known::default() }) }
    }

    /// Looks into it, or changes it.
    pub fn with<T>(&self, what: impl FnOnce(&mut Known) -> T) -> T {
        what(&mut self.known.lock().expect("no test panics inside"))
    }

    fn asked<T>(&self, what: impl FnOnce(&mut Known) -> PortResult<T>) -> PortResult<T> {
        self.with(|known| {
            if known.away {
                return Err(PortError::new(PortErrorKind::Unavailable, "away", "the data base is away"));
            }
            what(known)
        })
    }
}

/// A part of a list: the cursor is the place where it goes on.
fn page<T>(all: Vec<T>, ask: &hexmq_device::port::PageAsk) -> Page<T> {
    let first: usize = ask.cursor.as_deref().map_or(0, |cursor| cursor.parse().expect("our own cursor"));
    let limit = if ask.limit == 0 { 1000 } else { ask.limit };
    let next = (all.len() > first + limit).then(|| (first + limit).to_string());
    Page { items: all.into_iter().skip(first).take(limit).collect(), next }
}

fn fits(device: &Device, query: &DeviceQuery) -> bool {
    query.product.as_ref().is_none_or(|product| *product == device.product)
        && query.ids.as_ref().is_none_or(|ids| ids.contains(&device.id))
        && query.status.as_ref().is_none_or(|status| status == device.status())
        && query.tag.as_ref().is_none_or(|(tag, _)| device.tags.contains_key(tag))
        && query.text.as_ref().is_none_or(|text| device.id.contains(text) || device.name.contains(text))
        && query.created_from_ms.is_none_or(|from| device.created_at_ms >= from)
        && query.created_to_ms.is_none_or(|to| device.created_at_ms < to)
}

fn within(query: &TimeQuery, device: &DeviceRef, id: &str, at_ms: i64) -> bool {
    query.product == device.product
        && query.device.as_ref().is_none_or(|wanted| *wanted == device.device)
        && query.ids.as_ref().is_none_or(|ids| ids.iter().any(|wanted| wanted == id))
        && query.from_ms.is_none_or(|from| at_ms >= from)
        && query.to_ms.is_none_or(|to| at_ms < to)
}

impl Platform for Fake {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }
    fn products(&self) -> PortResult<Vec<Product>> {
        self.asked(|known| Ok(known.products.clone()))
    }
    fn product(&self, id: &str) -> PortResult<Product> {
        self.asked(|known| {
            known.products.iter().find(|it| it.id == id).cloned().map_or_else(|| missing(id), Ok)
        })
    }
    fn create_product(&self, _: Product) -> PortResult<Product> {
        unasked()
    }
    fn update_product(&self, _: Product) -> PortResult<Product> {
        unasked()
    }
    fn delete_product(&self, _: &str) -> PortResult<()> {
        unasked()
    }
    fn quirks(&self, _: &str) -> PortResult<Vec<(Quirk, bool)>> {
        unasked()
    }

    fn device(&self, device: &DeviceRef) -> PortResult<Device> {
        self.asked(|known| {
            let found = known.devices.iter().find(|it| it.reference() == *device);
            found.cloned().map_or_else(|| missing(&device.device), Ok)
        })
    }
    fn devices(&self, query: &DeviceQuery) -> PortResult<Page<Device>> {
        self.asked(|known| {
            let mut found: Vec<_> = known.devices.iter().filter(|it| fits(it, query)).cloned().collect();
            found.sort_by_key(Device::reference);
            Ok(page(found, &query.page))
        })
    }
    fn count_devices(&self, query: &DeviceQuery) -> PortResult<u64> {
        self.asked(|known| Ok(known.devices.iter().filter(|it| fits(it, query)).count() as u64))
    }
    fn create_devices(&self, devices: Vec<Device>) -> PortResult<Vec<PortResult<Device>>> {
        self.asked(|known| {
            let mut create = |mut device: Device| {
                if known.devices.iter().any(|it| it.reference() == device.reference()) {
                    return Err(PortError::new(
                        PortErrorKind::Conflict,
                        "device_exists",
                        "it is there already",
                    ));
                }
                device.secret.get_or_insert_with(|| Secret("made by the platform".into()));
                device.created_at_ms = NOW_MS;
                known.devices.push(device.clone());
                Ok(device)
            };
            Ok(devices.into_iter().map(&mut create).collect())
        })
    }
    fn update_device(&self, device: Device) -> PortResult<Device> {
        self.asked(|known| {
            let place = known.devices.iter().position(|it| it.reference() == device.reference());
            let Some(place) = place else { return missing(&device.id) };
            known.devices[place] = device.clone();
            Ok(device)
        })
    }
    fn delete_device(&self, device: &DeviceRef) -> PortResult<()> {
        self.asked(|known| {
            known.devices.retain(|it| it.reference() != *device);
            Ok(())
        })
    }

    fn document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>> {
        self.asked(|known| Ok(known.documents.get(&(owner.clone(), kind.to_owned())).cloned()))
    }
    fn put_document(
        &self,
        owner: &DeviceRef,
        kind: &str,
        text: Option<&str>,
        expected: Option<u64>,
    ) -> PortResult<u64> {
        self.asked(|known| {
            let key = (owner.clone(), kind.to_owned());
            let version = known.documents.get(&key).map_or(0, |document| document.version);
            if expected.is_some_and(|expected| expected != version) {
                return Err(PortError::new(PortErrorKind::Conflict, "changed", "changed meanwhile"));
            }
            let text = text.expect("the API removes none").to_owned();
            known.documents.insert(key, Document { text, version: version + 1, at_ms: NOW_MS });
            Ok(version + 1)
        })
    }
    fn put_blob(&self, _: &str, _: &str, _: &[u8]) -> PortResult<()> {
        unasked()
    }
    fn blob(&self, _: &str, _: &str, _: u64, _: usize) -> PortResult<Option<(Vec<u8>, u64)>> {
        unasked()
    }
    fn model(&self, _: &str) -> PortResult<Option<Json>> {
        unasked()
    }
    fn set_model(&self, _: &str, _: Option<Json>) -> PortResult<()> {
        unasked()
    }
    fn draft_model(&self, _: &str) -> PortResult<Json> {
        unasked()
    }

    fn latest(&self, device: &DeviceRef) -> PortResult<Vec<Point>> {
        self.asked(|known| {
            let mut latest: BTreeMap<&str, &Point> = BTreeMap::new();
            for point in known.points.iter().filter(|point| point.device == *device) {
                let newest = latest.entry(&point.id).or_insert(point);
                if point.at_ms >= newest.at_ms {
                    *newest = point;
                }
            }
            Ok(latest.into_values().cloned().collect())
        })
    }
    fn points(&self, query: &TimeQuery) -> PortResult<Page<Point>> {
        self.asked(|known| {
            let of = known.points.iter().filter(|it| within(query, &it.device, &it.id, it.at_ms));
            let mut found: Vec<_> = of.cloned().collect();
            found.sort_by_key(|point| point.at_ms);
            if query.newest_first {
                found.reverse();
            }
            Ok(page(found, &query.page))
        })
    }
    fn summary(&self, _: &TimeQuery, _: i64) -> PortResult<Vec<Bucket>> {
        unasked()
    }
    fn post(&self, device: &DeviceRef, points: Vec<NewPoint>) -> PortResult<()> {
        self.asked(|known| {
            known.points.extend(points.into_iter().map(|point| Point {
                device: device.clone(),
                id: point.id,
                value: point.value,
                at_ms: point.at_ms.unwrap_or(NOW_MS),
                received_at_ms: NOW_MS,
            }));
            Ok(())
        })
    }
    fn delete_points(&self, device: &DeviceRef, id: Option<&str>) -> PortResult<()> {
        self.asked(|known| {
            known.points.retain(|it| it.device != *device || id.is_some_and(|id| id != it.id));
            Ok(())
        })
    }
    fn events(&self, _: &TimeQuery) -> PortResult<Page<Event>> {
        unasked()
    }
    fn log(&self, _: &TimeQuery) -> PortResult<Page<LogLine>> {
        unasked()
    }

    fn command(&self, device: &DeviceRef, new: NewCommand) -> PortResult<Command> {
        self.asked(|known| {
            let online = known.devices.iter().any(|it| it.reference() == *device && it.presence.online);
            let command = Command {
                id: format!("00000000-0000-4000-8000-{:012}", known.commands.len()),
                device: device.clone(),
                order: new.order.to_json(),
                state: if online { CommandState::Sent } else { CommandState::Created },
                reason: None,
                qos: new.qos,
                again: new.again,
                correlation: None,
                reply: None,
                reply_code: None,
                reply_data: None,
                created_at_ms: NOW_MS,
                sent_at_ms: online.then_some(NOW_MS),
                answered_at_ms: None,
                deadline_ms: NOW_MS + i64::from(new.timeout_s) * 1000,
            };
            known.commands.push(command.clone());
            Ok(command)
        })
    }
    fn find_command(&self, id: &str) -> PortResult<Command> {
        self.asked(|known| {
            known.commands.iter().find(|it| it.id == id).cloned().map_or_else(|| missing(id), Ok)
        })
    }
    fn commands(&self, query: &TimeQuery) -> PortResult<Page<Command>> {
        self.asked(|known| {
            let fits = |it: &&Command| within(query, &it.device, it.state.name(), it.created_at_ms);
            Ok(page(known.commands.iter().filter(fits).cloned().collect(), &query.page))
        })
    }
    fn wait_for(&self, id: &str, _: u64) -> PortResult<Command> {
        self.asked(|known| {
            let answer = known.answer.take();
            let Some(command) = known.commands.iter_mut().find(|it| it.id == id) else { return missing(id) };
            if answer.is_some() {
                (command.state, command.reply) = (CommandState::Answered, answer);
                command.answered_at_ms = Some(NOW_MS + 5);
            }
            Ok(command.clone())
        })
    }
    fn order(&self, _: &DeviceRef, _: Order) -> PortResult<Sent> {
        unasked()
    }
    fn publish(&self, product: &str, topic: &str, payload: &[u8], _: u8) -> PortResult<()> {
        self.asked(|known| {
            known.published.push((product.to_owned(), topic.to_owned(), payload.to_owned()));
            Ok(())
        })
    }
    fn subscribers(&self, product: &str, _: &str) -> PortResult<Vec<String>> {
        self.asked(|known| {
            let of = known.devices.iter().filter(|it| it.product == product && it.presence.online);
            Ok(of.map(|it| it.id.clone()).chain(["gone".to_owned()]).collect())
        })
    }
    fn subscriptions(&self, _: &DeviceRef) -> PortResult<Vec<String>> {
        Ok(vec!["house/#".to_owned()])
    }
    fn set_desired(&self, _: &DeviceRef, _: Vec<(String, Option<Datum>)>) -> PortResult<()> {
        unasked()
    }
    fn desired(&self, _: &DeviceRef) -> PortResult<BTreeMap<String, Desired>> {
        unasked()
    }
    fn shadow(&self, _: &DeviceRef) -> PortResult<Shadow> {
        unasked()
    }
    fn topology(&self, _: &DeviceRef) -> PortResult<Vec<DeviceRef>> {
        unasked()
    }
    fn change_topology(&self, _: &DeviceRef, _: &[DeviceRef], _: &[DeviceRef]) -> PortResult<()> {
        unasked()
    }
    fn add_firmware(&self, _: &str, _: &str, _: &str, _: &[u8]) -> PortResult<Offer> {
        unasked()
    }
    fn firmware(&self, _: &str) -> PortResult<Vec<Offer>> {
        unasked()
    }
    fn delete_firmware(&self, _: &str, _: &str) -> PortResult<()> {
        unasked()
    }
    fn offer_firmware(&self, _: &DeviceRef, _: &str) -> PortResult<Sent> {
        unasked()
    }
    fn keys(&self) -> PortResult<Vec<ApiKey>> {
        unasked()
    }
    fn create_key(&self, _: ApiKey) -> PortResult<(ApiKey, String)> {
        unasked()
    }
    fn delete_key(&self, _: &str) -> PortResult<()> {
        unasked()
    }
    fn key(&self, key: &str) -> PortResult<Option<ApiKey>> {
        self.asked(|known| Ok(known.keys.iter().find(|(text, _)| text == key).map(|(_, key)| key.clone())))
    }
    fn webhooks(&self) -> PortResult<Vec<(Webhook, WebhookState)>> {
        unasked()
    }
    fn put_webhook(&self, _: Webhook) -> PortResult<Webhook> {
        unasked()
    }
    fn delete_webhook(&self, _: &str) -> PortResult<()> {
        unasked()
    }
    fn diagnose(&self, _: &SignIn<'_>, _: Option<&DeviceRef>) -> PortResult<Diagnosis> {
        unasked()
    }
    fn gauges(&self) -> PlatformGauges {
        PlatformGauges::default()
    }
}
