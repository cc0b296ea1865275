//! The receiver's side of QoS 2: identifiers of messages taken over and not yet released.

use hexmq_wire::PacketIdentifier;

/// Packet identifiers between the PUBREC that was sent and the PUBREL that is awaited.
///
/// A PUBLISH whose identifier is in here is a repetition and is answered but not delivered a
/// second time. [V4 MQTT-4.3.3-2, V5 MQTT-4.3.3-10]
///
/// The bound is the owner's: it compares [`Received::len`] with the Receive Maximum it announced
/// before it inserts. Never more than 65,535. Two bytes for each; one word while never used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received(Option<Box<Identifiers>>);

/// Sorted. Identifiers mostly count up, so an insertion is mostly a push and a removal shifts what
/// is in flight: some hundred bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Identifiers(Vec<u16>);

impl Received {
    /// Nothing received.
    pub const fn new() -> Received {
        Received(None)
    }

    /// Notes the identifier of a QoS 2 PUBLISH. False: it is there already, so this is a
    /// repetition.
    pub fn insert(&mut self, identifier: PacketIdentifier) -> bool {
        let identifier = identifier.get();
        let Identifiers(known) = &mut **self.0.get_or_insert_default();
        if known.last().is_none_or(|&last| last < identifier) {
            known.push(identifier);
            return true;
        }
        match known.binary_search(&identifier) {
            Ok(_) => false,
            Err(place) => {
                known.insert(place, identifier);
                true
            }
        }
    }

    /// Forgets an identifier, at PUBREL. False: it was unknown.
    /// [V5 MQTT-4.3.3-12]
    pub fn remove(&mut self, identifier: PacketIdentifier) -> bool {
        let Some(known) = &mut self.0 else { return false };
        match known.0.binary_search(&identifier.get()) {
            Ok(place) => {
                known.0.remove(place);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether a PUBLISH with this identifier would be a repetition.
    pub fn contains(&self, identifier: PacketIdentifier) -> bool {
        self.known().binary_search(&identifier.get()).is_ok()
    }

    /// How many are awaited.
    pub fn len(&self) -> usize {
        self.known().len()
    }

    /// Whether none is awaited.
    pub fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    /// The identifiers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = PacketIdentifier> + '_ {
        self.known().iter().filter_map(|&identifier| PacketIdentifier::new(identifier))
    }

    /// Forgets all and gives the memory back.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    fn known(&self) -> &[u16] {
        self.0.as_ref().map_or(&[], |known| &known.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u16) -> PacketIdentifier {
        PacketIdentifier::new(number).unwrap()
    }

    #[test]
    fn is_small_and_owns_nothing_when_new() {
        assert!(size_of::<Received>() <= 8);
        assert_eq!(Received::new().0, None);
    }

    /// [V4 MQTT-4.3.3-2, V5 MQTT-4.3.3-10, V5 MQTT-4.3.3-12]
    #[test]
    fn a_repetition_is_noticed_until_the_release() {
        let mut received = Received::new();
        assert!(received.insert(id(7)));
        assert!(!received.insert(id(7)));
        assert!(received.remove(id(7)));
        assert!(!received.remove(id(7)));
        assert!(received.insert(id(7)), "after the release it is a new message");
    }

    #[test]
    fn clear_gives_the_memory_back() {
        let mut received = Received::new();
        (1..=500).for_each(|number| assert!(received.insert(id(number))));
        received.clear();
        assert!(received.is_empty());
        assert_eq!(received.0, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn agrees_with_a_set(
            operations in prop::collection::vec((any::<bool>(), prop_oneof![1..=12_u16, 65_530..=65_535_u16]), 0..200)
        ) {
            let mut received = Received::new();
            let mut set = BTreeSet::new();
            for (insert, number) in operations {
                if insert {
                    assert_eq!(received.insert(id(number)), set.insert(number));
                } else {
                    assert_eq!(received.remove(id(number)), set.remove(&number));
                }
                assert_eq!(received.contains(id(number)), set.contains(&number));
                assert!(received.iter().map(PacketIdentifier::get).eq(set.iter().copied()));
                assert_eq!((received.len(), received.is_empty()), (set.len(), set.is_empty()));
            }
        }
    }
}
