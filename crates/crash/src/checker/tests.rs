use Event::{
    Acknowledged, Connack, ConnectSent, DisconnectSent, Killed, Lost, PublishSent, Ready, Suback,
    SubscribeSent, Unsuback, UnsubscribeSent,
};
use hexmq_wire::QoS;

use super::*;
use crate::history::{Arrival, WillTerms};

const P: ClientId = ClientId(0);
const S: ClientId = ClientId(1);
const T: ClientId = ClientId(2);
const Q1: QoS = QoS::AtLeastOnce;
const Q2: QoS = QoS::ExactlyOnce;

/// A history that is told step by step, a millisecond each.
struct History {
    checker: Checker,
    now_ms: u64,
}

impl History {
    fn new() -> History {
        let mut history = History { checker: Checker::new(&["p", "s", "t"]), now_ms: 0 };
        history.tell(Ready);
        history
    }

    fn tell(&mut self, event: Event<'_>) -> &mut Self {
        self.now_ms += 1;
        self.checker.tell(self.now_ms, &event);
        self
    }

    fn later(&mut self, ms: u64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    fn connect(&mut self, client: ClientId, clean_start: bool, session_present: bool) -> &mut Self {
        self.tell(ConnectSent { client, clean_start, keeps: Keeps::Forever, will: None });
        self.tell(Connack { client, session_present })
    }

    fn subscribe(&mut self, client: ClientId, filter: &str, qos: QoS) -> &mut Self {
        self.tell(SubscribeSent { client, filter, qos }).tell(Suback { client, filter })
    }

    fn send(&mut self, number: u32, topic: &str, qos: QoS) -> &mut Self {
        self.tell(PublishSent { message: message(number), topic, qos, retain: false, clears: false })
    }

    fn publish(&mut self, number: u32, topic: &str, qos: QoS) -> &mut Self {
        self.send(number, topic, qos).tell(Acknowledged { message: message(number) })
    }

    fn retain(&mut self, number: u32, clears: bool) -> &mut Self {
        self.tell(PublishSent { message: message(number), topic: "r", qos: Q1, retain: true, clears })
    }

    fn arrive(&mut self, client: ClientId, number: u32, topic: &str, qos: QoS) -> &mut Self {
        let message = Some(message(number));
        let arrival = Arrival { topic, qos, retain: false, message, is_will: false };
        self.tell(Event::Delivered { client, arrival })
    }

    fn arrive_retained(&mut self, client: ClientId, number: u32) -> &mut Self {
        let message = Some(message(number));
        let arrival = Arrival { topic: "r", qos: Q1, retain: true, message, is_will: false };
        self.tell(Event::Delivered { client, arrival })
    }

    fn arrive_will(&mut self, number: u32) -> &mut Self {
        let message = Some(MessageId { publisher: T, number });
        let arrival = Arrival { topic: "w", qos: Q2, retain: false, message, is_will: true };
        self.tell(Event::Delivered { client: S, arrival })
    }

    /// What is found up to the end.
    fn verdict(&mut self) -> Vec<Broken> {
        self.checker.conclude();
        self.checker.violations().iter().map(|violation| violation.broken).collect()
    }
}

fn message(number: u32) -> MessageId {
    MessageId { publisher: P, number }
}

/// A persistent subscriber to `m/#` at QoS 2.
fn subscribed() -> History {
    let mut history = History::new();
    history.connect(S, false, false).subscribe(S, "m/#", Q2);
    history
}

#[test]
fn a_run_without_faults_has_none() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q2).arrive(S, 0, "m/a", Q2).publish(1, "m/a", Q1);
    history.tell(Killed).tell(Ready).connect(S, false, true);
    history.arrive(S, 1, "m/a", Q1).arrive(S, 1, "m/a", Q1);
    assert!(history.checker.is_settled());
    assert_eq!(history.verdict(), []);
    let totals = history.checker.totals();
    assert_eq!((totals.published, totals.acknowledged, totals.delivered, totals.kills), (2, 2, 3, 1));
}

#[test]
fn a_lost_message_is_found() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q1).tell(Killed).connect(S, false, true);
    assert!(!history.checker.is_settled());
    assert_eq!((history.checker.backlog(), history.checker.backlog_of(S)), (1, 1));
    assert_eq!(history.verdict(), [Broken::Lost]);
}

