//! Long runs of calls against a model that keeps everything in lists and looks through all of it: whatever was
//! called, the data base answers what the model answers. The seed of a run is in its failure.

use std::collections::{BTreeMap, BTreeSet};

use hexmq_device::port::{Bucket, DeviceQuery, PageAsk, TimeQuery};
use hexmq_device::{Batch, Datum, Device, DeviceRef, Point};
use hexmq_registry::Database;

use crate::make::{HOUR, NOW, device, product, prune_all};

/// A small generator of numbers: the same run for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    fn time(&mut self) -> i64 {
        // Few times, so that many are equal; some far away.
        match self.below(20) {
            0 => NOW - 100 * 24 * HOUR,
            1 => -1,
            _ => NOW + self.below(40) as i64 * 600_000,
        }
    }

    fn value(&mut self) -> Datum {
        match self.below(6) {
            0 => Datum::Real(self.below(1_000) as f64 / 4.0),
            1 => Datum::Boolean(self.below(2) == 0),
            2 => Datum::Text(format!("text {}", self.below(5))),
            // Whole numbers: their sums are exact in whatever order.
            _ => Datum::Integer(self.below(1_000) as i64 - 500),
        }
    }
}

const PRODUCTS: [&str; 2] = ["p", "q"];
const DEVICES: [&str; 3] = ["a", "b", "c"];
const PROPERTIES: [&str; 3] = ["t", "u", "v"];
const INBOXES: [&str; 2] = ["inbox 0", "inbox 1"];

#[derive(Default)]
struct Model {
    products: BTreeSet<&'static str>,
    devices: BTreeMap<DeviceRef, Device>,
    /// In the order of arrival.
    points: Vec<Point>,
    done: BTreeMap<&'static str, u64>,
}

impl Model {
    fn forget(&mut self, which: impl Fn(&DeviceRef) -> bool) {
        self.devices.retain(|device, _| !which(device));
        self.points.retain(|point| !which(&point.device));
    }

