//! What clients do of their own accord.

use hexmq_wire::{
    Connect, ControlPacket, Delivery, Disconnect, Framer, PropertiesBuf, Property, Publish, QoS, ReasonCode,
    RetainHandling, Subscribe, SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf, Unsubscribe, Version,
    Will,
};

use super::client::{Online, Outgoing, Request, Stage};
use super::ledger::{Held, Ledger, Message, MessageId};
use super::plan::{Keeps, Nature};
use super::wires::Wire;
use super::{Happening, World};

impl World {
    /// One random action.
    pub(super) fn act(&mut self, client: usize) {
        if self.random.percent(self.plan.break_percent)
            && let Some(wire) = self.clients[client].online().map(|online| online.wire)
        {
            let when = self.random.between(0, self.plan.latency_ms.1 + 10);
            self.schedule(when, Happening::Break(wire));
        }
        if self.random.percent(5) {
            self.send_down();
        }
        match self.clients[client].spec.nature {
            Nature::Witness => {}
            Nature::Rude => self.act_rudely(client),
            Nature::Deaf => self.act_deaf(client),
            Nature::Legal => self.act_legally(client),
        }
    }

    fn act_legally(&mut self, client: usize) {
        if self.clients[client].ready().is_none() {
            return;
        }
        match self.random.below(100) {
            0..=59 => {
                for _ in 0..self.random.pick(&[1, 1, 1, 2, 6]) {
                    self.publish_something(client);
                }
                if self.random.percent(10) {
                    self.change_something();
                }
            }
            60..=77 => {
                let count = self.random.pick(&[1, 1, 2]);
                let filters: Vec<String> = (0..count).map(|_| self.some_filter()).collect();
                self.subscribe(client, &filters);
            }
            78..=84 => {
                let filter = self.some_filter();
                self.unsubscribe(client, &filter);
            }
            85..=88 => self.say_goodbye(client, ReasonCode::Success),
            89 => self.say_goodbye(client, ReasonCode::DisconnectWithWillMessage),
            90..=93 => self.hang_up(client),
            94..=96 => {
                // The client thinks its connection is dead and opens another.
                self.abandon(client);
                self.connect(client);
            }
            97 => {
                if let Some(online) = self.clients[client].ready() {
                    online.hanging = true;
                }
                let long = self.random.between(100, 40_000);
                self.schedule(long, Happening::WakeUp(client));
            }
            _ => self.send(client, &ControlPacket::Pingreq),
        }
    }

    pub(super) fn connect(&mut self, client: usize) {
        let now = self.now_ms();
        let wire = self.wires.len();
        self.wires.push(Wire::new(client));
        let random = &mut self.random;
        let who = &mut self.clients[client];
        let spec = who.spec.clone();
        let whim = random.percent(if self.storm { 8 } else { 0 });
        let clean_start =
            who.leaving || who.forgotten || who.doubts.is_some() || spec.keeps == Keeps::Nothing || whim;
        let (mut properties, mut will_properties) = (PropertiesBuf::new(), PropertiesBuf::new());
        let expiry = if who.leaving { Keeps::Nothing } else { spec.keeps };
        if spec.version == Version::V5 {
            let seconds = match expiry {
                Keeps::Nothing => None,
                Keeps::ForSeconds(seconds) => Some(seconds),
                Keeps::Forever => Some(u32::MAX),
            };
            let all = [
                seconds.map(Property::SessionExpiryInterval),
                spec.receive_maximum.map(Property::ReceiveMaximum),
                spec.maximum_packet_size.map(Property::MaximumPacketSize),
                (spec.topic_alias_maximum > 0)
                    .then_some(Property::TopicAliasMaximum(spec.topic_alias_maximum)),
            ];
            for property in all.into_iter().flatten() {
                properties.push(property).expect("a short property");
            }
            if let Some(will) = spec.will.filter(|will| will.delay_s > 0) {
                will_properties.push(Property::WillDelayInterval(will.delay_s)).expect("a short property");
            }
        }
        let (will_topic, will_payload) = (format!("w/{}", spec.name), format!("w{wire}"));
        let will = spec.will.filter(|_| !who.leaving).map(|will| Will {
            topic: &will_topic,
            payload: will_payload.as_bytes(),
            qos: will.qos,
            retain: false,
            properties: will_properties.as_properties(),
        });
        // 3.x has one flag for both: with it a session is new and ends with its connection.
        let keeps = if clean_start && spec.version != Version::V5 { Keeps::Nothing } else { expiry };
        let story = &mut self.wires[wire].story;
        (story.has_will, story.keeps, story.clean_start) = (will.is_some(), keeps, clean_start);
        let user_name = super::cloud::user_name(spec.namespace);
        let packet = ControlPacket::Connect(Connect {
            version: spec.version,
            clean_start,
            keep_alive_s: spec.keep_alive_s,
            client_identifier: &spec.identifier,
            will,
            user_name: user_name.as_deref(),
            password: None,
            properties: properties.as_properties(),
        });
        who.requests.clear();
        who.stage = Stage::Online(Box::new(Online {
            wire,
            framer: Framer::new(u32::MAX),
            clean_start,
            keeps,
            accepted: false,
            hanging: false,
            receive_maximum: u16::MAX,
            alias_maximum: 0,
            aliases_out: Vec::new(),
            aliases_in: Default::default(),
            maximum_packet_size: u32::MAX,
            owed: Default::default(),
            lazy: Vec::new(),
        }));
        if clean_start {
            who.forgotten = true;
            who.outgoing.clear();
            who.taken.clear();
            self.ledger.shaken(client, now);
        }
        self.send(client, &packet);
        if spec.keep_alive_s > 0 {
            self.schedule(u64::from(spec.keep_alive_s) * 400, Happening::Ping(client, wire));
        }
    }

