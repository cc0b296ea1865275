//! Files for devices: firmware and configurations, behind links that cannot be guessed.

use hexmq_device::mac::{self, HashName};
use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{DeviceRef, Offer};
use md5::Md5;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::core::{Core, invalid};
use crate::documents::part_of;
use crate::random;
use crate::webhooks::server;

pub(crate) const FIRMWARE: &str = "firmware";
pub(crate) const CONFIG: &str = "config";
/// Firmware of one product.
const OFFERS_MAX: usize = 200;
/// Bytes of a firmware.
const FIRMWARE_BYTES_MAX: usize = 256 << 20;

impl Core {
    /// The key of links, made at the first start.
    pub(crate) fn load_file_key(&self) -> PortResult<()> {
        if self.file_key.get().is_some() {
            return Ok(());
        }
        let fresh = mac::to_hex(&random::bytes::<32>()?);
        let key = self.edit_document(&server(), "file_key", |json| {
            let stored = json.and_then(Json::as_str).unwrap_or(&fresh).to_owned();
            Ok((json!(stored), stored))
        })?;
        // Set once: it is loaded by one thread.
        drop(self.file_key.set(key.into_bytes()));
        Ok(())
    }

    fn token(&self, kind: &str, id: &str) -> Option<String> {
        let sign = HashName::Sha256.hmac(self.file_key.get()?, format!("{kind}/{id}").as_bytes());
        sign.first_chunk::<16>().map(|token| mac::to_hex(token))
    }

