//! A ring that several may read while it is written, each at their own pace.
//!
//! Who follows a shelf holds a place in it and no copy: a slow reader costs no memory, and what is
//! pushed out before it was read is counted as missed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::ring::Ring;

/// Items handed to a follower in one go.
const PAGE: usize = 64;

/// A ring behind a lock that is held for moments only.
#[derive(Debug)]
pub struct Shelf<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    ring: Ring<T>,
    seats: Vec<Weak<Seat>>,
    closed: bool,
}

/// Where one follower waits.
#[derive(Debug, Default)]
struct Seat(Mutex<Option<Waker>>);

impl Seat {
    fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Clone> Shelf<T> {
    /// An empty shelf within these bounds.
    pub fn new(items_max: usize, bytes_max: usize) -> Shelf<T> {
        let ring = Ring::new(items_max, bytes_max);
        Shelf(Mutex::new(Inner { ring, seats: Vec::new(), closed: false }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item in and wakes who waits. Returns how the bytes on the shelf have changed, and how
    /// many items were pushed out. A closed shelf takes nothing.
    pub fn push(&self, item: T, size: usize) -> (isize, u64) {
        let mut inner = self.lock();
        if inner.closed {
            return (0, 0);
        }
        let before = inner.ring.bytes();
        let gone = inner.ring.push(item, size);
        let change = inner.ring.bytes() as isize - before as isize;
        inner.wake();
        (change, gone)
    }

    /// Looks at the ring.
    pub fn look<R>(&self, see: impl FnOnce(&Ring<T>) -> R) -> R {
        see(&self.lock().ring)
    }

    /// Takes out the oldest item and returns its size.
    pub fn pop(&self) -> Option<usize> {
        self.lock().ring.pop().map(|(size, _)| size)
    }

    /// Nothing comes any more: followers end, and what is there goes. Returns its bytes.
    pub fn close(&self) -> usize {
        let mut inner = self.lock();
        inner.closed = true;
        let bytes = inner.ring.bytes();
        while inner.ring.pop().is_some() {}
        inner.wake();
        bytes
    }

    /// Ends those that follow now.
    pub fn end_followers(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.wake();
    }

    /// Up to `most` items from `number` on, oldest first.
    pub fn page(&self, number: u64, most: usize) -> Vec<(u64, T)> {
        self.look(|ring| ring.from(number).1.take(most).map(|(at, item)| (at, item.clone())).collect())
    }
}

impl<T> Inner<T> {
    fn wake(&mut self) {
        self.seats.retain(|seat| match seat.upgrade() {
            Some(seat) => {
                seat.wake();
                true
            }
            None => false,
        });
    }
}

/// How many follow anything, and what slow ones of them have missed.
#[derive(Debug, Default)]
pub struct Audience {
    followers: AtomicUsize,
    missed: AtomicU64,
}

impl Audience {
    /// Followers there are.
    pub fn followers(&self) -> usize {
        self.followers.load(Relaxed)
    }

    /// Items that were gone before a follower had read them.
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }
}

/// Reads a shelf from some place on, as it fills.
#[derive(Debug)]
pub struct Follower<T> {
    shelf: Arc<Shelf<T>>,
    seat: Arc<Seat>,
    next: u64,
    audience: Arc<Audience>,
}

/// What a follower finds.
#[derive(Debug)]
pub enum News<T> {
    /// Items with their numbers.
    Items(Vec<(u64, T)>),
    /// So many items were gone before they were read.
    Missed(u64),
}

impl<T: Clone> Follower<T> {
    /// Follows from the item with this number on; `None`: from the next one that comes. There are
    /// at most `most` followers; more get `None`.
    pub fn new(
        shelf: Arc<Shelf<T>>,
        from: Option<u64>,
        audience: &Arc<Audience>,
        most: usize,
    ) -> Option<Follower<T>> {
        let taken = audience.followers.fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1));
        taken.ok()?;
        let seat = Arc::new(Seat::default());
        let next = {
            let mut inner = shelf.lock();
            inner.seats.push(Arc::downgrade(&seat));
            let end = inner.ring.next();
            from.map_or(end, |from| from.min(end))
        };
        Some(Follower { shelf, seat, next, audience: Arc::clone(audience) })
    }

    /// The next news; `Ready(None)` when there will be no more.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<News<T>>> {
        // First the seat, then the look: what comes in between wakes.
        *self.seat.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        let inner = self.shelf.lock();
        if inner.closed {
            return Poll::Ready(None);
        }
        let (missed, items) = inner.ring.from(self.next);
        if missed > 0 {
            self.next += missed;
            self.audience.missed.fetch_add(missed, Relaxed);
            return Poll::Ready(Some(News::Missed(missed)));
        }
        let items: Vec<(u64, T)> = items.take(PAGE).map(|(at, item)| (at, item.clone())).collect();
        if items.is_empty() {
            return Poll::Pending;
        }
        self.next += items.len() as u64;
        Poll::Ready(Some(News::Items(items)))
    }
}

