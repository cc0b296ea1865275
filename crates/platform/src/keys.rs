//! Keys for applications.

use std::sync::PoisonError;

use hexmq_device::ApiKey;
use hexmq_device::mac;
use hexmq_device::port::{PortError, PortErrorKind, PortResult};

use crate::core::{Core, invalid, lock};
use crate::files::sha256;
use crate::random;

/// Keys of a server.
const KEYS_MAX: usize = 10_000;

impl Core {
    pub(crate) fn load_keys(&self) -> PortResult<()> {
        let keys = self.registry.keys()?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    pub(crate) fn all_keys(&self) -> Vec<ApiKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a key of 256 random bits, which only its owner will know.
    pub(crate) fn new_key(&self, mut key: ApiKey) -> PortResult<(ApiKey, String)> {
        if key.scopes.is_empty() {
            return Err(invalid("no_scopes", "a key is for something: read, write, manage or admin"));
        }
        if let Some(product) = &key.product {
            self.row(product)?;
        }
        if key.id.is_empty() {
            key.id = random::short()?;
        }
        let letters = format!("hexmq_{}", mac::to_hex(&random::bytes::<32>()?));
        key.sha256 = sha256(letters.as_bytes());
        key.created_at_ms = self.now_ms();
        let _edit = lock(&self.edits);
        let known = self.all_keys();
        if known.iter().any(|known| known.id == key.id) {
            let message = format!("there is a key {} already", key.id);
            return Err(PortError::new(PortErrorKind::Conflict, "key_exists", message));
        }
        if known.len() >= KEYS_MAX {
            let message = format!("there are {KEYS_MAX} keys already");
            return Err(PortError::new(PortErrorKind::Full, "too_many_keys", message));
        }
        self.registry.create_key(&key)?;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        Ok((key, letters))
    }

    pub(crate) fn remove_key(&self, id: &str) -> PortResult<()> {
        let _edit = lock(&self.edits);
        self.registry.delete_key(id)?;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).retain(|key| key.id != id);
        Ok(())
    }

    /// Compared by their hash: how far two hashes agree tells nothing of a key.
    pub(crate) fn key_of(&self, letters: &str) -> Option<ApiKey> {
        let (hash, now_ms) = (sha256(letters.as_bytes()), self.now_ms());
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.sha256 == hash)?;
        key.expires_at_ms.is_none_or(|expires_at_ms| now_ms <= expires_at_ms).then(|| key.clone())
    }
}
