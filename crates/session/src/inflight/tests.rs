use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn id(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).unwrap()
}

fn resent<M: Copy>(in_flight: &InFlight<M>) -> Vec<(u16, Option<M>)> {
    let parts = |resend| match resend {
        Resend::Publish { identifier, message, .. } => (PacketIdentifier::get(identifier), Some(*message)),
        Resend::Pubrel { identifier } => (identifier.get(), None),
    };
    in_flight.resend().map(parts).collect()
}

fn slots<M>(in_flight: &InFlight<M>) -> &VecDeque<Slot<M>> {
    &in_flight.ring.as_ref().expect("something was in flight").slots
}

#[test]
fn is_small_and_owns_nothing_when_new() {
    assert!(size_of::<InFlight<NonZeroU32>>() <= 16);
    assert!(size_of::<Slot<NonZeroU32>>() <= 8);
    assert!(InFlight::<u32>::new(64).ring.is_none());
}

#[test]
fn identifiers_begin_with_1_and_count_up() {
    let mut in_flight = InFlight::new(3);
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'a'), Some(id(1)));
    assert_eq!(in_flight.begin(QoS::ExactlyOnce, 'b'), Some(id(2)));
    assert_eq!(in_flight.puback(id(1)), Ok('a'));
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'c'), Some(id(3)), "an identifier is not reused at once");
    assert_eq!(in_flight.allocate_identifier(), Some(id(4)));
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'd'), Some(id(5)));
}

/// [V5 MQTT-4.9.0-2]
#[test]
fn the_window_is_kept() {
    let mut in_flight = InFlight::new(2);
    in_flight.begin(QoS::AtLeastOnce, 'a');
    in_flight.begin(QoS::ExactlyOnce, 'b');
    assert!(!in_flight.has_room());
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'c'), None);
    assert_eq!(in_flight.pubrec(id(2), true), Ok(Some('b')));
    assert!(!in_flight.has_room(), "the message counts until PUBCOMP");
    assert_eq!(in_flight.pubcomp(id(2)), Ok(()));
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'c'), Some(id(3)));
}

#[test]
fn a_smaller_window_loses_nothing() {
    let mut in_flight = InFlight::new(4);
    (0..4).for_each(|message| assert!(in_flight.begin(QoS::AtLeastOnce, message).is_some()));
    in_flight.set_window(1);
    for message in 0..4 {
        assert!(!in_flight.has_room());
        assert_eq!(in_flight.puback(id(message + 1)), Ok(message));
    }
    assert!(in_flight.has_room());
}

#[test]
fn qos_0_is_not_kept() {
    assert_eq!(InFlight::new(1).begin(QoS::AtMostOnce, ()), None);
}

/// [V4 MQTT-4.3.3-1, V5 MQTT-4.3.3-4, V5 MQTT-4.3.3-6]
#[test]
fn a_second_pubrec_is_answered_and_gives_no_message() {
    let mut in_flight = InFlight::new(2);
    in_flight.begin(QoS::ExactlyOnce, 'a');
    assert_eq!(in_flight.pubrec(id(1), true), Ok(Some('a')));
    assert_eq!(in_flight.pubrec(id(1), true), Ok(None));
    assert_eq!(resent(&in_flight), [(1, None)], "the PUBLISH is not sent again after its PUBREL");
    assert_eq!(in_flight.pubcomp(id(1)), Ok(()));
    assert_eq!(in_flight.pubrec(id(1), true), Err(AckError::Unknown));
}

/// [V5 MQTT-4.4.0-2]
#[test]
fn a_refusing_pubrec_ends_the_exchange() {
    let mut in_flight = InFlight::new(1);
    in_flight.begin(QoS::ExactlyOnce, 'a');
    assert_eq!(in_flight.pubrec(id(1), false), Ok(Some('a')));
    assert!(in_flight.is_empty());
    assert_eq!(in_flight.pubcomp(id(1)), Err(AckError::Unknown));
}

