//! Medians beside what they are measured by.

use serde_json::{Value, json};

use super::case::{Case, Figure, Mark};
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
    mosquitto: Option<f64>,
    /// The best of mosquitto and what stands in for others.
    best_peer: Option<f64>,
    ours: [Option<f64>; 2],
    mark: Option<f64>,
}

/// The rows of a case; `median` has those that were measured.
pub(super) fn rows(
    case: &'static Case,
    median: impl Fn(usize, Subject) -> Option<f64>,
) -> impl Iterator<Item = Row> {
    case.figures.iter().enumerate().map(move |(index, figure)| {
        let relay = median(index, Subject::Relay);
        let mosquitto = median(index, Subject::Mosquitto);
        let best_peer = best_peer(figure, relay, mosquitto);
        Row {
            case: case.name,
            key: figure.key,
            unit: figure.unit,
            relay,
            mosquitto,
            best_peer,
            ours: [median(index, Subject::OneShard), median(index, Subject::TwoShards)],
            mark: mark(figure.mark, relay, best_peer),
        }
    })
}

fn best_peer(figure: &Figure, relay: Option<f64>, mosquitto: Option<f64>) -> Option<f64> {
    let others = figure
        .table
        .zip(relay)
        .into_iter()
        .flat_map(|(table, relay)| table.peers.into_iter().map(move |peer| peer / table.relay * relay));
    others.chain(mosquitto).min_by(f64::total_cmp)
}

fn mark(mark: Mark, relay: Option<f64>, peer: Option<f64>) -> Option<f64> {
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
    Some(relay.map_or(lowest, |relay| lowest.max(FLOOR * relay)))
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
        json!({ "case": self.case, "figure": self.key, "unit": self.unit, "relay": self.relay,
            "mosquitto": self.mosquitto, "best_peer": self.best_peer, "hexmq_1": one, "hexmq_2": two,
            "two_shards_to_one": self.ratio(), "mark": self.mark, "reached": self.reached() })
    }
}

/// The table.
pub(super) fn print(rows: &[Row], rounds: u64, mosquitto: Option<&str>) {
    let peer = mosquitto.unwrap_or("mosquitto is not installed");
    println!("\nmedians of {rounds} rounds taken in turn, every delivery checked; {peer}");
    println!("* reached; the last column is two shards to one, at most {SHARDS} for messages\n");
    println!(
        "{:<20} {:<23} {:>8} {:>9} {:>9} {:>8} {:>9} {:>9} {:>6}",
        "", "", "relay", "mosquitto", "best peer", "mark", "1 shard", "2 shards", "2 to 1"
    );
    for row in rows {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let [one, two] = [0, 1].map(|index| {
            let star = if row.reached()[index] == Some(true) { "*" } else { "" };
            format!("{}{star}", number(row.ours[index]))
        });
        println!(
            "{:<20} {:<23} {:>8} {:>9} {:>9} {:>8} {:>9} {:>9} {:>6}",
            row.case,
            row.key,
            number(row.relay),
            number(row.mosquitto),
            number(row.best_peer),
            number(row.mark),
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
        assert_eq!(mark(Q0, Some(1.0), Some(5.0)), Some(1.6));
        assert_eq!(mark(Q0, Some(1.0), Some(2.0)), Some(1.2));
        assert_eq!(mark(Q0, Some(1.0), Some(1.0)), Some(1.05));
        assert_eq!(mark(Mark::Unbatched, Some(10.0), Some(30.0)), Some(12.0));
        let acknowledged = Mark::Batched { relay_does_the_same: false };
        assert_eq!(mark(acknowledged, Some(1.0), Some(5.0)), Some(3.0));
        assert_eq!(mark(Q0, None, None), None);
        assert_eq!(mark(Mark::AtMost(35.0), None, Some(1.0)), Some(35.0));
    }

    #[test]
    fn a_peer_that_is_not_installed_stands_in_by_its_ratio_to_the_relay() {
        let pairs = &FLOWS[0];
        let measured = |_, subject| match subject {
            Subject::Relay => Some(0.47 * 3.0),
            Subject::Mosquitto => Some(9.0),
            Subject::OneShard => Some(1.0),
            Subject::TwoShards => Some(3.0),
        };
        let row = rows(pairs, measured).next().expect("a row");
        // Three times the table's relay, so three times the 1.57 µs of FlashMQ.
        assert!(row.best_peer.is_some_and(|peer| (peer - 3.0 * 1.57).abs() < 1e-9), "{row:?}");
        assert!(row.mark.is_some_and(|mark| (mark - 1.6 * 1.41).abs() < 1e-9), "{row:?}");
        assert_eq!(row.reached(), [Some(true), Some(false)]);
        assert_eq!(row.ratio(), Some(3.0));
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names: Vec<_> = FLOWS.iter().chain(STORES).map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLOWS.len() + STORES.len());
    }
}
