//! Has a persistent session, comes and goes, and may change what it is subscribed to.

use hexmq_wire::{QoS, Version};

use super::{Role, Scene, Stay};
use crate::device::{Device, Heard, Io};
use crate::random::Random;

/// A client with so many messages waiting comes back early: no queue is to reach its bound.
const BACKLOG_MAX: usize = 3_000;

/// When it is on line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Habit {
    Stays,
    /// Times between these.
    Comes {
        here_ms: (u64, u64),
        away_ms: (u64, u64),
    },
}

/// What it does to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// Ends subscriptions and makes them anew.
    Toggles,
    /// Connects with Clean Start (or Clean Session) now and then.
    Discards,
    /// 5.0: goes with Session Expiry Interval 0 now and then.
    Ends,
}

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// To be asked for.
    Missing,
    Asked,
    Has,
    /// To be ended, or asked for.
    Leaving,
    /// Ended; asked for again then.
    Without {
        until_ms: u64,
    },
}

#[derive(Debug)]
struct Wish {
    filter: String,
    qos: QoS,
    want: Want,
}

/// A subscriber.
#[derive(Debug)]
pub(crate) struct Subscriber {
    wishes: Vec<Wish>,
    habit: Habit,
    change: Change,
    random: Random,
    connect_at_ms: u64,
    leave_at_ms: u64,
    change_at_ms: u64,
    /// The next CONNECT discards the session, until one was answered.
    discards_next: bool,
    /// This connection of a 3.x client has a session that ends with it.
    is_passing: bool,
}

impl Subscriber {
    pub(crate) fn new(filters: &[(&str, QoS)], habit: Habit, change: Change, random: Random) -> Subscriber {
        let wish =
            |&(filter, qos): &(&str, QoS)| Wish { filter: filter.to_owned(), qos, want: Want::Missing };
        Subscriber {
            wishes: filters.iter().map(wish).collect(),
            habit,
            change,
            random,
            connect_at_ms: 0,
            leave_at_ms: u64::MAX,
            change_at_ms: u64::MAX,
            discards_next: false,
            is_passing: false,
        }
    }

    fn ask(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) {
        if device.is_asking() {
            return;
        }
        let is_wanted = |wish: &Wish| match wish.want {
            Want::Missing => true,
            Want::Without { until_ms } => scene.is_ending || scene.now_ms >= until_ms,
            _ => false,
        };
        let asked: Vec<&mut Wish> = self.wishes.iter_mut().filter(|wish| is_wanted(wish)).collect();
        if !asked.is_empty() {
            let filters: Vec<_> = asked.iter().map(|wish| (wish.filter.clone(), wish.qos)).collect();
            device.subscribe(&filters, io);
            asked.into_iter().for_each(|wish| wish.want = Want::Asked);
        } else if let Some(wish) = self.wishes.iter().find(|wish| wish.want == Want::Leaving) {
            device.unsubscribe(&wish.filter, io);
        }
    }

    fn granted(&mut self, filters: &[String]) {
        for wish in self.wishes.iter_mut().filter(|wish| filters.contains(&wish.filter)) {
            wish.want = Want::Has;
        }
    }

    /// The time has come for what it does to its session.
    fn make_change(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) -> Stay {
        self.change_at_ms = scene.now_ms + self.random.between(200, 2_500);
        match self.change {
            Change::Nothing => Stay::Yes,
            Change::Toggles => {
                let place = self.random.below(self.wishes.len() as u64) as usize;
                if let Some(wish) = self.wishes.get_mut(place).filter(|wish| wish.want == Want::Has) {
                    wish.want = Want::Leaving;
                }
                Stay::Yes
            }
            Change::Discards => {
                self.discards_next = true;
                self.forget();
                self.leave(device, false, io)
            }
            Change::Ends => {
                self.forget();
                device.disconnect(true, io);
                Stay::Close
            }
        }
    }

    fn forget(&mut self) {
        self.wishes.iter_mut().for_each(|wish| wish.want = Want::Missing);
    }

    /// Half of those who go say so.
    fn leave(&mut self, device: &mut Device, must_say: bool, io: &mut Io<'_>) -> Stay {
        if !must_say && self.random.percent(50) {
            return Stay::Drop;
        }
        device.disconnect(false, io);
        Stay::Close
    }
}

impl Role for Subscriber {
    fn wants_connection(&mut self, scene: &Scene, io: &Io<'_>, device: &Device) -> bool {
        scene.is_ending
            || scene.now_ms >= self.connect_at_ms
            || io.checker.backlog_of(device.id) > BACKLOG_MAX
    }

    fn connected(&mut self, device: &mut Device, _: &Scene, io: &mut Io<'_>) {
        self.is_passing = self.discards_next && device.version != Version::V5;
        device.connect(self.discards_next, None, io);
    }

    fn heard(&mut self, heard: &Heard, device: &mut Device, scene: &Scene, io: &mut Io<'_>) {
        match heard {
            Heard::Connected { session_present } => {
                if !session_present {
                    self.forget();
                }
                self.discards_next = false;
                if let Habit::Comes { here_ms: (low, high), .. } = self.habit {
                    self.leave_at_ms = scene.now_ms + self.random.between(low, high);
                }
                self.change_at_ms = scene.now_ms + self.random.between(100, 2_500);
                if !self.is_passing {
                    self.ask(device, scene, io);
                }
            }
            Heard::Granted(filters) => self.granted(filters),
            Heard::Unsubscribed(filter) => {
                let until_ms = scene.now_ms + self.random.between(20, 700);
                for wish in self.wishes.iter_mut().filter(|wish| wish.filter == *filter) {
                    wish.want = Want::Without { until_ms };
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) -> Stay {
        if !device.is_connected() {
            return Stay::Yes;
        }
        if self.is_passing {
            self.is_passing = false;
            return self.leave(device, false, io);
        }
        if !scene.is_ending {
            if scene.now_ms >= self.leave_at_ms {
                return self.leave(device, false, io);
            }
            let is_settled = self.wishes.iter().all(|wish| wish.want == Want::Has);
            if scene.now_ms >= self.change_at_ms && is_settled {
                return self.make_change(device, scene, io);
            }
        }
        self.ask(device, scene, io);
        Stay::Yes
    }

    fn lost(&mut self, scene: &Scene) {
        // A request without an answer is asked again.
        for wish in self.wishes.iter_mut().filter(|wish| wish.want == Want::Asked) {
            wish.want = Want::Missing;
        }
        let (low, high) = match self.habit {
            Habit::Comes { away_ms, .. } if scene.now_ms >= self.leave_at_ms => away_ms,
            _ => (0, 40),
        };
        self.connect_at_ms = scene.now_ms + self.random.between(low, high);
        self.leave_at_ms = u64::MAX;
    }

    fn is_done(&self, device: &Device, _: &Io<'_>) -> bool {
        device.is_connected() && self.wishes.iter().all(|wish| wish.want == Want::Has)
    }
}
