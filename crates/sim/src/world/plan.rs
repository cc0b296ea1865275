//! What a seed means: how many shards and clients, what they are like, which bounds are tight.

use hexmq_broker::{Limits, Namespace, SessionKey};
use hexmq_wire::{QoS, Version};

use super::random::Random;

/// Makes a run smaller than its seed says, to find the least that still fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scale {
    /// Clients at most, beside the one that watches for Wills.
    pub clients: Option<usize>,
    /// Random actions of all clients together.
    pub actions: Option<usize>,
}

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) shards: u16,
    pub(super) actions: usize,
    pub(super) limits: Limits,
    pub(super) clients: Vec<Spec>,
    /// Milliseconds a piece of the byte stream travels at least and at most.
    pub(super) latency_ms: (u64, u64),
    /// In so many of a hundred actions the network breaks a connection.
    pub(super) break_percent: u64,
    /// In so many of a hundred CONNECTs the answer comes later.
    pub(super) ask_later_percent: u64,
    /// Batches a lane holds.
    pub(super) lane_batches: usize,
    /// Bytes the kernel takes for a client that has not read them.
    pub(super) socket_bytes: usize,
    pub(super) topics: u64,
    /// The server has a store.
    pub(super) store: Option<StorePlan>,
}

/// A store and what happens to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct StorePlan {
    /// In so many of a hundred actions the power fails.
    pub(super) cut_percent: u64,
    /// Milliseconds until a sync is through, at most.
    pub(super) latency_ms: u64,
    pub(super) segment_bytes: u64,
    pub(super) slack_bytes: u64,
    /// One read of so many fails; 0: none.
    pub(super) read_fails_of: u32,
    /// One sync of so many fails; 0: none. What the server cannot promise then it refuses.
    pub(super) sync_fails_of: u32,
}

/// What a client is like.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: String,
    /// Whose client it is,
    pub(super) namespace: Namespace,
    /// and under which name: another one may have it in another namespace.
    pub(super) identifier: String,
    pub(super) version: Version,
    pub(super) nature: Nature,
    pub(super) keeps: Keeps,
    pub(super) receive_maximum: Option<u16>,
    pub(super) maximum_packet_size: Option<u32>,
    pub(super) topic_alias_maximum: u16,
    pub(super) keep_alive_s: u16,
    pub(super) will: Option<WillSpec>,
    /// Uses Retain As Published, whose RETAIN flags say less about where a message comes from.
    pub(super) retain_as_published: bool,
    /// Waits this long at most before it acknowledges, in milliseconds.
    pub(super) laziness_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Subscribes to all Wills over a network that never fails.
    Witness,
    /// Keeps to the standard.
    Legal,
    /// Sends what breaks it.
    Rude,
    /// Never reads.
    Deaf,
}

/// What becomes of the session when the connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keeps {
    #[default]
    Nothing,
    ForSeconds(u32),
    Forever,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct WillSpec {
    pub(super) qos: QoS,
    pub(super) delay_s: u32,
}

impl Plan {
    pub(super) fn new(random: &mut Random, scale: Scale) -> Plan {
        let shards = random.pick(&[1, 2, 2, 3, 4]);
        let limits = limits(random);
        let most = scale.clients.unwrap_or(usize::MAX);
        let count = random.between(2, 9) as usize;
        let mut clients = vec![Spec::witness()];
        let devices = random.percent(60);
        for number in 0..count {
            let mut spec = Spec::new(number, random);
            if devices {
                spec.settle(random.pick(&REALMS), &clients);
            }
            clients.push(spec);
        }
        clients.truncate(most.saturating_add(1));
        let store = random.percent(60).then(|| StorePlan {
            cut_percent: random.pick(&[0, 0, 1, 2, 5]),
            latency_ms: random.pick(&[0, 2, 50, 1000]),
            segment_bytes: random.pick(&[2_000, 20_000, 1 << 20]),
            slack_bytes: random.pick(&[0, 10_000, 1 << 20]),
            read_fails_of: random.pick(&[0, 0, 0, 20]),
            sync_fails_of: random.pick(&[0, 0, 0, 4, 20]),
        });
        let actions = random.between(40, 260) as usize;
        Plan {
            shards,
            actions: scale.actions.unwrap_or(usize::MAX).min(actions),
            limits,
            clients,
            latency_ms: random.pick(&[(0, 0), (0, 5), (1, 40), (0, 400), (5, 1500)]),
            break_percent: random.pick(&[0, 1, 4, 10]),
            ask_later_percent: random.pick(&[0, 20, 100]),
            lane_batches: random.pick(&[1, 1, 2, 8]),
            socket_bytes: random.pick(&[64, 300, 4096, 65_536]),
            topics: random.between(1, 5),
            store,
        }
    }
}

