//! Who is here.
//!
//! Connections are counted: a device that connects anew is told of before its old connection ends, and is here all
//! the while.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use hexmq_device::port::PortResult;
use hexmq_device::{DeviceRef, Direction, LogLine, Presence};

use crate::core::{Core, lock};
use crate::loglines::{down, line};

/// The devices that are here.
#[derive(Default)]
pub(crate) struct Presences {
    here: HashMap<DeviceRef, Here>,
    /// Counts who has come.
    sign_ins: u64,
}

#[derive(Default)]
struct Here {
    /// Connections of its own.
    connections: u32,
    /// Where the newest of them comes from.
    peer: String,
    since_ms: i64,
    /// Which sign-in this was, counted over all devices.
    sign_in: u64,
    /// The gateway that has signed it in.
    via: Option<DeviceRef>,
    /// Those that it has signed in.
    behind: BTreeSet<DeviceRef>,
}

impl Here {
    fn is_here(&self) -> bool {
        self.connections > 0 || self.via.is_some()
    }

    fn peer(&self) -> String {
        match &self.via {
            Some(gateway) if self.connections == 0 => format!("gateway {gateway}"),
            _ => self.peer.clone(),
        }
    }
}

impl Presences {
    pub(crate) fn online(&self) -> usize {
        self.here.len()
    }

    /// Devices of a product that have connections of their own.
    pub(crate) fn of_product(&self, product: &str) -> Vec<String> {
        let here =
            self.here.iter().filter(|(device, here)| device.product == product && here.connections > 0);
        here.map(|(device, _)| device.device.clone()).collect()
    }
}

impl Core {
    pub(crate) fn is_here(&self, device: &DeviceRef) -> bool {
        lock(&self.presences).here.contains_key(device)
    }

    /// Which sign-in of a device is the newest; 0 if it is not here.
    pub(crate) fn sign_in_of(&self, device: &DeviceRef) -> u64 {
        lock(&self.presences).here.get(device).map_or(0, |here| here.sign_in)
    }

    /// How a device is, if it is here: newer than what the data base knows.
    pub(crate) fn presence_of(&self, device: &DeviceRef) -> Option<Presence> {
        let presences = lock(&self.presences);
        let here = presences.here.get(device)?;
        let (since_ms, peer) = (Some(here.since_ms), Some(here.peer()));
        Some(Presence { online: true, since_ms, reason: None, peer })
    }

    /// The connection that reaches a device: its own, or that of its gateway.
    pub(crate) fn route(&self, device: &DeviceRef) -> PortResult<(u32, String)> {
        let via = {
            let presences = lock(&self.presences);
            presences.here.get(device).filter(|here| here.connections == 0).and_then(|here| here.via.clone())
        };
        let at = via.as_ref().unwrap_or(device);
        Ok((self.row(&at.product)?.product.number, at.device.clone()))
    }

    /// The gateway that has signed a device in.
    pub(crate) fn signed_in_via(&self, device: &DeviceRef) -> Option<DeviceRef> {
        lock(&self.presences).here.get(device)?.via.clone()
    }

