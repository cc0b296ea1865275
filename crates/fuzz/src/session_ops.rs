//! What a session keeps, operation by operation against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use hexmq_session::{AliasUse, AliasesIn, AliasesOut, InFlight, Received, Resend};
use hexmq_wire::{PacketIdentifier, QoS};

use crate::bytes::Bytes;

/// A message or request on its way, in the order of sending.
struct Entry {
    identifier: PacketIdentifier,
    kind: Kind,
    message: Option<u32>,
    /// Waits to be sent again.
    unsent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Puback,
    Pubrec,
    Pubcomp,
    Request,
}

struct Model {
    entries: Vec<Entry>,
    window: u16,
}

impl Model {
    fn messages(&self) -> usize {
        self.entries.iter().filter(|entry| entry.kind != Kind::Request).count()
    }

    fn unsent(&self) -> usize {
        self.entries.iter().filter(|entry| entry.unsent).count()
    }

    fn find(&self, identifier: PacketIdentifier, kind: Kind) -> Option<usize> {
        self.entries.iter().position(|entry| entry.identifier == identifier && entry.kind == kind)
    }

    fn in_use(&self, identifier: PacketIdentifier) -> bool {
        self.entries.iter().any(|entry| entry.identifier == identifier)
    }

    fn has_room(&self) -> bool {
        self.unsent() == 0 && self.messages() < usize::from(self.window)
    }

    fn push(&mut self, identifier: PacketIdentifier, kind: Kind, message: Option<u32>) {
        assert!(!self.in_use(identifier), "{identifier} is in use");
        self.entries.push(Entry { identifier, kind, message, unsent: false });
    }

    /// What is sent again, in order: identifier and message, or none for a PUBREL.
    fn resend(&self) -> Vec<(PacketIdentifier, Option<u32>)> {
        let messages = self.entries.iter().filter(|entry| entry.kind != Kind::Request);
        messages.map(|entry| (entry.identifier, entry.message)).collect()
    }
}

fn flat(resend: Resend<'_, u32>) -> (PacketIdentifier, Option<u32>) {
    match resend {
        Resend::Publish { identifier, message, .. } => (identifier, Some(*message)),
        Resend::Pubrel { identifier } => (identifier, None),
    }
}

/// An identifier that may be in use, may have been, or never was.
fn identifier(bytes: &mut Bytes<'_>) -> PacketIdentifier {
    NonZeroU16::new(u16::from(bytes.byte())).unwrap_or(NonZeroU16::MAX)
}

fn acknowledge(bytes: &mut Bytes<'_>, in_flight: &mut InFlight<u32>, model: &mut Model) {
    let choice = bytes.below(4);
    let identifier = identifier(bytes);
    match choice {
        0 => match model.find(identifier, Kind::Puback) {
            Some(at) => assert_eq!(in_flight.puback(identifier).ok(), model.entries.remove(at).message),
            None => assert!(in_flight.puback(identifier).is_err()),
        },
        1 => {
            let accepted = bytes.flag();
            match (model.find(identifier, Kind::Pubrec), model.find(identifier, Kind::Pubcomp)) {
                (Some(at), _) if accepted => {
                    let entry = &mut model.entries[at];
                    entry.kind = Kind::Pubcomp;
                    entry.unsent = false;
                    assert_eq!(in_flight.pubrec(identifier, true), Ok(entry.message.take()));
                }
                (Some(at), _) => {
                    assert_eq!(in_flight.pubrec(identifier, false), Ok(model.entries.remove(at).message));
                }
                // A second PUBREC has nothing to give back, but its PUBREL is sent now.
                (None, Some(at)) => {
                    assert_eq!(in_flight.pubrec(identifier, accepted), Ok(None));
                    model.entries[at].unsent = false;
                    if !accepted {
                        model.entries.remove(at);
                    }
                }
                (None, None) => assert!(in_flight.pubrec(identifier, accepted).is_err()),
            }
        }
        2 => match model.find(identifier, Kind::Pubcomp) {
            Some(at) => {
                assert_eq!(in_flight.pubcomp(identifier), Ok(()));
                model.entries.remove(at);
            }
            None => assert!(in_flight.pubcomp(identifier).is_err()),
        },
        _ => {
            let at = model.find(identifier, Kind::Request);
            assert_eq!(in_flight.release_identifier(identifier), at.is_some());
            at.map(|at| model.entries.remove(at));
        }
    }
}

