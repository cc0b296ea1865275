//! Products and devices: created, changed, removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{Device, DeviceRef, Diagnosis, NewPoint, Point, Product, SignIn, is_id};

use crate::core::{Core, invalid, lock, unknown_product};
use crate::random;
use crate::table::Row;

impl Core {
    pub(crate) fn new_product(&self, mut product: Product) -> PortResult<Product> {
        if product.id.is_empty() {
            product.id = random::short()?;
        }
        if !is_id(&product.id) {
            return Err(invalid("bad_id", format!("{}: {ID_RULE}", product.id)));
        }
        let Some(dialect) = self.dialect(product.dialect) else {
            return Err(invalid("bad_dialect", format!("nobody speaks {} here", product.dialect)));
        };
        product.created_at_ms = self.now_ms();
        let _edit = lock(&self.edits);
        let product = self.registry.create_product(&product)?;
        self.change_table(|table| table.put(Row { product: product.clone(), dialect, model: None }));
        Ok(product)
    }

    pub(crate) fn change_product(&self, product: Product) -> PortResult<Product> {
        let _edit = lock(&self.edits);
        let row = self.row(&product.id)?;
        if product.dialect != row.product.dialect {
            let message = "the dialect of a product is fixed: its devices speak it. Create another product";
            return Err(invalid("dialect_fixed", message));
        }
        let product = Core::changed_product(&row.product, product);
        self.registry.update_product(&product)?;
        let (dialect, model) = (Arc::clone(&row.dialect), row.model.clone());
        self.change_table(|table| table.put(Row { product: product.clone(), dialect, model }));
        Ok(product)
    }

    pub(crate) fn remove_product(&self, id: &str) -> PortResult<()> {
        let row = self.table().by_id(id).cloned().ok_or_else(|| unknown_product(id))?;
        let files = self.offers(id)?;
        {
            let _edit = lock(&self.edits);
            self.registry.delete_product(id)?;
            // Nobody is let in from here on.
            self.change_table(|table| table.remove(id));
        }
        let here = lock(&self.presences).of_product(id);
        if let Some(fleet) = self.fleet.get() {
            for device in here {
                fleet.disconnect(row.product.number, &device, true);
            }
        }
        self.forget_product(id);
        for offer in files {
            if let Err(error) = self.registry.delete_blob(crate::files::FIRMWARE, &offer.id) {
                tracing::warn!(%error, file = offer.id, "the firmware of a removed product is left behind");
            }
        }
        Ok(())
    }

    /// Creates devices, each by itself.
    pub(crate) fn new_devices(&self, devices: Vec<Device>) -> PortResult<Vec<PortResult<Device>>> {
        let now_ms = self.now_ms();
        let ready: Vec<PortResult<Device>> =
            devices.into_iter().map(|device| self.ready_device(device, now_ms)).collect();
        let good: Vec<Device> = ready.iter().flatten().cloned().collect();
        let mut created = self.registry.create_devices(&good)?.into_iter();
        let result = |device: PortResult<Device>| {
            let device = device?;
            created.next().unwrap_or_else(|| Err(invalid("not_created", "the data base has not said")))?;
            Ok(device)
        };
        Ok(ready.into_iter().map(result).collect())
    }

    fn ready_device(&self, mut device: Device, now_ms: i64) -> PortResult<Device> {
        self.row(&device.product)?;
        if device.id.is_empty() {
            device.id = random::short()?;
        }
        if !is_id(&device.id) {
            return Err(invalid("bad_id", format!("{}: {ID_RULE}", device.id)));
        }
        if device.name.is_empty() {
            device.name.clone_from(&device.id);
        }
        if device.secret.is_none() {
            device.secret = Some(random::secret()?);
        }
        device.created_at_ms = now_ms;
        Ok(device)
    }

    pub(crate) fn change_device(&self, device: Device) -> PortResult<Device> {
        let reference = device.reference();
        let row = self.row(&device.product)?;
        let changed = {
            let _edit = lock(&self.edits);
            let stored = self.stored_device(&reference)?;
            let changed = Device {
                presence: stored.presence,
                created_at_ms: stored.created_at_ms,
                // It may have come for the first time since whoever changes it has read it.
                activated_at_ms: device.activated_at_ms.or(stored.activated_at_ms),
                ..device
            };
            self.registry.update_device(&changed)?;
            lock(&self.credentials).put(reference.clone(), changed.clone());
            changed
        };
        if changed.disabled {
            self.sign_out(&reference, "disabled");
            if let Some(fleet) = self.fleet.get() {
                fleet.disconnect(row.product.number, &reference.device, false);
            }
        }
        let mut shown = changed;
        self.show_presence(&mut shown);
        Ok(shown)
    }