impl<T> Drop for Follower<T> {
    fn drop(&mut self) {
        self.audience.followers.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn shelf() -> Arc<Shelf<u32>> {
        Arc::new(Shelf::new(4, 1000))
    }

    /// What a poll finds: items and missed ones.
    fn found(follower: &mut Follower<u32>, bell: &Arc<Bell>) -> Option<(Vec<u32>, u64)> {
        let waker = Waker::from(Arc::clone(bell));
        match follower.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(News::Items(items))) => Some((items.iter().map(|(_, item)| *item).collect(), 0)),
            Poll::Ready(Some(News::Missed(missed))) => Some((Vec::new(), missed)),
            Poll::Ready(None) => panic!("it has ended"),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_follower_is_woken_and_gets_what_comes() {
        let (shelf, audience, bell) = (shelf(), Arc::default(), Arc::new(Bell::default()));
        shelf.push(1, 1);
        let mut follower = Follower::new(Arc::clone(&shelf), None, &audience, 1).expect("a place");
        assert_eq!(found(&mut follower, &bell), None);
        shelf.push(2, 1);
        shelf.push(3, 1);
        assert_eq!(bell.0.load(Relaxed), 1, "woken once, until it looks again");
        assert_eq!(found(&mut follower, &bell), Some((vec![2, 3], 0)));
        assert_eq!(found(&mut follower, &bell), None);
        let mut early = Follower::new(Arc::clone(&shelf), Some(0), &audience, 2).expect("a place");
        assert_eq!(found(&mut early, &bell), Some((vec![1, 2, 3], 0)));
    }

    #[test]
    fn a_slow_follower_is_told_what_it_missed() {
        let (shelf, audience, bell) = (shelf(), Arc::default(), Arc::new(Bell::default()));
        let mut follower = Follower::new(Arc::clone(&shelf), None, &audience, 1).expect("a place");
        for n in 0..10 {
            shelf.push(n, 1);
        }
        assert_eq!(found(&mut follower, &bell), Some((Vec::new(), 6)));
        assert_eq!(found(&mut follower, &bell), Some((vec![6, 7, 8, 9], 0)));
        assert_eq!(audience.missed(), 6);
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let (shelf, audience) = (shelf(), Arc::default());
        let follower = Follower::new(Arc::clone(&shelf), None, &audience, 1).expect("a place");
        assert!(Follower::new(Arc::clone(&shelf), None, &audience, 1).is_none());
        drop(follower);
        assert!(Follower::new(Arc::clone(&shelf), None, &audience, 1).is_some());
        assert_eq!(audience.followers(), 0);
    }

    #[test]
    fn a_closed_shelf_ends_its_followers_and_takes_nothing() {
        let (shelf, audience, bell) = (shelf(), Arc::default(), Arc::new(Bell::default()));
        let mut follower = Follower::new(Arc::clone(&shelf), None, &audience, 1).expect("a place");
        assert_eq!(found(&mut follower, &bell), None);
        shelf.push(1, 5);
        assert_eq!(shelf.close(), 5);
        assert_eq!(bell.0.load(Relaxed), 1);
        let waker = Waker::from(bell);
        assert!(matches!(follower.poll(&mut Context::from_waker(&waker)), Poll::Ready(None)));
        assert_eq!(shelf.push(2, 5), (0, 0));
        assert!(shelf.look(Ring::is_empty));
    }
}
