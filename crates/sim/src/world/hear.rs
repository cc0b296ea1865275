//! What clients make of what they receive, and what they find wrong with it.

use std::ops::ControlFlow;

use hexmq_wire::{
    Ack, Connack, ControlPacket, Delivery, Frame, Framer, Leniency, NoTrace, PacketIdentifier, Publish, QoS,
    ReasonCode, Suback, Unsuback, Version, decode,
};

use super::client::{Request, Stage};
use super::ledger::{self, Acknowledged, Change};
use super::plan::{Keeps, Nature};
use super::{Happening, World};

impl World {
    /// Bytes arrive at a client.
    pub(super) fn client_hears(&mut self, wire: usize, bytes: &[u8]) {
        let client = self.wires[wire].client;
        let version = self.clients[client].spec.version;
        let Some(online) = self.clients[client].online().filter(|online| online.wire == wire) else { return };
        let mut framer = std::mem::replace(&mut online.framer, Framer::new(u32::MAX));
        let mut packets: Vec<Vec<u8>> = Vec::new();
        let fed = framer.feed(bytes, |frame| {
            packets.push(frame.bytes.to_vec());
            ControlFlow::<()>::Continue(())
        });
        online.framer = framer;
        if let Err(error) = fed {
            self.fail(client, format!("the server sends what is no packet: {error}"));
        }
        for bytes in packets {
            self.note(client, '<', &bytes);
            let packet = match decode(Frame::new(&bytes), version, &Leniency::default(), &mut NoTrace) {
                Ok(packet) => packet,
                Err(fault) => return self.fail(client, format!("the server breaks a rule: {fault}")),
            };
            let largest = self.clients[client].spec.maximum_packet_size;
            if largest.is_some_and(|largest| bytes.len() > largest as usize) {
                // [V5 MQTT-3.1.2-24]
                return self.fail(client, "a packet larger than Maximum Packet Size".into());
            }
            if let Err(wrong) = self.handle(client, wire, &packet) {
                return self.fail(client, wrong);
            }
        }
    }

    fn handle(&mut self, client: usize, wire: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
        let Some(online) = self.clients[client].online().filter(|online| online.wire == wire) else {
            return Ok(());
        };
        if online.accepted == matches!(packet, ControlPacket::Connack(_)) {
            // [V4 MQTT-3.2.0-1, V5 MQTT-3.2.0-1]
            return Err("CONNACK is the first packet and comes once".into());
        }
        let rude = self.clients[client].spec.nature == Nature::Rude;
        match packet {
            ControlPacket::Connack(connack) => self.hear_connack(client, wire, connack),
            // What a client that breaks rules gets is of no interest.
            _ if rude => Ok(()),
            ControlPacket::Publish(publish) => self.hear_publish(client, wire, publish),
            ControlPacket::Puback(ack) => self.hear_puback(client, wire, ack),
            ControlPacket::Pubrec(ack) => self.hear_pubrec(client, wire, ack),
            ControlPacket::Pubcomp(ack) => self.hear_pubcomp(client, ack),
            ControlPacket::Pubrel(ack) => {
                self.clients[client].taken.remove(&ack.packet_identifier);
                let pubcomp = ControlPacket::Pubcomp(Ack::success(ack.packet_identifier));
                self.acknowledge(client, Some(ack.packet_identifier), &pubcomp);
                Ok(())
            }
            ControlPacket::Suback(suback) => self.hear_suback(client, wire, suback),
            ControlPacket::Unsuback(unsuback) => self.hear_unsuback(client, wire, unsuback),
            ControlPacket::Pingresp | ControlPacket::Disconnect(_) => Ok(()),
            other => Err(format!("{} is not for clients", other.packet_type().name())),
        }
    }

