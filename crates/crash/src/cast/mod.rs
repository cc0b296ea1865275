//! Who takes part in a run, and what each of them does.

mod mortal;
mod probe;
mod publisher;
mod subscriber;

use hexmq_wire::{QoS, Version};

pub(crate) use mortal::Mortal;
pub(crate) use probe::Probe;
pub(crate) use publisher::{Publisher, Writes};
pub(crate) use subscriber::{Change, Habit, Subscriber};

use crate::device::{Device, Heard, Io};
use crate::history::{ClientId, Keeps};
use crate::random::Random;

/// What is the same for all at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) now_ms: u64,
    /// The end: nobody publishes or changes anything, everybody comes and takes what is theirs.
    pub(crate) is_ending: bool,
    /// So much waits somewhere that no more should come.
    pub(crate) is_crowded: bool,
}

/// Whether the connection is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    Yes,
    /// It is dropped without a word.
    Drop,
    /// What was written is sent, then it is closed.
    Close,
}

/// What leads a device.
pub(crate) trait Role {
    /// Whether it wants a connection now, having none.
    fn wants_connection(&mut self, scene: &Scene, io: &Io<'_>, device: &Device) -> bool;
    /// The network connection stands.
    fn connected(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>);
    /// A packet was taken by the device.
    fn heard(&mut self, heard: &Heard, device: &mut Device, scene: &Scene, io: &mut Io<'_>);
    /// Called often while there is a connection.
    fn tick(&mut self, device: &mut Device, scene: &Scene, io: &mut Io<'_>) -> Stay;
    /// The connection is gone.
    fn lost(&mut self, scene: &Scene);
    /// In the end: whether it has nothing left to do.
    fn is_done(&self, device: &Device, io: &Io<'_>) -> bool;
}

/// A member of the cast.
pub(crate) struct Member {
    pub(crate) device: Device,
    pub(crate) role: Box<dyn Role>,
}

/// Collects the members; their places are their identifiers.
struct Casting {
    members: Vec<Member>,
    random: Random,
}

impl Casting {
    fn device(&self, name: &str, version: Version, keeps: Keeps) -> Device {
        Device::new(ClientId(self.members.len() as u16), name, version, keeps)
    }

    fn random(&mut self) -> Random {
        Random::new(self.random.next())
    }

    fn publisher(&mut self, name: &str, version: Version, keeps: Keeps, writes: Writes, qos: &[QoS]) {
        let device = self.device(name, version, keeps);
        let role = Publisher::new(name, writes, qos, self.random());
        self.members.push(Member { device, role: Box::new(role) });
    }

    fn subscriber(&mut self, device: Device, filters: &[(&str, QoS)], habit: Habit, change: Change) {
        let role = Subscriber::new(filters, habit, change, self.random());
        self.members.push(Member { device, role: Box::new(role) });
    }
}

const Q1: QoS = QoS::AtLeastOnce;
const Q2: QoS = QoS::ExactlyOnce;
const V4: Version = Version::V4;
const V5: Version = Version::V5;
const FOREVER: Keeps = Keeps::Forever;

/// Everybody. Topics are `m/PUBLISHER/N` for messages, `r/PUBLISHER/N` for retained ones and `w/CLIENT` for Wills;
/// no client has two subscriptions that match the same topic.
pub(crate) fn everybody(seed: u64) -> Vec<Member> {
    let mut cast = Casting { members: Vec::new(), random: Random::new(seed) };
    subscribers(&mut cast);
    changing_subscribers(&mut cast);
    for (place, version) in [V4, V5].into_iter().enumerate() {
        let device = cast.device(&format!("probe-{place}"), version, Keeps::Nothing);
        let role = Box::new(Probe::new("r/#", cast.random()));
        cast.members.push(Member { device, role });
    }
    cast.publisher("pub-a", V4, FOREVER, Writes::Messages, &[Q1]);
    cast.publisher("pub-b", V5, FOREVER, Writes::Messages, &[Q2]);
    cast.publisher("pub-c", V5, FOREVER, Writes::Messages, &[Q1, Q2]);
    cast.publisher("pub-d", V4, FOREVER, Writes::Messages, &[Q2]);
    cast.publisher("pub-e", V5, Keeps::Nothing, Writes::Messages, &[Q1, Q2]);
    cast.publisher("pub-r", V5, FOREVER, Writes::Retained, &[Q1, Q2]);
    cast.publisher("pub-s", V4, FOREVER, Writes::Retained, &[Q1]);
    for (name, delay_ms) in [("mortal-long", 600_000), ("mortal-short", 1_000)] {
        let device = cast.device(name, V5, FOREVER);
        let role = Box::new(Mortal::new(name, delay_ms, cast.random()));
        cast.members.push(Member { device, role });
    }
    cast.members
}

/// Those who keep their subscriptions for ever.
fn subscribers(cast: &mut Casting) {
    let comes = Habit::Comes { here_ms: (100, 1_500), away_ms: (50, 2_000) };
    let seldom = Habit::Comes { here_ms: (200, 800), away_ms: (4_000, 9_000) };
    let device = cast.device("sub-all", V4, FOREVER);
    cast.subscriber(device, &[("m/#", Q2), ("w/#", Q2)], Habit::Stays, Change::Nothing);
    let mut device = cast.device("sub-slow", V5, FOREVER);
    (device.receive_maximum, device.slowness_ms) = (16, 15);
    cast.subscriber(device, &[("m/+/0", Q2)], Habit::Stays, Change::Nothing);
    let device = cast.device("sub-low", V5, FOREVER);
    cast.subscriber(device, &[("m/pub-b/#", Q1), ("m/pub-c/#", Q1)], Habit::Stays, Change::Nothing);
    let device = cast.device("sub-comes", V4, FOREVER);
    cast.subscriber(device, &[("m/+/1", Q1), ("m/+/2", Q2)], comes, Change::Nothing);
    let mut device = cast.device("sub-comes-slow", V5, FOREVER);
    device.slowness_ms = 30;
    cast.subscriber(device, &[("m/pub-d/+", Q2), ("m/pub-a/+", Q2)], comes, Change::Nothing);
    let device = cast.device("sub-seldom", V5, FOREVER);
    cast.subscriber(device, &[("m/#", Q2)], seldom, Change::Nothing);
    let device = cast.device("sub-retained", V4, FOREVER);
    cast.subscriber(device, &[("r/#", Q2)], comes, Change::Nothing);
    for (name, habit) in [("share-a", Habit::Stays), ("share-b", comes), ("share-c", comes)] {
        let device = cast.device(name, V5, FOREVER);
        cast.subscriber(device, &[("$share/g/m/+/3", Q2)], habit, Change::Nothing);
    }
}

/// Those whose sessions and subscriptions end and begin anew.
fn changing_subscribers(cast: &mut Casting) {
    let comes = Habit::Comes { here_ms: (100, 1_500), away_ms: (50, 1_000) };
    let device = cast.device("sub-toggles", V5, FOREVER);
    cast.subscriber(device, &[("m/+/1", Q2), ("m/+/2", Q1)], Habit::Stays, Change::Toggles);
    let device = cast.device("sub-toggles-comes", V4, FOREVER);
    cast.subscriber(device, &[("m/+/0", Q2), ("m/+/3", Q1)], comes, Change::Toggles);
    let device = cast.device("sub-discards", V5, FOREVER);
    cast.subscriber(device, &[("m/#", Q2)], comes, Change::Discards);
    let device = cast.device("sub-discards-4", V4, FOREVER);
    cast.subscriber(device, &[("m/+/2", Q1)], comes, Change::Discards);
    let device = cast.device("sub-ends", V5, FOREVER);
    cast.subscriber(device, &[("m/+/1", Q2)], comes, Change::Ends);
    let device = cast.device("sub-expires", V5, Keeps::ForMs(2_000));
    let away = Habit::Comes { here_ms: (100, 800), away_ms: (200, 7_000) };
    cast.subscriber(device, &[("m/+/2", Q2)], away, Change::Nothing);
}