    /// Whether a token opens a file, compared in a time that does not depend on where they differ.
    pub(crate) fn opens(&self, kind: &str, id: &str, token: &str) -> bool {
        let Some(expected) = self.token(kind, id) else { return false };
        let differ = expected.bytes().zip(token.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        expected.len() == token.len() && differ == 0
    }

    fn link(&self, kind: &str, id: &str) -> PortResult<String> {
        let token = self.token(kind, id).ok_or_else(|| {
            PortError::new(PortErrorKind::Unavailable, "registry_away", "the key of links is not loaded yet")
        })?;
        let base = self.settings.public_url.as_deref().unwrap_or_default().trim_end_matches('/');
        Ok(format!("{base}/files/{kind}/{id}?token={token}"))
    }

    /// The firmware of a product, with links as they are now.
    pub(crate) fn offers(&self, product: &str) -> PortResult<Vec<Offer>> {
        self.row(product)?;
        let json = self.json_document(&DeviceRef::new(product, ""), FIRMWARE)?;
        let list = json.as_ref().and_then(Json::as_array).into_iter().flatten().filter_map(Offer::of_json);
        list.map(|offer| Ok(Offer { url: self.link(FIRMWARE, &offer.id)?, ..offer })).collect()
    }

    pub(crate) fn new_firmware(
        &self,
        product: &str,
        module: &str,
        version: &str,
        bytes: &[u8],
    ) -> PortResult<Offer> {
        self.row(product)?;
        if bytes.is_empty() || bytes.len() > FIRMWARE_BYTES_MAX {
            let message = format!("firmware has 1 to {FIRMWARE_BYTES_MAX} bytes, this has {}", bytes.len());
            return Err(invalid("bad_size", message));
        }
        let is_name = |text: &str| (1..=64).contains(&text.len()) && !text.contains(char::is_control);
        if !is_name(module) || !is_name(version) {
            return Err(invalid("bad_version", "module and version are texts of 1 to 64 bytes"));
        }
        let id = random::uuid()?;
        let offer = Offer {
            url: self.link(FIRMWARE, &id)?,
            version: version.to_owned(),
            module: module.to_owned(),
            size: bytes.len() as u64,
            sha256: sha256(bytes),
            md5: mac::to_hex(&Md5::digest(bytes)),
            id,
        };
        self.registry.put_blob(FIRMWARE, &offer.id, bytes, self.now_ms())?;
        let listed = self.edit_document(&DeviceRef::new(product, ""), FIRMWARE, |json| {
            let mut list = json.and_then(Json::as_array).cloned().unwrap_or_default();
            let is_same = |known: &Json| {
                known.get("module") == Some(&json!(module)) && known.get("version") == Some(&json!(version))
            };
            if list.iter().any(is_same) {
                let message = format!("there is a version {version} of {module} already");
                return Err(PortError::new(PortErrorKind::Conflict, "firmware_exists", message));
            }
            if list.len() >= OFFERS_MAX {
                let message = format!("a product has at most {OFFERS_MAX} firmware files");
                return Err(PortError::new(PortErrorKind::Full, "too_many_files", message));
            }
            list.push(offer.to_json());
            Ok((Json::Array(list), ()))
        });
        if let Err(error) = listed {
            // Nobody would ever find it.
            drop(self.registry.delete_blob(FIRMWARE, &offer.id));
            return Err(error);
        }
        Ok(offer)
    }

    pub(crate) fn remove_firmware(&self, product: &str, id: &str) -> PortResult<()> {
        self.row(product)?;
        self.edit_document(&DeviceRef::new(product, ""), FIRMWARE, |json| {
            let mut list = json.and_then(Json::as_array).cloned().unwrap_or_default();
            let before = list.len();
            list.retain(|known| known.get("id") != Some(&json!(id)));
            if list.len() == before { Err(unknown_firmware(id)) } else { Ok((Json::Array(list), ())) }
        })?;
        self.registry.delete_blob(FIRMWARE, id)
    }

    pub(crate) fn offer_of(&self, product: &str, id: &str) -> PortResult<Offer> {
        let offer = self.offers(product)?.into_iter().find(|offer| offer.id == id);
        offer.ok_or_else(|| unknown_firmware(id))
    }

    /// What a device is offered of a module, if it does not run it already.
    pub(crate) fn firmware_for(&self, device: &DeviceRef, module: &str) -> PortResult<Option<Offer>> {
        let Some(state) = self.json_document(device, "firmware_state")? else { return Ok(None) };
        let Some(id) = part_of(&state, "offers", module).and_then(Json::as_str) else { return Ok(None) };
        let runs = part_of(&state, "modules", module).and_then(|module| module.get("version")?.as_str());
        let offer = self.offers(&device.product)?.into_iter().find(|offer| offer.id == id);
        Ok(offer.filter(|offer| runs != Some(&*offer.version)))
    }

    /// The configuration of a device: its own, or that of its product.
    pub(crate) fn config_of(&self, device: &DeviceRef) -> PortResult<Option<Offer>> {
        let own = self.registry.document(device, CONFIG)?;
        let document = match own {
            Some(document) => Some(document),
            None => self.registry.document(&DeviceRef::new(&*device.product, ""), CONFIG)?,
        };
        let Some(document) = document else { return Ok(None) };
        let bytes = document.text.as_bytes();
        let id = config_id(bytes);
        Ok(Some(Offer {
            url: self.link(CONFIG, &id)?,
            version: document.version.to_string(),
            module: "default".to_owned(),
            size: bytes.len() as u64,
            sha256: sha256(bytes),
            md5: mac::to_hex(&Md5::digest(bytes)),
            id,
        }))
    }

    /// A configuration can be fetched where its link says.
    pub(crate) fn keep_config(&self, text: &str) -> PortResult<()> {
        self.registry.put_blob(CONFIG, &config_id(text.as_bytes()), text.as_bytes(), self.now_ms())
    }
}

fn config_id(bytes: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    hash.first_chunk::<16>().map(|id| mac::to_hex(id)).unwrap_or_default()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    mac::to_hex(&Sha256::digest(bytes))
}

fn unknown_firmware(id: &str) -> PortError {
    PortError::new(PortErrorKind::NotFound, "unknown_firmware", format!("there is no firmware {id}"))
}
