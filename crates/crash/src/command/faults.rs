//! `hexmq-crash faults`: the disk is full, read-only, failing or slow, and the server must live with it.

use std::path::PathBuf;
use std::time::Duration;

use hexmq_wire::{QoS, ReasonCode, Version};

use super::kills::{any_seed, fresh_folder, told};
use crate::disk::Disk;
use crate::history::Broken;
use crate::link::free_port;
use crate::random::Random;
use crate::server::Recipe;
use crate::trial::Trial;

/// Room enough.
const CAPACITY: u64 = 1 << 30;
const Q0: QoS = QoS::AtMostOnce;
const Q1: QoS = QoS::AtLeastOnce;
/// Round trips while an fsync takes its time.
const ROUND_TRIPS: u32 = 20;

// The clients by their places.
const ONLINE: usize = 0;
const OFFLINE: usize = 1;
const NARROW: usize = 2;
const PUBLISHER_5: usize = 3;
const PUBLISHER_4: usize = 4;
const PLAIN: usize = 5;
const CLIENTS: &[(&str, Version)] = &[
    ("online", Version::V5),
    ("offline", Version::V4),
    ("narrow", Version::V5),
    ("publisher-5", Version::V5),
    ("publisher-4", Version::V4),
    ("plain", Version::V5),
];

/// A disk that is full, read-only, failing or slow
#[derive(Debug, clap::Args)]
pub(crate) struct Faults {
    /// Our server
    #[arg(long, default_value = "hexmq")]
    program: PathBuf,
    /// Where the log goes; kept when something is wrong
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Full,
    ReadOnly,
    Failing,
    Slow,
}

impl Fault {
    const ALL: [Fault; 4] = [Fault::Full, Fault::ReadOnly, Fault::Failing, Fault::Slow];

    fn name(self) -> &'static str {
        match self {
            Fault::Full => "full",
            Fault::ReadOnly => "read-only",
            Fault::Failing => "failing fsync",
            Fault::Slow => "slow fsync",
        }
    }

    fn set(self, disk: &Disk, is_on: bool) {
        match self {
            Fault::Full => disk.set_full(is_on, CAPACITY),
            Fault::ReadOnly => disk.set_read_only(is_on),
            Fault::Failing => disk.set_failing(is_on),
            Fault::Slow => disk.set_sync_delay(Duration::from_millis(if is_on { 500 } else { 0 })),
        }
    }
}

impl Faults {
    pub(crate) fn run(&self) -> Result<bool, String> {
        let folder = fresh_folder(self.folder.as_deref())?;
        let mut is_good = true;
        for fault in Fault::ALL {
            let place = folder.join(fault.name().replace(' ', "-"));
            std::fs::create_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
            let disk = match Disk::mount(place.join("data"), CAPACITY) {
                Ok(disk) => disk,
                Err(why) => {
                    println!("SKIPPED: {why}");
                    let _ = std::fs::remove_dir_all(&folder);
                    return Ok(true);
                }
            };
            let mut random = Random::new(any_seed());
            let port = free_port(|| random.next())?;
            let more = ["--store-full-timeout", "2s"].map(str::to_owned);
            let recipe = Recipe::hexmq(&self.program, "disk", 2, &more);
            let mut trial = Trial::new(disk, recipe, port, &place, CLIENTS)?;
            let played = prepare(&mut trial).and_then(|()| match fault {
                Fault::Slow => slow(&mut trial),
                _ => stuck(&mut trial, fault),
            });
            let result = played.and_then(|()| aftermath(&mut trial, fault));
            trial.checker.conclude();
            let counts: &std::collections::BTreeMap<Broken, u64> = trial.checker.counts();
            let verdict = match &result {
                Ok(()) if counts.is_empty() => "as promised".to_owned(),
                Ok(()) => "promises broken".to_owned(),
                Err(error) => format!("WRONG: {error}"),
            };
            println!("{:<14} {verdict}", fault.name());
            told(&trial.checker);
            is_good &= result.is_ok() && counts.is_empty();
        }
        if is_good {
            let _ = std::fs::remove_dir_all(&folder);
        } else {
            println!("the logs are kept in {}", folder.display());
        }
        Ok(is_good)
    }
}

