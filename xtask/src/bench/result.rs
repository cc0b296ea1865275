//! Medians beside what they are measured by.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::case::{Case, Figure, Mark, Table};
use super::runs::{Kernel, Runs};
use super::subject::Subject;

/// The runs of a case, by figure and subject.
pub(super) type Measured = BTreeMap<(usize, Subject), Runs>;

/// A mark is never below the floor, and a little room.
const FLOOR: f64 = 1.05;
/// From so many rounds on a median leaves out the one in which the relay was slow.
const STEADY_ROUNDS: u64 = 3;
/// Two shards may cost so much more than one, for the same work.
const SHARDS: f64 = 1.15;

/// One figure of all subjects.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    case: &'static str,
    key: &'static str,
    unit: &'static str,
    relay: Option<f64>,
    /// The relay at the QoS of the load.
    floor: Option<f64>,
    mosquitto: Option<f64>,
    rumqttd: Option<f64>,
    /// The best of mosquitto, rumqttd and what stands in for others.
    best_peer: Option<f64>,
    ours: [Option<f64>; 2],
    mark: Option<f64>,
    /// A mark in µs that was found on another machine, as it would be on this one.
    scaled_mark: Option<f64>,
    /// The kernel's part in ours with one shard, and in the floor.
    kernel: Option<Kernel>,
    floor_kernel: Option<Kernel>,
    /// Rounds behind the medians; the fewest, where not every run went well.
    rounds: usize,
}

/// The rows of a case; `pace` is how slow this machine is. Marks are made of medians, not in each round.
pub(super) fn rows(case: &'static Case, pace: Option<f64>, measured: &Measured) -> impl Iterator<Item = Row> {
    case.figures.iter().enumerate().map(move |(index, figure)| {
        let runs = |subject| measured.get(&(index, subject)).filter(|runs| runs.count() > 0);
        let median = |subject| runs(subject).and_then(Runs::median);
        let of_floor = runs(Subject::AnsweringRelay).or(runs(Subject::Relay));
        let relay = median(Subject::Relay);
        let mosquitto = median(Subject::Mosquitto);
        let rumqttd = median(Subject::Rumqttd);
        let best_peer = best_peer(figure, relay, mosquitto, rumqttd);
        let floor = of_floor.and_then(Runs::median);
        let counts = Subject::ALL.into_iter().filter_map(runs).map(Runs::count);
        Row {
            case: case.name,
            key: figure.key,
            unit: figure.unit,
            relay,
            floor,
            mosquitto,
            rumqttd,
            best_peer,
            ours: [median(Subject::OneShard), median(Subject::TwoShards)],
            mark: mark(figure.mark, relay, floor, best_peer),
            scaled_mark: scaled(figure, floor, pace),
            kernel: runs(Subject::OneShard).and_then(Runs::kernel),
            floor_kernel: of_floor.and_then(Runs::kernel),
            rounds: counts.min().unwrap_or_default(),
        }
    })
}

fn best_peer(
    figure: &Figure,
    relay: Option<f64>,
    mosquitto: Option<f64>,
    rumqttd: Option<f64>,
) -> Option<f64> {
    let others = figure.table.zip(relay).into_iter().flat_map(|(table, relay)| {
        let peers = table.peers.into_iter().enumerate();
        // What was measured beside us needs no stand-in.
        let absent = peers.filter(move |(place, _)| *place != Table::RUMQTTD || rumqttd.is_none());
        absent.map(move |(_, peer)| peer / table.relay * relay)
    });
    others.chain(mosquitto).chain(rumqttd).min_by(f64::total_cmp)
}

/// Bytes are the same everywhere, times are not.
fn scaled(figure: &Figure, floor: Option<f64>, pace: Option<f64>) -> Option<f64> {
    match figure.mark {
        Mark::AtMost(number) if figure.unit == "µs" => pace.map(|pace| not_below(floor, number * pace)),
        _ => None,
    }
}

fn mark(mark: Mark, relay: Option<f64>, floor: Option<f64>, peer: Option<f64>) -> Option<f64> {
    let (of_peer, of_relay) = match mark {
        Mark::AtMost(number) => return Some(not_below(floor, number)),
        Mark::Peer => return peer,
        Mark::Batched { relay_does_the_same: true } => (0.6, Some(1.6)),
        Mark::Batched { relay_does_the_same: false } => (0.6, None),
        Mark::Unbatched { relay_does_the_same: true } => (0.8, Some(1.2)),
        Mark::Unbatched { relay_does_the_same: false } => (0.8, None),
    };
    let by_peer = peer.map(|peer| of_peer * peer);
    let by_relay = relay.zip(of_relay).map(|(relay, factor)| factor * relay);
    let lowest = by_peer.into_iter().chain(by_relay).min_by(f64::total_cmp)?;
    Some(not_below(floor, lowest))
}

fn not_below(floor: Option<f64>, mark: f64) -> f64 {
    floor.map_or(mark, |floor| mark.max(FLOOR * floor))
}

impl Row {
    fn reached(&self, mark: Option<f64>) -> [Option<bool>; 2] {
        self.ours.map(|ours| ours.zip(mark).map(|(ours, mark)| ours <= mark))
    }