#[test]
fn only_what_was_acknowledged_and_subscribed_before_can_be_lost() {
    let mut history = subscribed();
    history.send(0, "m/a", Q1).publish(1, "other", Q2);
    history.connect(T, false, false).tell(SubscribeSent { client: T, filter: "m/+", qos: Q1 });
    history.send(2, "m/b", Q1).tell(Suback { client: T, filter: "m/+" });
    history.tell(Acknowledged { message: message(2) }).arrive(S, 2, "m/b", Q1);
    assert_eq!(history.verdict(), []);
}

#[test]
fn a_qos_2_message_that_comes_twice_is_found_and_qos_1_may() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q2).arrive(S, 0, "m/a", Q2);
    history.tell(Killed).connect(S, false, true).arrive(S, 0, "m/a", Q2);
    assert_eq!(history.verdict(), [Broken::Twice]);
    let mut history = History::new();
    history.connect(S, false, false).subscribe(S, "m/#", Q1);
    history.publish(0, "m/a", Q2).arrive(S, 0, "m/a", Q1).arrive(S, 0, "m/a", Q1);
    assert_eq!(history.verdict(), []);
}

#[test]
fn order_is_kept_per_publisher_topic_and_qos() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q1).publish(1, "m/a", Q1).publish(2, "m/b", Q1).publish(3, "m/a", Q2);
    history.arrive(S, 3, "m/a", Q2).arrive(S, 2, "m/b", Q1).arrive(S, 1, "m/a", Q1);
    assert_eq!(history.checker.violations(), []);
    history.arrive(S, 0, "m/a", Q1).arrive(S, 1, "m/a", Q1);
    assert_eq!(history.verdict(), [Broken::Order]);
}

#[test]
fn another_qos_and_another_topic_are_found() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q1).arrive(S, 0, "m/a", Q2);
    history.publish(1, "m/a", Q1).arrive(S, 1, "m/x", Q1).arrive(S, 1, "m/a", Q1).arrive(S, 7, "m/a", Q1);
    assert_eq!(history.verdict(), [Broken::WrongQoS, Broken::Invented, Broken::Invented]);
}

#[test]
fn what_is_published_after_unsuback_must_not_come() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q1);
    let filter = "m/#";
    history.tell(UnsubscribeSent { client: S, filter }).publish(1, "m/a", Q1);
    history.tell(Unsuback { client: S, filter });
    // What was on its way may come, or not.
    history.arrive(S, 1, "m/a", Q1).publish(2, "m/a", Q1);
    assert_eq!(history.checker.violations(), []);
    history.arrive(S, 2, "m/a", Q1);
    assert_eq!(history.verdict(), [Broken::AfterUnsuback]);
}

#[test]
fn a_new_subscription_does_not_get_what_is_older() {
    let mut history = subscribed();
    history.tell(UnsubscribeSent { client: S, filter: "m/#" }).tell(Unsuback { client: S, filter: "m/#" });
    history.publish(0, "m/a", Q1).subscribe(S, "m/#", Q2).publish(1, "m/a", Q1);
    history.arrive(S, 1, "m/a", Q1);
    assert_eq!(history.checker.violations(), []);
    history.arrive(S, 0, "m/a", Q1);
    assert_eq!(history.verdict().first(), Some(&Broken::BeforeSubscription));
}

#[test]
fn a_discarded_session_gets_nothing() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q1).publish(1, "m/a", Q1).tell(Lost { client: S });
    history.connect(S, true, false).arrive(S, 0, "m/a", Q1);
    history.publish(2, "m/a", Q1).arrive(S, 2, "m/a", Q1);
    // A new subscription does not bring back what waited for the old session.
    history.subscribe(S, "m/#", Q2).arrive(S, 1, "m/a", Q1);
    let verdict = history.verdict();
    assert_eq!(verdict.len(), 3, "{verdict:?}");
    assert_eq!(verdict[1], Broken::DiscardedSession);
}

#[test]
fn a_session_must_be_there_after_its_connack_and_not_after_its_end() {
    let mut history = subscribed();
    history.publish(0, "m/a", Q1).tell(Killed).connect(S, false, false);
    assert_eq!(history.verdict(), [Broken::SessionLost]);
    let mut history = subscribed();
    history.tell(Lost { client: S }).connect(S, true, true);
    assert_eq!(history.verdict(), [Broken::SessionRisen]);
    let mut history = History::new();
    history.connect(S, false, true);
    assert_eq!(history.verdict(), [Broken::SessionRisen]);
}