    fn publish_something(&mut self, client: usize) {
        let now = self.now_ms();
        let random = &mut self.random;
        let who = &mut self.clients[client];
        let (name, namespace) = (who.spec.name.clone(), who.spec.namespace);
        let v5 = who.spec.version == Version::V5;
        let Some(online) = who.ready() else { return };
        let qos = random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let (room, largest) = (usize::from(online.receive_maximum), online.maximum_packet_size);
        if qos != QoS::AtMostOnce && who.outgoing.len() >= room {
            return;
        }
        let retain = random.percent(20);
        // Topics that keep a message have one publisher each, so that it is known which is the last.
        let uplink = namespace.product().filter(|_| !retain && random.percent(50)).is_some();
        let topic = match (retain, uplink) {
            (true, _) => format!("r/{name}/{}", random.below(2)),
            (false, true) => format!("{}/{}", random.pick(&["u", "u", "b"]), random.below(2)),
            (false, false) => format!("t/{}", random.below(self.plan.topics)),
        };
        let length = match random.below(20) {
            0 => largest.min(9000) as usize / 2,
            1..=3 => 250,
            _ => random.below(60) as usize,
        };
        let message = Message {
            publisher: client,
            namespace,
            topic,
            qos,
            retain,
            empty: retain && random.percent(25),
            expiry_s: (v5 && random.percent(15)).then(|| random.between(1, 20) as u32),
            first_sent_at: now,
            last_sent_at: now,
            attempts: Vec::new(),
            acknowledged: None,
            refused: false,
            doubtful: 0,
        };
        let id = self.ledger.messages.len();
        self.ledger.messages.push(message);
        self.lengths.push(length);
        let identifier = (qos != QoS::AtMostOnce).then(|| {
            let identifier = who.identifier();
            who.outgoing.push_back(Outgoing { identifier, message: id, qos, released: false });
            identifier
        });
        let delivery = match (qos, identifier) {
            (QoS::AtLeastOnce, Some(identifier)) => Delivery::AtLeastOnce(identifier),
            (QoS::ExactlyOnce, Some(identifier)) => Delivery::ExactlyOnce(identifier),
            _ => Delivery::AtMostOnce,
        };
        self.send_message(client, id, delivery, false);
    }