    /// What stands behind one of ours.
    fn verdict(&self, ours: usize) -> &'static str {
        match [self.mark, self.scaled_mark].map(|mark| self.reached(mark)[ours] == Some(true)) {
            [true, _] => "*",
            [false, true] => "~",
            [false, false] => "",
        }
    }

    /// Two shards against one.
    fn ratio(&self) -> Option<f64> {
        let [one, two] = self.ours;
        two.zip(one).map(|(two, one)| two / one)
    }

    pub(super) fn as_json(&self) -> Value {
        let [one, two] = self.ours;
        json!({ "case": self.case, "figure": self.key, "unit": self.unit, "relay": self.relay, "floor": self.floor,
            "mosquitto": self.mosquitto, "rumqttd": self.rumqttd, "best_peer": self.best_peer, "hexmq_1": one, "hexmq_2": two,
            "two_shards_to_one": self.ratio(), "mark": self.mark, "scaled_mark": self.scaled_mark,
            "reached": self.reached(self.mark), "reached_scaled": self.scaled_mark.map(|scaled| self.reached(Some(scaled))),
            "rounds": self.rounds,
            "kernel_share": self.kernel.map(|kernel| kernel.share),
            "kernel_share_error": self.kernel.map(|kernel| kernel.error),
            "floor_kernel_share": self.floor_kernel.map(|kernel| kernel.share),
            "floor_kernel_share_error": self.floor_kernel.map(|kernel| kernel.error) })
    }
}

const HEADINGS: [&str; 13] = [
    "relay",
    "floor",
    "mosquitto",
    "rumqttd",
    "best peer",
    "mark",
    "scaled",
    "1 shard",
    "2 shards",
    "2 to 1",
    "kernel %",
    "of floor",
    "rounds",
];

/// The table.
pub(super) fn print(rows: &[Row], rounds: u64, peers: &str, pace: Option<f64>) {
    println!("\nmedians of rounds taken in turn, every delivery checked; {peers}");
    println!(
        "* reaches the mark, which is made of the medians; 2 to 1: two shards to one, at most {SHARDS} for messages"
    );
    println!(
        "kernel: its share of the CPU time of one shard, and of the floor, with the standard error; all rounds together"
    );
    if rounds < STEADY_ROUNDS {
        println!(
            "fewer than {STEADY_ROUNDS} rounds: a mark swings by 20 % with what the relay needed in one"
        );
    }
    if let Some(pace) = pace {
        println!(
            "scaled: a mark in µs found on another machine, times {pace:.2}, as much as the relay needs more here; ~ reaches only that"
        );
    }
    println!("\n{}", line("", "", HEADINGS.map(str::to_owned)));
    rows.iter().for_each(|row| println!("{}", line(row.case, row.key, row.cells())));
}

fn line(case: &str, key: &str, cells: [String; HEADINGS.len()]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>9}")).collect();
    format!("{case:<20} {key:<23} {}", cells.join(" "))
}