#[test]
fn an_unanswered_request_leaves_both_possible() {
    for session_present in [false, true] {
        let mut history = History::new();
        history.tell(ConnectSent { client: S, clean_start: false, keeps: Keeps::Forever, will: None });
        history.tell(Killed).connect(S, false, session_present).tell(Lost { client: S });
        history.connect(S, false, true).tell(DisconnectSent { client: S, ends_session: true });
        history.tell(Killed).connect(S, false, session_present);
        assert_eq!(history.verdict(), []);
    }
}

#[test]
fn a_session_without_expiry_ends_with_its_connection() {
    let mut history = subscribed();
    history.tell(Lost { client: S });
    history.tell(ConnectSent { client: S, clean_start: true, keeps: Keeps::Nothing, will: None });
    history.tell(Connack { client: S, session_present: false }).tell(Killed).connect(S, false, true);
    assert_eq!(history.verdict(), [Broken::SessionRisen]);
}

#[test]
fn a_session_expires_not_before_its_time_and_not_much_after() {
    let keeps = Keeps::ForMs(5_000);
    for (away_ms, session_present, verdict) in [
        (4_000, true, vec![]),
        (4_000, false, vec![Broken::SessionLost]),
        (6_000, true, vec![]),
        (6_000, false, vec![]),
        (12_000, false, vec![]),
        (12_000, true, vec![Broken::SessionRisen]),
    ] {
        let mut history = History::new();
        history.tell(ConnectSent { client: S, clean_start: false, keeps, will: None });
        history.tell(Connack { client: S, session_present: false });
        history.tell(Lost { client: S }).later(away_ms);
        history.tell(ConnectSent { client: S, clean_start: false, keeps, will: None });
        history.tell(Connack { client: S, session_present });
        assert_eq!(history.verdict(), verdict, "{away_ms} {session_present}");
    }
}

#[test]
fn a_server_that_starts_may_count_from_its_start() {
    let keeps = Keeps::ForMs(2_000);
    let connect = ConnectSent { client: S, clean_start: false, keeps, will: None };
    for (is_ready, verdict) in [(false, vec![]), (true, vec![Broken::SessionRisen])] {
        let mut history = History::new();
        history.tell(connect).tell(Connack { client: S, session_present: false }).tell(Killed);
        if is_ready {
            history.tell(Ready);
        }
        history.later(20_000).tell(connect).tell(Connack { client: S, session_present: true });
        assert_eq!(history.verdict(), verdict);
    }
}

#[test]
fn order_begins_anew_with_the_session() {
    let mut history = subscribed();
    history.send(0, "m/a", Q1).send(1, "m/a", Q1).arrive(S, 1, "m/a", Q1).tell(Killed);
    history.connect(S, true, false).subscribe(S, "m/#", Q1);
    history.arrive(S, 0, "m/a", Q1).arrive(S, 1, "m/a", Q1);
    assert_eq!(history.verdict(), []);
}

#[test]
fn one_member_of_a_group_gets_each_message() {
    let mut history = History::new();
    for client in [S, T] {
        history.connect(client, false, false).subscribe(client, "$share/g/m/+", Q2);
    }
    history.publish(0, "m/a", Q2).publish(1, "m/a", Q2).publish(2, "m/a", Q1);
    history.arrive(T, 1, "m/a", Q2).arrive(S, 0, "m/a", Q2);
    assert_eq!(history.checker.violations(), []);
    history.arrive(T, 0, "m/a", Q2);
    assert_eq!(history.verdict(), [Broken::Twice, Broken::Lost]);
}

#[test]
fn a_retained_message_is_never_older_than_acknowledged() {
    let mut history = History::new();
    history.retain(0, false).tell(Acknowledged { message: message(0) });
    history.retain(1, false).tell(Acknowledged { message: message(1) }).retain(2, false);
    history.connect(S, true, false).subscribe(S, "#", Q1).arrive_retained(S, 1).arrive_retained(S, 2);
    assert_eq!(history.checker.violations(), []);
    history.arrive_retained(S, 0);
    assert_eq!(history.verdict(), [Broken::RetainedOld]);
}

