//! Asks for all retained messages, again and again, each time in a clean session.

use super::{Role, Scene, Stay};
use crate::device::{Device, Heard, Io};
use crate::random::Random;

use hexmq_wire::QoS;

/// What is not there so long after SUBACK does not come.
const PATIENCE_MS: u64 = 20_000;

/// A probe.
#[derive(Debug)]
pub(crate) struct Probe {
    filter: String,
    random: Random,
    connect_at_ms: u64,
    /// When the SUBACK came.
    granted_at_ms: Option<u64>,
    /// It stays a little, to see what should not come.
    leave_at_ms: u64,
    /// Rounds that saw everything while nobody published.
    full_rounds_at_end: u32,
}

impl Probe {
    pub(crate) fn new(filter: &str, random: Random) -> Probe {
        Probe {
            filter: filter.to_owned(),
            random,
            connect_at_ms: 0,
            granted_at_ms: None,
            leave_at_ms: 0,
            full_rounds_at_end: 0,
        }
    }
}

impl Role for Probe {
    fn wants_connection(&mut self, scene: &Scene, _: &Io<'_>, _: &Device) -> bool {
        scene.now_ms >= self.connect_at_ms
    }

    fn connected(&mut self, device: &mut Device, _: &Scene, io: &mut Io<'_>) {
        device.connect(true, None, io);
    }

    fn heard(&mut self, heard: &Heard, device: &mut Device, scene: &Scene, io: &mut Io<'_>) {
        match heard {
            Heard::Connected { .. } => {
                device.subscribe(&[(self.filter.clone(), QoS::AtLeastOnce)], io);
            }
            Heard::Granted(_) => {
                self.granted_at_ms = Some(scene.now_ms);
                self.leave_at_ms = scene.now_ms + self.random.between(20, 200);
            }
            _ => {}
        }
    }

    fn tick(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) -> Stay {
        let Some(granted_at_ms) = self.granted_at_ms else { return Stay::Yes };
        if scene.now_ms < self.leave_at_ms {
            return Stay::Yes;
        }
        if !io.checker.retained_owed(device.id).is_empty() {
            if scene.now_ms < granted_at_ms + PATIENCE_MS {
                return Stay::Yes;
            }
            io.checker.give_up_on_retained(device.id);
        }
        self.full_rounds_at_end += u32::from(scene.is_ending);
        device.disconnect(false, io);
        Stay::Close
    }

    fn lost(&mut self, scene: &Scene) {
        self.granted_at_ms = None;
        self.connect_at_ms = scene.now_ms + self.random.below(400);
    }

    /// The first round of the end may have begun before the last change.
    fn is_done(&self, _: &Device, _: &Io<'_>) -> bool {
        self.full_rounds_at_end >= 2
    }
}
