//! How busy a hand is, and what follows from it: the rules of placement, without threads.

use std::fs;
use std::time::{Duration, Instant};

/// How shards are placed on hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// By what there is to do.
    #[default]
    ByLoad,
    /// For tests: every few turns a shard goes to another hand.
    Restless,
}

/// Placement is looked at so often.
const WINDOW: Duration = Duration::from_millis(100);
/// A hand that is busy for more thousandths of its time has too much to do,
const OVERLOADED: u32 = 750;
/// if it stays so for as many windows.
const OVERLOADED_WINDOWS: u32 = 3;
/// Hundredths of a processor that must be idle for another hand to be worth it.
const IDLE_CPU: u64 = 50;
/// Two hands that together are busy for fewer thousandths of the time of one
const CALM: u32 = 600;
/// for as many windows become one.
const CALM_WINDOWS: u32 = 10;
/// A load that was measured longer ago is that of a hand that sleeps.
const STALE_MS: u64 = 1_000;
/// Turns between two moves of [`Placement::Restless`].
const WANDER_TURNS: u32 = 16;

/// A hand that was given work is judged after so long,
const TRIAL: Duration = Duration::from_secs(1);
/// and is worth it if two hands do so many hundredths of the work of one,
const MORE_WORK: u128 = 110;
/// or need no more than so many hundredths of its time for each piece.
const DEARER: u128 = 115;
/// If it was not worth it, there is no other trial for so long; each time twice as long,
const PATIENCE: Duration = Duration::from_secs(10);
/// up to this.
const PATIENCE_MAX: Duration = Duration::from_secs(320);

/// What a window has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Thousandths of the time the hand was busy.
    pub(crate) load: u32,
    /// Microseconds it was busy.
    pub(crate) busy_us: u64,
}

/// Work done, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Control Packets.
    pub(crate) packets: u64,
    /// Microseconds that hands were busy.
    pub(crate) busy_us: u64,
}

/// Whether a second hand is worth what it costs, found out by trying.
#[derive(Debug)]
pub(crate) struct Trial {
    /// The hand that was given work.
    pub(crate) hand: usize,
    began: Instant,
    /// What one hand did, and in what time.
    before: (Work, Duration),
    /// What both had done in all when it began.
    done: Work,
}

/// When there may be another trial.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    until: Option<Instant>,
    last: Duration,
}

impl Trial {
    pub(crate) fn begin(hand: usize, before: (Work, Duration), done: Work) -> Trial {
        Trial { hand, began: Instant::now(), before, done }
    }

    /// After a while: whether it was worth it, by what both have done in all by now.
    pub(crate) fn judge(&self, done: Work) -> Option<bool> {
        let passed = self.began.elapsed();
        (passed >= TRIAL).then(|| is_worth_it(self.before, (done.since(self.done), passed)))
    }
}

impl Patience {
    /// Whether a trial may begin.
    pub(crate) fn is_over(&self) -> bool {
        self.until.is_none_or(|until| until <= Instant::now())
    }

    /// A trial has come to its end.
    pub(crate) fn learn(&mut self, was_worth_it: bool) {
        self.last = match was_worth_it {
            true => Duration::ZERO,
            false => (self.last * 2).clamp(PATIENCE, PATIENCE_MAX),
        };
        self.until = Some(Instant::now() + self.last);
    }
}

impl Work {
    /// What was done since it was so much.
    pub(crate) fn since(self, earlier: Work) -> Work {
        Work {
            packets: self.packets.saturating_sub(earlier.packets),
            busy_us: self.busy_us.saturating_sub(earlier.busy_us),
        }
    }

    /// Both together.
    pub(crate) fn and(self, other: Work) -> Work {
        Work { packets: self.packets + other.packets, busy_us: self.busy_us + other.busy_us }
    }
}

/// Two hands are worth it if they get more done than one, or if it costs little.
fn is_worth_it(before: (Work, Duration), after: (Work, Duration)) -> bool {
    let [(one, one_time), (two, two_time)] =
        [before, after].map(|(work, time)| (work, time.as_micros().max(1)));
    let [one_packets, two_packets] = [one, two].map(|work| u128::from(work.packets));
    let does_more = two_packets * one_time * 100 >= one_packets * two_time * MORE_WORK;
    let busy = |work: Work| u128::from(work.busy_us);
    let is_dearer = busy(two) * one_packets * 100 > busy(one) * two_packets * DEARER;
    does_more || !is_dearer
}

