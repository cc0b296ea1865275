//! A data base in memory that can be away, slow and full.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use hexmq_device::port::{
    Bucket, DeviceQuery, History, Page, PortError, PortErrorKind, PortResult, Registry, TimeQuery,
};
use hexmq_device::{
    ApiKey, Batch, Command, Device, DeviceRef, Document, Event, LogLine, Point, PresenceChange, Product,
};

/// How the data base is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Health {
    #[default]
    Well,
    /// It says at once that it cannot be asked.
    Away,
    /// It says nothing until it is well again.
    Hanging,
    /// It can be read, and takes nothing.
    Full,
}

#[derive(Default)]
pub(crate) struct Store {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) health: Health,
    pub(crate) products: BTreeMap<String, Product>,
    pub(crate) devices: BTreeMap<DeviceRef, Device>,
    pub(crate) documents: BTreeMap<(DeviceRef, String), Document>,
    pub(crate) blobs: HashMap<(String, String), Vec<u8>>,
    pub(crate) keys: Vec<ApiKey>,
    pub(crate) points: Vec<Point>,
    pub(crate) events: Vec<Event>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) commands: BTreeMap<String, Command>,
    pub(crate) done: BTreeMap<String, u64>,
    pub(crate) batches: Vec<usize>,
    pub(crate) refusals: u64,
    numbers: u32,
}

fn away() -> PortError {
    PortError::new(PortErrorKind::Unavailable, "away", "the data base is away")
}

impl Store {
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Inside) -> T) -> T {
        look(&self.inside.lock().unwrap())
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.inside.lock().unwrap().health = health;
        self.changed.notify_all();
    }

    /// Waits until something is so; fails the test if it never is.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Inside) -> bool) {
        let inside = self.inside.lock().unwrap();
        let waited =
            self.changed.wait_timeout_while(inside, Duration::from_secs(20), |inside| !is_so(inside));
        assert!(!waited.unwrap().1.timed_out(), "never: {what}");
    }

    fn read(&self) -> PortResult<MutexGuard<'_, Inside>> {
        let inside = self.inside.lock().unwrap();
        let hangs = |inside: &mut Inside| inside.health == Health::Hanging;
        // Implementations give up after a while.
        let (mut inside, timed_out) =
            self.changed.wait_timeout_while(inside, Duration::from_secs(15), hangs).unwrap();
        if timed_out.timed_out() || inside.health == Health::Away {
            inside.refusals += 1;
            self.changed.notify_all();
            return Err(away());
        }
        Ok(inside)
    }

    fn write(&self) -> PortResult<MutexGuard<'_, Inside>> {
        let mut inside = self.read()?;
        if inside.health == Health::Full {
            inside.refusals += 1;
            self.changed.notify_all();
            return Err(PortError::new(PortErrorKind::Full, "disk_full", "the disk is full"));
        }
        self.changed.notify_all();
        Ok(inside)
    }
}

fn whole<T>(items: Vec<T>) -> PortResult<Page<T>> {
    Ok(Page { items, next: None })
}

fn fits(query: &TimeQuery, device: &DeviceRef, id: &str) -> bool {
    query.product == device.product
        && query.device.as_ref().is_none_or(|wanted| *wanted == device.device)
        && query.ids.as_ref().is_none_or(|ids| ids.iter().any(|wanted| wanted == id))
}