    fn hear_connack(&mut self, client: usize, wire: usize, connack: &Connack<'_>) -> Result<(), String> {
        let may_refuse = self.plan.store.is_some_and(|store| store.sync_fails_of > 0);
        if may_refuse && connack.reason_code == ReasonCode::ServerUnavailable {
            // The store could not write: the client tries again.
            self.hang_up(client);
            return Ok(());
        }
        if connack.reason_code != ReasonCode::Success {
            return Err(format!("CONNECT was refused: {}", connack.reason_code.name()));
        }
        let accepted_at = self.wires[wire].story.entered_at().unwrap_or_default();
        let expected = self.expects_session(client, wire, accepted_at);
        let who = &mut self.clients[client];
        let Some(online) = who.online() else { return Ok(()) };
        online.accepted = true;
        online.receive_maximum = connack.properties.receive_maximum().unwrap_or(u16::MAX);
        online.alias_maximum = connack.properties.topic_alias_maximum().unwrap_or(0);
        online.maximum_packet_size = connack.properties.maximum_packet_size().unwrap_or(4000);
        let expected = expected.filter(|_| !online.clean_start).or(online.clean_start.then_some(false));
        let present = match who.spec.version {
            // 3.1 does not say.
            Version::V3 => expected.unwrap_or(true),
            _ => connack.session_present,
        };
        if expected.is_some_and(|expected| expected != present) {
            // [V4 MQTT-3.2.2-2, V4 MQTT-3.2.2-3, V5 MQTT-3.2.2-2, V5 MQTT-3.2.2-3]
            return Err(format!("Session Present is {present}"));
        }
        if who.spec.version == Version::V3 && expected.is_none() {
            for outgoing in &who.outgoing {
                self.ledger.messages[outgoing.message].doubtful += 1;
            }
        }
        who.forgotten = false;
        who.doubts = who.doubts.filter(|doubted| *doubted != wire);
        if !present {
            who.epoch += 1;
            who.outgoing.clear();
            who.taken.clear();
            let now = self.now_ms();
            for held in self.ledger.held.entry(client).or_default() {
                held.shaken_at = held.shaken_at.or(Some(now));
                held.gone_at = held.gone_at.or(Some(now));
            }
        }
        self.resend(client);
        if self.clients[client].leaving {
            self.clients[client].left = true;
            self.say_goodbye(client, ReasonCode::Success);
        } else if self.clients[client].spec.nature == Nature::Witness {
            self.watch_wills(client);
        }
        Ok(())
    }

    /// [V4 MQTT-4.4.0-1, V5 MQTT-4.4.0-1]
    fn resend(&mut self, client: usize) {
        for outgoing in self.clients[client].outgoing.clone() {
            match (outgoing.released, outgoing.qos) {
                (true, _) => self.send(client, &ControlPacket::Pubrel(Ack::success(outgoing.identifier))),
                (false, QoS::ExactlyOnce) => {
                    self.send_message(
                        client,
                        outgoing.message,
                        Delivery::ExactlyOnce(outgoing.identifier),
                        true,
                    );
                }
                (false, _) => {
                    self.send_message(
                        client,
                        outgoing.message,
                        Delivery::AtLeastOnce(outgoing.identifier),
                        true,
                    );
                }
            }
        }
    }

