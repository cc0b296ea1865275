//! What HTTP, the vendors' APIs and the command line ask.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hexmq_device::port::{
    Bucket, DeviceQuery, NewCommand, Page, Platform, PlatformGauges, PortError, PortErrorKind, PortResult,
    Sent, TimeQuery, Webhook, WebhookState,
};
use hexmq_device::{
    ApiKey, Command, Datum, Desired, Device, DeviceRef, Diagnosis, Document, Event, LogLine, NewPoint, Offer,
    Order, Point, Product, Quirk, Shadow, SignIn,
};
use serde_json::Value as Json;

use crate::cloud::Cloud;
use crate::core::lock;

impl Platform for Cloud {
    fn now_ms(&self) -> i64 {
        self.core.now_ms()
    }

    fn products(&self) -> PortResult<Vec<Product>> {
        Ok(self.core.table().products())
    }

    fn product(&self, id: &str) -> PortResult<Product> {
        Ok(self.core.row(id)?.product.clone())
    }

    fn create_product(&self, product: Product) -> PortResult<Product> {
        self.core.new_product(product)
    }

    fn update_product(&self, product: Product) -> PortResult<Product> {
        self.core.change_product(product)
    }

    fn delete_product(&self, id: &str) -> PortResult<()> {
        self.core.remove_product(id)
    }

    fn quirks(&self, product: &str) -> PortResult<Vec<(Quirk, bool)>> {
        let row = self.core.row(product)?;
        let quirks = row.dialect.quirks().iter();
        Ok(quirks.map(|quirk| (*quirk, row.product.switch(quirk))).collect())
    }

    fn device(&self, device: &DeviceRef) -> PortResult<Device> {
        let mut stored = self.core.stored_device(device)?;
        self.core.show_presence(&mut stored);
        Ok(stored)
    }

    fn devices(&self, query: &DeviceQuery) -> PortResult<Page<Device>> {
        let mut page = self.core.registry.devices(query)?;
        page.items.iter_mut().for_each(|device| self.core.show_presence(device));
        Ok(page)
    }

    fn count_devices(&self, query: &DeviceQuery) -> PortResult<u64> {
        self.core.registry.count_devices(query)
    }

    fn create_devices(&self, devices: Vec<Device>) -> PortResult<Vec<PortResult<Device>>> {
        self.core.new_devices(devices)
    }

    fn update_device(&self, device: Device) -> PortResult<Device> {
        self.core.change_device(device)
    }

    fn delete_device(&self, device: &DeviceRef) -> PortResult<()> {
        self.core.remove_device(device)
    }

    fn document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>> {
        self.core.registry.document(owner, kind)
    }

    fn put_document(
        &self,
        owner: &DeviceRef,
        kind: &str,
        text: Option<&str>,
        expected: Option<u64>,
    ) -> PortResult<u64> {
        if let Some(text) = text
            && kind == crate::files::CONFIG
        {
            self.core.keep_config(text)?;
        }
        self.core.registry.put_document(owner, kind, text, expected, self.core.now_ms())
    }

    fn put_blob(&self, kind: &str, id: &str, bytes: &[u8]) -> PortResult<()> {
        self.core.registry.put_blob(kind, id, bytes, self.core.now_ms())
    }

    fn blob(&self, kind: &str, id: &str, offset: u64, limit: usize) -> PortResult<Option<(Vec<u8>, u64)>> {
        self.core.registry.blob(kind, id, offset, limit)
    }

    fn model(&self, product: &str) -> PortResult<Option<Json>> {
        self.core.tsl(product)
    }

    fn set_model(&self, product: &str, tsl: Option<Json>) -> PortResult<()> {
        self.core.set_tsl(product, tsl)
    }

    fn draft_model(&self, product: &str) -> PortResult<Json> {
        self.core.draft(product)
    }

    fn latest(&self, device: &DeviceRef) -> PortResult<Vec<Point>> {
        self.core.history.latest(device)
    }

    fn points(&self, query: &TimeQuery) -> PortResult<Page<Point>> {
        self.core.history.points(query)
    }

    fn summary(&self, query: &TimeQuery, step_ms: i64) -> PortResult<Vec<Bucket>> {
        self.core.history.summary(query, step_ms)
    }

    fn post(&self, device: &DeviceRef, points: Vec<NewPoint>) -> PortResult<()> {
        self.core.post_for(device, points)
    }

    fn delete_points(&self, device: &DeviceRef, id: Option<&str>) -> PortResult<()> {
        self.core.history.delete_points(device, id)
    }

    fn events(&self, query: &TimeQuery) -> PortResult<Page<Event>> {
        self.core.history.events(query)
    }

    fn log(&self, query: &TimeQuery) -> PortResult<Page<LogLine>> {
        self.core.history.log(query)
    }

    fn command(&self, device: &DeviceRef, command: NewCommand) -> PortResult<Command> {
        self.core.new_command(device, command)
    }

    fn find_command(&self, id: &str) -> PortResult<Command> {
        self.core.find_command(id)
    }

    fn commands(&self, query: &TimeQuery) -> PortResult<Page<Command>> {
        let mut page = self.core.history.commands(query)?;
        self.core.as_they_are(&mut page.items);
        Ok(page)
    }

    fn wait_for(&self, id: &str, patience_ms: u64) -> PortResult<Command> {
        self.core.wait_for_command(id, patience_ms)
    }

