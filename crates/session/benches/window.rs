//! What a message in flight costs: `cargo bench -p hexmq-session --bench window [-- WORD]`.
//!
//! ns per message; under callgrind the counts are exact, see `cargo xtask instructions`.

#[path = "../../wire/benches/scenario/mod.rs"]
mod scenario;

use std::hint::black_box;

use hexmq_session::{InFlight, Received};
use hexmq_wire::{PacketIdentifier, QoS};
use scenario::Scenario;

/// Messages in flight at once.
const WINDOW: u16 = 64;
/// Messages of one count.
const COUNT: u32 = 64 * 300;

fn main() {
    let window = u32::from(WINDOW);
    scenario::main(&[
        Scenario::new("in-flight-q1", COUNT, window, |_| in_flight(QoS::AtLeastOnce, false)),
        Scenario::new("in-flight-q1-backwards", COUNT, window, |_| in_flight(QoS::AtLeastOnce, true)),
        Scenario::new("in-flight-q2", COUNT, window, |_| in_flight(QoS::ExactlyOnce, false)),
        Scenario::new("received-q2", COUNT, window, |_| received()),
    ]);
}

/// A full window is sent, then acknowledged in order or from the end.
fn in_flight(qos: QoS, backwards: bool) -> scenario::Turn {
    let mut window = InFlight::new(WINDOW);
    let mut identifiers: Vec<PacketIdentifier> = Vec::new();
    Box::new(move |turn| {
        identifiers.clear();
        identifiers.extend((0..WINDOW).map_while(|_| window.begin(qos, black_box(turn))));
        if backwards {
            identifiers.reverse();
        }
        let mut done = 0;
        for &identifier in &identifiers {
            done += u32::from(match qos {
                QoS::ExactlyOnce => {
                    window.pubrec(identifier, true).is_ok() && window.pubcomp(identifier).is_ok()
                }
                _ => window.puback(identifier).is_ok(),
            });
        }
        done
    })
}

/// Identifiers of QoS 2 messages, from PUBLISH to PUBREL.
fn received() -> scenario::Turn {
    let mut received = Received::default();
    Box::new(move |_| {
        let identifiers = || (1..=WINDOW).filter_map(PacketIdentifier::new);
        let new = identifiers().filter(|&identifier| received.insert(black_box(identifier))).count();
        let known = identifiers().filter(|&identifier| received.remove(black_box(identifier))).count();
        new.min(known) as u32
    })
}