    fn hear_publish(&mut self, client: usize, wire: usize, publish: &Publish<'_>) -> Result<(), String> {
        let at = self.now_ms();
        let who = &mut self.clients[client];
        let (epoch, topics) = (who.epoch, who.spec.namespace.topics());
        let window = who.spec.receive_maximum;
        let most_aliases = who.spec.topic_alias_maximum;
        let taken = match publish.delivery {
            Delivery::ExactlyOnce(identifier) => !who.taken.insert(identifier),
            _ => false,
        };
        let Some(online) = who.online() else { return Ok(()) };
        let topic = match (publish.properties.topic_alias(), publish.topic_name) {
            (None, topic) => topic.to_owned(),
            (Some(alias), _) if alias == 0 || alias > most_aliases => {
                // [V5 MQTT-3.1.2-26, V5 MQTT-3.1.2-27]
                return Err(format!("Topic Alias {alias} where {most_aliases} is the largest"));
            }
            (Some(alias), "") => online.aliases_in.get(&alias).cloned().ok_or("an unknown Topic Alias")?,
            (Some(alias), topic) => {
                online.aliases_in.insert(alias, topic.to_owned());
                topic.to_owned()
            }
        };
        if let Some(identifier) = publish.delivery.packet_identifier() {
            if !online.owed.insert(identifier) && !publish.dup {
                // [V4 MQTT-2.3.1-4, V5 MQTT-2.2.1-4]
                return Err(format!("Packet Identifier {identifier} is used for two messages at once"));
            }
            if window.is_some_and(|window| online.owed.len() > usize::from(window)) {
                // [V5 MQTT-3.3.4-9]
                return Err(format!(
                    "{} messages unacknowledged, Receive Maximum is {window:?}",
                    online.owed.len()
                ));
            }
        }
        match publish.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(identifier) => {
                self.acknowledge(client, Some(identifier), &ControlPacket::Puback(Ack::success(identifier)));
            }
            Delivery::ExactlyOnce(identifier) => {
                self.acknowledge(client, None, &ControlPacket::Pubrec(Ack::success(identifier)));
            }
        }
        if taken && !publish.dup {
            return Err("a QoS 2 message under an identifier that is not released".into());
        }
        if taken {
            return Ok(());
        }
        let delivery = ledger::Delivery {
            client,
            wire,
            topics,
            epoch,
            topic: &topic,
            qos: publish.qos(),
            dup: publish.dup,
            retain: publish.retain,
            identifiers: publish.properties.subscription_identifiers().collect(),
            at,
        };
        self.hear_message(client, publish, &delivery)
    }

    fn hear_message(
        &mut self,
        client: usize,
        publish: &Publish<'_>,
        delivery: &ledger::Delivery<'_>,
    ) -> Result<(), String> {
        let text = std::str::from_utf8(publish.payload).unwrap_or_default();
        let number =
            |prefix| text.strip_prefix(prefix).and_then(|rest: &str| rest.split(' ').next()?.parse().ok());
        if let Some(wire) = number('w').filter(|_| self.clients[client].spec.nature == Nature::Witness) {
            self.ledger.wills.push(ledger::WillSeen { wire, at: delivery.at });
        }
        if let Some(number) = number('d') {
            return self.hear_downlink(number, delivery);
        }
        let Some(id) = number('m') else { return Ok(()) };
        if publish.properties.message_expiry_interval()
            > self.ledger.messages.get(id).and_then(|message| message.expiry_s)
        {
            // [V5 MQTT-3.3.2-6]
            return Err(format!("message {id} lives longer than its publisher said"));
        }
        if delivery.retain {
            self.reader_saw.insert((client, delivery.topic.to_owned()), id);
        }
        self.ledger.delivered(id, delivery)
    }

    /// Sends an acknowledgement now or, in order, later.
    fn acknowledge(&mut self, client: usize, settles: Option<PacketIdentifier>, packet: &ControlPacket<'_>) {
        let laziness = self.clients[client].spec.laziness_ms;
        let version = self.clients[client].spec.version;
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).expect("an acknowledgement");
        let Some(online) = self.clients[client].online() else { return };
        let wire = online.wire;
        online.lazy.push((settles, bytes));
        if online.lazy.len() == 1 {
            let when = self.random.between(0, laziness);
            if when == 0 {
                return self.acknowledge_all(client, wire);
            }
            self.schedule(when, Happening::Acknowledge(client, wire));
        }
    }

    pub(super) fn acknowledge_all(&mut self, client: usize, wire: usize) {
        let Some(online) = self.clients[client].ready().filter(|online| online.wire == wire) else { return };
        let lazy = std::mem::take(&mut online.lazy);
        for (settles, _) in &lazy {
            settles.map(|identifier| online.owed.remove(&identifier));
        }
        for (_, bytes) in lazy {
            self.note(client, '>', &bytes);
            self.wires[wire].to_server.push(&bytes);
        }
        self.carry_to_server(wire);
    }

    fn hear_puback(&mut self, client: usize, wire: usize, ack: &Ack<'_>) -> Result<(), String> {
        let outgoing = &mut self.clients[client].outgoing;
        // [V4 MQTT-4.6.0-2, V5 MQTT-4.6.0-2]
        let first = outgoing.iter().position(|outgoing| outgoing.qos == QoS::AtLeastOnce);
        let first = first.filter(|&place| outgoing[place].identifier == ack.packet_identifier);
        let Some(done) = first.and_then(|place| outgoing.remove(place)) else {
            return Err(format!("PUBACK {} is not for the oldest QoS 1 message", ack.packet_identifier));
        };
        self.settled(done.message, wire, ack.reason_code);
        Ok(())
    }

    fn hear_pubrec(&mut self, client: usize, wire: usize, ack: &Ack<'_>) -> Result<(), String> {
        let outgoing = &mut self.clients[client].outgoing;
        let known = |place: &super::client::Outgoing| {
            place.qos == QoS::ExactlyOnce && place.identifier == ack.packet_identifier && !place.released
        };
        let Some(place) = outgoing.iter().position(known) else {
            return Err(format!("PUBREC {} is for no message", ack.packet_identifier));
        };
        let message = outgoing[place].message;
        self.settled(message, wire, ack.reason_code);
        let outgoing = &mut self.clients[client].outgoing;
        if ack.reason_code.is_error() {
            outgoing.remove(place);
            return Ok(());
        }
        outgoing[place].released = true;
        self.send(client, &ControlPacket::Pubrel(Ack::success(ack.packet_identifier)));
        Ok(())
    }

    fn hear_pubcomp(&mut self, client: usize, ack: &Ack<'_>) -> Result<(), String> {
        let outgoing = &mut self.clients[client].outgoing;
        let known =
            |place: &super::client::Outgoing| place.released && place.identifier == ack.packet_identifier;
        let Some(place) = outgoing.iter().position(known) else {
            return Err(format!("PUBCOMP {} is for no message", ack.packet_identifier));
        };
        outgoing.remove(place);
        Ok(())
    }

    fn settled(&mut self, message: usize, wire: usize, reason: ReasonCode) {
        let at = self.now_ms();
        let message = &mut self.ledger.messages[message];
        message.refused |= reason.is_error();
        message.acknowledged.get_or_insert(Acknowledged { at, wire });
    }

    fn hear_suback(&mut self, client: usize, wire: usize, suback: &Suback<'_>) -> Result<(), String> {
        let changed = self.change(wire, suback.packet_identifier);
        let who = &mut self.clients[client];
        let Some(Request::Subscribe(places)) = who.requests.remove(&suback.packet_identifier) else {
            return Err(format!("SUBACK {} is for no SUBSCRIBE", suback.packet_identifier));
        };
        if suback.reason_codes.len() != places.len() {
            return Err("SUBACK has another number of codes than SUBSCRIBE of filters".into());
        }
        let held = self.ledger.held.entry(client).or_default();
        for (place, code) in places.iter().zip(suback.reason_codes) {
            let granted = &mut held[*place];
            if *code != granted.qos as u8 {
                return Err(format!(
                    "{} was granted {code:#04x}, asked for {:?}",
                    granted.filter, granted.qos
                ));
            }
            granted.granted_at = Some(changed.at);
            let (filter, epoch) = (granted.filter.clone(), granted.epoch);
            for older in held[..*place].iter_mut() {
                if older.filter == filter && older.epoch == epoch {
                    older.replaced.get_or_insert(changed);
                }
            }
        }
        Ok(())
    }

    fn hear_unsuback(&mut self, client: usize, wire: usize, unsuback: &Unsuback<'_>) -> Result<(), String> {
        let changed = self.change(wire, unsuback.packet_identifier);
        let who = &mut self.clients[client];
        let Some(Request::Unsubscribe(places)) = who.requests.remove(&unsuback.packet_identifier) else {
            return Err(format!("UNSUBACK {} is for no UNSUBSCRIBE", unsuback.packet_identifier));
        };
        let held = self.ledger.held.entry(client).or_default();
        for place in places {
            held[place].gone_at = held[place].gone_at.or(Some(changed.at));
            held[place].ended.get_or_insert(changed);
        }
        Ok(())
    }

    /// The answer to a SUBSCRIBE or UNSUBSCRIBE has come.
    fn change(&self, wire: usize, packet_identifier: PacketIdentifier) -> Change {
        let calm = self.wires[wire].story.calm.contains(&packet_identifier);
        Change { at: self.now_ms(), wire, calm }
    }

    /// Whether a CONNECT accepted at `at` finds a session, as far as can be told from outside.
    pub(super) fn expects_session(&self, client: usize, wire: usize, at: u64) -> Option<bool> {
        const SLACK_MS: u64 = 300;
        // Connections are not accepted in the order in which they were begun.
        let others =
            self.wires.iter().enumerate().filter(|(other, _)| *other != wire).map(|(_, other)| other);
        let accepted = others
            .filter(|other| other.client == client && other.story.accepted_at.is_some_and(|then| then <= at));
        // The server has let it in, perhaps, and the client has not heard.
        let unheard = self.wires.iter().enumerate().any(|(other, unheard)| {
            let story = &unheard.story;
            other != wire
                && unheard.client == client
                && story.gated_at.is_some()
                && story.accepted_at.is_none()
        });
        if unheard {
            return None;
        }
        let Some(last) = accepted.max_by_key(|other| other.story.accepted_at) else { return Some(false) };
        // The beginning of its end may be forgotten.
        let cut = self.ledger.cuts.iter().any(|cut| last.story.accepted_at.is_some_and(|then| then <= *cut));
        match (last.story.keeps, last.story.ended_at) {
            (Keeps::Nothing, _) => Some(false),
            (Keeps::Forever, _) | (Keeps::ForSeconds(_), None) => Some(true),
            (Keeps::ForSeconds(_), Some(_)) if cut => None,
            (Keeps::ForSeconds(seconds), Some(ended)) => {
                let ends = ended + u64::from(seconds) * 1000;
                if at < ends {
                    Some(true)
                } else if at > ends + SLACK_MS {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    /// The client notices that its connection is gone.
    pub(super) fn client_loses(&mut self, wire: usize) {
        let client = self.wires[wire].client;
        if matches!(&self.clients[client].stage, Stage::Online(online) if online.wire == wire) {
            self.abandon(client);
            self.reconnect_later(client);
        }
    }
}
