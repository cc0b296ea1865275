//! Who comes in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hexmq_device::port::PortError;
use hexmq_device::{
    Admission, Device, DeviceRef, Presence, Refused, RefusedCode, Registration, RegistrationStyle, Secret,
    SignIn,
};
use serde_json::json;

use crate::cloud::{Admitted, Claimed};
use crate::core::{Core, lock};
use crate::loglines;
use crate::random;
use crate::table::Row;

impl Core {
    pub(crate) fn claim(&self, sign_in: &SignIn<'_>) -> Option<Claimed> {
        let table = self.table();
        self.dialects.iter().find_map(|dialect| {
            let DeviceRef { product, device } = dialect.claim(sign_in)?;
            let product = &table.by_id(&product)?.product;
            (product.dialect == dialect.name()).then_some(Claimed { number: product.number, device })
        })
    }

    pub(crate) fn stranger(&self, sign_in: &SignIn<'_>) -> Option<RefusedCode> {
        let code = match self.booted.load(Ordering::Acquire) {
            false => RefusedCode::Unavailable,
            true if self.table().len() > 0 => RefusedCode::Credentials,
            true => return None,
        };
        self.dialects.iter().any(|dialect| dialect.recognises(sign_in)).then_some(code)
    }

    pub(crate) fn admit(
        self: &Arc<Self>,
        sign_in: &SignIn<'_>,
        claimed: &Claimed,
    ) -> Result<Admitted, Refused> {
        let Some(row) = self.table().by_number(claimed.number).cloned() else {
            return Err(refused(RefusedCode::NotAuthorized, "unknown_product", "The product is gone."));
        };
        let reference = DeviceRef::new(&*row.product.id, &*claimed.device);
        let now_ms = self.now_ms();
        let (device, is_fresh) = self.who_is(&reference)?;
        let verdict = row.dialect.verify(sign_in, &row.product, device.as_ref(), now_ms);
        let mut admission = verdict.inspect_err(|refused| {
            // Only those that exist have a log to write to.
            if device.is_some() {
                self.log(loglines::rejected(&reference, now_ms, refused));
            }
        })?;
        if let Some(registration) = admission.registration.clone() {
            self.register(sign_in, &row, &registration, &mut admission)?;
        } else if is_fresh && device.is_some_and(|device| device.activated_at_ms.is_none()) {
            self.dispatch.activate(reference.clone());
        }
        for (rule, message) in &admission.notices {
            self.notice(&reference, rule, message);
        }
        Ok(Admitted { product: row.product.id.clone(), admission })
    }

    /// The device as it is registered, or as it was when the registry answered last; whether it is the former.
    fn who_is(&self, reference: &DeviceRef) -> Result<(Option<Device>, bool), Refused> {
        let question = reference.clone();
        match self.asking.ask(move |registry| registry.device(&question)) {
            Ok(device) => {
                let mut credentials = lock(&self.credentials);
                match &device {
                    Some(device) => credentials.put(reference.clone(), device.clone()),
                    None => credentials.remove(reference),
                }
                Ok((device, true))
            }
            Err(error) => match lock(&self.credentials).get(reference) {
                Some(device) => Ok((Some(device), false)),
                None => Err(unavailable(&error)),
            },
        }
    }

    /// A device registers itself by connecting: it is created if need be, and told its secret.
    fn register(
        self: &Arc<Self>,
        sign_in: &SignIn<'_>,
        row: &Arc<Row>,
        registration: &Registration,
        admission: &mut Admission,
    ) -> Result<(), Refused> {
        let fresh = random::secret().map_err(|error| unavailable(&error))?;
        let now_ms = self.now_ms();
        let Registration { device: reference, style } = registration.clone();
        let may_create = row.product.dynamic_registration;
        let (core, question) = (Arc::clone(self), reference.clone());
        let registered = self.asking.ask(move |registry| {
            // Not before: whoever holds this lock may wait for an answer of the registry, too.
            let _edit = lock(&core.edits);
            let stored = registry.device(&question)?;
            let is_new = stored.is_none();
            if is_new && !may_create {
                return Ok(None);
            }
            let mut device = stored.unwrap_or_else(|| new_device(&question, now_ms));
            let secret = give(&mut device, style, fresh);
            if is_new {
                let created = registry.create_devices(std::slice::from_ref(&device))?;
                created.into_iter().collect::<Result<(), _>>()?;
            } else {
                registry.update_device(&device)?;
            }
            Ok(Some((device, secret)))
        });
        match registered {
            Ok(Some((device, secret))) => {
                lock(&self.credentials).put(reference, device);
                admission.greeting.push(row.dialect.registered(sign_in, registration, &secret));
                Ok(())
            }
            Ok(None) => Err(refused(
                RefusedCode::NotAuthorized,
                "registration_off",
                "Devices of this product do not register themselves.",
            )),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// Gives a device what proves it: the secret it has, or a fresh one.
fn give(device: &mut Device, style: RegistrationStyle, fresh: Secret) -> Secret {
    match style {
        RegistrationStyle::Secret => device.secret.get_or_insert(fresh).clone(),
        RegistrationStyle::Token => device.password.insert(fresh).clone(),
    }
}

/// A device of which nothing is known but who it is.
pub(crate) fn new_device(reference: &DeviceRef, now_ms: i64) -> Device {
    Device {
        product: reference.product.clone(),
        id: reference.device.clone(),
        name: reference.device.clone(),
        secret: None,
        password: None,
        tags: Default::default(),
        disabled: false,
        created_at_ms: now_ms,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: json!({}),
    }
}

fn unavailable(error: &PortError) -> Refused {
    refused(
        RefusedCode::Unavailable,
        "registry_away",
        &format!("The registry does not say who this is: {error}. The device should try again."),
    )
}

fn refused(code: RefusedCode, rule: &'static str, message: &str) -> Refused {
    Refused { code, rule, message: message.to_owned() }
}