/// Measures one hand.
#[derive(Debug)]
pub(crate) struct Meter {
    began: Instant,
    rose: Instant,
    lap: Instant,
    busy: Duration,
    overloaded: u32,
    calm: u32,
    turns: u32,
    /// When the present overload began, and what the machine's idle time was then.
    idle_since: Option<(Instant, u64)>,
}

impl Meter {
    pub(crate) fn new() -> Meter {
        let now = Instant::now();
        Meter {
            began: now,
            rose: now,
            lap: now,
            busy: Duration::ZERO,
            overloaded: 0,
            calm: 0,
            turns: 0,
            idle_since: None,
        }
    }

    /// The hand is about to wait.
    #[inline]
    pub(crate) fn sleep(&mut self) {
        self.busy += self.rose.elapsed();
    }

    /// It has waited, until now.
    #[inline]
    pub(crate) fn rise(&mut self) -> Instant {
        self.rose = Instant::now();
        self.lap = self.rose;
        self.rose
    }

    /// Nanoseconds since the last lap of this turn.
    pub(crate) fn lap_ns(&mut self) -> u64 {
        let now = Instant::now();
        let lap = now.duration_since(self.lap);
        self.lap = now;
        u64::try_from(lap.as_nanos()).unwrap_or(u64::MAX)
    }

    /// What a window has shown, at its end.
    pub(crate) fn window(&mut self) -> Option<Window> {
        let passed = self.rose.duration_since(self.began);
        if passed < WINDOW {
            return None;
        }
        let busy = std::mem::take(&mut self.busy);
        let load = busy.as_micros() * 1000 / passed.as_micros().max(1);
        self.began = self.rose;
        let busy_us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX);
        Some(Window { load: load.min(1000) as u32, busy_us })
    }

    /// Whether the last window showed too much to do.
    pub(crate) fn is_loaded(&self) -> bool {
        self.overloaded > 0
    }

    pub(crate) fn is_time_to_wander(&mut self) -> bool {
        self.turns = (self.turns + 1) % WANDER_TURNS;
        self.turns == 0
    }
}

/// Whether a hand has had too much to do for a while, and the machine a processor for another one.
pub(crate) fn is_overloaded(meter: &mut Meter, window: Window) -> bool {
    if window.load < OVERLOADED {
        meter.overloaded = 0;
        meter.idle_since = None;
        return false;
    }
    if meter.overloaded == 0 {
        meter.idle_since = idle_hundredths().map(|idle| (Instant::now(), idle));
    }
    meter.overloaded += 1;
    if meter.overloaded <= OVERLOADED_WINDOWS {
        return false;
    }
    meter.overloaded = 0;
    match (meter.idle_since, idle_hundredths()) {
        (Some((since, before)), Some(now)) => is_idle(now.saturating_sub(before), since.elapsed()),
        // Where the system does not say, the processors it gives us are taken for ours.
        _ => true,
    }
}

/// Whether so many hundredths of a second of idle processors in this time are enough for another hand.
fn is_idle(idle: u64, passed: Duration) -> bool {
    u128::from(idle) * 1000 >= u128::from(IDLE_CPU) * passed.as_millis()
}

/// Whether a hand and an earlier one have had little to do for a while.
pub(crate) fn is_calm(meter: &mut Meter, window: Window, other_load: u32, other_age_ms: u64) -> bool {
    let other_load = if other_age_ms > STALE_MS { 0 } else { other_load };
    if window.load + other_load >= CALM {
        meter.calm = 0;
        return false;
    }
    meter.calm += 1;
    if meter.calm < CALM_WINDOWS {
        return false;
    }
    meter.calm = 0;
    true
}

/// Which shards go to another hand for both to have about the same to do; the busiest stays.
pub(crate) fn halves(spent: &[u64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..spent.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(spent.get(place).copied()));
    let mut goes = vec![false; spent.len()];
    let (mut kept, mut given) = (0, 0);
    for (n, place) in order.into_iter().enumerate() {
        let spent = spent.get(place).copied().unwrap_or_default();
        if n == 0 || (kept <= given && n > 1) {
            kept += spent;
            continue;
        }
        given += spent;
        if let Some(goes) = goes.get_mut(place) {
            *goes = true;
        }
    }
    goes
}

