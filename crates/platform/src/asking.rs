//! The registry, asked by threads that must not wait for ever.
//!
//! A question is put to one of two threads and waited for with patience. A registry that does not answer opens the
//! breaker: further questions fail at once, and now and then one is let through to see whether it is back.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hexmq_device::port::{PortError, PortErrorKind, PortResult, Registry};

use crate::core::lock;

type Question = Box<dyn FnOnce(&dyn Registry) + Send>;

/// Questions that may wait for a thread.
const WAITING_MAX: usize = 1024;
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The way to the registry.
pub(crate) struct Asking {
    questions: SyncSender<Question>,
    breaker: Mutex<Breaker>,
    patience: Duration,
}

/// The end at which the threads of [`Asking`] stand.
pub(crate) type Questions = Arc<Mutex<Receiver<Question>>>;

impl Asking {
    pub(crate) fn new(patience: Duration) -> (Asking, Questions) {
        let (questions, received) = sync_channel(WAITING_MAX);
        let asking = Asking { questions, breaker: Mutex::new(Breaker::default()), patience };
        (asking, Arc::new(Mutex::new(received)))
    }

    /// What the registry answers, or `Unavailable` if it does not do so in time.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Registry) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        if !lock(&self.breaker).lets_through(Instant::now()) {
            return Err(away("the registry does not answer; it is tried again within seconds"));
        }
        let (answer, answered) = sync_channel(1);
        // Nobody may be left who waits for the answer.
        let question: Question = Box::new(move |registry| drop(answer.send(question(registry))));
        let result = match self.questions.try_send(question) {
            Ok(()) => match answered.recv_timeout(self.patience) {
                Ok(result) => result,
                Err(_) => Err(away("the registry has not answered in time")),
            },
            Err(TrySendError::Full(_)) => Err(away("too many questions wait for the registry")),
            Err(TrySendError::Disconnected(_)) => Err(away("the platform has stopped")),
        };
        let failed = matches!(&result, Err(PortError { kind: PortErrorKind::Unavailable, .. }));
        lock(&self.breaker).note(failed, Instant::now());
        result
    }
}

/// The life of a thread that asks.
pub(crate) fn answer(questions: &Questions, registry: &dyn Registry) {
    loop {
        // The lock is held while waiting: one of the threads waits in the channel, the other one for it.
        let question = lock(questions).recv();
        match question {
            Ok(question) => question(registry),
            Err(_) => return,
        }
    }
}

fn away(message: &str) -> PortError {
    PortError::new(PortErrorKind::Unavailable, "registry_away", message)
}

/// Lets nothing through for a while after failures, then one to try.
#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    fn lets_through(&mut self, now: Instant) -> bool {
        match self.open_until {
            Some(until) if now < until => false,
            Some(_) => {
                // This one tries; the others wait for what comes of it.
                self.open_until = Some(now + self.pause());
                true
            }
            None => true,
        }
    }

    fn note(&mut self, failed: bool, now: Instant) {
        if failed {
            self.failures = self.failures.saturating_add(1);
            self.open_until = Some(now + self.pause());
        } else {
            *self = Breaker::default();
        }
    }

    fn pause(&self) -> Duration {
        let doubled = PAUSE_FIRST.saturating_mul(1 << self.failures.saturating_sub(1).min(8));
        doubled.min(PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_lets_one_through_after_a_pause_and_closes_when_it_succeeds() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert!(breaker.lets_through(start));
        breaker.note(true, start);
        assert!(!breaker.lets_through(start));
        let later = start + PAUSE_FIRST;
        assert!(breaker.lets_through(later), "one tries");
        assert!(!breaker.lets_through(later), "the others do not");
        breaker.note(true, later);
        assert!(!breaker.lets_through(later + PAUSE_FIRST), "the pause has doubled");
        assert!(breaker.lets_through(later + PAUSE_FIRST * 2));
        breaker.note(false, later);
        assert!(breaker.lets_through(later));
        assert!(breaker.lets_through(later));
    }
}
