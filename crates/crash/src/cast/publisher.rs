//! Publishes with a window, to a few topics.

use hexmq_wire::QoS;

use super::{Role, Scene, Stay};
use crate::device::{Device, Heard, Io};
use crate::history::MessageId;
use crate::random::Random;

/// Messages on the way at once.
const WINDOW: usize = 16;
/// Topics of each publisher.
const TOPICS: u64 = 4;
/// Retained topics of each.
const RETAINED_TOPICS: u64 = 12;
/// Messages written at once.
const BURST: u64 = 6;

/// What it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    Messages,
    Retained,
}

/// A publisher.
#[derive(Debug)]
pub(crate) struct Publisher {
    name: String,
    writes: Writes,
    qos: Vec<QoS>,
    random: Random,
    number: u32,
    connect_at_ms: u64,
    /// It pauses until then.
    resume_at_ms: u64,
    drop_at_ms: u64,
}

impl Publisher {
    pub(crate) fn new(name: &str, writes: Writes, qos: &[QoS], random: Random) -> Publisher {
        Publisher {
            name: name.to_owned(),
            writes,
            qos: qos.to_vec(),
            random,
            number: 0,
            connect_at_ms: 0,
            resume_at_ms: 0,
            drop_at_ms: u64::MAX,
        }
    }

    fn publish(&mut self, device: &mut Device, io: &mut Io<'_>) {
        let qos =
            self.qos.get(self.random.below(self.qos.len() as u64) as usize).copied().unwrap_or_default();
        let message = MessageId { publisher: device.id, number: self.number };
        self.number += 1;
        match self.writes {
            Writes::Messages => {
                let topic = format!("m/{}/{}", self.name, self.random.below(TOPICS));
                device.publish(message, &topic, qos, (false, false), io);
            }
            Writes::Retained => {
                let topic = format!("r/{}/{}", self.name, self.random.below(RETAINED_TOPICS));
                let clears = self.random.percent(20);
                device.publish(message, &topic, qos, (true, clears), io);
            }
        }
    }
}

impl Role for Publisher {
    fn wants_connection(&mut self, scene: &Scene, _: &Io<'_>, _: &Device) -> bool {
        scene.now_ms >= self.connect_at_ms
    }

    fn connected(&mut self, device: &mut Device, _: &Scene, io: &mut Io<'_>) {
        device.connect(device.keeps == crate::history::Keeps::Nothing, None, io);
    }

    fn heard(&mut self, heard: &Heard, _: &mut Device, scene: &Scene, _: &mut Io<'_>) {
        if matches!(heard, Heard::Connected { .. }) {
            self.drop_at_ms = scene.now_ms + self.random.between(300, 6_000);
        }
    }

    fn tick(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) -> Stay {
        if !device.is_connected() || scene.is_ending {
            return Stay::Yes;
        }
        if scene.now_ms >= self.drop_at_ms {
            return Stay::Drop;
        }
        if scene.is_crowded || scene.now_ms < self.resume_at_ms {
            return Stay::Yes;
        }
        let room = WINDOW.saturating_sub(device.in_flight()) as u64;
        (0..self.random.below(BURST + 1).min(room)).for_each(|_| self.publish(device, io));
        // Retained messages change at a walk, so that a probe sees them stand still now and then.
        let pause_ms = if self.writes == Writes::Retained { self.random.between(5, 60) } else { 1 };
        self.resume_at_ms = scene.now_ms + if self.random.percent(1) { 150 } else { pause_ms };
        Stay::Yes
    }

    fn lost(&mut self, scene: &Scene) {
        self.connect_at_ms = scene.now_ms + self.random.below(40);
    }

    fn is_done(&self, device: &Device, _: &Io<'_>) -> bool {
        device.is_connected() && device.in_flight() == 0
    }
}