#[test]
fn acknowledgements_that_fit_nothing_change_nothing() {
    let mut in_flight = InFlight::new(9);
    in_flight.begin(QoS::AtLeastOnce, 'a');
    in_flight.begin(QoS::ExactlyOnce, 'b');
    let request = in_flight.allocate_identifier().unwrap();
    assert_eq!(in_flight.puback(id(2)), Err(AckError::WrongQoS));
    assert_eq!(in_flight.pubrec(id(1), true), Err(AckError::WrongQoS));
    assert_eq!(in_flight.pubcomp(id(1)), Err(AckError::WrongQoS));
    assert_eq!(in_flight.pubcomp(id(2)), Err(AckError::OutOfTurn));
    for unknown in [request, id(4), id(u16::MAX)] {
        assert_eq!(in_flight.puback(unknown), Err(AckError::Unknown));
        assert_eq!(in_flight.pubrec(unknown, true), Err(AckError::Unknown));
        assert_eq!(in_flight.pubcomp(unknown), Err(AckError::Unknown));
    }
    assert_eq!(resent(&in_flight), [(1, Some('a')), (2, Some('b'))]);
    assert!(!in_flight.release_identifier(id(1)));
    assert!(in_flight.release_identifier(request));
    assert!(!in_flight.release_identifier(request));
}

/// [V4 MQTT-2.3.1-1, V5 MQTT-2.2.1-3]
#[test]
fn after_65535_comes_1() {
    let mut in_flight = InFlight::new(2);
    for round in 0..u16::MAX {
        let identifier = in_flight.begin(QoS::AtLeastOnce, ()).unwrap();
        assert_eq!(identifier.get(), round + 1);
        assert_eq!(in_flight.puback(identifier), Ok(()));
    }
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, ()), Some(id(1)));
}

/// [V4 MQTT-2.3.1-2, V4 MQTT-2.3.1-4, V5 MQTT-2.2.1-3, V5 MQTT-2.2.1-4]
/// [V5 U-2.2.1-2]
#[test]
fn an_identifier_in_use_is_skipped() {
    let mut in_flight = InFlight::new(8);
    let stuck = [in_flight.begin(QoS::AtLeastOnce, 0_u32), in_flight.allocate_identifier()];
    for round in 0..3 * u32::from(u16::MAX) {
        let identifier = in_flight.begin(QoS::ExactlyOnce, round).unwrap();
        assert!(!stuck.contains(&Some(identifier)));
        assert_eq!(in_flight.pubrec(identifier, true), Ok(Some(round)));
        assert_eq!(in_flight.pubcomp(identifier), Ok(()));
        assert!(slots(&in_flight).len() < 24, "tombstones are bounded");
    }
    assert_eq!(resent(&in_flight), [(1, Some(0))]);
}

#[test]
fn every_identifier_can_be_in_use() {
    let mut in_flight = InFlight::new(u16::MAX);
    let used: BTreeSet<u16> =
        (0..u16::MAX).map(|message| in_flight.begin(QoS::AtLeastOnce, message).unwrap().get()).collect();
    assert_eq!(used.len(), usize::from(u16::MAX));
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 0), None);
    assert_eq!(in_flight.allocate_identifier(), None);
    assert_eq!(in_flight.puback(id(40_000)), Ok(39_999));
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 7), Some(id(40_000)), "the only free one is found");
    assert_eq!(resent(&in_flight).last(), Some(&(40_000, Some(7))), "and it is the last in order");
}

/// [V5 MQTT-4.4.0-1, V5 MQTT-4.9.0-2]
#[test]
fn resending_keeps_to_a_smaller_window() {
    let mut in_flight = InFlight::new(4);
    for message in ['a', 'b', 'c', 'd'] {
        in_flight.begin(QoS::ExactlyOnce, message);
    }
    in_flight.pubrec(id(2), true).unwrap();
    in_flight.set_window(2);
    in_flight.rewind();
    let publish =
        |number, message| Resend::Publish { identifier: id(number), qos: QoS::ExactlyOnce, message };
    assert_eq!(in_flight.next_resend(), Some(publish(1, &'a')));
    assert_eq!(in_flight.next_resend(), Some(Resend::Pubrel { identifier: id(2) }));
    assert_eq!(in_flight.next_resend(), None, "the window is full");
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'e'), None, "older messages go first");
    in_flight.pubcomp(id(2)).unwrap();
    assert_eq!(in_flight.next_resend(), Some(publish(3, &'c')));
    assert_eq!(in_flight.puback(id(4)), Err(AckError::WrongQoS));
    assert_eq!(in_flight.pubrec(id(4), true), Ok(Some('d')), "acknowledged for the first time it was sent");
    in_flight.pubcomp(id(4)).unwrap();
    assert_eq!(in_flight.next_resend(), None);
    in_flight.pubrec(id(1), true).unwrap();
    in_flight.pubcomp(id(1)).unwrap();
    assert_eq!(in_flight.next_resend(), None);
    assert_eq!(in_flight.begin(QoS::AtLeastOnce, 'e'), Some(id(5)));
}

