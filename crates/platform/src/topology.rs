//! Gateways and the devices behind them.

use std::sync::Arc;

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{Device, DeviceRef, Outcome, Problem, ProblemKind, Secret, SubDevice};
use serde_json::{Value as Json, json};

use crate::core::{Core, invalid, lock, unknown_device};
use crate::decide::problem;
use crate::entry::new_device;
use crate::random;

/// Devices bound to one gateway.
const BEHIND_MAX: usize = 2000;

impl Core {
    /// The devices bound to a gateway.
    pub(crate) fn bound_to(&self, gateway: &DeviceRef) -> PortResult<Vec<DeviceRef>> {
        Ok(devices_of(self.json_document(gateway, "topology")?.as_ref()))
    }

    /// The gateway a device is bound to.
    pub(crate) fn gateway_of(self: &Core, device: &DeviceRef) -> PortResult<Option<DeviceRef>> {
        if let Some(known) = lock(&self.gateways).get(device) {
            return Ok(known);
        }
        let asked = device.clone();
        let text = self.asking.ask(move |registry| registry.document(&asked, "gateway"))?;
        let json: Option<Json> = text.and_then(|document| serde_json::from_str(&document.text).ok());
        let gateway = json.as_ref().and_then(DeviceRef::of_json);
        lock(&self.gateways).put(device.clone(), gateway.clone());
        Ok(gateway)
    }

    fn stored_gateway_of(&self, device: &DeviceRef) -> PortResult<Option<DeviceRef>> {
        Ok(self.json_document(device, "gateway")?.as_ref().and_then(DeviceRef::of_json))
    }

    /// Binds devices that prove themselves to a gateway, all or none.
    pub(crate) fn bind_signed(&self, gateway: &DeviceRef, devices: &[SubDevice]) -> PortResult<()> {
        for sub in devices {
            let stored = self.stored_device(&sub.device)?;
            self.check_sign(sub, &stored)?;
        }
        let devices: Vec<DeviceRef> = devices.iter().map(|sub| sub.device.clone()).collect();
        self.change_bindings(gateway, &devices, &[])
    }

    /// Binds and unbinds; nothing is changed if something cannot be.
    pub(crate) fn change_bindings(
        &self,
        gateway: &DeviceRef,
        add: &[DeviceRef],
        remove: &[DeviceRef],
    ) -> PortResult<()> {
        let _edit = lock(&self.edits);
        self.stored_device(gateway)?;
        let mut bound = self.bound_to(gateway)?;
        for device in add {
            if device == gateway {
                return Err(invalid("own_gateway", "a gateway cannot be behind itself"));
            }
            self.stored_device(device)?;
            match self.stored_gateway_of(device)? {
                Some(other) if other != *gateway => {
                    let message = format!("{device} is bound to {other}; unbind it there first");
                    return Err(PortError::new(PortErrorKind::Conflict, "bound_elsewhere", message));
                }
                _ => {}
            }
        }
        bound.retain(|device| !remove.contains(device) && !add.contains(device));
        bound.extend(add.iter().cloned());
        if bound.len() > BEHIND_MAX {
            let message = format!("a gateway has at most {BEHIND_MAX} devices");
            return Err(PortError::new(PortErrorKind::Full, "too_many_devices", message));
        }
        let now_ms = self.now_ms();
        for device in add {
            let text = gateway.to_json().to_string();
            self.registry.put_document(device, "gateway", Some(&text), None, now_ms)?;
            lock(&self.gateways).put(device.clone(), Some(gateway.clone()));
        }
        for device in remove {
            if self.stored_gateway_of(device)?.as_ref() == Some(gateway) {
                self.registry.put_document(device, "gateway", None, None, now_ms)?;
            }
            lock(&self.gateways).remove(device);
            self.signed_out(gateway, device, "unbound");
        }
        let list = json!(bound.iter().map(DeviceRef::to_json).collect::<Vec<_>>()).to_string();
        self.registry.put_document(gateway, "topology", Some(&list), None, now_ms)?;
        self.renew_rules(gateway);
        Ok(())
    }

    /// A device is removed: nobody is bound to it, and it is bound to nobody.
    pub(crate) fn unbind_wholly(&self, device: &DeviceRef) -> PortResult<()> {
        let behind = self.bound_to(device)?;
        if !behind.is_empty() {
            self.change_bindings(device, &[], &behind)?;
        }
        if let Some(gateway) = self.stored_gateway_of(device)? {
            self.change_bindings(&gateway, &[], std::slice::from_ref(device))?;
        }
        lock(&self.gateways).remove(device);
        Ok(())
    }

    /// Devices behind a gateway sign in, all or none.
    pub(crate) fn sub_login(&self, gateway: &DeviceRef, devices: &[SubDevice]) -> PortResult<Outcome> {
        for sub in devices {
            let stored = self.stored_device(&sub.device)?;
            if stored.disabled {
                let message = format!("{} is disabled", sub.device);
                return Ok(Outcome::Refused(Problem::new(ProblemKind::DeviceDisabled, message)));
            }
            self.check_sign(sub, &stored)?;
            if self.stored_gateway_of(&sub.device)?.as_ref() != Some(gateway) {
                let message = format!("{} is not bound to {gateway}", sub.device);
                return Ok(Outcome::Refused(Problem::new(ProblemKind::NotBound, message)));
            }
            if stored.activated_at_ms.is_none() {
                self.dispatch.activate(sub.device.clone());
            }
        }
        let names: Vec<DeviceRef> = devices.iter().map(|sub| sub.device.clone()).collect();
        for device in &names {
            lock(&self.gateways).put(device.clone(), Some(gateway.clone()));
            self.signed_in(gateway, device);
        }
        self.renew_rules(gateway);
        Ok(Outcome::Devices(names))
    }