    /// Says whether it is kept; `None`: refused.
    fn keep(&mut self, batch: &Batch, done: &[(&'static str, u64)]) -> Option<bool> {
        let newer = done.iter().filter(|(inbox, place)| self.done.get(inbox).is_none_or(|kept| place > kept));
        match newer.count() {
            0 if !done.is_empty() => return Some(false),
            count if count < done.len() => return None,
            _ => {}
        }
        self.done.extend(done.iter().copied());
        let known = batch.points.iter().filter(|point| self.devices.contains_key(&point.device));
        self.points.extend(known.cloned());
        Some(true)
    }

    fn sorted(&self, device: &DeviceRef) -> Vec<Point> {
        let mut points: Vec<Point> =
            self.points.iter().filter(|point| point.device == *device).cloned().collect();
        points.sort_by_key(|point| point.at_ms);
        points
    }

    fn latest(&self, device: &DeviceRef) -> Vec<Point> {
        let newest = self.sorted(device).into_iter().map(|point| (point.id.clone(), point));
        newest.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    fn summary(&self, device: &DeviceRef, from: i64, to: i64, step: i64) -> Vec<Bucket> {
        let anchor = if step % HOUR == 0 { from - from.rem_euclid(HOUR) } else { 0 };
        let mut buckets: BTreeMap<(String, i64), Bucket> = BTreeMap::new();
        for point in self.sorted(device) {
            let Some(number) = point.value.number().filter(|_| (from..to).contains(&point.at_ms)) else {
                continue;
            };
            let at_ms = point.at_ms - (point.at_ms - anchor).rem_euclid(step);
            let bucket = buckets.entry((point.id.clone(), at_ms)).or_insert(Bucket {
                id: point.id,
                at_ms,
                count: 0,
                minimum: number,
                maximum: number,
                sum: 0.0,
                last: number,
            });
            bucket.count += 1;
            bucket.sum += number;
            bucket.minimum = bucket.minimum.min(number);
            bucket.maximum = bucket.maximum.max(number);
            bucket.last = number;
        }
        buckets.into_values().collect()
    }
}

/// One run of so many calls.
pub(crate) fn run(database: &Database, seed: u64, calls: usize) {
    let mut dice = Dice(seed);
    let mut model = Model::default();
    for call in 0..calls {
        step(database, &mut model, &mut dice);
        if call % 5 == 0 {
            compare(database, &model, &mut dice);
        }
    }
    prune_all(database, NOW, i64::MIN, usize::MAX);
    compare(database, &model, &mut dice);
}

fn step(database: &Database, model: &mut Model, dice: &mut Dice) {
    let (registry, history) = (&database.registry, &database.history);
    let product_id = *dice.one(&PRODUCTS);
    let of = DeviceRef::new(product_id, *dice.one(&DEVICES));
    match dice.below(24) {
        0 | 1 => {
            let made = registry.create_product(&product(product_id)).is_ok();
            assert_eq!(made, model.products.insert(product_id));
        }
        2 if dice.below(4) == 0 => {
            assert_eq!(registry.delete_product(product_id).is_ok(), model.products.remove(product_id));
            model.forget(|device| device.product == product_id);
        }
        3..=6 => {
            let mut new = device(&of.product, &of.device);
            new.tags.insert("floor".to_owned(), dice.below(2).to_string());
            let made = registry.create_devices(std::slice::from_ref(&new)).unwrap().remove(0).is_ok();
            let free = model.products.contains(product_id) && !model.devices.contains_key(&of);
            assert_eq!(made, free);
            if made {
                model.devices.insert(of, new);
            }
        }
        7 => {
            assert_eq!(registry.delete_device(&of).is_ok(), model.devices.contains_key(&of));
            model.forget(|device| *device == of);
        }
        8 => {
            let id = (dice.below(3) > 0).then(|| *dice.one(&PROPERTIES));
            assert_eq!(history.delete_points(&of, id).is_ok(), model.devices.contains_key(&of));
            model.points.retain(|point| point.device != of || id.is_some_and(|id| point.id != id));
        }
        9 => {
            prune_all(database, NOW, i64::MIN, usize::MAX);
        }
        10 => {
            history.prune(NOW, i64::MIN, usize::MAX).unwrap();
        }
        _ => keep(database, model, dice),
    }
}

fn keep(database: &Database, model: &mut Model, dice: &mut Dice) {
    let points = (0..dice.below(12)).map(|_| Point {
        device: DeviceRef::new(*dice.one(&PRODUCTS), *dice.one(&DEVICES)),
        id: (*dice.one(&PROPERTIES)).to_owned(),
        value: dice.value(),
        at_ms: dice.time(),
        received_at_ms: NOW,
    });
    let points: Vec<Point> = points.collect();
    let mut done: Vec<(&'static str, u64)> = Vec::new();
    for inbox in INBOXES {
        if dice.below(2) == 0 {
            // Mostly further on, sometimes what was there before.
            let place = model.done.get(inbox).copied().unwrap_or(0) + dice.below(4);
            done.push((inbox, place.saturating_sub(dice.below(2))));
        }
    }
    let named = done.iter().map(|(inbox, place)| ((*inbox).to_owned(), *place)).collect();
    let batch = Batch { points, done: named, ..Batch::default() };
    let expected = model.keep(&batch, &done);
    match database.history.keep(&batch) {
        Ok(()) => assert!(expected.is_some()),
        Err(error) => assert_eq!((error.code, expected), ("batch_partly_kept", None)),
    }
}

fn compare(database: &Database, model: &Model, dice: &mut Dice) {
    let (registry, history) = (&database.registry, &database.history);
    let devices = registry.devices(&DeviceQuery::default()).unwrap().items;
    assert_eq!(devices, model.devices.values().cloned().collect::<Vec<_>>());
    let floor = Some(("floor".to_owned(), Some("1".to_owned())));
    let upstairs = model.devices.values().filter(|device| device.tags["floor"] == "1").count();
    let query = DeviceQuery { tag: floor, ..DeviceQuery::default() };
    assert_eq!(registry.count_devices(&query).unwrap(), upstairs as u64);
    for inbox in INBOXES {
        assert_eq!(history.done(inbox).unwrap(), model.done.get(inbox).copied());
    }
    for of in model.devices.keys() {
        assert_eq!(history.latest(of).unwrap(), model.latest(of));
        let (from, to) = (NOW + dice.below(30) as i64 * 600_000, NOW + dice.below(60) as i64 * 600_000);
        let step = *dice.one(&[600_000, HOUR, 2 * HOUR, 1_000_000]);
        let asked = TimeQuery {
            product: of.product.clone(),
            device: Some(of.device.clone()),
            from_ms: Some(from),
            to_ms: Some(to),
            newest_first: false,
            ids: None,
            page: PageAsk::default(),
        };
        assert_eq!(history.summary(&asked, step).unwrap(), model.summary(of, from, to, step));
        compare_points(database, model, dice, asked);
    }
}

fn compare_points(database: &Database, model: &Model, dice: &mut Dice, mut asked: TimeQuery) {
    let of = DeviceRef::new(&*asked.product, asked.device.clone().unwrap());
    asked.newest_first = dice.below(2) == 0;
    asked.page.limit = 1 + dice.below(40) as usize;
    if dice.below(2) == 0 {
        (asked.from_ms, asked.to_ms) = (None, None);
    }
    if dice.below(3) == 0 {
        asked.ids = Some(vec![(*dice.one(&PROPERTIES)).to_owned(), "none".to_owned()]);
    }
    let mut expected = model.sorted(&of);
    expected.retain(|point| {
        asked.from_ms.is_none_or(|from| point.at_ms >= from)
            && asked.to_ms.is_none_or(|to| point.at_ms < to)
            && asked.ids.as_ref().is_none_or(|ids| ids.contains(&point.id))
    });
    if asked.newest_first {
        expected.reverse();
    }
    let mut found = Vec::new();
    loop {
        let page = database.history.points(&asked).unwrap();
        found.extend(page.items);
        match page.next {
            Some(next) => asked.page.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(found, expected);
}