fn limits(random: &mut Random) -> Limits {
    Limits {
        receive_maximum: random.pick(&[3, 10, 100]),
        topic_alias_maximum: random.pick(&[0, 2, 10]),
        in_flight_per_session: random.pick(&[1, 3, 20, 64]),
        session_queue_messages: random.pick(&[3, 30, 1000, 1000, 1000]),
        session_queue_bytes: random.pick(&[2000, 1 << 20, 1 << 20]),
        write_buffer_bytes: random.pick(&[500, 4096, 1 << 20]),
        maximum_packet_size: random.pick(&[4096, 65_536]),
        handout_budget: random.pick(&[1, 3, 256]),
        sys_interval_s: random.pick(&[0, 10]),
        retained_messages: random.pick(&[4, 1000, 1000]),
        queue_memory_bytes: random.pick(&[0, 500, 64 << 20]),
        retained_memory_bytes: random.pick(&[0, 100, 64 << 20]),
        uplink_queue_messages: random.pick(&[1, 5, 1000, 1000]),
        uplink_queue_bytes: random.pick(&[500, 1 << 20, 1 << 20]),
        uplink_window_messages: random.pick(&[1, 4, 4096]),
        uplink_window_bytes: random.pick(&[1, 400, 1 << 20]),
        ..Limits::default()
    }
}

/// Where clients are at home: among plain ones, in two products, and in one that shares the topics of plain ones.
const REALMS: [Namespace; 6] = [
    Namespace::PLAIN,
    Namespace::PLAIN,
    Namespace::of_product(1, false),
    Namespace::of_product(1, false),
    Namespace::of_product(2, false),
    Namespace::of_product(3, true),
];

impl Spec {
    /// The session it has.
    pub(super) fn key(&self) -> SessionKey {
        SessionKey { namespace: self.namespace, identifier: self.identifier.as_str().into() }
    }

    /// Where its Will is published, as the witness sees it.
    pub(super) fn will_topic(&self) -> String {
        match self.namespace {
            Namespace::PLAIN => format!("w/{}", self.name),
            namespace => format!("$hexmq/p{namespace}/raw/w/{}", self.name),
        }
    }

    /// Makes it a device, with the first name that is free in its namespace.
    fn settle(&mut self, namespace: Namespace, others: &[Spec]) {
        if namespace == Namespace::PLAIN {
            return;
        }
        let before = others.iter().filter(|other| other.namespace == namespace).count();
        self.namespace = namespace;
        self.identifier = format!("c{before}");
        if namespace.topics() == Namespace::PLAIN {
            // Its Will would be seen twice: as everybody's, and as its product's.
            self.will = None;
        }
    }

    fn witness() -> Spec {
        Spec {
            name: "witness".into(),
            namespace: Namespace::PLAIN,
            identifier: "witness".into(),
            version: Version::V5,
            nature: Nature::Witness,
            keeps: Keeps::Forever,
            receive_maximum: None,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            keep_alive_s: 0,
            will: None,
            retain_as_published: false,
            laziness_ms: 0,
        }
    }

    fn new(number: usize, random: &mut Random) -> Spec {
        let version =
            random.pick(&[Version::V3, Version::V4, Version::V4, Version::V5, Version::V5, Version::V5]);
        let v5 = version == Version::V5;
        let nature = match random.below(12) {
            0 => Nature::Rude,
            1 => Nature::Deaf,
            _ => Nature::Legal,
        };
        let keeps = match random.below(6) {
            _ if nature != Nature::Legal => Keeps::Nothing,
            0 | 1 => Keeps::Nothing,
            2 if v5 => Keeps::ForSeconds(random.between(1, 30) as u32),
            _ => Keeps::Forever,
        };
        let delay_s = if v5 { random.pick(&[0, 0, 2, 15]) } else { 0 };
        let qos = random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let will = (nature == Nature::Legal && random.percent(50)).then_some(WillSpec { qos, delay_s });
        Spec {
            name: format!("c{number}"),
            namespace: Namespace::PLAIN,
            identifier: format!("c{number}"),
            version,
            nature,
            keeps,
            receive_maximum: if v5 { random.pick(&[None, Some(1), Some(2), Some(10)]) } else { None },
            maximum_packet_size: if v5 { random.pick(&[None, None, None, Some(300)]) } else { None },
            topic_alias_maximum: if v5 { random.pick(&[0, 1, 3]) } else { 0 },
            keep_alive_s: random.pick(&[0, 0, 20, 60]),
            will,
            retain_as_published: v5 && random.percent(15),
            laziness_ms: random.pick(&[0, 0, 20, 500]),
        }
    }
}