/// Subscribers on and off line, one with messages waiting because it takes one at a time; two publishers.
fn prepare(trial: &mut Trial) -> Result<(), String> {
    trial.narrow(NARROW);
    for (client, filter) in [(ONLINE, "m/#"), (OFFLINE, "m/#"), (NARROW, "m/narrow")] {
        trial.connect(client)?;
        trial.subscribe(client, filter, Q1)?;
    }
    trial.drop_connection(OFFLINE);
    for client in [PUBLISHER_5, PUBLISHER_4, PLAIN] {
        trial.connect(client)?;
    }
    trial.publish_all(PUBLISHER_5, "m/a", Q1, 50)?;
    trial.publish_all(PUBLISHER_4, "m/a", Q1, 50)?;
    trial.publish_all(PUBLISHER_5, "m/narrow", Q1, 30)
}

/// Nothing can be made durable.
fn stuck(trial: &mut Trial, fault: Fault) -> Result<(), String> {
    fault.set(&trial.disk, true);
    // The first ones are on their way when the server finds out; they may wait instead.
    let mut sent = 0;
    trial.until("0x97 for a publisher of 5.0", |trial| {
        if sent < 2_000 {
            sent += 1;
            trial.publish(PUBLISHER_5, "m/b", Q1);
        }
        trial.take_refusal(PUBLISHER_5, ReasonCode::QuotaExceeded)
    })?;
    // Subscribers go on: what waits for them is delivered, and so is what needs no disk.
    round_trips(trial, 3)?;
    trial.until("what waits for a subscriber that is on line", |trial| trial.owed(NARROW) == 0)?;
    let in_flight = trial.in_flight(PUBLISHER_4);
    trial.publish(PUBLISHER_4, "m/b", Q1);
    trial.until("the end of a publisher of 3.1.1", |trial| trial.is_closed(PUBLISHER_4))?;
    if trial.in_flight(PUBLISHER_4) != in_flight + 1 {
        return Err("a publisher of 3.1.1 got an acknowledgement for what is not on disk".to_owned());
    }
    fault.set(&trial.disk, false);
    // It goes on by itself.
    if trial.is_closed(PUBLISHER_5) {
        trial.connect(PUBLISHER_5)?;
    }
    trial.until("an acknowledgement after the disk was well again", |trial| {
        if trial.in_flight(PUBLISHER_5) < 10 {
            trial.publish(PUBLISHER_5, "m/c", Q1);
        }
        trial.take(PUBLISHER_5, |heard| matches!(heard, crate::device::Heard::Acknowledged(_)))
    })?;
    trial.connect(PUBLISHER_4)?;
    trial.until("the acknowledgement of what was sent again", |trial| trial.in_flight(PUBLISHER_4) == 0)
}

/// Each fsync takes half a second.
fn slow(trial: &mut Trial) -> Result<(), String> {
    Fault::Slow.set(&trial.disk, true);
    let syncs = trial.disk.syncs();
    trial.publish(PUBLISHER_4, "m/b", Q1);
    round_trips(trial, ROUND_TRIPS)?;
    if trial.in_flight(PUBLISHER_4) == 0 && trial.disk.syncs() == syncs {
        return Err("an acknowledgement came before any fsync".to_owned());
    }
    if trial.disk.syncs() > syncs + 1 {
        return Err("messages of QoS 0 waited for the disk".to_owned());
    }
    trial.until("the late acknowledgement", |trial| trial.in_flight(PUBLISHER_4) == 0)?;
    trial.publish_all(PUBLISHER_5, "m/b", Q1, 200)
}

/// Messages of QoS 0, each delivered before the next is sent.
fn round_trips(trial: &mut Trial, count: u32) -> Result<(), String> {
    for _ in 0..count {
        let before = trial.checker.totals().delivered_at_qos_0;
        trial.publish(PLAIN, "m/plain", Q0);
        trial.until("a message of QoS 0", |trial| trial.checker.totals().delivered_at_qos_0 > before)?;
    }
    Ok(())
}

/// After a crash everything that was acknowledged is there.
fn aftermath(trial: &mut Trial, fault: Fault) -> Result<(), String> {
    fault.set(&trial.disk, false);
    trial.until("all answers", |trial| trial.in_flight(PUBLISHER_5) == 0)?;
    trial.kill()?;
    let mut random = Random::new(any_seed());
    trial.disk.cut(&mut random)?;
    trial.start()?;
    for client in [ONLINE, OFFLINE, NARROW] {
        trial.connect(client)?;
    }
    trial.until("what was acknowledged", |trial| trial.checker.backlog() == 0)?;
    trial.kill()
}
