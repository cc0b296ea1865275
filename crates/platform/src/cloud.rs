//! The platform as the composition root sees it.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::thread::JoinHandle;

use hexmq_device::port::{Fleet, History, Platform, Registry};
use hexmq_device::{Admission, Dialect, Refused, RefusedCode, SignIn};

use crate::asking::{self, Asking};
use crate::cache::Cache;
use crate::core::{Bell, Core, Counts, lock};
use crate::dispatch::Dispatch;
use crate::intake::Intake;
use crate::keeper::Keeper;
use crate::live::Commands;
use crate::models::Drafts;
use crate::presence::Presences;
use crate::settings::Settings;
use crate::webhooks::Webhooks;

/// What a platform is made of.
pub struct Setup {
    /// Where products and devices are registered.
    pub registry: Arc<dyn Registry>,
    /// Where what they report is kept.
    pub history: Arc<dyn History>,
    /// The clouds whose words are spoken; the first one that claims a CONNECT has it.
    pub dialects: Vec<Arc<dyn Dialect>>,
    /// Now, in milliseconds since 1970 UTC.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Bounds and times.
    pub settings: Settings,
}

/// Who a CONNECT claims to be, if the product is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Number of the product: the namespace of its sessions and topics.
    pub number: u32,
    /// Id of the device.
    pub device: String,
}

/// A device that is let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// Id of its product.
    pub product: String,
    /// What it may do and how it is treated.
    pub admission: Admission,
}

/// A message of a device that its shard has kept and hands up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The queue of the shard.
    pub inbox: Arc<str>,
    /// Its place in there; places of an inbox come in rising order.
    pub place: u64,
    /// Number of the product.
    pub number: u32,
    /// Whose connection it came on.
    pub device: Box<str>,
    /// Topic name.
    pub topic: Box<str>,
    /// Application message.
    pub payload: Box<[u8]>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Milliseconds since 1970 UTC.
    pub received_at_ms: i64,
}