impl Registry for Store {
    fn products(&self) -> PortResult<Vec<Product>> {
        Ok(self.read()?.products.values().cloned().collect())
    }
    fn create_product(&self, product: &Product) -> PortResult<Product> {
        let mut inside = self.write()?;
        if inside.products.contains_key(&product.id) {
            return Err(PortError::new(PortErrorKind::Conflict, "product_exists", "it is there"));
        }
        inside.numbers += 1;
        let product = Product { number: inside.numbers, ..product.clone() };
        inside.products.insert(product.id.clone(), product.clone());
        Ok(product)
    }
    fn update_product(&self, product: &Product) -> PortResult<()> {
        self.write()?.products.insert(product.id.clone(), product.clone());
        Ok(())
    }
    fn delete_product(&self, product: &str) -> PortResult<()> {
        let mut inside = self.write()?;
        inside.products.remove(product);
        inside.devices.retain(|device, _| device.product != product);
        Ok(())
    }
    fn device(&self, device: &DeviceRef) -> PortResult<Option<Device>> {
        Ok(self.read()?.devices.get(device).cloned())
    }
    fn devices(&self, query: &DeviceQuery) -> PortResult<Page<Device>> {
        let of = |device: &&Device| query.product.as_ref().is_none_or(|product| *product == device.product);
        whole(self.read()?.devices.values().filter(of).cloned().collect())
    }
    fn count_devices(&self, query: &DeviceQuery) -> PortResult<u64> {
        Ok(self.devices(query)?.items.len() as u64)
    }
    fn create_devices(&self, devices: &[Device]) -> PortResult<Vec<PortResult<()>>> {
        let mut inside = self.write()?;
        let mut create = |device: &Device| {
            if inside.devices.contains_key(&device.reference()) {
                return Err(PortError::new(PortErrorKind::Conflict, "device_exists", "it is there"));
            }
            inside.devices.insert(device.reference(), device.clone());
            Ok(())
        };
        Ok(devices.iter().map(&mut create).collect())
    }
    fn update_device(&self, device: &Device) -> PortResult<()> {
        let mut inside = self.write()?;
        let presence = inside.devices.get(&device.reference()).map(|device| device.presence.clone());
        let presence = presence.unwrap_or_default();
        inside.devices.insert(device.reference(), Device { presence, ..device.clone() });
        Ok(())
    }
    fn delete_device(&self, device: &DeviceRef) -> PortResult<()> {
        self.write()?.devices.remove(device);
        Ok(())
    }
    fn all_offline(&self, at_ms: i64, reason: &str) -> PortResult<()> {
        for device in self.write()?.devices.values_mut().filter(|device| device.presence.online) {
            device.presence.online = false;
            device.presence.since_ms = Some(at_ms);
            device.presence.reason = Some(reason.to_owned());
        }
        Ok(())
    }
    fn keys(&self) -> PortResult<Vec<ApiKey>> {
        Ok(self.read()?.keys.clone())
    }
    fn create_key(&self, key: &ApiKey) -> PortResult<()> {
        self.write()?.keys.push(key.clone());
        Ok(())
    }
    fn delete_key(&self, id: &str) -> PortResult<()> {
        self.write()?.keys.retain(|key| key.id != id);
        Ok(())
    }
    fn document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>> {
        Ok(self.read()?.documents.get(&(owner.clone(), kind.to_owned())).cloned())
    }
    fn documents(&self, kind: &str) -> PortResult<Vec<(DeviceRef, Document)>> {
        let inside = self.read()?;
        let of = inside.documents.iter().filter(|((_, known), _)| known == kind);
        Ok(of.map(|((owner, _), document)| (owner.clone(), document.clone())).collect())
    }
    fn put_document(
        &self,
        owner: &DeviceRef,
        kind: &str,
        text: Option<&str>,
        expected: Option<u64>,
        at_ms: i64,
    ) -> PortResult<u64> {
        let mut inside = self.write()?;
        let key = (owner.clone(), kind.to_owned());
        let version = inside.documents.get(&key).map_or(0, |document| document.version);
        if expected.is_some_and(|expected| expected != version) {
            return Err(PortError::new(PortErrorKind::Conflict, "document_changed", "it has changed"));
        }
        match text {
            Some(text) => {
                let document = Document { text: text.to_owned(), version: version + 1, at_ms };
                inside.documents.insert(key, document);
            }
            None => drop(inside.documents.remove(&key)),
        }
        Ok(version + 1)
    }
    fn put_blob(&self, kind: &str, id: &str, bytes: &[u8], _: i64) -> PortResult<()> {
        self.write()?.blobs.insert((kind.to_owned(), id.to_owned()), bytes.to_vec());
        Ok(())
    }
    fn blob(&self, kind: &str, id: &str, _: u64, _: usize) -> PortResult<Option<(Vec<u8>, u64)>> {
        let inside = self.read()?;
        let bytes = inside.blobs.get(&(kind.to_owned(), id.to_owned()));
        Ok(bytes.map(|bytes| (bytes.clone(), bytes.len() as u64)))
    }
    fn delete_blob(&self, kind: &str, id: &str) -> PortResult<()> {
        self.write()?.blobs.remove(&(kind.to_owned(), id.to_owned()));
        Ok(())
    }
}

