//! What the recorder keeps, and for whom.

use super::*;
use hexmq_broker::CloseReason;

fn peer(address: &str) -> Peer {
    Peer { address: address.into(), loopback: false, listener: 0, secure: false }
}

fn recorder(bounds: RecorderBounds) -> Arc<Recorder> {
    Arc::new(Recorder::new(bounds, vec!["mqtt://h:1".into()]))
}

fn refused<'a>(peer: &'a Peer, client: Option<&'a str>, bytes: &'a [u8]) -> Refused<'a> {
    Refused {
        peer,
        client_identifier: client,
        refused: true,
        reason: "not_authorized",
        fault: None,
        version: None,
        bytes,
        sent: bytes.len(),
        layer: None,
    }
}

fn client(id: &str) -> Rule {
    Rule { client_id: Some(id.into()), ..Rule::default() }
}

/// The entries of a watch, as short words.
fn told(watch: &Watch) -> Vec<String> {
    let entries = watch.shelf().page(0, usize::MAX);
    let word = |entry: &Entry| match &entry.what {
        Crossed::Opened { whole } => format!("open {whole}"),
        Crossed::Received { bytes, greeting } => format!("> {bytes:?} {greeting}"),
        Crossed::Sent(bytes) => format!("< {bytes:?}"),
        Crossed::Refused(rejection) => format!("refused {}", rejection.reason),
        Crossed::Closed(reason) => format!("closed {}", reason.map_or("-", CloseReason::name)),
    };
    entries.iter().map(|(_, entry)| format!("{} {}", entry.connection.number, word(entry))).collect()
}

#[test]
fn the_last_refused_connections_are_kept_newest_first() {
    let recorder = recorder(RecorderBounds { rejections: 3, ..RecorderBounds::default() });
    for n in 0..5_u8 {
        recorder.refused(&refused(&peer(&format!("192.0.2.{n}:1")), None, &[n]));
    }
    let kept = recorder.rejections(u64::MAX, 10, |_| true);
    let seen: Vec<_> = kept.iter().map(|(number, rejection)| (*number, rejection.bytes[0])).collect();
    assert_eq!(seen, [(4, 4), (3, 3), (2, 2)]);
    assert_eq!(kept[0].1.listener.as_ref(), "mqtt://h:1");
    let next = recorder.rejections(4, 1, |_| true);
    assert_eq!(next[0].0, 3);
    let picked = recorder.rejections(u64::MAX, 10, |rejection| rejection.bytes[0] == 2);
    assert_eq!(picked.len(), 1);
    let mut page = String::new();
    recorder.render(&mut page);
    assert!(page.contains("hexmq_rejections_kept 3\n") && page.contains("hexmq_rejections_total 5\n"));
    assert!(page.contains("hexmq_rejections_pushed_out_total 2\n"), "{page}");
}

#[test]
fn a_client_is_recorded_from_its_connect_on_and_others_are_not() {
    let recorder = recorder(RecorderBounds::default());
    let watch = recorder.add_watch(Some("a"), client("a")).expect("a watch");
    let from = peer("192.0.2.1:7");
    assert!(recorder.track(Caller { peer: &from, client_identifier: None, version: None }, &[]).is_none());
    assert!(
        recorder.track(Caller { peer: &from, client_identifier: Some("b"), version: None }, &[1]).is_none()
    );
    let mut track = recorder
        .track(Caller { peer: &from, client_identifier: Some("a"), version: None }, &[0x10])
        .expect("a track");
    track.sent(&[0x20]);
    track.received(&[0xC0]);
    track.ending(CloseReason::ConnectionClosed);
    drop(track);
    assert_eq!(
        told(&watch),
        ["1 open true", "1 > [16] true", "1 < [32]", "1 > [192] false", "1 closed connection_closed"]
    );
    assert_eq!(recorder.bytes(), watch.shelf().look(Ring::bytes));
    assert!(recorder.remove_watch("a") && !recorder.remove_watch("a"));
    assert_eq!(recorder.bytes(), 0);
}

