//! Counters of events, by their reasons.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hexmq_broker::{CloseReason, DropReason, Event, Refusal};

/// How often what happened. Counts only grow.
#[derive(Debug)]
pub struct Counters {
    refusals: Box<[AtomicU64]>,
    closes: Box<[AtomicU64]>,
    drops: Box<[AtomicU64]>,
    violations_survived: AtomicU64,
    publishes_denied: AtomicU64,
    subscriptions_denied: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let zeros = |n: usize| (0..n).map(|_| AtomicU64::new(0)).collect();
        Counters {
            refusals: zeros(Refusal::ALL.len()),
            closes: zeros(CloseReason::ALL.len()),
            drops: zeros(DropReason::ALL.len()),
            violations_survived: AtomicU64::new(0),
            publishes_denied: AtomicU64::new(0),
            subscriptions_denied: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts an event.
    pub fn count(&self, event: &Event<'_>) {
        match event {
            Event::Refused { refusal, .. } => add(&self.refusals, *refusal as usize, 1),
            Event::Disconnected { reason, .. } => add(&self.closes, *reason as usize, 1),
            Event::ConnectIncomplete { .. } => add(&self.closes, CloseReason::ConnectIncomplete as usize, 1),
            Event::MessageDropped { reason, .. } => add(&self.drops, *reason as usize, 1),
            Event::SessionEnded { dropped, .. } => {
                add(&self.drops, DropReason::SessionEnded as usize, *dropped);
            }
            Event::ViolationSurvived { .. } => tick(&self.violations_survived),
            Event::PublishDenied { .. } => tick(&self.publishes_denied),
            Event::SubscriptionDenied { .. } => tick(&self.subscriptions_denied),
            _ => {}
        }
    }

    /// Refused CONNECT packets by reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Refusal::ALL.iter().map(|reason| reason.name()), &self.refusals)
    }

    /// Ended connections by reason.
    pub fn closes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(CloseReason::ALL.iter().map(|reason| reason.name()), &self.closes)
    }

    /// Messages that did not reach a session, by reason.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(DropReason::ALL.iter().map(|reason| reason.name()), &self.drops)
    }

    /// Broken rules of clients that were served all the same.
    pub fn violations_survived(&self) -> u64 {
        self.violations_survived.load(Relaxed)
    }

    /// Messages not published because the client may not.
    pub fn publishes_denied(&self) -> u64 {
        self.publishes_denied.load(Relaxed)
    }

    /// Refused subscriptions.
    pub fn subscriptions_denied(&self) -> u64 {
        self.subscriptions_denied.load(Relaxed)
    }
}

/// One more.
fn tick(cell: &AtomicU64) {
    cell.fetch_add(1, Relaxed);
}

/// So many more.
fn add(cells: &[AtomicU64], index: usize, count: u64) {
    if let Some(cell) = cells.get(index) {
        cell.fetch_add(count, Relaxed);
    }
}

fn named<'a>(
    names: impl Iterator<Item = &'static str> + 'a,
    cells: &'a [AtomicU64],
) -> impl Iterator<Item = (&'static str, u64)> + 'a {
    names.zip(cells.iter().map(|cell| cell.load(Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_counted_under_its_name() {
        let counters = Counters::default();
        for _ in 0..3 {
            counters.count(&Event::MessageDropped {
                namespace: hexmq_broker::Namespace::PLAIN,
                client_identifier: "c",
                topic: "t",
                qos: hexmq_wire::QoS::AtMostOnce,
                reason: DropReason::QueueFull,
            });
        }
        counters.count(&Event::SessionEnded {
            namespace: hexmq_broker::Namespace::PLAIN,
            client_identifier: "c",
            expired: false,
            dropped: 2,
        });
        for (name, count) in counters.drops() {
            let expected = match name {
                "queue_full" => 3,
                "session_ended" => 2,
                _ => 0,
            };
            assert_eq!(count, expected, "{name}");
        }
        assert_eq!(counters.closes().map(|(_, count)| count).sum::<u64>(), 0);
    }
}
