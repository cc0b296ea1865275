//! Delayed Wills: they come when the delay is over, and not at all to whose client came back before.

use hexmq_wire::QoS;

use super::Checker;
use crate::history::{Arrival, Broken, ClientId, MessageId, WillTerms};

/// What is known of a Will.
#[derive(Clone, Copy, Debug)]
pub(super) struct Will {
    delay_ms: u64,
    state: State,
    came: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The CONNECT was not answered, or an orderly DISCONNECT was sent: it may come or not.
    Open,
    /// Its connection stands.
    Armed,
    /// Its connection was lost then.
    Due { lost_ms: u64 },
    /// The client came back in time.
    Withdrawn,
}

/// A server may round a time up to here.
const EARLY_MS: u64 = 50;

impl Checker {
    pub(super) fn will_offered(&mut self, client: ClientId, will: Option<WillTerms>) {
        if let Some(connecting) = &mut self.session(client).connecting {
            connecting.will = will;
        }
        if let Some(terms) = will {
            let will = Will { delay_ms: terms.delay_ms, state: State::Open, came: 0 };
            self.wills.entry((client, terms.number)).or_insert(will);
        }
    }

    /// A connection was lost before CONNACK: whether it took back the older Wills nobody knows.
    pub(super) fn will_unanswered(&mut self, client: ClientId) {
        for will in self.wills.range_mut((client, 0)..=(client, u32::MAX)).map(|(_, will)| will) {
            if matches!(will.state, State::Due { .. }) {
                will.state = State::Open;
            }
        }
    }

    /// The client is connected: its older Wills are withdrawn, unless their time has come.
    pub(super) fn will_connected(&mut self, client: ClientId, newest: Option<WillTerms>) {
        let now_ms = self.now_ms;
        for ((_, number), will) in self.wills.range_mut((client, 0)..=(client, u32::MAX)) {
            if newest.is_some_and(|newest| newest.number == *number) {
                will.state = State::Armed;
                continue;
            }
            will.state = match will.state {
                State::Due { lost_ms } if now_ms < lost_ms + will.delay_ms => State::Withdrawn,
                State::Due { .. } | State::Open | State::Armed => State::Open,
                State::Withdrawn => State::Withdrawn,
            };
        }
    }

    pub(super) fn will_due(&mut self, client: ClientId) {
        let lost_ms = self.now_ms;
        for will in self.wills.range_mut((client, 0)..=(client, u32::MAX)).map(|(_, will)| will) {
            if will.state == State::Armed {
                will.state = State::Due { lost_ms };
            }
        }
    }

    /// An orderly end takes the Will away, if the server gets to hear of it.
    pub(super) fn will_withdrawn(&mut self, client: ClientId) {
        for will in self.wills.range_mut((client, 0)..=(client, u32::MAX)).map(|(_, will)| will) {
            if will.state == State::Armed {
                will.state = State::Open;
            }
        }
    }

    pub(super) fn will_delivered(&mut self, to: ClientId, message: MessageId, arrival: &Arrival<'_>) {
        let now_ms = self.now_ms;
        self.totals.wills += 1;
        let whose = self.session(message.publisher).name.clone();
        let what = format!("{} got Will {} of {whose}", self.session(to).name.clone(), message.number);
        let Some(will) = self.wills.get_mut(&(message.publisher, message.number)) else {
            return self.found(Broken::Invented, what);
        };
        will.came += 1;
        let (state, came, delay_ms) = (will.state, will.came, will.delay_ms);
        match state {
            State::Withdrawn => {
                self.found(Broken::WillWrong, format!("{what}, which was back in time"));
            }
            State::Armed => self.found(Broken::WillWrong, format!("{what}, which is connected")),
            State::Due { lost_ms } if came == 1 && now_ms + EARLY_MS < lost_ms + delay_ms => {
                let early = lost_ms + delay_ms - now_ms;
                self.found(Broken::WillWrong, format!("{what} {early} ms too early"));
            }
            State::Due { .. } | State::Open => {}
        }
        if came > 1 && arrival.qos == QoS::ExactlyOnce {
            self.found(Broken::Twice, format!("{what} again"));
        }
    }

    /// Whether this Will has come.
    pub(crate) fn has_will(&self, client: ClientId, number: u32) -> bool {
        self.wills.get(&(client, number)).is_some_and(|will| will.came > 0)
    }

    /// Wills that must come, or must have come by now, and have not.
    pub(super) fn wills_owed(&self) -> Vec<(ClientId, u32)> {
        let owed =
            self.wills.iter().filter(|(_, will)| will.came == 0 && matches!(will.state, State::Due { .. }));
        owed.map(|(&key, _)| key).collect()
    }
}
