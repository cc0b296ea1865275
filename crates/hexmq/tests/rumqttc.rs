//! rumqttc, a Rust client of other people, against the real server: 3.1.1 and 5.0, every QoS.
//!
//! The same cases run for both of its client types; the macro holds what is the same in both.

#[allow(dead_code, reason = "the other tests of the server need more of it")]
mod serving;

use serving::{PATIENCE, Server};

/// "Nothing arrives" is shown by a message that does.
const FENCE: &str = "fence";

fn port(server: &Server) -> u16 {
    let address = server.address();
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port")
}

macro_rules! cases {
    () => {
        use super::{FENCE, PATIENCE, Server, port};

        const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

        /// A client that is polled by the case itself, so that nothing happens behind its back.
        struct Peer {
            client: Client,
            connection: Connection,
        }

        impl Peer {
            fn new(server: &Server, name: &str) -> Peer {
                Peer::with(MqttOptions::new(name, "127.0.0.1", port(server))).0
            }

            /// Connects; the second value is Session Present.
            fn with(options: MqttOptions) -> (Peer, bool) {
                let (client, connection) = Client::new(options, 1000);
                let mut peer = Peer { client, connection };
                let present = peer.wait(|event| match event {
                    Event::Incoming(Packet::ConnAck(connack)) => Some(connack.session_present),
                    _ => None,
                });
                (peer, present)
            }

            fn wait<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
                loop {
                    let event = self.connection.recv_timeout(PATIENCE).expect("an event in time");
                    let event = event.expect("the connection stands");
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
            }

            fn subscribe(&mut self, filter: &str, qos: QoS) {
                self.client.subscribe(filter, qos).expect("room for a request");
                self.wait(|event| matches!(event, Event::Incoming(Packet::SubAck(_))).then_some(()));
            }

            /// Publishes and waits for the end of the exchange.
            fn publish(&mut self, topic: &str, qos: QoS, retain: bool, payload: &[u8]) {
                self.client.publish(topic, qos, retain, payload.to_vec()).expect("room for a request");
                self.wait(|event| match (qos, event) {
                    (QoS::AtMostOnce, Event::Outgoing(Outgoing::Publish(_)))
                    | (QoS::AtLeastOnce, Event::Incoming(Packet::PubAck(_)))
                    | (QoS::ExactlyOnce, Event::Incoming(Packet::PubComp(_))) => Some(()),
                    _ => None,
                });
            }

            fn take(&mut self) -> Publish {
                self.wait(|event| match event {
                    Event::Incoming(Packet::Publish(publish)) => Some(publish.clone()),
                    _ => None,
                })
            }

            /// The payloads that come before the fence.
            fn until_fence(&mut self) -> Vec<String> {
                let mut payloads = Vec::new();
                loop {
                    let message = self.take();
                    let payload = String::from_utf8(message.payload.to_vec()).expect("text");
                    if payload == FENCE {
                        return payloads;
                    }
                    payloads.push(payload);
                }
            }

            /// Leaves with DISCONNECT and waits until the server has closed; dropping a peer loses the
            /// connection without one.
            fn leave(mut self) {
                self.client.disconnect().expect("room for a request");
                while self.connection.recv_timeout(PATIENCE).expect("an event in time").is_ok() {}
            }
        }

        #[test]
        fn messages_arrive_as_they_were_sent() {
            let server = Server::start(&[]);
            let (mut subscriber, mut publisher) = (Peer::new(&server, "s"), Peer::new(&server, "p"));
            for qos in ALL {
                let topic = format!("rumqttc/{qos:?}");
                subscriber.subscribe(&topic, qos);
                for payload in [&b"hello"[..], b"", &[0, 255, 128], &[b'x'; 5000]] {
                    publisher.publish(&topic, qos, false, payload);
                    let message = subscriber.take();
                    assert_eq!((&message.payload[..], message.qos), (payload, qos));
                    assert_eq!(text(&message.topic), topic);
                    assert!(!message.retain && !message.dup);
                }
            }
        }

        #[test]
        fn order_is_kept_and_nothing_is_lost() {
            let server = Server::start(&[]);
            let (mut subscriber, mut publisher) = (Peer::new(&server, "s"), Peer::new(&server, "p"));
            for qos in ALL {
                subscriber.subscribe("rumqttc/order", qos);
                for number in 0..200 {
                    publisher.publish("rumqttc/order", qos, false, number.to_string().as_bytes());
                }
                let expected: Vec<String> = (0..200).map(|number: u32| number.to_string()).collect();
                publisher.publish("rumqttc/order", qos, false, FENCE.as_bytes());
                assert_eq!(subscriber.until_fence(), expected);
            }
        }

        #[test]
        fn retained_messages_are_kept_and_cleared() {
            let server = Server::start(&[]);
            let mut publisher = Peer::new(&server, "p");
            for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
                publisher.publish("rumqttc/retained", qos, true, b"kept");
                let mut late = Peer::new(&server, "late");
                late.subscribe("rumqttc/retained", qos);
                let message = late.take();
                assert_eq!((&message.payload[..], message.retain, message.qos), (&b"kept"[..], true, qos));
                publisher.publish("rumqttc/retained", qos, true, b"");
                let mut last = Peer::new(&server, "last");
                last.subscribe("rumqttc/retained", qos);
                publisher.publish("rumqttc/retained", qos, false, FENCE.as_bytes());
                assert!(last.until_fence().is_empty());
            }
        }

        #[test]
        fn a_lost_connection_publishes_the_will_and_disconnect_does_not() {
            let server = Server::start(&[]);
            let (mut watcher, mut publisher) = (Peer::new(&server, "w"), Peer::new(&server, "p"));
            watcher.subscribe("rumqttc/will", QoS::ExactlyOnce);
            for qos in ALL {
                let mut options = MqttOptions::new("dying", "127.0.0.1", port(&server));
                options.set_last_will(last_will("rumqttc/will", "gone", qos));
                drop(Peer::with(options.clone()).0);
                let message = watcher.take();
                assert_eq!((&message.payload[..], message.qos), (&b"gone"[..], qos));
                Peer::with(options).0.leave();
                publisher.publish("rumqttc/will", QoS::ExactlyOnce, false, FENCE.as_bytes());
                assert!(watcher.until_fence().is_empty());
            }
        }

        #[test]
        fn a_session_outlives_its_connections() {
            let server = Server::start(&[]);
            let mut publisher = Peer::new(&server, "p");
            for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let kept = kept_session(MqttOptions::new(format!("{qos:?}"), "127.0.0.1", port(&server)));
                let (mut first, present) = Peer::with(kept.clone());
                assert!(!present);
                first.subscribe("rumqttc/session", qos);
                // Once with DISCONNECT, once without.
                first.leave();
                for round in 0..2 {
                    for number in 0..20 {
                        let payload = format!("{round} {number}");
                        publisher.publish("rumqttc/session", qos, false, payload.as_bytes());
                    }
                    publisher.publish("rumqttc/session", qos, false, FENCE.as_bytes());
                    let (mut again, present) = Peer::with(kept.clone());
                    assert!(present);
                    let expected: Vec<String> = (0..20).map(|number| format!("{round} {number}")).collect();
                    assert_eq!(again.until_fence(), expected);
                    // The acknowledgements of the last messages are on their way before this one is
                    // answered, so nothing is sent a second time in the next round.
                    again.publish("rumqttc/flushed", QoS::ExactlyOnce, false, b"");
                }
            }
        }

        #[test]
        fn a_shared_subscription_has_one_receiver_per_message() {
            let server = Server::start(&[]);
            let mut publisher = Peer::new(&server, "p");
            let mut members = [Peer::new(&server, "one"), Peer::new(&server, "two")];
            for qos in ALL {
                for member in &mut members {
                    member.subscribe("$share/group/rumqttc/shared", qos);
                    member.subscribe("rumqttc/fence", qos);
                }
                for number in 0..60 {
                    publisher.publish("rumqttc/shared", qos, false, number.to_string().as_bytes());
                }
                publisher.publish("rumqttc/fence", qos, false, FENCE.as_bytes());
                let mut numbers = Vec::new();
                for member in &mut members {
                    let mine = member.until_fence();
                    assert!(!mine.is_empty(), "one member got everything");
                    numbers.extend(mine.iter().map(|text| text.parse::<u32>().expect("a number")));
                }
                numbers.sort_unstable();
                assert_eq!(numbers, (0..60).collect::<Vec<_>>());
            }
        }
    };
}