    fn order(&self, device: &DeviceRef, order: Order) -> PortResult<Sent> {
        self.core.stored_device(device)?;
        self.core.order_now(device, &order)
    }

    fn publish(&self, product: &str, topic: &str, payload: &[u8], qos: u8) -> PortResult<()> {
        let number = self.core.row(product)?.product.number;
        self.fleet()?.publish(number, topic, payload, qos, false);
        Ok(())
    }

    fn subscribers(&self, product: &str, topic: &str) -> PortResult<Vec<String>> {
        let number = self.core.row(product)?.product.number;
        Ok(self.fleet()?.subscribers(number, topic))
    }

    fn subscriptions(&self, device: &DeviceRef) -> PortResult<Vec<String>> {
        let number = self.core.row(&device.product)?.product.number;
        Ok(self.fleet()?.subscriptions(number, &device.device))
    }

    fn set_desired(&self, device: &DeviceRef, desired: Vec<(String, Option<Datum>)>) -> PortResult<()> {
        self.core.desire(device, desired)
    }

    fn desired(&self, device: &DeviceRef) -> PortResult<BTreeMap<String, Desired>> {
        self.core.stored_device(device)?;
        Ok(self.core.desired_values(device)?.values)
    }

    fn shadow(&self, device: &DeviceRef) -> PortResult<Shadow> {
        self.core.shadow_view(device)
    }

    fn topology(&self, gateway: &DeviceRef) -> PortResult<Vec<DeviceRef>> {
        self.core.topology_of(gateway)
    }

    fn change_topology(
        &self,
        gateway: &DeviceRef,
        add: &[DeviceRef],
        remove: &[DeviceRef],
    ) -> PortResult<()> {
        self.core.change_bindings(gateway, add, remove)?;
        // A gateway that is away hears of it when it asks; one whose cloud has no words for it never does.
        for (status, devices) in [(0, add), (1, remove)] {
            if !devices.is_empty() && self.core.is_here(gateway) {
                drop(self.core.order_now(gateway, &Order::TopologyChange(status, devices.to_vec())));
            }
        }
        Ok(())
    }

    fn add_firmware(&self, product: &str, module: &str, version: &str, bytes: &[u8]) -> PortResult<Offer> {
        self.core.new_firmware(product, module, version, bytes)
    }

    fn firmware(&self, product: &str) -> PortResult<Vec<Offer>> {
        self.core.offers(product)
    }

    fn delete_firmware(&self, product: &str, id: &str) -> PortResult<()> {
        self.core.remove_firmware(product, id)
    }

    fn offer_firmware(&self, device: &DeviceRef, id: &str) -> PortResult<Sent> {
        self.core.stored_device(device)?;
        let offer = self.core.offer_of(&device.product, id)?;
        self.core.offer_to(device, &offer.module, id)?;
        self.core.order_now(device, &Order::Firmware(offer))
    }

    fn may_fetch(&self, kind: &str, id: &str, token: &str) -> bool {
        self.core.opens(kind, id, token)
    }

    fn keys(&self) -> PortResult<Vec<ApiKey>> {
        Ok(self.core.all_keys())
    }

    fn create_key(&self, key: ApiKey) -> PortResult<(ApiKey, String)> {
        self.core.new_key(key)
    }

    fn delete_key(&self, id: &str) -> PortResult<()> {
        self.core.remove_key(id)
    }

    fn key(&self, key: &str) -> PortResult<Option<ApiKey>> {
        Ok(self.core.key_of(key))
    }

    fn webhooks(&self) -> PortResult<Vec<(Webhook, WebhookState)>> {
        Ok(self.core.webhooks.states())
    }

    fn put_webhook(&self, webhook: Webhook) -> PortResult<Webhook> {
        self.core.set_webhook(webhook)
    }

    fn delete_webhook(&self, id: &str) -> PortResult<()> {
        self.core.remove_webhook(id)
    }

    fn diagnose(&self, sign_in: &SignIn<'_>, device: Option<&DeviceRef>) -> PortResult<Diagnosis> {
        self.core.diagnose(sign_in, device)
    }

    fn gauges(&self) -> PlatformGauges {
        let core = &self.core;
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (webhooks_delivered, webhooks_given_up) = core.webhooks.totals();
        PlatformGauges {
            products: core.table().len() as u64,
            devices_online: lock(&core.presences).online() as u64,
            uplinks: read(&core.counts.uplinks),
            uplinks_refused: read(&core.counts.uplinks_refused),
            points: read(&core.counts.points),
            backlog: core.intake.waiting() + core.keeper.backlog() as u64,
            keep_failures: read(&core.counts.keep_failures),
            database_away: u64::from(core.counts.database_away.load(Ordering::Relaxed)),
            commands_answered: read(&core.counts.answered),
            commands_timed_out: read(&core.counts.timed_out),
            commands_refused: read(&core.counts.refused),
            webhooks_delivered,
            webhooks_given_up,
        }
    }
}

impl Cloud {
    fn fleet(&self) -> PortResult<&dyn hexmq_device::port::Fleet> {
        let fleet = self.core.fleet.get().map(|fleet| &**fleet);
        fleet.ok_or_else(|| {
            PortError::new(PortErrorKind::Unavailable, "not_attached", "the server is not ready yet")
        })
    }

    /// Waits until everything that has been taken over is in the data base, at most so long; whether it is.
    pub fn settle(&self, patience: Duration) -> bool {
        self.core.settles_within(patience)
    }
}