    /// The devices that a gateway has signed in.
    pub(crate) fn behind(&self, gateway: &DeviceRef) -> Vec<DeviceRef> {
        let presences = lock(&self.presences);
        presences.here.get(gateway).map(|here| here.behind.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn connected(self: &Arc<Self>, number: u32, device: &str, peer: &str) {
        let Some(row) = self.table().by_number(number).cloned() else { return };
        let device = DeviceRef::new(&*row.product.id, device);
        let now_ms = self.now_ms();
        let (was_here, behind) = {
            let mut presences = lock(&self.presences);
            presences.sign_ins += 1;
            let sign_in = presences.sign_ins;
            let here = presences.here.entry(device.clone()).or_default();
            let was_here = here.is_here();
            // What its old connection has signed in, its new one has to sign in again.
            let behind = std::mem::take(&mut here.behind);
            here.sign_in = sign_in;
            here.connections = here.connections.saturating_add(1);
            peer.clone_into(&mut here.peer);
            here.since_ms = now_ms;
            let presence = online(now_ms, here.peer());
            // Under the lock, so that what is written last is what was true last.
            self.keeper.presence(device.clone(), presence);
            (was_here, behind)
        };
        for sub in behind {
            self.signed_out(&device, &sub, "gateway_gone");
        }
        let meaning = Some(format!("connected from {peer}"));
        self.log(LogLine { meaning, ..line(&device, now_ms, Direction::Up, "connected") });
        if !was_here {
            self.tell_presence(&device, &online(now_ms, peer.to_owned()), now_ms);
        }
        self.dispatch.pending(device);
    }

    pub(crate) fn disconnected(self: &Arc<Self>, number: u32, device: &str, reason: &'static str) {
        let Some(row) = self.table().by_number(number).cloned() else { return };
        let device = DeviceRef::new(&*row.product.id, device);
        let now_ms = self.now_ms();
        let meaning = Some(format!("disconnected: {reason}"));
        self.log(LogLine { meaning, ..line(&device, now_ms, Direction::Up, "disconnected") });
        let (is_gone, behind) = {
            let mut presences = lock(&self.presences);
            let Some(here) = presences.here.get_mut(&device) else { return };
            here.connections = here.connections.saturating_sub(1);
            if here.connections > 0 {
                return;
            }
            let behind = std::mem::take(&mut here.behind);
            let is_gone = !here.is_here();
            let presence = if is_gone { offline(now_ms, reason) } else { online(now_ms, here.peer()) };
            self.keeper.presence(device.clone(), presence);
            if is_gone {
                presences.here.remove(&device);
            }
            (is_gone, behind)
        };
        if is_gone {
            self.tell_presence(&device, &offline(now_ms, reason), now_ms);
        }
        for sub in behind {
            self.signed_out(&device, &sub, "gateway_gone");
        }
    }

    /// A gateway has signed a device in. A device that another gateway had signed in belongs to this one now.
    pub(crate) fn signed_in(&self, gateway: &DeviceRef, sub: &DeviceRef) {
        let now_ms = self.now_ms();
        let before = self.signed_in_via(sub).filter(|before| before != gateway);
        if let Some(before) = before {
            self.signed_out(&before, sub, "signed_in_elsewhere");
        }
        let was_here = {
            let mut presences = lock(&self.presences);
            // A gateway that has just gone takes nobody with it any more.
            let Some(at) = presences.here.get_mut(gateway) else { return };
            at.behind.insert(sub.clone());
            presences.sign_ins += 1;
            let sign_in = presences.sign_ins;
            let here = presences.here.entry(sub.clone()).or_default();
            let was_here = here.is_here();
            here.via = Some(gateway.clone());
            here.sign_in = sign_in;
            if !was_here {
                here.since_ms = now_ms;
            }
            self.keeper.presence(sub.clone(), online(here.since_ms, here.peer()));
            was_here
        };
        if !was_here {
            let peer = format!("gateway {gateway}");
            let meaning = Some(format!("signed in by {peer}"));
            self.log(LogLine { meaning, ..line(sub, now_ms, Direction::Up, "connected") });
            self.tell_presence(sub, &online(now_ms, peer), now_ms);
        }
        self.dispatch.pending(sub.clone());
    }

    /// A device is not behind its gateway any more.
    pub(crate) fn signed_out(&self, gateway: &DeviceRef, sub: &DeviceRef, reason: &str) {
        let now_ms = self.now_ms();
        let is_gone = {
            let mut presences = lock(&self.presences);
            if let Some(at) = presences.here.get_mut(gateway) {
                at.behind.remove(sub);
            }
            let Some(here) = presences.here.get_mut(sub).filter(|here| here.via.as_ref() == Some(gateway))
            else {
                return;
            };
            here.via = None;
            let is_gone = !here.is_here();
            let presence = if is_gone { offline(now_ms, reason) } else { online(here.since_ms, here.peer()) };
            self.keeper.presence(sub.clone(), presence);
            if is_gone {
                presences.here.remove(sub);
            }
            is_gone
        };
        self.tell_gateway(gateway, sub, reason);
        if is_gone {
            let meaning = Some(format!("signed out of gateway {gateway}: {reason}"));
            self.log(LogLine { meaning, ..line(sub, now_ms, Direction::Up, "disconnected") });
            self.tell_presence(sub, &offline(now_ms, reason), now_ms);
        }
    }

    /// A gateway hears of it as its cloud tells it.
    fn tell_gateway(&self, gateway: &DeviceRef, sub: &DeviceRef, reason: &str) {
        let Ok(row) = self.row(&gateway.product) else { return };
        if !self.is_here(gateway) {
            return;
        }
        if let Some(downlink) = row.dialect.signed_out(gateway, sub, reason) {
            self.log(down(gateway, self.now_ms(), "sent", &downlink));
            self.send(row.product.number, &gateway.device, &downlink, None, Box::new(|_| ()));
        }
    }

    /// The devices of a product are nobody's any more.
    pub(crate) fn forget_product(&self, product: &str) {
        lock(&self.presences).here.retain(|device, _| device.product != product);
        self.keeper.forget_product(product);
        lock(&self.credentials).retain(|device| device.product != product);
        lock(&self.gateways).retain(|device| device.product != product);
    }
}

fn online(since_ms: i64, peer: String) -> Presence {
    Presence { online: true, since_ms: Some(since_ms), reason: None, peer: Some(peer) }
}

fn offline(since_ms: i64, reason: &str) -> Presence {
    Presence { online: false, since_ms: Some(since_ms), reason: Some(reason.to_owned()), peer: None }
}