impl Row {
    /// In the order of the headings.
    fn cells(&self) -> [String; HEADINGS.len()] {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let kernel = |kernel: Option<Kernel>| kernel.map_or_else(|| "-".to_owned(), Kernel::told);
        let ours = |index: usize| format!("{}{}", number(self.ours[index]), self.verdict(index));
        [
            number(self.relay),
            number(self.floor),
            number(self.mosquitto),
            number(self.rumqttd),
            number(self.best_peer),
            number(self.mark),
            number(self.scaled_mark),
            ours(0),
            ours(1),
            number(self.ratio()),
            kernel(self.kernel),
            kernel(self.floor_kernel),
            self.rounds.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::{FLOWS, STORES};
    use super::*;

    const Q0: Mark = Mark::Batched { relay_does_the_same: true };

    /// One run each of the first figure.
    fn measured(medians: &[(Subject, f64)]) -> Measured {
        let runs = |value: f64| {
            let mut runs = Runs::default();
            runs.take("figure", &json!({ "figure": value }));
            runs
        };
        medians.iter().map(|&(subject, value)| ((0, subject), runs(value))).collect()
    }

    #[test]
    fn a_mark_is_the_lower_of_two_but_never_below_the_floor() {
        assert_eq!(mark(Q0, Some(1.0), Some(1.0), Some(5.0)), Some(1.6));
        assert_eq!(mark(Q0, Some(1.0), Some(1.0), Some(2.0)), Some(1.2));
        assert_eq!(mark(Q0, Some(1.0), Some(1.0), Some(1.0)), Some(1.05));
        let [unbatched, unbatched_acknowledged] =
            [true, false].map(|relay_does_the_same| Mark::Unbatched { relay_does_the_same });
        assert_eq!(mark(unbatched, Some(10.0), Some(10.0), Some(30.0)), Some(12.0));
        assert_eq!(mark(unbatched_acknowledged, Some(10.0), Some(20.0), Some(30.0)), Some(24.0));
        assert_eq!(mark(unbatched_acknowledged, Some(10.0), Some(40.0), Some(30.0)), Some(42.0));
        let acknowledged = Mark::Batched { relay_does_the_same: false };
        assert_eq!(mark(acknowledged, Some(1.0), Some(1.0), Some(5.0)), Some(3.0));
        assert_eq!(mark(acknowledged, Some(1.0), Some(4.0), Some(5.0)), Some(4.2), "its own floor counts");
        assert_eq!(mark(Q0, None, None, None), None);
        assert_eq!(mark(Mark::AtMost(35.0), None, None, Some(1.0)), Some(35.0));
        assert_eq!(mark(Mark::AtMost(35.0), None, Some(20.0), Some(1.0)), Some(35.0));
        assert_eq!(mark(Mark::AtMost(35.0), None, Some(40.0), Some(1.0)), Some(42.0));
    }

    #[test]
    fn a_peer_that_is_not_installed_stands_in_by_its_ratio_to_the_relay() {
        let pairs = &FLOWS[0];
        let measured = measured(&[
            (Subject::Relay, 0.47 * 3.0),
            (Subject::Mosquitto, 9.0),
            (Subject::OneShard, 1.0),
            (Subject::TwoShards, 3.0),
        ]);
        let row = rows(pairs, None, &measured).next().expect("a row");
        // Three times the table's relay, so three times the 1.57 µs of FlashMQ.
        assert!(row.best_peer.is_some_and(|peer| (peer - 3.0 * 1.57).abs() < 1e-9), "{row:?}");
        assert!(row.mark.is_some_and(|mark| (mark - 1.6 * 1.41).abs() < 1e-9), "{row:?}");
        assert_eq!(row.reached(row.mark), [Some(true), Some(false)]);
        assert_eq!(row.ratio(), Some(3.0));
    }

    #[test]
    fn a_rumqttd_that_was_measured_needs_no_stand_in() {
        let pairs = &FLOWS[0].figures[0];
        let best = |rumqttd| best_peer(pairs, Some(0.47), None, rumqttd);
        // FlashMQ stands in with 1.57 µs.
        assert!(best(None).is_some_and(|peer| (peer - 1.57).abs() < 1e-9));
        assert_eq!(best(Some(1.2)), Some(1.2));
        let only_rumqttd = Table { relay: 1.0, peers: [9.0, 9.0, 2.0, 9.0] };
        let figure = Figure { key: "", unit: "µs", mark: Q0, table: Some(only_rumqttd) };
        assert_eq!(best_peer(&figure, Some(1.0), None, None), Some(2.0));
        assert_eq!(best_peer(&figure, Some(1.0), None, Some(3.0)), Some(3.0));
    }

    #[test]
    fn a_mark_of_another_machine_is_scaled_where_it_is_a_time() {
        let connect = STORES.iter().find(|case| case.name == "connect").expect("it is there");
        let ours = measured(&[(Subject::OneShard, 50.0), (Subject::TwoShards, 80.0)]);
        let row = rows(connect, Some(2.0), &ours).next().expect("a row");
        assert_eq!((row.mark, row.scaled_mark), (Some(35.0), Some(70.0)));
        assert_eq!(row.reached(row.mark), [Some(false), Some(false)]);
        assert_eq!(row.as_json()["reached_scaled"], json!([true, false]));
        assert_eq!(
            [row.verdict(0), row.verdict(1)],
            ["~", ""],
            "it can be seen that only the scaled one is reached"
        );
        let idle = STORES.iter().find(|case| case.name == "idle").expect("it is there");
        assert_eq!(rows(idle, Some(2.0), &Measured::new()).next().expect("a row").scaled_mark, None);
    }

    #[test]
    fn a_mark_is_made_of_the_medians_of_all_rounds() {
        let mut rounds = Measured::new();
        // In each round alone 1.6 times the relay would be below ours or far above it.
        for (relay, ours) in [(0.5, 1.5), (1.0, 1.5), (3.0, 1.5)] {
            for (subject, value) in [(Subject::Relay, relay), (Subject::OneShard, ours)] {
                rounds.entry((0, subject)).or_default().take("us", &json!({ "us": value }));
            }
        }
        rounds.entry((0, Subject::Mosquitto)).or_default().take("us", &json!({ "us": 9.0 }));
        let row = rows(&FLOWS[0], None, &rounds).next().expect("a row");
        assert_eq!((row.floor, row.mark), (Some(1.0), Some(1.6)));
        assert_eq!(row.reached(row.mark), [Some(true), None]);
        assert_eq!(row.rounds, 1, "mosquitto went well once");
        assert_eq!((row.cells()[7].as_str(), row.cells()[12].as_str()), ("1.50*", "1"));
    }

    #[test]
    fn every_load_that_the_relay_can_do_has_a_floor() {
        for case in FLOWS {
            assert!(case.has_floor || case.relay == Some(case.load), "{}", case.name);
        }
        let with_floor: Vec<_> = STORES.iter().filter(|case| case.has_floor).map(|case| case.name).collect();
        assert_eq!(with_floor, ["connect"]);
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names: Vec<_> = FLOWS.iter().chain(STORES).map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLOWS.len() + STORES.len());
    }
}