#[test]
fn a_steady_flow_does_not_grow() {
    let mut in_flight = InFlight::new(16);
    let mut sent = VecDeque::new();
    let mut capacity = 0;
    for round in 0..10_000_u32 {
        while let Some(identifier) = in_flight.begin(QoS::AtLeastOnce, round) {
            sent.push_back(identifier);
        }
        in_flight.puback(sent.pop_front().unwrap()).unwrap();
        if round == 100 {
            capacity = slots(&in_flight).capacity();
        }
    }
    assert_eq!(slots(&in_flight).capacity(), capacity);
    assert!(capacity <= 64);
    sent.into_iter().for_each(|identifier| assert!(in_flight.puback(identifier).is_ok()));
}

/// What [`InFlight`] promises, in the plainest form: messages by order of sending.
#[derive(Default)]
struct Model {
    in_order: Vec<(u16, QoS, Option<u32>)>,
    requests: BTreeSet<u16>,
    /// Waiting to be sent again.
    unsent: BTreeMap<u16, ()>,
}

impl Model {
    fn in_use(&self, identifier: u16) -> bool {
        self.requests.contains(&identifier) || self.in_order.iter().any(|sent| sent.0 == identifier)
    }

    fn remove(&mut self, identifier: u16) {
        self.in_order.retain(|sent| sent.0 != identifier);
        self.unsent.remove(&identifier);
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Begin(QoS),
    Request,
    Release(usize),
    Puback(usize),
    Pubrec(usize, bool),
    Pubcomp(usize),
    Window(u16),
    Rewind,
    NextResend,
    CloseHoles,
    /// Identifiers run through, so that counting goes round.
    Run(u16),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => prop_oneof![Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)].prop_map(Operation::Begin),
        1 => Just(Operation::Request),
        1 => any::<usize>().prop_map(Operation::Release),
        3 => any::<usize>().prop_map(Operation::Puback),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(pick, ok)| Operation::Pubrec(pick, ok)),
        3 => any::<usize>().prop_map(Operation::Pubcomp),
        1 => (0..40_u16).prop_map(Operation::Window),
        1 => Just(Operation::Rewind),
        2 => Just(Operation::NextResend),
        1 => Just(Operation::CloseHoles),
        1 => (1..40_u16).prop_map(Operation::Run),
    ]
}

fn pick(model: &Model, choice: usize) -> PacketIdentifier {
    let known: Vec<u16> =
        model.in_order.iter().map(|sent| sent.0).chain(model.requests.iter().copied()).collect();
    // Now and then an identifier that nobody has.
    let index = choice % (known.len() + 1);
    known.get(index).and_then(|&number| PacketIdentifier::new(number)).unwrap_or(id(choice as u16 | 1))
}

