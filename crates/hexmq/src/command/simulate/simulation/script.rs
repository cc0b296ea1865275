//! What the devices hear, and what they do then.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hexmq_client::load::{Outbox, Script, Then};
use hexmq_wire::{
    Connect, ControlPacket, PacketIdentifier, Properties, QoS, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, Version,
};

use super::{Due, Phase, Simulation, Stage, speaker};
use crate::command::simulate::words::{Command, Heard, Kind};

/// Answers of a device that may wait for their time.
const ANSWERS_MAX: usize = 16;

impl Simulation {
    fn accepted(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let now = Instant::now();
        self.online += 1;
        self.tally.connected += 1;
        let Some(state) = self.devices.get_mut(client) else { return Ok(()) };
        let is_first = !std::mem::replace(&mut state.has_begun, true);
        self.tally.connack.record(nanoseconds(now - state.began));
        state.stage = Stage::Online;
        state.failures = 0;
        let filters = self.plan.words.filters(speaker(&state.device));
        if is_first {
            self.begin_chains(client, now);
        }
        if filters.is_empty() {
            return Ok(());
        }
        let mut subscriptions = SubscriptionsBuf::default();
        for filter in &filters {
            let options = SubscriptionOptions::with_qos(QoS::AtLeastOnce);
            subscriptions.push(filter, options, self.plan.version).map_err(|error| error.to_string())?;
        }
        let subscribe = Subscribe {
            packet_identifier: PacketIdentifier::MIN,
            properties: Properties::EMPTY,
            subscriptions: subscriptions.as_subscriptions(),
        };
        out.send(client, &ControlPacket::Subscribe(subscribe))
    }

    fn acknowledged(&mut self, client: usize, identifier: PacketIdentifier) {
        let Some(state) = self.devices.get_mut(client) else { return };
        // Answers to orders are acknowledged too; nobody waits for those.
        let Some(open) =
            state.open.iter_mut().find(|open| !open.acked && open.identifier == Some(identifier))
        else {
            return;
        };
        open.acked = true;
        self.tally.acked += 1;
        self.tally.ack.record(nanoseconds(open.at.elapsed()));
        state.open.retain(|open| !(open.acked && open.replied));
    }

    fn replied(&mut self, client: usize, number: u32, refusal: Option<&str>) {
        let Some(state) = self.devices.get_mut(client) else { return };
        let Some(open) = state.open.iter_mut().find(|open| !open.replied && open.number == number) else {
            self.tally.error("an answer came to a post that waits for none");
            return;
        };
        open.replied = true;
        self.tally.replied += 1;
        self.tally.reply.record(nanoseconds(open.at.elapsed()));
        state.open.retain(|open| !(open.acked && open.replied));
        if let Some(refusal) = refusal {
            self.tally.rejected += 1;
            self.tally.error(&format!("a post was refused: {refusal}"));
        }
    }

    fn ordered(&mut self, client: usize, command: &Command) {
        self.tally.orders += 1;
        let now = Instant::now();
        if let Kind::Set(values) = &command.kind
            && self.plan.answer.code() == 200
        {
            let Some(state) = self.devices.get_mut(client) else { return };
            for (property, memory) in self.plan.properties.iter().zip(&mut state.memory) {
                if let Some(value) = values.get(&property.name) {
                    memory.set(value.clone());
                }
            }
        }
        let values = self.values(client, now);
        let Some(message) = self.plan.words.answer(command, &self.plan.answer, &values) else { return };
        let Some(state) = self.devices.get_mut(client) else { return };
        if state.answers >= ANSWERS_MAX {
            self.tally.error("more orders came at once than a device can remember");
            return;
        }
        state.answers += 1;
        self.schedule(now + self.plan.answer_delay, client, Due::Answer(message));
    }
}

impl Script for Simulation {
    fn version(&self, _client: usize) -> Version {
        self.plan.version
    }

    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let Some(state) = self.devices.get(client) else { return Ok(()) };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_s = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let sign_in = self.plan.words.sign_in(speaker(&state.device), now_s);
        let connect = Connect {
            version: self.plan.version,
            clean_start: self.plan.clean,
            keep_alive_s: self.plan.keep_alive_s,
            client_identifier: &sign_in.client_identifier,
            will: None,
            user_name: sign_in.user_name.as_deref(),
            password: sign_in.password.as_deref().map(str::as_bytes),
            properties: Properties::EMPTY,
        };
        out.send(client, &ControlPacket::Connect(connect))
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        match packet {
            ControlPacket::Connack(connack) if connack.reason_code.is_error() => {
                // The server closes now; `closed` lets the device come back.
                self.tally.refused += 1;
                self.tally.error(&format!("CONNECT was refused: {}", connack.reason_code.name()));
            }
            ControlPacket::Connack(_) => self.accepted(client, out)?,
            ControlPacket::Suback(suback) => {
                if suback.reason_codes.iter().any(|&code| code >= 0x80) {
                    self.tally.error("a subscription was refused");
                }
            }
            ControlPacket::Puback(ack) | ControlPacket::Pubcomp(ack) => {
                self.acknowledged(client, ack.packet_identifier);
            }
            ControlPacket::Publish(publish) => {
                out.acknowledge(client, packet)?;
                let Some(state) = self.devices.get(client) else { return Ok(()) };
                match self.plan.words.hear(speaker(&state.device), publish.topic_name, publish.payload) {
                    Heard::Reply { number, refusal } => self.replied(client, number, refusal.as_deref()),
                    Heard::Command(command) => self.ordered(client, &command),
                    Heard::Nothing => {}
                }
            }
            ControlPacket::Disconnect(disconnect) => {
                self.tally.error(&format!("the server said goodbye: {}", disconnect.reason_code.name()));
            }
            other => out.acknowledge(client, other)?,
        }
        Ok(())
    }

    fn closed(&mut self, client: usize) -> Result<Then, String> {
        if self.phase != Phase::Done {
            let was_online = self.devices.get(client).is_some_and(|state| state.stage == Stage::Online);
            self.tally.disconnected += u64::from(was_online);
            self.went(client);
            self.come_back(client);
        }
        Ok(Then::StaysAway)
    }

    fn failed(&mut self, client: usize, error: String) -> Result<Then, String> {
        let named = format!("client {client}");
        let text = error.strip_prefix(&named).map_or(&*error, |rest| rest.trim_start_matches([':', ' ']));
        self.tally.error(text);
        self.closed(client)
    }

    fn turn(&mut self, out: &mut Outbox) -> Result<(), String> {
        let now = Instant::now();
        while let Some(entry) = self.next_due(now) {
            self.happen(entry, now, out)?;
        }
        self.advance(now, out)
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn progress(&self) -> String {
        self.tally.line(self.begun.elapsed(), self.online)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