/// The device cloud.
pub struct Cloud {
    pub(crate) core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Cloud {
    /// Loads what is registered and starts the threads. A data base that does not answer is waited for in the
    /// background; one that refuses is an error.
    pub fn start(setup: Setup) -> Result<Arc<Cloud>, String> {
        let Setup { registry, history, dialects, clock, settings } = setup;
        let (asking, questions) = Asking::new(settings.registry_patience);
        let core = Arc::new(Core {
            asking,
            table: RwLock::default(),
            edits: Mutex::default(),
            fleet: OnceLock::new(),
            credentials: Mutex::new(Cache::new(settings.credentials)),
            gateways: Mutex::new(Cache::new(settings.credentials)),
            noticed: Mutex::new(Cache::new(settings.credentials)),
            intake: Intake::new(settings.readers),
            keeper: Keeper::default(),
            presences: Mutex::new(Presences::default()),
            commands: Commands::default(),
            dispatch: Dispatch::default(),
            drafts: Mutex::new(Drafts::default()),
            webhooks: Webhooks::default(),
            keys: RwLock::default(),
            file_key: OnceLock::new(),
            // A restart begins behind where the last one was, at up to eight orders a second on the average.
            numbers: AtomicU32::new(u32::try_from((clock() / 125) & 0x7FFF_FFFF).unwrap_or(1)),
            counts: Counts::default(),
            bell: Bell::default(),
            booted: AtomicBool::new(false),
            registry,
            history,
            dialects,
            clock,
            settings,
        });
        let cloud = Cloud { threads: Mutex::default(), core: Arc::clone(&core) };
        if let Err(error) = core.boot() {
            if !crate::core::is_passing(&error) {
                return Err(format!("the registry cannot be read: {error}"));
            }
            tracing::warn!(%error, "the registry does not answer; it is tried again until it does");
        }
        let started = cloud.start_threads(&questions);
        if let Err(error) = started {
            cloud.stop();
            return Err(error);
        }
        Ok(Arc::new(cloud))
    }

    fn start_threads(&self, questions: &asking::Questions) -> Result<(), String> {
        for _ in 0..2 {
            let (questions, registry) = (Arc::clone(questions), Arc::clone(&self.core.registry));
            // Not joined at the end: the data base may be hanging, and nothing is lost with an unanswered question.
            let life = move || asking::answer(&questions, &*registry);
            std::thread::Builder::new().name("hexmq-registry".to_owned()).spawn(life).map_err(failed)?;
        }
        for lane in 0..self.core.intake.lanes() {
            self.spawn(&format!("hexmq-read-{lane}"), move |core| core.read_uplinks(lane))?;
        }
        self.spawn("hexmq-keep", Core::keep_rows)?;
        self.spawn("hexmq-timer", Core::watch_time)?;
        self.spawn("hexmq-dispatch", Core::dispatch_commands)?;
        self.spawn("hexmq-prune", Core::prune)
    }

    fn spawn(&self, name: &str, life: impl FnOnce(&Arc<Core>) + Send + 'static) -> Result<(), String> {
        let core = Arc::clone(&self.core);
        let thread = std::thread::Builder::new().name(name.to_owned());
        lock(&self.threads).push(thread.spawn(move || life(&core)).map_err(failed)?);
        Ok(())
    }

    /// Introduces the connections of the server. Before that, nobody is here. Only the first fleet counts.
    pub fn attach(&self, fleet: Arc<dyn Fleet>) {
        if self.core.fleet.set(fleet).is_err() {
            tracing::error!("a second fleet was attached and is ignored");
        }
    }

    /// What HTTP and the vendors' APIs ask.
    pub fn platform(self: &Arc<Self>) -> Arc<dyn Platform> {
        Arc::clone(self) as Arc<dyn Platform>
    }

    /// Who a CONNECT claims to be, if its product is registered with a dialect that knows its own. Memory only.
    pub fn claim(&self, sign_in: &SignIn<'_>) -> Option<Claimed> {
        self.core.claim(sign_in)
    }

    /// Whether a sign-in that claims nothing that is registered is a device's all the same, by its form, and why it
    /// is not let in: its product is unknown, or the products are, because the registry has not answered yet. `None`
    /// for everybody else, and while there are no products.
    pub fn stranger(&self, sign_in: &SignIn<'_>) -> Option<RefusedCode> {
        self.core.stranger(sign_in)
    }

    /// Whether the claim is true. Waits for the registry with bounded patience; without an answer the credentials
    /// remembered from earlier sign-ins decide, and without those the device is refused as `Unavailable`.
    pub fn admit(&self, sign_in: &SignIn<'_>, claimed: &Claimed) -> Result<Admitted, Refused> {
        self.core.admit(sign_in, claimed)
    }

    /// Takes uplinks over. Never blocks: what waits here is bounded by the window of the shards.
    pub fn uplinks(&self, uplinks: Vec<Handed>) {
        self.core.take_uplinks(uplinks);
    }

    /// A device has acknowledged what was sent with this token.
    pub fn acked(&self, token: u64) {
        self.core.acked(token);
    }

    /// A device has connected. A second connection of the same device may be told before the end of the first.
    pub fn connected(&self, number: u32, device: &str, peer: &str) {
        self.core.connected(number, device, peer);
    }

    /// A connection of a device has ended, for the reason of this stable name.
    pub fn disconnected(&self, number: u32, device: &str, reason: &'static str) {
        self.core.disconnected(number, device, reason);
    }

    /// Something about a device was odd but survived, or was not allowed: a line in its log.
    pub fn noticed(&self, number: u32, device: &str, rule: &'static str, message: String) {
        self.core.noticed(number, device, rule, message);
    }

    /// Writes what is on its way within a bound of time, and ends the threads. What could not be written is handed up
    /// again by the shards after the next start.
    pub fn stop(&self) {
        self.core.intake.stop();
        self.core.dispatch.stop();
        self.core.keeper.stop(self.core.settings.stop_patience);
        self.core.bell.ring();
        self.core.commands.wake();
        self.core.webhooks.stop();
        for thread in lock(&self.threads).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the platform has panicked");
            }
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop();
    }
}

fn failed(error: std::io::Error) -> String {
    format!("a thread of the platform cannot be started: {error}")
}