fn step(in_flight: &mut InFlight<u32>, model: &mut Model, operation: Operation, message: u32) {
    let room = model.in_order.len() < usize::from(in_flight.window()) && model.unsent.is_empty();
    match operation {
        Operation::Begin(qos) => match in_flight.begin(qos, message) {
            Some(identifier) => {
                assert!(room && !model.in_use(identifier.get()));
                model.in_order.push((identifier.get(), qos, Some(message)));
            }
            None => assert!(!room),
        },
        Operation::Request => {
            let identifier = in_flight.allocate_identifier().unwrap().get();
            assert!(!model.in_use(identifier));
            model.requests.insert(identifier);
        }
        Operation::Release(choice) => {
            let identifier = pick(model, choice);
            assert_eq!(in_flight.release_identifier(identifier), model.requests.remove(&identifier.get()));
        }
        Operation::Puback(choice) => {
            let identifier = pick(model, choice);
            let expected = match model.in_order.iter().find(|sent| sent.0 == identifier.get()) {
                Some((_, QoS::AtLeastOnce, message)) => Ok(message.unwrap()),
                Some(_) => Err(AckError::WrongQoS),
                None => Err(AckError::Unknown),
            };
            assert_eq!(in_flight.puback(identifier), expected);
            if expected.is_ok() {
                model.remove(identifier.get());
            }
        }
        Operation::Pubrec(choice, accepted) => {
            let identifier = pick(model, choice);
            let answer = in_flight.pubrec(identifier, accepted);
            match model.in_order.iter_mut().find(|sent| sent.0 == identifier.get()) {
                Some((_, QoS::ExactlyOnce, message)) => {
                    assert_eq!(answer, Ok(message.take()));
                    model.unsent.remove(&identifier.get());
                    if !accepted {
                        model.remove(identifier.get());
                    }
                }
                Some(_) => assert_eq!(answer, Err(AckError::WrongQoS)),
                None => assert_eq!(answer, Err(AckError::Unknown)),
            }
        }
        Operation::Pubcomp(choice) => {
            let identifier = pick(model, choice);
            let expected = match model.in_order.iter().find(|sent| sent.0 == identifier.get()) {
                Some((_, QoS::ExactlyOnce, None)) => Ok(()),
                Some((_, QoS::ExactlyOnce, Some(_))) => Err(AckError::OutOfTurn),
                Some(_) => Err(AckError::WrongQoS),
                None => Err(AckError::Unknown),
            };
            assert_eq!(in_flight.pubcomp(identifier), expected);
            if expected.is_ok() {
                model.remove(identifier.get());
            }
        }
        Operation::Window(window) => in_flight.set_window(window),
        Operation::Rewind => {
            in_flight.rewind();
            model.unsent = model.in_order.iter().map(|sent| (sent.0, ())).collect();
        }
        Operation::NextResend => {
            let sent = model.in_order.len() - model.unsent.len();
            let next = model.in_order.iter().find(|sent| model.unsent.contains_key(&sent.0));
            let window = usize::from(in_flight.window()).max(1);
            let expected =
                next.filter(|_| sent < window).map(|&(identifier, _, message)| (identifier, message));
            let answer = in_flight.next_resend().map(|resend| match resend {
                Resend::Publish { identifier, message, .. } => (identifier.get(), Some(*message)),
                Resend::Pubrel { identifier } => (identifier.get(), None),
            });
            assert_eq!(answer, expected);
            if let Some((identifier, _)) = expected {
                model.unsent.remove(&identifier);
            }
        }
        Operation::CloseHoles => in_flight.ring_mut().close_holes(),
        Operation::Run(count) => {
            for _ in 0..count {
                let identifier = in_flight.allocate_identifier().unwrap();
                assert!(!model.in_use(identifier.get()));
                in_flight.release_identifier(identifier);
            }
        }
    }
}

fn check(operations: Vec<Operation>, last: u16) {
    // An empty window whose session has come to some identifier.
    let ring = Some(Box::new(Ring { last, ..Ring::default() }));
    let mut in_flight = InFlight { ring, window: 24 };
    let mut model = Model::default();
    for (message, operation) in operations.into_iter().enumerate() {
        step(&mut in_flight, &mut model, operation, message as u32);
        let expected: Vec<_> = model.in_order.iter().map(|&(id, _, message)| (id, message)).collect();
        assert_eq!(resent(&in_flight), expected);
        assert_eq!(in_flight.len(), expected.len());
        assert_eq!(in_flight.is_empty(), expected.is_empty());
        let living = expected.len() + model.requests.len();
        assert!(slots(&in_flight).len() <= 2 * living + TOMBSTONES_SLACK + 1);
        for identifier in model.requests.iter().chain(expected.iter().map(|(id, _)| id)) {
            assert!(in_flight.identifier_in_use(id(*identifier)));
        }
    }
    let drained: Vec<_> = in_flight.drain().map(|(id, qos, message)| (id.get(), qos, message)).collect();
    assert_eq!(drained, model.in_order);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn agrees_with_the_plain_model(
        operations in prop::collection::vec(operation(), 1..120),
        last in prop_oneof![Just(0), 65_480..=u16::MAX],
    ) {
        check(operations, last);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn agrees_with_the_plain_model_after_a_full_round(
        mut operations in prop::collection::vec(operation(), 30..90),
        place in 0..30_usize,
        round in 65_400..=u16::MAX,
    ) {
        operations.insert(place, Operation::Run(round));
        check(operations, 0);
    }
}