fn send(bytes: &mut Bytes<'_>, in_flight: &mut InFlight<u32>, model: &mut Model, message: u32) {
    let (qos, kind) = bytes.one_of(&[(QoS::AtLeastOnce, Kind::Puback), (QoS::ExactlyOnce, Kind::Pubrec)]);
    assert_eq!(in_flight.has_room(), model.has_room());
    match in_flight.begin(qos, message) {
        Some(identifier) => {
            assert!(model.has_room());
            model.push(identifier, kind, Some(message));
        }
        None => assert!(!model.has_room()),
    }
}

fn resend_one(in_flight: &mut InFlight<u32>, model: &mut Model) {
    let sent = model.messages() - model.unsent();
    let may = sent < usize::from(model.window.max(1));
    let next = model.entries.iter_mut().find(|entry| entry.unsent && may);
    let expected = next.map(|entry| {
        entry.unsent = false;
        (entry.identifier, entry.message)
    });
    assert_eq!(in_flight.next_resend().map(flat), expected);
}

fn in_flight(bytes: &mut Bytes<'_>) {
    let window = bytes.below(6) as u16;
    let mut in_flight = InFlight::new(window);
    let mut model = Model { entries: Vec::new(), window };
    let mut message = 0;
    while !bytes.is_empty() {
        match bytes.below(8) {
            0 | 1 => {
                message += 1;
                send(bytes, &mut in_flight, &mut model, message);
            }
            2..=4 => acknowledge(bytes, &mut in_flight, &mut model),
            5 => {
                let identifier = in_flight.allocate_identifier();
                model.push(identifier.expect("few are in use"), Kind::Request, None);
            }
            6 if bytes.flag() => {
                in_flight.rewind();
                model.entries.iter_mut().for_each(|entry| entry.unsent = entry.kind != Kind::Request);
            }
            6 => {
                model.window = bytes.below(6) as u16;
                in_flight.set_window(model.window);
            }
            _ => resend_one(&mut in_flight, &mut model),
        }
        assert_eq!(in_flight.len(), model.messages());
        let asked = identifier(bytes);
        assert_eq!(in_flight.identifier_in_use(asked), model.in_use(asked));
        assert_eq!(in_flight.resend().map(flat).collect::<Vec<_>>(), model.resend());
    }
    let left: Vec<_> = in_flight.drain().map(|(identifier, _, message)| (identifier, message)).collect();
    assert_eq!(left, model.resend());
}

fn received(bytes: &mut Bytes<'_>) {
    let mut received = Received::default();
    let mut model = BTreeSet::new();
    while !bytes.is_empty() {
        let (operation, identifier) = (bytes.below(3), identifier(bytes));
        match operation {
            0 => assert_eq!(received.insert(identifier), model.insert(identifier)),
            1 => assert_eq!(received.remove(identifier), model.remove(&identifier)),
            _ => assert_eq!(received.contains(identifier), model.contains(&identifier)),
        }
        assert_eq!(received.len(), model.len());
    }
    assert_eq!(received.iter().collect::<BTreeSet<_>>(), model);
}

const TOPICS: [&str; 5] = ["a", "b", "a/b", "longer/topic/name", "ä"];

/// What one side sends with aliases the other side understands.
fn aliases(bytes: &mut Bytes<'_>) {
    let maximum = bytes.below(4) as u16;
    let mut out = AliasesOut::new(maximum);
    let mut incoming = AliasesIn::new(maximum);
    let mut strange = AliasesIn::new(maximum);
    let mut model: BTreeMap<u16, &str> = BTreeMap::new();
    while !bytes.is_empty() {
        let topic = bytes.one_of(&TOPICS);
        if bytes.flag() {
            match out.assign(topic) {
                AliasUse::New(alias) => assert_eq!(incoming.set(alias, topic), Ok(())),
                AliasUse::Known(alias) => assert_eq!(incoming.get(alias), Some(topic)),
                AliasUse::None => assert_eq!(out.look_up(topic), None),
            }
            continue;
        }
        // Somebody who sets what they like.
        let alias = u16::from(bytes.byte() % 6);
        let allowed = alias != 0 && alias <= maximum;
        assert_eq!(strange.set(alias, topic).is_ok(), allowed);
        if allowed {
            model.insert(alias, topic);
        }
        let asked = u16::from(bytes.byte() % 6);
        assert_eq!(strange.get(asked), model.get(&asked).copied());
    }
}

/// The first byte chooses what is tried.
pub fn session_ops(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    match bytes.below(3) {
        0 => in_flight(&mut bytes),
        1 => received(&mut bytes),
        _ => aliases(&mut bytes),
    }
}