impl History for Store {
    fn keep(&self, batch: &Batch) -> PortResult<()> {
        let mut inside = self.write()?;
        if batch.points.iter().any(|point| point.id == "poison") {
            return Err(PortError::new(PortErrorKind::Invalid, "poison", "a value that no data base takes"));
        }
        let rows = batch.points.len() + batch.events.len() + batch.log.len();
        inside.batches.push(rows);
        inside.points.extend(batch.points.iter().cloned());
        inside.events.extend(batch.events.iter().cloned());
        inside.log.extend(batch.log.iter().cloned());
        for PresenceChange { device, presence } in &batch.presence {
            if let Some(device) = inside.devices.get_mut(device) {
                device.presence = presence.clone();
            }
        }
        for (inbox, place) in &batch.done {
            let done = inside.done.entry(inbox.clone()).or_default();
            *done = (*done).max(*place);
        }
        Ok(())
    }
    fn done(&self, inbox: &str) -> PortResult<Option<u64>> {
        Ok(self.read()?.done.get(inbox).copied())
    }
    fn latest(&self, device: &DeviceRef) -> PortResult<Vec<Point>> {
        let mut latest = BTreeMap::new();
        for point in self.read()?.points.iter().filter(|point| point.device == *device) {
            latest.insert(point.id.clone(), point.clone());
        }
        Ok(latest.into_values().collect())
    }
    fn points(&self, query: &TimeQuery) -> PortResult<Page<Point>> {
        let inside = self.read()?;
        whole(inside.points.iter().filter(|point| fits(query, &point.device, &point.id)).cloned().collect())
    }
    fn summary(&self, _: &TimeQuery, _: i64) -> PortResult<Vec<Bucket>> {
        Ok(Vec::new())
    }
    fn delete_points(&self, device: &DeviceRef, id: Option<&str>) -> PortResult<()> {
        let stays = |point: &Point| point.device != *device || id.is_some_and(|id| id != point.id);
        self.write()?.points.retain(stays);
        Ok(())
    }
    fn events(&self, query: &TimeQuery) -> PortResult<Page<Event>> {
        let inside = self.read()?;
        whole(inside.events.iter().filter(|event| fits(query, &event.device, &event.id)).cloned().collect())
    }
    fn log(&self, query: &TimeQuery) -> PortResult<Page<LogLine>> {
        let inside = self.read()?;
        whole(inside.log.iter().filter(|line| fits(query, &line.device, line.stage)).cloned().collect())
    }
    fn put_command(&self, command: &Command) -> PortResult<()> {
        self.write()?.commands.insert(command.id.clone(), command.clone());
        Ok(())
    }
    fn command(&self, id: &str) -> PortResult<Option<Command>> {
        Ok(self.read()?.commands.get(id).cloned())
    }
    fn command_for(&self, device: &DeviceRef, correlation: &str) -> PortResult<Option<Command>> {
        let inside = self.read()?;
        let is_for = |command: &&Command| {
            command.device == *device && command.correlation.as_deref() == Some(correlation)
        };
        Ok(inside.commands.values().filter(is_for).max_by_key(|command| command.sent_at_ms).cloned())
    }
    fn commands(&self, query: &TimeQuery) -> PortResult<Page<Command>> {
        let inside = self.read()?;
        let of =
            inside.commands.values().filter(|command| fits(query, &command.device, command.state.name()));
        let mut commands: Vec<Command> = of.cloned().collect();
        commands.sort_by_key(|command| command.created_at_ms);
        if query.newest_first {
            commands.reverse();
        }
        whole(commands)
    }
    fn open_commands(
        &self,
        device: Option<&DeviceRef>,
        now_ms: i64,
        limit: usize,
    ) -> PortResult<Vec<Command>> {
        let inside = self.read()?;
        let open = inside.commands.values().filter(|command| !command.state.is_final());
        let of = open.filter(|command| match device {
            Some(device) => command.device == *device,
            None => command.deadline_ms <= now_ms,
        });
        Ok(of.take(limit).cloned().collect())
    }
    fn prune(&self, _: i64, _: i64, _: usize) -> PortResult<bool> {
        self.write().map(|_| false)
    }
}