#[test]
fn rules_that_change_change_what_is_recorded_of_a_connection() {
    let recorder = recorder(RecorderBounds::default());
    let network = Rule { address: "192.0.2.0/24".parse().ok(), ..Rule::default() };
    let by_address = recorder.add_watch(None, network).expect("a watch");
    let by_client = recorder.add_watch(None, client("a")).expect("a watch");
    assert_eq!((by_address.id(), by_client.id()), ("w1", "w2"));
    let from = peer("192.0.2.1:7");
    let mut track =
        recorder.track(Caller { peer: &from, client_identifier: None, version: None }, &[]).expect("a track");
    track.received(&[0x10]);
    let known = Caller { peer: &from, client_identifier: Some("a"), version: None };
    assert!(track.asked_again(known, &[0x10]));
    track.sent(&[0x20]);
    assert_eq!(told(&by_address), ["1 open true", "1 > [16] true", "1 < [32]"]);
    assert_eq!(told(&by_client), ["1 open true", "1 > [16] true", "1 < [32]"]);
    recorder.remove_watch("w1");
    assert!(track.asked_again(known, &[]));
    recorder.remove_watch("w2");
    assert!(!track.asked_again(known, &[]));
    // From the middle: what was before is not there, and that is said.
    let late = recorder.add_watch(None, client("a")).expect("a watch");
    drop(recorder.track(known, &[]).expect("a track"));
    assert_eq!(told(&late), ["2 open false", "2 closed -"]);
}

#[test]
fn a_refused_client_is_found_in_the_recordings_of_those_that_watch_it() {
    let recorder = recorder(RecorderBounds::default());
    let by_client = recorder.add_watch(None, client("a")).expect("a watch");
    let network = Rule { address: "192.0.2.1".parse().ok(), ..Rule::default() };
    let by_address = recorder.add_watch(None, network).expect("a watch");
    let from = peer("192.0.2.1:7");
    let mut track =
        recorder.track(Caller { peer: &from, client_identifier: None, version: None }, &[]).expect("a track");
    track.received(&[0x10]);
    track.ending(CloseReason::Refused);
    recorder.refused(&refused(&from, Some("a"), &[0x10]));
    drop(track);
    assert_eq!(
        told(&by_address),
        ["1 open true", "1 > [16] true", "1 refused not_authorized", "1 closed refused"]
    );
    assert_eq!(
        told(&by_client),
        ["2 open true", "2 > [16] true", "2 refused not_authorized", "2 closed refused"]
    );
}

#[test]
fn watches_share_a_bound_and_the_oldest_goes() {
    let bounds = RecorderBounds { watch_bytes: 1000, watches_bytes: 1500, ..RecorderBounds::default() };
    let recorder = recorder(bounds);
    let (one, two) = (client("one"), client("two"));
    let one = recorder.add_watch(None, one).expect("a watch");
    let two = recorder.add_watch(None, two).expect("a watch");
    let from = peer("192.0.2.1:7");
    for (id, watch) in [("one", &one), ("two", &two)] {
        let caller = Caller { peer: &from, client_identifier: Some(id), version: None };
        let mut track = recorder.track(caller, &[]).expect("a track");
        for n in 0..20 {
            track.received(&[n; 100]);
            assert!(watch.shelf().look(Ring::bytes) <= 1000);
            assert!(recorder.bytes() <= 1500);
        }
        assert_eq!(
            told(watch).last(),
            Some(&format!("{} > {:?} false", watch.id()[1..].parse::<u8>().expect("a number"), [19_u8; 100]))
        );
    }
    // The first has made room for the second.
    assert!(one.shelf().look(Ring::bytes) <= 500);
    assert!(two.shelf().look(Ring::bytes) > 800);
    assert!(recorder.pushed_out.load(Relaxed) > 20);
}

#[test]
fn watches_are_bounded_and_named() {
    let recorder = recorder(RecorderBounds { watches: 2, ..RecorderBounds::default() });
    assert_eq!(recorder.add_watch(None, Rule::default()).err(), Some(WatchError::EmptyRule));
    for id in ["", "a b", "ä", &"x".repeat(65)] {
        assert_eq!(recorder.add_watch(Some(id), client("a")).err(), Some(WatchError::BadId), "{id}");
    }
    recorder.add_watch(Some("w1"), client("a")).expect("a watch");
    assert_eq!(recorder.add_watch(Some("w1"), client("b")).err(), Some(WatchError::Exists));
    assert_eq!(recorder.add_watch(None, client("b")).expect("a watch").id(), "w2");
    assert_eq!(recorder.add_watch(None, client("c")).err(), Some(WatchError::TooMany { limit: 2 }));
}