    pub(crate) fn remove_device(&self, device: &DeviceRef) -> PortResult<()> {
        let row = self.row(&device.product)?;
        self.stored_device(device)?;
        self.sign_out(device, "deleted");
        self.unbind_wholly(device)?;
        {
            let _edit = lock(&self.edits);
            self.registry.delete_device(device)?;
            lock(&self.credentials).remove(device);
        }
        if let Some(fleet) = self.fleet.get() {
            fleet.disconnect(row.product.number, &device.device, true);
        }
        Ok(())
    }

    /// Memory knows sooner than the data base who is here.
    pub(crate) fn show_presence(&self, device: &mut Device) {
        match self.presence_of(&device.reference()) {
            Some(presence) => device.presence = presence,
            None if device.presence.online => {
                device.presence.online = false;
                device.presence.peer = None;
            }
            None => {}
        }
    }

    /// Keeps values that an application posts for a device; it is told at once if the data base does not take them.
    pub(crate) fn post_for(&self, device: &DeviceRef, points: Vec<NewPoint>) -> PortResult<()> {
        self.stored_device(device)?;
        let now_ms = self.now_ms();
        let row = self.row(&device.product)?;
        if let Some(model) = &row.model
            && row.product.validation == hexmq_device::Validation::Refuse
            && let Some(fault) = points.iter().find_map(|point| model.judge_point(point))
        {
            return Err(invalid("model_fault", format!("{}: {}", fault.identifier, fault.message)));
        }
        let point = |NewPoint { id, value, at_ms }| Point {
            device: device.clone(),
            id,
            value,
            at_ms: at_ms.unwrap_or(now_ms),
            received_at_ms: now_ms,
        };
        let points: Vec<Point> = points.into_iter().map(point).collect();
        let batch = hexmq_device::Batch { points: points.clone(), ..hexmq_device::Batch::default() };
        self.history.keep(&batch)?;
        crate::core::count(&self.counts.points, points.len());
        self.tell_points(device, &points, None);
        Ok(())
    }

    /// Why somebody is not let in.
    pub(crate) fn diagnose(&self, sign_in: &SignIn<'_>, device: Option<&DeviceRef>) -> PortResult<Diagnosis> {
        let table = self.table();
        let row_of = |product: &str, name| table.by_id(product).filter(|row| row.product.dialect == name);
        let claims = self.dialects.iter().filter_map(|dialect| Some((dialect, dialect.claim(sign_in)?)));
        let claims: Vec<_> = claims.collect();
        let known = claims.iter().find(|(dialect, claim)| row_of(&claim.product, dialect.name()).is_some());
        let recognised = || self.dialects.iter().find(|dialect| dialect.recognises(sign_in));
        let named = device.and_then(|device| Some((table.by_id(&device.product)?, device.clone())));
        let (dialect, reference) = match (named, known) {
            (Some((row, device)), _) => (&row.dialect, Some(device)),
            (None, Some((dialect, claim))) => (*dialect, Some(claim.clone())),
            // Nobody is registered under these names: whose words they are is seen from their form.
            (None, None) => {
                let dialect = recognised().or(claims.first().map(|(dialect, _)| *dialect));
                let Some(dialect) = dialect else { return Err(nobody()) };
                (dialect, dialect.claim(sign_in))
            }
        };
        let row = reference.as_ref().and_then(|reference| row_of(&reference.product, dialect.name()));
        let stored = match (&reference, row) {
            (Some(reference), Some(_)) => self.registry.device(reference)?,
            _ => None,
        };
        Ok(dialect.diagnose(sign_in, row.map(|row| &row.product), stored.as_ref(), self.now_ms()))
    }

    pub(crate) fn settles_within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            let is_settled = (self.intake.waiting() == 0) && self.keeper.is_idle();
            if is_settled || Instant::now() >= until {
                return is_settled;
            }
            self.keeper.await_change(Duration::from_millis(10));
        }
    }
}

fn nobody() -> PortError {
    let message = "this CONNECT is none of a device: no dialect finds a product and a device in client identifier, user \
                   name and password";
    PortError::new(PortErrorKind::NotFound, "no_device", message)
}

const ID_RULE: &str = "an id has 1 to 64 letters, digits and any of _ - . : @";