mod v4 {
    use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Outgoing, Packet, Publish, QoS};

    fn text(topic: &str) -> &str {
        topic
    }

    fn last_will(topic: &str, payload: &str, qos: QoS) -> LastWill {
        LastWill::new(topic, payload, qos, false)
    }

    fn kept_session(mut options: MqttOptions) -> MqttOptions {
        options.set_clean_session(false);
        options
    }

    cases!();
}

mod v5 {
    use rumqttc::Outgoing;
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, Publish, PublishProperties, SubscribeProperties};
    use rumqttc::v5::{Client, Connection, Event, MqttOptions};

    fn text(topic: &[u8]) -> &str {
        std::str::from_utf8(topic).expect("topics are text")
    }

    fn last_will(topic: &str, payload: &str, qos: QoS) -> LastWill {
        LastWill::new(topic, payload.to_owned(), qos, false, None)
    }

    fn kept_session(mut options: MqttOptions) -> MqttOptions {
        options.set_clean_start(false).set_session_expiry_interval(Some(3600));
        options
    }

    cases!();

    #[test]
    fn properties_travel_with_their_message() {
        let server = Server::start(&[]);
        let (mut subscriber, mut publisher) = (Peer::new(&server, "s"), Peer::new(&server, "p"));
        let numbered = SubscribeProperties { id: Some(7), user_properties: Vec::new() };
        subscriber
            .client
            .subscribe_with_properties("rumqttc/properties", QoS::AtLeastOnce, numbered)
            .expect("room for a request");
        subscriber.wait(|event| matches!(event, Event::Incoming(Packet::SubAck(_))).then_some(()));
        let sent = PublishProperties {
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(3600),
            topic_alias: Some(3),
            response_topic: Some("answers/here".to_owned()),
            correlation_data: Some(vec![0, 1, 255].into()),
            user_properties: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
            subscription_identifiers: Vec::new(),
            content_type: Some("text/plain".to_owned()),
        };
        publisher
            .client
            .publish_with_properties("rumqttc/properties", QoS::AtLeastOnce, false, "x", sent.clone())
            .expect("room for a request");
        publisher.wait(|event| matches!(event, Event::Incoming(Packet::PubAck(_))).then_some(()));
        let got = subscriber.take().properties.expect("properties");
        assert!(got.message_expiry_interval.is_some_and(|left| (3500..=3600).contains(&left)));
        let expected = PublishProperties {
            message_expiry_interval: got.message_expiry_interval,
            topic_alias: got.topic_alias,
            subscription_identifiers: vec![7],
            ..sent
        };
        assert_eq!(got, expected);
    }
}