    pub(super) fn send_message(&mut self, client: usize, id: MessageId, delivery: Delivery, dup: bool) {
        let now = self.now_ms();
        let message = self.ledger.messages[id].clone();
        let mut payload = if message.empty { String::new() } else { format!("m{id} ") };
        if !message.empty {
            payload.extend(std::iter::repeat_n('x', self.lengths[id]));
        }
        let Some(online) = self.clients[client].online() else { return };
        let wire = online.wire;
        let mut properties = PropertiesBuf::new();
        if let Some(seconds) = message.expiry_s {
            properties.push(Property::MessageExpiryInterval(seconds)).expect("a short property");
        }
        let mut topic_name = message.topic.as_str();
        let known = online.aliases_out.iter().position(|known| *known == message.topic);
        let alias = known.map(|place| place as u16 + 1);
        if let Some(alias) = alias {
            topic_name = "";
            properties.push(Property::TopicAlias(alias)).expect("a short property");
        } else if online.aliases_out.len() < usize::from(online.alias_maximum) {
            online.aliases_out.push(message.topic.clone());
            let alias = online.aliases_out.len() as u16;
            properties.push(Property::TopicAlias(alias)).expect("a short property");
        }
        self.ledger.sent(id, wire, now);
        let publish = Publish {
            dup,
            delivery,
            retain: message.retain,
            topic_name,
            properties: properties.as_properties(),
            payload: payload.as_bytes(),
        };
        self.send(client, &ControlPacket::Publish(publish));
    }

    /// A subscription changes while the last message is on its way to it.
    fn change_something(&mut self) {
        let Some(message) = self.ledger.messages.last() else { return };
        let mut matching: Vec<(usize, String)> = Vec::new();
        for (client, who) in self.clients.iter_mut().enumerate() {
            let routed = message.is_routed_to(who.spec.namespace.topics());
            if !routed || who.spec.nature != Nature::Legal || who.ready().is_none() {
                continue;
            }
            let held = self.ledger.held.get(&client).map_or(&[][..], Vec::as_slice).iter();
            let held = held.filter(|held| held.epoch == who.epoch && held.shaken_at.is_none());
            let held = held.filter(|held| Ledger::covers(&held.topic_filter, &message.topic));
            matching.extend(held.map(|held| (client, held.filter.clone())));
        }
        if matching.is_empty() {
            return;
        }
        let (client, filter) = self.random.pick(&matching);
        if self.random.percent(50) {
            self.unsubscribe(client, &filter);
        } else {
            self.subscribe(client, &[filter]);
        }
    }

