//! Medians beside what they are measured by.

use serde_json::{Value, json};

use super::case::{Case, Figure, Mark, Table};
use super::subject::Subject;

/// A mark is never below the floor, and a little room.
const FLOOR: f64 = 1.05;
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
}

/// The rows of a case; `median` has those that were measured, and `pace` is how slow this machine is.
pub(super) fn rows(
    case: &'static Case,
    pace: Option<f64>,
    median: impl Fn(usize, Subject) -> Option<f64>,
) -> impl Iterator<Item = Row> {
    case.figures.iter().enumerate().map(move |(index, figure)| {
        let relay = median(index, Subject::Relay);
        let mosquitto = median(index, Subject::Mosquitto);
        let rumqttd = median(index, Subject::Rumqttd);
        let best_peer = best_peer(figure, relay, mosquitto, rumqttd);
        let floor = median(index, Subject::AnsweringRelay).or(relay);
        Row {
            case: case.name,
            key: figure.key,
            unit: figure.unit,
            relay,
            floor,
            mosquitto,
            rumqttd,
            best_peer,
            ours: [median(index, Subject::OneShard), median(index, Subject::TwoShards)],
            mark: mark(figure.mark, relay, floor, best_peer),
            scaled_mark: scaled(figure, pace),
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
fn scaled(figure: &Figure, pace: Option<f64>) -> Option<f64> {
    match figure.mark {
        Mark::AtMost(number) if figure.unit == "µs" => pace.map(|pace| number * pace),
        _ => None,
    }
}

fn mark(mark: Mark, relay: Option<f64>, floor: Option<f64>, peer: Option<f64>) -> Option<f64> {
    let (of_peer, of_relay) = match mark {
        Mark::AtMost(number) => return Some(number),
        Mark::Peer => return peer,
        Mark::Batched { relay_does_the_same: true } => (0.6, Some(1.6)),
        Mark::Batched { relay_does_the_same: false } => (0.6, None),
        Mark::Unbatched => (0.8, Some(1.2)),
    };
    let by_peer = peer.map(|peer| of_peer * peer);
    let by_relay = relay.zip(of_relay).map(|(relay, factor)| factor * relay);
    let lowest = by_peer.into_iter().chain(by_relay).min_by(f64::total_cmp)?;
    Some(floor.map_or(lowest, |floor| lowest.max(FLOOR * floor)))
}

impl Row {
    fn reached(&self) -> [Option<bool>; 2] {
        self.ours.map(|ours| ours.zip(self.mark).map(|(ours, mark)| ours <= mark))
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
            "reached": self.reached() })
    }
}

/// The table.
pub(super) fn print(rows: &[Row], rounds: u64, peers: &str, pace: Option<f64>) {
    println!("\nmedians of {rounds} rounds taken in turn, every delivery checked; {peers}");
    println!("* reaches the mark; the last column is two shards to one, at most {SHARDS} for messages");
    if let Some(pace) = pace {
        println!(
            "scaled: a mark in µs found on another machine, times {pace:.2}, as much as the relay needs more here"
        );
    }
    println!(
        "\n{:<20} {:<23} {:>8} {:>8} {:>9} {:>8} {:>9} {:>8} {:>8} {:>9} {:>9} {:>6}",
        "",
        "",
        "relay",
        "floor",
        "mosquitto",
        "rumqttd",
        "best peer",
        "mark",
        "scaled",
        "1 shard",
        "2 shards",
        "2 to 1"
    );
    for row in rows {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let [one, two] = [0, 1].map(|index| {
            let star = if row.reached()[index] == Some(true) { "*" } else { "" };
            format!("{}{star}", number(row.ours[index]))
        });
        println!(
            "{:<20} {:<23} {:>8} {:>8} {:>9} {:>8} {:>9} {:>8} {:>8} {:>9} {:>9} {:>6}",
            row.case,
            row.key,
            number(row.relay),
            number(row.floor),
            number(row.mosquitto),
            number(row.rumqttd),
            number(row.best_peer),
            number(row.mark),
            number(row.scaled_mark),
            one,
            two,
            number(row.ratio())
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::{FLOWS, STORES};
    use super::*;

    const Q0: Mark = Mark::Batched { relay_does_the_same: true };

    #[test]
    fn a_mark_is_the_lower_of_two_but_never_below_the_floor() {
        assert_eq!(mark(Q0, Some(1.0), Some(1.0), Some(5.0)), Some(1.6));
        assert_eq!(mark(Q0, Some(1.0), Some(1.0), Some(2.0)), Some(1.2));
        assert_eq!(mark(Q0, Some(1.0), Some(1.0), Some(1.0)), Some(1.05));
        assert_eq!(mark(Mark::Unbatched, Some(10.0), Some(10.0), Some(30.0)), Some(12.0));
        let acknowledged = Mark::Batched { relay_does_the_same: false };
        assert_eq!(mark(acknowledged, Some(1.0), Some(1.0), Some(5.0)), Some(3.0));
        assert_eq!(mark(acknowledged, Some(1.0), Some(4.0), Some(5.0)), Some(4.2), "its own floor counts");
        assert_eq!(mark(Q0, None, None, None), None);
        assert_eq!(mark(Mark::AtMost(35.0), None, None, Some(1.0)), Some(35.0));
    }

    #[test]
    fn a_peer_that_is_not_installed_stands_in_by_its_ratio_to_the_relay() {
        let pairs = &FLOWS[0];
        let measured = |_, subject| match subject {
            Subject::Relay => Some(0.47 * 3.0),
            Subject::Mosquitto => Some(9.0),
            Subject::Rumqttd | Subject::AnsweringRelay => None,
            Subject::OneShard => Some(1.0),
            Subject::TwoShards => Some(3.0),
        };
        let row = rows(pairs, None, measured).next().expect("a row");
        // Three times the table's relay, so three times the 1.57 µs of FlashMQ.
        assert!(row.best_peer.is_some_and(|peer| (peer - 3.0 * 1.57).abs() < 1e-9), "{row:?}");
        assert!(row.mark.is_some_and(|mark| (mark - 1.6 * 1.41).abs() < 1e-9), "{row:?}");
        assert_eq!(row.reached(), [Some(true), Some(false)]);
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
        let row = rows(connect, Some(2.0), |_, _| Some(50.0)).next().expect("a row");
        assert_eq!((row.mark, row.scaled_mark), (Some(35.0), Some(70.0)));
        // The verdict is that of the mark itself.
        assert_eq!(row.reached(), [Some(false), Some(false)]);
        let idle = STORES.iter().find(|case| case.name == "idle").expect("it is there");
        assert_eq!(rows(idle, Some(2.0), |_, _| None).next().expect("a row").scaled_mark, None);
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names: Vec<_> = FLOWS.iter().chain(STORES).map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLOWS.len() + STORES.len());
    }
}