/// Hundredths of a second that all processors together have been idle since the system started.
fn idle_hundredths() -> Option<u64> {
    idle_of(&fs::read_to_string("/proc/stat").ok()?)
}

fn idle_of(stat: &str) -> Option<u64> {
    let mut fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let idle: u64 = fields.nth(3)?.parse().ok()?;
    let waiting: u64 = fields.next()?.parse().ok()?;
    Some(idle + waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_work_goes_and_the_busiest_shard_stays() {
        assert_eq!(halves(&[5]), [false]);
        assert_eq!(halves(&[5, 5]), [false, true]);
        assert_eq!(halves(&[1, 9]), [true, false]);
        assert_eq!(halves(&[10, 1, 1, 1]), [false, true, true, true]);
        assert_eq!(halves(&[4, 4, 4, 4]).iter().filter(|goes| **goes).count(), 2);
        assert_eq!(halves(&[0, 0]), [false, true], "who has done nothing yet may go all the same");
    }

    #[test]
    fn a_hand_is_overloaded_only_after_a_while() {
        let mut meter = Meter::new();
        let (hot, cool) = (Window { load: 900, busy_us: 0 }, Window { load: 300, busy_us: 0 });
        for _ in 0..OVERLOADED_WINDOWS {
            assert!(!is_overloaded(&mut meter, hot));
        }
        assert!(!is_overloaded(&mut meter, cool));
        assert_eq!(meter.overloaded, 0, "it begins anew");
    }

    #[test]
    fn two_hands_become_one_when_both_are_quiet_for_a_while() {
        let mut meter = Meter::new();
        let window = Window { load: 200, busy_us: 0 };
        for _ in 1..CALM_WINDOWS {
            assert!(!is_calm(&mut meter, window, 300, 10));
        }
        assert!(is_calm(&mut meter, window, 300, 10));
        assert!(!is_calm(&mut meter, window, 300, 10), "then it begins anew");
        assert!(!is_calm(&mut meter, window, 500, 10));
        assert_eq!(meter.calm, 0, "busy in between");
        for _ in 1..CALM_WINDOWS {
            assert!(!is_calm(&mut meter, window, 1000, STALE_MS + 1));
        }
        assert!(is_calm(&mut meter, window, 1000, STALE_MS + 1), "who sleeps is not busy, whatever it was");
    }

    #[test]
    fn a_second_hand_is_worth_more_work_or_little_more_time() {
        let second = Duration::from_secs(1);
        let work = |packets, busy_us| (Work { packets, busy_us }, second);
        assert!(is_worth_it(work(1_000, 1_000), work(1_500, 2_000)), "half as much again gets done");
        assert!(!is_worth_it(work(1_000, 1_000), work(1_000, 1_500)), "the same, for half as much again");
        assert!(is_worth_it(work(1_000, 800), work(1_000, 850)), "the same, for hardly more");
        assert!(is_worth_it(work(1_000, 800), work(0, 0)), "who has nothing to do costs nothing");
        let half = (Work { packets: 800, busy_us: 700 }, second / 2);
        assert!(is_worth_it(work(1_000, 1_000), half), "by time, not in all");
    }

    #[test]
    fn a_trial_in_vain_is_repeated_later_and_later() {
        let mut patience = Patience::default();
        assert!(patience.is_over());
        let waits: Vec<u64> = (0..7)
            .map(|_| {
                patience.learn(false);
                assert!(!patience.is_over());
                patience.last.as_secs()
            })
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 320]);
        patience.learn(true);
        assert!(patience.is_over());
    }

    #[test]
    fn idle_time_is_read_from_the_systems_words() {
        let stat = "cpu  10 20 30 400 50 60 7 8 9 10\ncpu0 1 2 3 4\n";
        assert_eq!(idle_of(stat), Some(450));
        assert_eq!(idle_of(""), None);
        assert_eq!(idle_of("cpu  10 20"), None);
        // Half a processor for 300 ms are 15 hundredths of a second.
        assert!(is_idle(15, Duration::from_millis(300)));
        assert!(!is_idle(14, Duration::from_millis(300)));
    }
}
