//! Connects with a delayed Will, and vanishes.

use hexmq_wire::QoS;

use super::{Role, Scene, Stay};
use crate::device::{Device, Heard, Io, WillOffer};
use crate::history::WillTerms;
use crate::random::Random;

/// A client whose Will is so late always comes back in time.
const LONG_MS: u64 = 60_000;

/// A client with a Will.
#[derive(Debug)]
pub(crate) struct Mortal {
    name: String,
    delay_ms: u64,
    random: Random,
    /// The number of the next Will.
    number: u32,
    /// The Will the server has answered for and that was not taken back.
    armed: Option<u32>,
    connect_at_ms: u64,
    leave_at_ms: u64,
}

impl Mortal {
    pub(crate) fn new(name: &str, delay_ms: u64, random: Random) -> Mortal {
        Mortal {
            name: name.to_owned(),
            delay_ms,
            random,
            number: 0,
            armed: None,
            // Whoever is to get the Wills subscribes first.
            connect_at_ms: 500,
            leave_at_ms: u64::MAX,
        }
    }
}

impl Role for Mortal {
    fn wants_connection(&mut self, scene: &Scene, io: &Io<'_>, device: &Device) -> bool {
        let waits_for_will = self.delay_ms < LONG_MS
            && self.armed.is_some_and(|number| !io.checker.has_will(device.id, number));
        scene.now_ms >= self.connect_at_ms && !waits_for_will
    }

    fn connected(&mut self, device: &mut Device, _: &Scene, io: &mut Io<'_>) {
        let terms = WillTerms { number: self.number, delay_ms: self.delay_ms };
        let offer = WillOffer { terms, topic: format!("w/{}", self.name), qos: QoS::ExactlyOnce };
        self.number += 1;
        self.armed = None;
        device.connect(false, Some(&offer), io);
    }

    fn heard(&mut self, heard: &Heard, _: &mut Device, scene: &Scene, _: &mut Io<'_>) {
        if matches!(heard, Heard::Connected { .. }) {
            self.armed = self.number.checked_sub(1);
            self.leave_at_ms = scene.now_ms + self.random.between(20, 1_500);
        }
    }

    fn tick(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) -> Stay {
        if !device.is_connected() || scene.is_ending || scene.now_ms < self.leave_at_ms {
            return Stay::Yes;
        }
        if self.random.percent(80) {
            return Stay::Drop;
        }
        self.armed = None;
        device.disconnect(false, io);
        Stay::Close
    }

    fn lost(&mut self, scene: &Scene) {
        self.connect_at_ms = scene.now_ms + self.random.between(0, 300);
        self.leave_at_ms = u64::MAX;
    }

    fn is_done(&self, device: &Device, io: &Io<'_>) -> bool {
        device.is_connected() || self.armed.is_some_and(|number| io.checker.has_will(device.id, number))
    }
}
