//! The durable store: opened with the server, watched while it runs, closed behind it.

use std::io;
use std::sync::Arc;

use hexmq_broker::{Journal, Level, Restore, ShardId};
use hexmq_node::StoreSetup;
use hexmq_observe::Observer;
use hexmq_session::Wall;
use hexmq_store::{
    FileDisk, Keeper, KeeperOptions, Limited, Mode, Opened, Options, Store, StoreError, StoreEvent,
};

use crate::config::{Config, Durability};

/// In the directory of `--data`.
pub(crate) const DIRECTORY: &str = "store";

/// What becomes of the store once the shards have it.
pub(crate) type Running = Arc<std::sync::OnceLock<Arc<Keeper>>>;

/// Opens the store, if the server is to have one. The keeper is there when the node has started.
pub(crate) fn open(
    config: &Config,
    seed: u64,
    observer: &Arc<Observer>,
) -> Result<Option<(StoreSetup, Running)>, String> {
    let mode = match config.durability {
        Durability::Memory => return Ok(None),
        Durability::Process => Mode::Process,
        Durability::Disk => Mode::Disk,
    };
    let directory = config.data.join(DIRECTORY);
    let explain = |error: StoreError| match error {
        StoreError::Disk { .. } | StoreError::Locked { .. } => {
            format!("{error}\n  choose another directory with --data, or keep nothing with --ephemeral")
        }
        error => format!("the store in {} cannot be used: {error}", directory.display()),
    };
    let disk = FileDisk::open(&directory).map_err(explain)?;
    let bytes_max = config.store_bytes.unwrap_or(u64::MAX);
    let disk = Limited::new(disk, bytes_max)
        .map_err(|error| format!("cannot read {}: {error}", directory.display()))?;
    let (store, opened) =
        Store::open(disk, Options::new(mode, seed, now()).within(bytes_max)).map_err(explain)?;
    tell_opened(&opened, &store, observer);
    let running = Running::default();
    let setup = StoreSetup {
        numbers: opened.numbers,
        durability: config.durability.name(),
        open: begin(store, config, Arc::clone(observer), Arc::clone(&running)),
    };
    Ok(Some((setup, running)))
}

fn begin(
    mut store: Store<Limited<FileDisk>>,
    config: &Config,
    observer: Arc<Observer>,
    running: Running,
) -> hexmq_node::OpenStore {
    let options = KeeperOptions { sync_delay: config.sync_delay, ..KeeperOptions::default() };
    Box::new(move |restore: &mut dyn Restore| {
        give_back(&mut store, restore).map_err(io::Error::other)?;
        let tell = Box::new(move |event: StoreEvent| tell(&event, &observer));
        let keeper = Arc::new(Keeper::start(store, options, tell)?);
        // Set once: a node starts once.
        let _ = running.set(Arc::clone(&keeper));
        Ok(keeper as Arc<dyn Journal>)
    })
}

fn give_back(store: &mut Store<Limited<FileDisk>>, restore: &mut dyn Restore) -> Result<(), StoreError> {
    store.sessions(&mut |session| restore.session(session))?;
    store.retained(&mut |retained| restore.retained(&retained))?;
    for transit in store.transits()? {
        restore.transit(&transit);
    }
    Ok(())
}

fn tell_opened(opened: &Opened, store: &Store<Limited<FileDisk>>, observer: &Observer) {
    if let Some(cut) = &opened.cut {
        tell(&StoreEvent::TailCut(cut.clone()), observer);
    }
    if !opened.made {
        let figures = store.figures();
        tracing::info!(
            "the store has {} sessions, {} waiting and {} retained messages ({} bytes)",
            figures.sessions,
            figures.queued,
            figures.retained,
            figures.log_bytes
        );
    }
}

fn tell(event: &StoreEvent, observer: &Observer) {
    let level = match event {
        StoreEvent::Stuck { .. } | StoreEvent::Damaged(_) | StoreEvent::Refused { .. } => Level::Error,
        StoreEvent::CannotRead { .. } | StoreEvent::Slow { .. } | StoreEvent::TailCut(_) => Level::Warn,
        StoreEvent::Resumed { .. } => Level::Info,
        StoreEvent::Cleaned { .. } => Level::Debug,
    };
    observer.notice(ShardId(0), event.name(), level, event);
}

fn now() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Wall(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}