    pub(crate) fn sub_logout(&self, gateway: &DeviceRef, devices: Vec<DeviceRef>) -> Outcome {
        let behind = self.behind(gateway);
        if let Some(stranger) = devices.iter().find(|device| !behind.contains(device)) {
            let message = format!("{stranger} is not signed in by {gateway}");
            return Outcome::Refused(Problem::new(ProblemKind::NotSignedIn, message));
        }
        for device in &devices {
            self.signed_out(gateway, device, "signed_out");
        }
        self.renew_rules(gateway);
        Outcome::Devices(devices)
    }

    /// A gateway may do for those behind it what its cloud allows.
    pub(crate) fn renew_rules(&self, gateway: &DeviceRef) {
        let (Ok(row), Some(fleet)) = (self.row(&gateway.product), self.fleet.get()) else { return };
        let behind = self.behind(gateway);
        if let Some(rules) = row.dialect.gateway_rules(&row.product, gateway, &behind) {
            fleet.set_rules(row.product.number, &gateway.device, rules);
        }
    }

    /// Devices behind a gateway register; each by itself.
    pub(crate) fn sub_register(&self, gateway: &DeviceRef, devices: &[SubDevice]) -> PortResult<Outcome> {
        let mut registered = Vec::with_capacity(devices.len());
        for sub in devices {
            let secret = match self.register_behind(gateway, sub) {
                Err(error) if error.kind == PortErrorKind::Unavailable => return Err(error),
                Err(error) => Err(problem(&error)),
                Ok(secret) => secret,
            };
            registered.push((sub.device.clone(), secret));
        }
        Ok(Outcome::Secrets(registered))
    }

    fn register_behind(&self, gateway: &DeviceRef, sub: &SubDevice) -> PortResult<Result<Secret, Problem>> {
        let row = self.row(&sub.device.product)?;
        if !row.product.dynamic_registration {
            let message = format!("devices of {} do not register themselves", row.product.id);
            return Ok(Err(Problem::new(ProblemKind::RegistrationOff, message)));
        }
        if let Some(sign) = &sub.sign
            && !row.product.secret.as_ref().is_some_and(|secret| sign.is_signed_with(secret))
        {
            return Ok(Err(wrong_sign(&sub.device)));
        }
        let _edit = lock(&self.edits);
        let now_ms = self.now_ms();
        let stored = self.registry.device(&sub.device)?;
        if let Some(mut device) = stored {
            let is_ours = self.stored_gateway_of(&sub.device)?.is_none_or(|bound| bound == *gateway);
            if device.activated_at_ms.is_some() || !is_ours {
                let message = format!("{} is registered already", sub.device);
                return Ok(Err(Problem::new(ProblemKind::AlreadyActive, message)));
            }
            if let Some(secret) = &device.secret {
                return Ok(Ok(secret.clone()));
            }
            let secret = random::secret()?;
            device.secret = Some(secret.clone());
            self.registry.update_device(&device)?;
            return Ok(Ok(secret));
        }
        let secret = random::secret()?;
        let device = Device { secret: Some(secret.clone()), ..new_device(&sub.device, now_ms) };
        if !hexmq_device::is_id(&device.id) {
            let message = format!("{} is no device id", sub.device.device);
            return Ok(Err(Problem::new(ProblemKind::BadRequest, message)));
        }
        let created = self.registry.create_devices(&[device])?;
        created.into_iter().collect::<PortResult<()>>()?;
        Ok(Ok(secret))
    }

    /// Whether a device behind a gateway proves itself. One that brings no signature was vouched for by the dialect.
    fn check_sign(&self, sub: &SubDevice, stored: &Device) -> PortResult<()> {
        let Some(sign) = &sub.sign else { return Ok(()) };
        let row = self.row(&sub.device.product)?;
        let secret = if sign.with_product_secret { &row.product.secret } else { &stored.secret };
        if secret.as_ref().is_some_and(|secret| sign.is_signed_with(secret)) {
            return Ok(());
        }
        let message = wrong_sign(&sub.device).message;
        Err(PortError::new(PortErrorKind::Forbidden, "bad_signature", message))
    }

    /// A device is gone or disabled: its gateway may not speak for it any more.
    pub(crate) fn sign_out(&self, device: &DeviceRef, reason: &str) {
        if let Some(gateway) = self.signed_in_via(device) {
            self.signed_out(&gateway, device, reason);
            self.renew_rules(&gateway);
        }
    }

    /// The devices bound to a gateway, for people.
    pub(crate) fn topology_of(self: &Arc<Self>, gateway: &DeviceRef) -> PortResult<Vec<DeviceRef>> {
        self.registry.device(gateway)?.ok_or_else(|| unknown_device(gateway))?;
        self.bound_to(gateway)
    }
}

fn wrong_sign(device: &DeviceRef) -> Problem {
    Problem::new(ProblemKind::BadSignature, format!("the signature of {device} is not made with its secret"))
}

fn devices_of(json: Option<&Json>) -> Vec<DeviceRef> {
    let list = json.and_then(Json::as_array);
    list.map(|list| list.iter().filter_map(DeviceRef::of_json).collect()).unwrap_or_default()
}
