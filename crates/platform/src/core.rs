//! What all parts of the platform share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use hexmq_device::port::{Fleet, History, PortError, PortErrorKind, PortResult, Registry, Sent};
use hexmq_device::{ApiKey, Device, DeviceRef, Dialect, Downlink};

use crate::asking::Asking;
use crate::cache::Cache;
use crate::dispatch::Dispatch;
use crate::intake::Intake;
use crate::keeper::Keeper;
use crate::live::Commands;
use crate::models::Drafts;
use crate::presence::Presences;
use crate::settings::Settings;
use crate::table::{Row, Table};
use crate::webhooks::Webhooks;

/// Shared by every thread of the platform.
pub(crate) struct Core {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) dialects: Vec<Arc<dyn Dialect>>,
    pub(crate) clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    pub(crate) settings: Settings,
    pub(crate) table: RwLock<Arc<Table>>,
    /// Held while something in the registry is read, changed and written.
    pub(crate) edits: Mutex<()>,
    pub(crate) fleet: OnceLock<Arc<dyn Fleet>>,
    pub(crate) asking: Asking,
    pub(crate) credentials: Mutex<Cache<DeviceRef, Device>>,
    /// Gateways of devices, as far as they were looked up.
    pub(crate) gateways: Mutex<Cache<DeviceRef, Option<DeviceRef>>>,
    /// What has been noticed of whom, so that a device that does it again and again is told of once a while.
    pub(crate) noticed: Mutex<Cache<(DeviceRef, &'static str), i64>>,
    pub(crate) intake: Intake,
    pub(crate) keeper: Keeper,
    pub(crate) presences: Mutex<Presences>,
    pub(crate) commands: Commands,
    pub(crate) dispatch: Dispatch,
    pub(crate) drafts: Mutex<Drafts>,
    pub(crate) webhooks: Webhooks,
    pub(crate) keys: RwLock<Vec<ApiKey>>,
    pub(crate) file_key: OnceLock<Vec<u8>>,
    /// Numbers of orders.
    pub(crate) numbers: AtomicU32,
    pub(crate) counts: Counts,
    pub(crate) bell: Bell,
    /// What the registry has to say at the beginning is loaded.
    pub(crate) booted: AtomicBool,
}

/// What `/metrics` shows.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) uplinks: AtomicU64,
    pub(crate) uplinks_refused: AtomicU64,
    pub(crate) points: AtomicU64,
    pub(crate) keep_failures: AtomicU64,
    pub(crate) database_away: AtomicBool,
    pub(crate) answered: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) refused: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// Rings when the platform stops; threads that pause listen to it.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *lock(&self.rung) = true;
        self.wake.notify_all();
    }

    pub(crate) fn has_rung(&self) -> bool {
        *lock(&self.rung)
    }

    /// Waits so long; whether it rings.
    pub(crate) fn rings_within(&self, pause: std::time::Duration) -> bool {
        let waited = self.wake.wait_timeout_while(lock(&self.rung), pause, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The lock, even if its last owner has panicked: what is behind it is whole between any two statements that change
/// it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn unknown_product(id: &str) -> PortError {
    PortError::new(PortErrorKind::NotFound, "unknown_product", format!("there is no product {id}"))
}

pub(crate) fn unknown_device(device: &DeviceRef) -> PortError {
    PortError::new(PortErrorKind::NotFound, "unknown_device", format!("there is no device {device}"))
}

pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> PortError {
    PortError::new(PortErrorKind::Invalid, code, message)
}

/// Whether the same may succeed later.
pub(crate) fn is_passing(error: &PortError) -> bool {
    matches!(error.kind, PortErrorKind::Unavailable | PortErrorKind::Full)
}

impl Core {
    pub(crate) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the table of products.
    pub(crate) fn change_table(&self, change: impl FnOnce(&mut Table)) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Table::clone(&table);
        change(&mut changed);
        *table = Arc::new(changed);
    }

    pub(crate) fn row(&self, product: &str) -> PortResult<Arc<Row>> {
        self.table().by_id(product).cloned().ok_or_else(|| unknown_product(product))
    }

    pub(crate) fn stored_device(&self, device: &DeviceRef) -> PortResult<Device> {
        self.registry.device(device)?.ok_or_else(|| unknown_device(device))
    }

    /// Sends to the connection of a device; without a fleet nobody is here.
    pub(crate) fn send(
        &self,
        number: u32,
        device: &str,
        downlink: &Downlink,
        token: Option<u64>,
        done: Box<dyn FnOnce(Sent) + Send>,
    ) {
        match self.fleet.get() {
            Some(fleet) => fleet.send(number, device, downlink, token, done),
            None => done(Sent::Offline),
        }
    }

    /// A number for an order: unique for years at a thousand orders a second, and never 0.
    pub(crate) fn next_number(&self) -> u32 {
        loop {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed) & 0x7FFF_FFFF;
            if number != 0 {
                return number;
            }
        }
    }
}
