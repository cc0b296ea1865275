//! What wakes a hand when time alone brings something about.
//!
//! A wait with an end costs the kernel a timer for each wait, set and taken back, and a busy hand waits
//! thousands of times a second while the next moment stays the same. So the moment is set once, in a timer of
//! its own that the poll watches, and set anew only for an earlier one or when it has passed.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use hexmq_session::Mono;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// A timer in the poll of a hand.
pub(crate) struct Alarm {
    timer: OwnedFd,
    /// When it goes off; `None`: it has, or was never set.
    due: Option<Mono>,
}

impl Alarm {
    /// One that is not set, in this poll.
    ///
    /// # Errors
    /// There is no descriptor for it.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Alarm> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Alarm { timer, due: None })
    }

    /// The poll has told that it went off. It may go off too early, never too late.
    pub(crate) fn went_off(&mut self) {
        self.due = None;
    }

    /// Makes sure that it goes off at this moment. `now` is asked for the time if it has to be set. Gives how long
    /// to wait all the same: until something happens, unless it cannot be set.
    pub(crate) fn wait_until(&mut self, moment: Mono, now: impl FnOnce() -> Mono) -> Option<Duration> {
        if self.due.is_some_and(|due| due <= moment) {
            return None;
        }
        let wait = moment.since(now());
        if wait.is_zero() || self.set(wait).is_err() {
            return Some(wait);
        }
        self.due = Some(moment);
        None
    }

    fn set(&self, wait: Duration) -> io::Result<()> {
        let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    const ALARM: Token = Token(7);

    /// Waits without an end until the alarm goes off.
    fn ring(poll: &mut Poll, events: &mut Events) {
        poll.poll(events, None).expect("a poll");
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [ALARM]);
    }

    #[test]
    fn it_is_set_for_the_earliest_moment_and_again_when_that_has_passed() {
        let mut poll = Poll::new().expect("a poll");
        let mut alarm = Alarm::new(poll.registry(), ALARM).expect("a timer");
        let mut events = Events::with_capacity(8);
        let unasked = || -> Mono { panic!("it is set") };
        assert_eq!(alarm.wait_until(Mono(3_600_000), || Mono(0)), None);
        assert_eq!(alarm.wait_until(Mono(7_200_000), unasked), None, "a later moment can wait");
        assert_eq!(alarm.wait_until(Mono(1), || Mono(0)), None, "an earlier one cannot");
        ring(&mut poll, &mut events);
        assert_eq!(alarm.wait_until(Mono(2), unasked), None, "it is not known yet that it has passed");
        alarm.went_off();
        assert_eq!(alarm.wait_until(Mono(2), || Mono(1)), None);
        ring(&mut poll, &mut events);
        alarm.went_off();
        assert_eq!(alarm.wait_until(Mono(3), || Mono(3)), Some(Duration::ZERO), "it is due now");
    }
}
