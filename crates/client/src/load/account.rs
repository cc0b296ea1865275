//! What is on the way, and that each message comes exactly once and in order.

/// The messages of one publisher.
#[derive(Clone, Debug)]
pub(super) struct Window {
    sent: u64,
    acknowledged: u64,
    /// Messages that every receiver has.
    delivered: u64,
    receivers: u32,
    /// How many receivers have each message on the way, by its number modulo the length.
    arrivals: Vec<u32>,
}

impl Window {
    /// At most `size` messages at once, each to this many receivers.
    pub(super) fn new(size: usize, receivers: u32) -> Window {
        Window { sent: 0, acknowledged: 0, delivered: 0, receivers, arrivals: vec![0; size.max(1)] }
    }

    /// The number of the next message, if there is room for it. A message leaves the window when all
    /// receivers have it and, where `acknowledged` is asked for, the server has acknowledged it.
    pub(super) fn send(&mut self, acknowledged: bool) -> Option<u64> {
        let number = self.sent;
        if number - self.done(acknowledged) >= self.arrivals.len() as u64 {
            return None;
        }
        self.sent += 1;
        Some(number)
    }

    /// Messages sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The server has acknowledged one.
    pub(super) fn acknowledge(&mut self) -> Result<(), String> {
        if self.acknowledged == self.sent {
            return Err("an acknowledgement came for nothing".to_owned());
        }
        self.acknowledged += 1;
        Ok(())
    }

    /// A receiver that gets each message once and in order has got this one.
    pub(super) fn arrive(&mut self, number: u64) -> Result<(), String> {
        if !(self.delivered..self.sent).contains(&number) {
            return Err(format!("message {number} is not on the way"));
        }
        let place = (number % self.arrivals.len() as u64) as usize;
        let Some(arrived) = self.arrivals.get_mut(place) else { return Ok(()) };
        *arrived += 1;
        if *arrived == self.receivers {
            *arrived = 0;
            self.delivered += 1;
        }
        Ok(())
    }

    /// Messages that have left the window.
    pub(super) fn done(&self, acknowledged: bool) -> u64 {
        if acknowledged { self.delivered.min(self.acknowledged) } else { self.delivered }
    }
}

/// What one receiver has got from one publisher.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    expected: u64,
}

impl Lane {
    /// Only the number after the last one is right: a smaller one came twice, a larger one too early.
    pub(super) fn arrive(&mut self, number: u64) -> Result<(), String> {
        if number != self.expected {
            return Err(format!("message {number} came where {} was due", self.expected));
        }
        self.expected += 1;
        Ok(())
    }

    /// Messages so far.
    pub(super) fn count(&self) -> u64 {
        self.expected
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_window_has_room_when_all_receivers_have_the_oldest() {
        let mut window = Window::new(2, 3);
        assert_eq!([window.send(false), window.send(false), window.send(false)], [Some(0), Some(1), None]);
        for number in [0, 1, 0, 1] {
            window.arrive(number).unwrap();
            assert_eq!(window.send(false), None);
        }
        window.arrive(0).unwrap();
        assert_eq!(window.send(false), Some(2));
        assert_eq!((window.done(false), window.sent()), (1, 3));
    }

    #[test]
    fn a_window_waits_for_the_acknowledgement_where_there_is_one() {
        let mut window = Window::new(1, 1);
        assert_eq!(window.send(true), Some(0));
        window.arrive(0).unwrap();
        assert_eq!(window.send(true), None);
        window.acknowledge().unwrap();
        assert_eq!(window.send(true), Some(1));
        window.acknowledge().unwrap();
        assert!(window.acknowledge().is_err());
    }

    #[test]
    fn what_is_not_on_the_way_cannot_arrive() {
        let mut window = Window::new(4, 1);
        assert!(window.arrive(0).is_err());
        window.send(false).unwrap();
        window.arrive(0).unwrap();
        assert!(window.arrive(0).is_err());
        assert!(window.arrive(1).is_err());
    }

    #[test]
    fn a_lane_sees_a_gap_and_a_repetition() {
        let mut lane = Lane::default();
        lane.arrive(0).unwrap();
        assert_eq!(lane.arrive(0).unwrap_err(), "message 0 came where 1 was due");
        assert_eq!(lane.arrive(2).unwrap_err(), "message 2 came where 1 was due");
        lane.arrive(1).unwrap();
        assert_eq!(lane.count(), 2);
    }
}
