//! Who asks, and what they may.

use hexmq_device::port::{DeviceQuery, PageAsk, RestRequest};
use hexmq_device::{ApiKey, Device, DeviceRef, DialectName, Product, Scope};

use super::answer::Fault;
use super::call::Call;
use crate::secret;
use crate::token::{Resource, Token};

/// What somebody may.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    /// In this product.
    pub(super) product: Product,
    /// With this device alone; `None`: with all of the product's.
    own: Option<Box<Device>>,
    /// Secrets are shown.
    pub(super) sees_secrets: bool,
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// To read.
    Read,
    /// To write values, send commands, change a device's description.
    Write,
    /// To create and delete devices and keys.
    Manage,
}

/// What somebody shows: an API key, or a token. Headers of other ways to sign in are not ours.
pub(super) fn credential(request: &RestRequest) -> Option<&str> {
    let key = request.header("api-key").map(str::trim).filter(|key| !key.is_empty());
    let others = ["bearer ", "basic ", "digest "];
    let token = request.header("authorization").map(str::trim).filter(|value| {
        let is_other =
            |other: &&str| value.get(..other.len()).is_some_and(|head| head.eq_ignore_ascii_case(other));
        !value.is_empty() && !others.iter().any(is_other)
    });
    key.or(token)
}

impl Grant {
    /// A device of the product that this grant is for.
    pub(super) fn device(&self, call: &Call<'_>, id: &str) -> Result<Device, Fault> {
        match &self.own {
            Some(own) if own.id == id => Ok((**own).clone()),
            Some(_) => Err(Fault::auth_failed()),
            None => Ok(call.platform.device(&DeviceRef::new(&*self.product.id, id))?),
        }
    }

    /// All devices, or the only one there is a grant for.
    pub(super) fn only(&self) -> Option<&Device> {
        self.own.as_deref()
    }
}

/// The grant of who asks for something of the product, and of this device if there is one.
pub(super) fn grant(call: &Call<'_>, need: Need, device: Option<&str>) -> Result<Grant, Fault> {
    let shown = credential(call.request).ok_or_else(Fault::auth_failed)?;
    let products = products(call)?;
    if crate::token::is_meant(shown) {
        return by_token(call, &products, shown, need);
    }
    if let Some(product) = products.iter().find(|product| secret::is_master_key(product, shown.as_bytes())) {
        return Ok(Grant { product: product.clone(), own: None, sees_secrets: true });
    }
    if let Some(grant) = by_device_key(call, &products, shown, need, device)? {
        return Ok(grant);
    }
    match call.platform.key(shown)? {
        Some(key) => by_server_key(call, products, &key, need),
        None => Err(Fault::auth_failed()),
    }
}

/// The products of this cloud.
pub(super) fn products(call: &Call<'_>) -> Result<Vec<Product>, Fault> {
    let mut products = call.platform.products()?;
    products.retain(|product| matches!(product.dialect, DialectName::Onenet | DialectName::OnenetToken));
    Ok(products)
}

fn by_token(call: &Call<'_>, products: &[Product], text: &str, need: Need) -> Result<Grant, Fault> {
    let token = Token::parse(text).map_err(|_| Fault::auth_failed())?;
    let (id, device) = match token.resource() {
        Some(Resource::Device { product, device }) => (product, Some(device)),
        Some(Resource::Product { product }) => (product, None),
        _ => return Err(Fault::auth_failed()),
    };
    let product = products.iter().find(|product| product.id == id).ok_or_else(Fault::auth_failed)?;
    if token.expiry < call.platform.now_ms().div_euclid(1000) {
        return Err(Fault::auth_failed());
    }
    let signed = |secret: Option<&hexmq_device::Secret>| {
        secret.is_some_and(|secret| !secret.0.is_empty() && token.is_signed_with(&secret.0))
    };
    let of_product = signed(product.secret.as_ref());
    let own = match device {
        None => None,
        Some(_) if need == Need::Manage => return Err(Fault::auth_failed()),
        Some(device) => {
            let device =
                call.platform.device(&DeviceRef::new(id, device)).map_err(|_| Fault::auth_failed())?;
            Some(Box::new(device))
        }
    };
    let of_device = own.as_ref().is_some_and(|device| signed(device.secret.as_ref()));
    if !of_product && !of_device {
        return Err(Fault::auth_failed());
    }
    Ok(Grant { product: product.clone(), own, sees_secrets: true })
}

/// A key is a device's: the device is the one that is asked about, in whichever product it is.
fn by_device_key(
    call: &Call<'_>,
    products: &[Product],
    shown: &str,
    need: Need,
    device: Option<&str>,
) -> Result<Option<Grant>, Fault> {
    const NAMESAKES_MAX: usize = 100;
    let Some(id) = device.filter(|_| need != Need::Manage) else { return Ok(None) };
    let query = DeviceQuery {
        ids: Some(vec![id.to_owned()]),
        page: PageAsk { limit: NAMESAKES_MAX, cursor: None },
        ..DeviceQuery::default()
    };
    for device in call.platform.devices(&query)?.items {
        let Some(product) = products.iter().find(|product| product.id == device.product) else { continue };
        if secret::device_key_allows(&device, shown.as_bytes(), &call.request.method) {
            let own = Some(Box::new(device));
            return Ok(Some(Grant { product: product.clone(), own, sees_secrets: true }));
        }
    }
    Ok(None)
}

/// A key of this server, as far as its scopes go.
fn by_server_key(call: &Call<'_>, products: Vec<Product>, key: &ApiKey, need: Need) -> Result<Grant, Fault> {
    let has = |scope| key.scopes.contains(&scope) || key.scopes.contains(&Scope::Admin);
    let may = match need {
        Need::Read => has(Scope::Read),
        Need::Write => has(Scope::Write),
        Need::Manage => has(Scope::Manage) && key.device.is_none(),
    };
    // Calls of this API name no product: only a key of one product says which is meant.
    let id = key.product.as_ref().filter(|_| may).ok_or_else(Fault::auth_failed)?;
    let product = products.into_iter().find(|product| product.id == *id).ok_or_else(Fault::auth_failed)?;
    let own = match &key.device {
        None => None,
        Some(device) => Some(Box::new(call.platform.device(&DeviceRef::new(&*product.id, &**device))?)),
    };
    Ok(Grant { product, own, sees_secrets: has(Scope::Manage) })
}