#[test]
fn a_cleared_retained_message_does_not_come_back() {
    let mut history = History::new();
    history.retain(0, false).tell(Acknowledged { message: message(0) });
    history.retain(1, true).tell(Acknowledged { message: message(1) });
    history.connect(S, true, false).subscribe(S, "#", Q1);
    assert_eq!(history.checker.retained_owed(S), Vec::<String>::new());
    history.arrive_retained(S, 0);
    assert_eq!(history.verdict(), [Broken::RetainedOld]);
}

#[test]
fn a_retained_message_that_must_be_there_is_missed() {
    let mut history = History::new();
    history.retain(0, false).tell(Acknowledged { message: message(0) }).retain(1, false);
    history.connect(S, true, false).subscribe(S, "#", Q1);
    assert_eq!(history.checker.retained_owed(S), ["r"]);
    history.checker.give_up_on_retained(S);
    assert_eq!(history.checker.counts().get(&Broken::RetainedLost), Some(&1));
    // A clear on its way may have come first.
    history.retain(2, true);
    assert_eq!(history.checker.retained_owed(S), Vec::<String>::new());
}

#[test]
fn a_refused_message_is_owed_to_nobody() {
    let mut history = subscribed();
    history.send(0, "m/a", Q2).tell(Event::Refused { message: message(0) });
    history.send(1, "m/a", Q2).tell(Event::PublishedAnew { message: message(1) });
    history.arrive(S, 1, "m/a", Q2).arrive(S, 1, "m/a", Q2);
    history.retain(2, false).tell(Acknowledged { message: message(2) });
    history.retain(3, false).tell(Event::Refused { message: message(3) });
    history.connect(T, true, false).subscribe(T, "r", Q1).arrive_retained(T, 2);
    assert_eq!(history.verdict(), []);
}

fn with_will(history: &mut History, number: u32) -> &mut History {
    let will = Some(WillTerms { number, delay_ms: 1_000 });
    history.tell(ConnectSent { client: T, clean_start: false, keeps: Keeps::Forever, will });
    history.tell(Connack { client: T, session_present: number > 0 })
}

#[test]
fn a_will_comes_once_when_its_delay_is_over() {
    let mut history = subscribed();
    with_will(&mut history, 0).tell(Killed);
    assert!(!history.checker.is_settled());
    history.later(1_100).arrive_will(0);
    assert!(history.checker.has_will(T, 0) && history.checker.is_settled());
    with_will(&mut history, 1);
    assert_eq!(history.checker.violations(), []);
    history.arrive_will(0);
    assert_eq!(history.verdict(), [Broken::Twice]);
}

#[test]
fn a_will_that_does_not_come_is_missed() {
    let mut history = subscribed();
    with_will(&mut history, 0).tell(Lost { client: T }).later(60_000);
    assert_eq!(history.verdict(), [Broken::WillLost]);
}

#[test]
fn a_will_does_not_come_early_nor_for_who_is_back() {
    let mut history = subscribed();
    with_will(&mut history, 0).arrive_will(0).tell(Lost { client: T });
    with_will(&mut history, 1).arrive_will(0).tell(Killed).later(500).arrive_will(1);
    let verdict = history.verdict();
    assert_eq!(verdict.iter().filter(|broken| **broken == Broken::WillWrong).count(), 3, "{verdict:?}");
}

#[test]
fn an_orderly_end_may_take_the_will_away() {
    for comes in [false, true] {
        let mut history = subscribed();
        with_will(&mut history, 0).tell(DisconnectSent { client: T, ends_session: false });
        history.tell(Killed).later(5_000);
        if comes {
            history.arrive_will(0);
        }
        assert_eq!(history.verdict(), []);
    }
}

#[test]
fn what_breaks_the_protocol_is_told() {
    let mut history = History::new();
    history.tell(Event::Nonsense { client: S, what: "a PUBACK for nothing" });
    assert_eq!(history.verdict(), [Broken::Protocol]);
}

#[test]
fn of_many_violations_some_are_told_and_all_counted() {
    let mut history = subscribed();
    (0..100).for_each(|number| {
        history.publish(number, "m/a", Q1);
    });
    assert_eq!(history.verdict().len(), TOLD_OF_A_KIND);
    assert_eq!(history.checker.counts().get(&Broken::Lost), Some(&100));
}
