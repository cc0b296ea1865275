//! The server's store on a simulated disk, what waits for it, and power cuts.

use std::sync::Arc;

use hexmq_broker::{Condition, ConnId, Fetched, Restore, Restorer, Shard, ShardId, Shared};
use hexmq_store::sim::{SimDisk, Troubles};
use hexmq_store::{Mode, Options, Store};

use super::host::{Commits, ConnKey, Host, Lane, Promise};
use super::plan::{Keeps, StorePlan};
use super::wires::Place;
use super::{Happening, World};

/// The store of the server.
#[derive(Debug)]
pub(super) struct Vault {
    pub(super) store: Store<SimDisk>,
    disk: SimDisk,
    pub(super) sync_scheduled: bool,
    /// Milliseconds between a commit and the sync that makes it safe, at most.
    latency_ms: u64,
}

fn options(plan: &StorePlan, seed: u64, world: &World) -> Options {
    Options {
        segment_bytes: plan.segment_bytes,
        slack_bytes: plan.slack_bytes,
        reserve_bytes: 0,
        ..Options::new(Mode::Disk, seed, world.now.wall)
    }
}

impl World {
    /// Opens a store on an empty disk, or on what a power cut has left of one, and begins anew with what
    /// is in it.
    pub(super) fn begin(&mut self, disk: SimDisk) {
        let Some(plan) = self.plan.store else { return };
        let opened = Store::open(disk.clone(), options(&plan, self.seed, self));
        let (mut store, opened) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.fail(0, format!("the store cannot be opened: {error}")),
        };
        let limits = Arc::new(self.plan.limits.clone());
        let shared = Shared::new(self.plan.shards, &limits, opened.numbers.seed, self.now);
        self.shared = Arc::new(shared.with_store(&opened.numbers, "disk").with_upstairs());
        let mut shards: Vec<Shard> = (0..self.plan.shards)
            .map(|id| Shard::new(ShardId(id), limits.clone(), self.shared.clone(), self.now))
            .collect();
        let mut restorer = Restorer::new(shards.iter_mut().collect(), self.now);
        let given = store.sessions(&mut |session| restorer.session(session));
        let given = given.and_then(|()| store.retained(&mut |retained| restorer.retained(&retained)));
        let given = given.and_then(|()| store.transits());
        match given {
            Ok(transits) => transits.iter().for_each(|transit| restorer.transit(transit)),
            Err(error) => return self.fail(0, format!("the store does not give back what it has: {error}")),
        }
        let first = restorer.finish();
        disk.trouble(Troubles {
            read_fails_of: plan.read_fails_of,
            sync_fails_of: plan.sync_fails_of,
            ..Troubles::default()
        });
        self.hosts = shards.into_iter().map(|shard| host(shard, &self.plan, true)).collect();
        if let Some(host) = self.hosts.first_mut() {
            host.commits.records = first;
        }
        self.vault = Some(Vault { store, disk, sync_scheduled: false, latency_ms: plan.latency_ms });
        self.seal(0);
    }

    /// Hands over what a turn has changed.
    pub(super) fn seal(&mut self, at: usize) {
        let Some(vault) = self.vault.as_mut() else { return };
        let commits = &mut self.hosts[at].commits;
        let records = std::mem::take(&mut commits.records);
        if !records.is_empty() {
            match vault.store.append(ShardId(at as u16), &records) {
                Ok(end) => commits.last = end,
                Err(bad) => return self.fail(0, format!("shard {at} hands over what is no record: {bad:?}")),
            }
        }
        let last = commits.last;
        let mut gated = Vec::new();
        for (conn, promise) in std::mem::take(&mut commits.promises) {
            if promise == Promise::Gate {
                gated.push(conn);
            }
            commits.pending.push_back((last, conn, promise));
        }
        let fetches = commits.fetches.len() - std::mem::replace(&mut commits.fetching, commits.fetches.len());
        for conn in gated {
            if let Some(wire) = self.hosts[at].links.get(&conn).map(|link| link.wire) {
                let story = &mut self.wires[wire].story;
                story.gated_at = story.gated_at.or(Some(self.now.mono.as_ms()));
            }
        }
        for _ in 0..fetches {
            let when = self.random.pick(&[0, 1, 5, 200]);
            self.schedule(when, Happening::Fetch(at));
        }
        self.schedule_sync();
        self.keep_promises(at);
    }

    fn schedule_sync(&mut self) {
        let Some(vault) = self.vault.as_mut() else { return };
        let figures = vault.store.figures();
        if figures.end > figures.synced && !std::mem::replace(&mut vault.sync_scheduled, true) {
            let most = vault.latency_ms;
            let when = self.random.between(0, most);
            self.schedule(when, Happening::Sync);
        }
    }

    /// The disk is asked to make safe what it was given.
    pub(super) fn sync(&mut self) {
        let Some(vault) = self.vault.as_mut() else { return };
        vault.sync_scheduled = false;
        let done = vault.store.flush().and_then(|()| vault.store.sync());
        if done.is_ok() && vault.store.wants_cleaning(false) {
            // Cleaning that fails is tried again; nothing depends on it.
            let _ = vault.store.clean_step(false);
        }
        let condition = if done.is_ok() { Condition::Well } else { Condition::Stuck };
        for at in 0..self.hosts.len() {
            self.store_is(at, condition);
            self.keep_promises(at);
        }
        self.schedule_sync();
    }

    fn store_is(&mut self, at: usize, condition: Condition) {
        let before = std::mem::replace(&mut self.hosts[at].commits.condition, condition);
        if before == condition {
            return;
        }
        if condition == Condition::Well {
            self.unpause_all(at);
            return;
        }
        let waiting: Vec<ConnId> =
            self.hosts[at].commits.pending.iter().map(|(_, conn, _)| id(*conn)).collect();
        self.turn(at, |shard, now, _| shard.store_stuck(waiting, now));
    }

    /// What is safe now was promised: it leaves.
    fn keep_promises(&mut self, at: usize) {
        let Some(safe) = self.vault.as_ref().map(|vault| vault.store.safe()) else { return };
        let host = &mut self.hosts[at];
        let mut dirty: Vec<ConnKey> = Vec::new();
        let mut said = super::cloud::Said::default();
        while let Some((_, conn, promise)) = host.commits.pending.pop_front_if(|(place, ..)| *place <= safe) {
            if let Promise::Uplink(uplink) = promise {
                said.uplinks.push(*uplink);
            } else if let Some(link) = host.links.get_mut(&conn) {
                match promise {
                    Promise::Gate => link.gates = link.gates.saturating_sub(1),
                    Promise::Packet(bytes) => link.output.extend_from_slice(&bytes),
                    Promise::Uplink(_) => {}
                }
                dirty.push(conn);
            }
        }
        for conn in dirty {
            self.flush(at, conn);
        }
        self.platform_hears(said);
    }

    /// A question to the store is answered.
    pub(super) fn fetch(&mut self, at: usize) {
        let commits = &mut self.hosts[at].commits;
        let Some(fetch) = commits.fetches.pop_front() else { return };
        commits.fetching = commits.fetching.saturating_sub(1);
        let Some(vault) = self.vault.as_mut() else { return };
        let fetched: Fetched = match vault.store.fetch(&fetch) {
            Ok(fetched) => fetched,
            Err(_) => {
                // Asked again, as the keeper of a real store does.
                self.hosts[at].commits.fetches.push_back(fetch);
                return self.schedule(100, Happening::Fetch(at));
            }
        };
        self.turn(at, |shard, now, out| shard.fetched(&fetched, now, out));
    }

    /// The power fails: the server and everything it knew is gone, and so is what the disk had not synced.
    /// It starts again at once.
    pub(super) fn cut_power(&mut self) {
        let Some(vault) = self.vault.take() else { return };
        let now = self.now_ms();
        self.ledger.cuts.push(now);
        self.remark("the power fails, and the server starts again".to_owned());
        for wire in 0..self.wires.len() {
            if matches!(self.wires[wire].place, Place::At(..) | Place::Moving | Place::Nowhere) {
                self.lose_with_the_server(wire, now);
            }
        }
        self.moving.clear();
        self.platform_starts();
        let seed = self.random.below(u64::MAX);
        // Or only the process ends, and the operating system has what it was given.
        let disk = if self.random.percent(80) { vault.disk.crash(seed) } else { vault.disk.kill() };
        self.begin(disk);
    }

    fn lose_with_the_server(&mut self, wire: usize, now: u64) {
        let client = self.wires[wire].client;
        let was_there = self.wires[wire].place != Place::Nowhere;
        self.wires[wire].place = Place::Gone;
        if was_there {
            self.wires[wire].story.ended_at = self.wires[wire].story.ended_at.or(Some(now));
        }
        if self.wires[wire].story.keeps == Keeps::Nothing
            && self.clients[client].online().is_some_and(|online| online.wire == wire)
        {
            self.ledger.shaken(client, now);
        }
        self.break_wire(wire);
    }
}

/// A shard with nothing around it yet.
pub(super) fn host(shard: Shard, plan: &super::plan::Plan, stores: bool) -> Host {
    let lane = || Lane { capacity: plan.lane_batches, ..Lane::default() };
    Host {
        shard,
        links: Default::default(),
        lanes: (0..plan.shards).map(|_| lane()).collect(),
        questions: Default::default(),
        work_scheduled: false,
        commits: Commits { stores, ..Commits::default() },
    }
}

fn id((slot, generation): ConnKey) -> ConnId {
    ConnId { slot, generation }
}
