//! Retained messages. A topic has one publisher, so its changes have one order.

use super::Checker;
use crate::history::{Arrival, Broken, ClientId, MessageId};

/// One change.
#[derive(Clone, Copy, Debug)]
struct Change {
    message: MessageId,
    clears: bool,
    answered: bool,
    refused: bool,
}

/// The changes of a topic, in the order they were sent.
#[derive(Debug, Default)]
pub(super) struct RetainedTopic {
    changes: Vec<Change>,
    /// For the first changes, which were all answered, the step when that was so. Grows.
    settled: Vec<u64>,
}

impl RetainedTopic {
    pub(super) fn sent(&mut self, message: MessageId, clears: bool) {
        self.changes.push(Change { message, clears, answered: false, refused: false });
    }

    /// The server has answered; a refused change is never sent again, but whether the server did it at
    /// an earlier try nobody knows.
    pub(super) fn answered(&mut self, message: MessageId, refused: bool, step: u64) {
        let place = self.place(message);
        let Some(change) = place.and_then(|place| self.changes.get_mut(place)) else { return };
        change.answered = true;
        change.refused = refused;
        while self.changes.get(self.settled.len()).is_some_and(|change| change.answered) {
            self.settled.push(step);
        }
    }

    pub(super) fn is_clear(&self, message: MessageId) -> bool {
        self.place(message).and_then(|place| self.changes.get(place)).is_some_and(|change| change.clears)
    }

    fn place(&self, message: MessageId) -> Option<usize> {
        self.changes.binary_search_by_key(&message, |change| change.message).ok()
    }

    /// The newest change that holds for sure at this step: it and all before it were answered. A
    /// repetition of one that was not would be the newer one for the server.
    fn floor(&self, step: u64) -> Option<usize> {
        let settled = self.settled.partition_point(|&settled| settled < step);
        self.changes.get(..settled)?.iter().rposition(|change| !change.refused)
    }

    /// Whether a value must be there for whoever asked at this step.
    fn is_set_since(&self, step: u64) -> bool {
        let Some(floor) = self.floor(step) else { return false };
        self.changes.iter().skip(floor).all(|change| !change.clears)
    }
}

impl Checker {
    pub(super) fn retained_delivered(&mut self, client: ClientId, message: MessageId, arrival: &Arrival<'_>) {
        self.totals.retained += 1;
        let session = self.session(client);
        let lives =
            session.lives.iter_mut().filter(|life| life.left.is_none() && life.matches(arrival.topic));
        let mut asked = u64::MAX;
        for life in lives {
            life.retained_seen.insert(arrival.topic.to_owned());
            asked = asked.min(life.asked);
        }
        if asked == u64::MAX {
            let text = format!("{} got the retained {}", session.name.clone(), self.described(message));
            return self.found(Broken::DiscardedSession, text);
        }
        let Some(topic) = self.retained.get(arrival.topic) else { return };
        let (place, floor) = (topic.place(message), topic.floor(asked));
        if place < floor {
            let newest = floor.and_then(|floor| topic.changes.get(floor)).copied();
            let what =
                newest.map_or("?", |change| if change.clears { "was cleared" } else { "was replaced" });
            let by = newest.map_or(0, |change| change.message.number);
            let name = self.session(client).name.clone();
            let text = format!("{name} got the retained {}, which {what} by #{by}", self.described(message));
            self.found(Broken::RetainedOld, text);
        }
    }

    /// Topics whose retained message must come to this client and has not come yet.
    pub(crate) fn retained_owed(&self, client: ClientId) -> Vec<String> {
        let Some(session) = self.sessions.get(usize::from(client.0)) else { return Vec::new() };
        let mut owed = Vec::new();
        for life in session.lives.iter().filter(|life| life.granted.is_some() && life.leaving.is_none()) {
            owed.extend(self.retained.iter().filter_map(|(topic, retained)| {
                let owes = life.matches(topic)
                    && !life.retained_seen.contains(topic)
                    && retained.is_set_since(life.asked);
                owes.then(|| topic.clone())
            }));
        }
        owed
    }

    /// The client has waited long enough: what it is owed is lost.
    pub(crate) fn give_up_on_retained(&mut self, client: ClientId) {
        let owed = self.retained_owed(client);
        let name = self.session(client).name.clone();
        for topic in owed {
            self.found(Broken::RetainedLost, format!("{name} did not get the retained message of {topic}"));
        }
    }
}