    fn subscribe(&mut self, client: usize, filters: &[String]) {
        let now = self.now_ms();
        let random = &mut self.random;
        let who = &mut self.clients[client];
        let v5 = who.spec.version == Version::V5;
        let mut subscriptions = SubscriptionsBuf::new();
        let mut properties = PropertiesBuf::new();
        let identifier = (v5 && random.percent(50)).then(|| {
            who.identifiers += 1;
            properties.push(Property::SubscriptionIdentifier(who.identifiers)).expect("a short property");
            who.identifiers
        });
        let mut places = Vec::new();
        for filter in filters {
            let shared = filter.starts_with("$share/");
            let options = SubscriptionOptions {
                qos: random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce]),
                no_local: v5 && !shared && random.percent(15),
                retain_as_published: who.spec.retain_as_published && random.percent(60),
                retain_handling: match random.below(3) {
                    0 if v5 => RetainHandling::SendIfNew,
                    1 if v5 => RetainHandling::DoNotSend,
                    _ => RetainHandling::Send,
                },
            };
            subscriptions.push(filter, options, who.spec.version).expect("a short filter");
            let held = Held::asked(filter, options.qos, who.epoch, now);
            let place =
                self.ledger.subscribed(client, Held { no_local: options.no_local, identifier, ..held });
            places.push(place);
        }
        let packet_identifier = who.identifier();
        who.requests.insert(packet_identifier, Request::Subscribe(places));
        let subscribe = Subscribe {
            packet_identifier,
            properties: properties.as_properties(),
            subscriptions: subscriptions.as_subscriptions(),
        };
        self.send(client, &ControlPacket::Subscribe(subscribe));
    }

    fn unsubscribe(&mut self, client: usize, filter: &str) {
        let now = self.now_ms();
        let who = &mut self.clients[client];
        let mut places = Vec::new();
        for (place, held) in self.ledger.held.entry(client).or_default().iter_mut().enumerate() {
            if held.epoch == who.epoch && held.filter == filter {
                held.shaken_at = held.shaken_at.or(Some(now));
                places.push(place);
            }
        }
        let mut filters = TopicFiltersBuf::new();
        filters.push(filter).expect("a short filter");
        let packet_identifier = who.identifier();
        who.requests.insert(packet_identifier, Request::Unsubscribe(places));
        let unsubscribe = Unsubscribe {
            packet_identifier,
            properties: hexmq_wire::Properties::EMPTY,
            topic_filters: filters.as_topic_filters(),
        };
        self.send(client, &ControlPacket::Unsubscribe(unsubscribe));
    }

    pub(super) fn say_goodbye(&mut self, client: usize, reason: ReasonCode) {
        let v5 = self.clients[client].spec.version == Version::V5;
        let reason = if v5 { reason } else { ReasonCode::Success };
        self.send(client, &ControlPacket::Disconnect(Disconnect::with_reason(reason)));
        self.hang_up(client);
    }

    /// Closes the connection from the client's side.
    pub(super) fn hang_up(&mut self, client: usize) {
        if let Some(wire) = self.clients[client].online().map(|online| online.wire) {
            self.abandon(client);
            self.wires[wire].client_closed = true;
            self.carry_to_server(wire);
            self.reconnect_later(client);
        }
    }

    /// Does not care for its connection any more, whatever comes.
    pub(super) fn abandon(&mut self, client: usize) {
        let now = self.now_ms();
        let who = &mut self.clients[client];
        if let Stage::Online(online) = std::mem::replace(&mut who.stage, Stage::Idle) {
            self.wires[online.wire].abandoned = true;
            if online.keeps == Keeps::Nothing {
                self.ledger.shaken(client, now);
            }
        }
    }

    pub(super) fn reconnect_later(&mut self, client: usize) {
        let most = if self.storm { self.random.pick(&[10, 500, 5000, 40_000]) } else { 100 };
        let when = self.random.between(1, most);
        self.schedule(when, Happening::Connect(client));
    }

    fn act_rudely(&mut self, client: usize) {
        let Some(wire) = self.clients[client].online().map(|online| online.wire) else { return };
        let accepted = self.clients[client].ready().is_some();
        let mut bytes = Vec::new();
        match self.random.below(5) {
            0 => bytes.extend((0..self.random.below(40)).map(|_| self.random.next() as u8)),
            1 => bytes.extend([0x30, 0x05, 0, 3, b'x', b'/', b'+']),
            2 => bytes.extend([0x10, 0x0c, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 0]),
            3 => bytes.extend([0x82, 0x02, 0, 1]),
            _ => {
                let publish = Publish {
                    dup: false,
                    delivery: Delivery::AtMostOnce,
                    retain: false,
                    topic_name: "x/rude",
                    properties: hexmq_wire::Properties::EMPTY,
                    payload: b"!!",
                };
                let version = self.clients[client].spec.version;
                ControlPacket::Publish(publish).encode(version, &mut bytes).expect("a small packet");
                if self.random.percent(30) {
                    let place = self.random.below(bytes.len() as u64) as usize;
                    bytes[place] ^= 1 << self.random.below(8);
                }
            }
        }
        if accepted || self.random.percent(20) {
            self.note(client, '>', &bytes);
            self.wires[wire].to_server.push(&bytes);
            self.carry_to_server(wire);
        }
    }

    /// Floods the server with what it has to answer, and reads no answer.
    fn act_deaf(&mut self, client: usize) {
        let Some(wire) = self.clients[client].ready().map(|online| online.wire) else { return };
        let count = self.random.pick(&[1, 20, 400, 20_000]);
        self.remark(format!("{count} PINGREQ from {}", self.clients[client].spec.name));
        for _ in 0..count {
            self.wires[wire].to_server.push(&[0xC0, 0x00]);
        }
        self.carry_to_server(wire);
    }

    fn some_filter(&mut self) -> String {
        match self.random.below(14) {
            12 => "b/+".into(),
            13 => "d/#".into(),
            0 => "#".into(),
            1 => "t/#".into(),
            2 => "t/+".into(),
            3 => "+/0".into(),
            4 => "r/#".into(),
            5 => format!("r/c{}/+", self.random.below(3)),
            6 => "$share/g/t/#".into(),
            7 => "$share/h/t/0".into(),
            _ => format!("t/{}", self.random.below(self.plan.topics)),
        }
    }
}
