"""paho-mqtt against the real server: 3.1, 3.1.1 and 5.0, every QoS."""

import os
import queue
import socket

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from suite import CAFILE, HOST, OVER, PASSWORD, PATIENCE, PAYLOADS, PORT, TLS, USER, WEBSOCKET, Suite, same, unique

VERSIONS = (mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5)
V5 = mqtt.MQTTv5
# Its CONNACK has no Session Present.
V31 = mqtt.MQTTv31
QOS = (0, 1, 2)


def properties(packet, **values):
    """Properties by their paho names."""
    made = Properties(packet)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Peer:
    """A client whose callbacks fill queues, so that a case reads top-down."""

    def __init__(self, version, name=None, clean=True, will=None, user=None, **connect):
        self.version = version
        self.connect_properties = properties(PacketTypes.CONNECT, **connect) if version == V5 else None
        self.clean = clean
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=unique("paho") if name is None else name,
            protocol=version,
            clean_session=None if version == V5 else clean,
            reconnect_on_failure=False,
            transport="websockets" if WEBSOCKET else "tcp",
        )
        if TLS:
            self.client.tls_set(CAFILE)
        if will:
            self.client.will_set(**will)
        if user:
            self.client.username_pw_set(*user)
        self.inbox, self.answers, self.ends = queue.Queue(), queue.Queue(), queue.Queue()
        self.client.on_message = lambda _c, _u, message: self.inbox.put(message)
        self.client.on_connect = lambda _c, _u, flags, code, props: self.answers.put((flags, code, props))
        self.client.on_subscribe = lambda _c, _u, _m, codes, props: self.answers.put((codes, props))
        self.client.on_unsubscribe = lambda _c, _u, _m, codes, props: self.answers.put((codes, props))
        self.client.on_publish = lambda _c, _u, mid, code, props: self.answers.put((mid, code, props))
        self.client.on_disconnect = lambda _c, _u, flags, code, props: self.ends.put((flags, code, props))

    def open(self):
        """Connects; gives (session present, reason code, properties)."""
        more = {"clean_start": self.clean, "properties": self.connect_properties} if self.version == V5 else {}
        self.client.connect(HOST, PORT, keepalive=60, **more)
        self.client.loop_start()
        flags, code, props = self.answers.get(timeout=PATIENCE)
        return flags.session_present, code, props

    def __enter__(self):
        _, code, _ = self.open()
        same(code.value, 0, "CONNACK")
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, reason=None):
        if self.client.is_connected():
            self.client.disconnect(reason)
            self.ends.get(timeout=PATIENCE)
        self.client.loop_stop()

    def drop(self):
        """Closes the network connection without DISCONNECT."""
        # Whatever lies over the socket, its descriptor is the socket's.
        with socket.socket(fileno=os.dup(self.client.socket().fileno())) as bare:
            bare.shutdown(socket.SHUT_RDWR)
        self.ends.get(timeout=PATIENCE)
        self.client.loop_stop()

    def subscribe(self, topic, qos=0, **more):
        self.client.subscribe(topic, qos, **more)
        codes, _ = self.answers.get(timeout=PATIENCE)
        return [code.value for code in codes]

    def unsubscribe(self, topic):
        self.client.unsubscribe(topic)
        codes, _ = self.answers.get(timeout=PATIENCE)
        return [code.value for code in codes]

    def publish(self, topic, payload, qos=0, retain=False, **more):
        """Publishes and waits for the whole exchange; gives the reason code."""
        self.client.publish(topic, payload, qos, retain, **more)
        _, code, _ = self.answers.get(timeout=PATIENCE)
        return code.value

    def take(self, count=1):
        return [self.inbox.get(timeout=PATIENCE) for _ in range(count)]

    def nothing_but(self, publisher, *expected):
        """Everything that arrives before a fence message is expected, and arrives."""
        fence = unique("fence")
        same(self.subscribe(fence, 2), [2], "SUBACK of the fence")
        publisher.publish(fence, b"fence", 2)
        payloads = []
        while True:
            message = self.take()[0]
            if message.topic == fence:
                break
            payloads.append(message.payload)
        same(payloads, list(expected), "messages before the fence")


def round_trip(version, qos):
    topic = unique("paho/round/trip")
    with Peer(version) as subscriber, Peer(version) as publisher:
        same(subscriber.subscribe(topic, qos), [qos], "SUBACK")
        for payload in PAYLOADS:
            publisher.publish(topic, payload, qos)
            message = subscriber.take()[0]
            got = (message.topic, message.payload, message.qos, message.retain, message.dup)
            same(got, (topic, payload, qos, False, False))


def granted_qos_limits_delivery(version):
    topic = unique("paho/granted")
    with Peer(version) as subscriber, Peer(version) as publisher:
        for granted in QOS:
            same(subscriber.subscribe(topic, granted), [granted], "SUBACK")
            for qos in QOS:
                publisher.publish(topic, b"x", qos)
                same(subscriber.take()[0].qos, min(granted, qos), "delivered QoS")


def across_versions(publishing, subscribing, qos):
    topic = unique("paho/across")
    with Peer(subscribing) as subscriber, Peer(publishing) as publisher:
        subscriber.subscribe(f"{topic}/+", qos)
        publisher.publish(f"{topic}/a", b"payload", qos)
        message = subscriber.take()[0]
        same((message.topic, message.payload, message.qos), (f"{topic}/a", b"payload", qos))


def in_order_and_once(version, qos):
    topic = unique("paho/order")
    count = 1000
    with Peer(version) as subscriber, Peer(version) as publisher:
        subscriber.subscribe(topic, qos)
        for number in range(count):
            publisher.client.publish(topic, str(number), qos)
        found = [int(message.payload) for message in subscriber.take(count)]
        same(found, list(range(count)))


def retained(version, qos):
    topic = unique("paho/retained")
    with Peer(version) as publisher, Peer(version) as early, Peer(version) as late, Peer(version) as last:
        early.subscribe(topic, qos)
        publisher.publish(topic, b"kept", qos, retain=True)
        message = early.take()[0]
        same((message.payload, message.retain), (b"kept", False), "live delivery")
        late.subscribe(topic, qos)
        message = late.take()[0]
        same((message.payload, message.retain, message.qos), (b"kept", True, qos), "retained delivery")
        publisher.publish(topic, b"", qos, retain=True)
        same(early.take()[0].payload, b"", "the clearing message")
        last.subscribe(topic, qos)
        last.nothing_but(publisher)


def will_on_a_lost_connection(version, qos, retain):
    topic = unique("paho/will")
    with Peer(version) as watcher:
        watcher.subscribe(topic, 2)
        dying = Peer(version, will={"topic": topic, "payload": b"gone", "qos": qos, "retain": retain})
        dying.open()
        dying.drop()
        message = watcher.take()[0]
        same((message.payload, message.qos, message.retain), (b"gone", qos, False))
        with Peer(version) as late:
            late.subscribe(topic, 2)
            late.nothing_but(watcher, *([b"gone"] if retain else []))
            watcher.publish(topic, b"", 1, retain=True)


def no_will_after_disconnect(version):
    topic = unique("paho/will")
    with Peer(version) as watcher:
        watcher.subscribe(topic, 2)
        with Peer(version, will={"topic": topic, "payload": b"gone", "qos": 1}):
            pass
        watcher.nothing_but(watcher)


def persistent_session(version, qos):
    topic, name = unique("paho/persistent"), unique("paho")
    expiry = {"SessionExpiryInterval": 3600} if version == V5 else {}
    first = Peer(version, name, clean=False, **expiry)
    same(first.open()[0], False, "session present at first")
    first.subscribe(topic, qos)
    first.close()
    with Peer(version) as publisher:
        for number in range(50):
            publisher.publish(topic, str(number), qos)
    # The second time nothing is left over from the first.
    for expected in (list(range(50)), []):
        again = Peer(version, name, clean=False, **expiry)
        same(again.open()[0], version != V31, "session present")
        numbers = [int(message.payload) for message in again.take(len(expected))]
        same(numbers, expected, "queued messages")
        with Peer(version) as publisher:
            again.nothing_but(publisher)
        again.close()
    fresh = Peer(version, name, clean=True)
    same(fresh.open()[0], False, "session present after a clean start")
    with Peer(version) as publisher:
        publisher.publish(topic, b"for nobody", qos)
        fresh.nothing_but(publisher)
    fresh.close()


def session_survives_a_lost_connection(version):
    topic, name = unique("paho/lost"), unique("paho")
    expiry = {"SessionExpiryInterval": 3600} if version == V5 else {}
    first = Peer(version, name, clean=False, **expiry)
    first.open()
    first.subscribe(topic, 1)
    first.drop()
    with Peer(version) as publisher:
        publisher.publish(topic, b"while away", 1)
    again = Peer(version, name, clean=False, **expiry)
    same(again.open()[0], version != V31, "session present")
    same(again.take()[0].payload, b"while away")
    again.close()


def shared_subscription(version, qos):
    topic, share = unique("paho/shared"), unique("group")
    with Peer(version) as one, Peer(version) as two, Peer(version) as whole, Peer(version) as publisher:
        for member in (one, two):
            same(member.subscribe(f"$share/{share}/{topic}", qos), [qos], "SUBACK")
        whole.subscribe(topic, qos)
        for number in range(60):
            publisher.publish(topic, str(number), qos)
        whole.take(60)
        fence = unique("fence")
        got = []
        for member in (one, two):
            member.subscribe(fence, qos)
            publisher.publish(fence, b"", qos)
            mine = []
            while (message := member.take()[0]).topic != fence:
                mine.append(int(message.payload))
            same(mine, sorted(mine), "order within a member")
            assert mine, "one member got everything"
            member.unsubscribe(fence)
            got += mine
        same(sorted(got), list(range(60)), "each message to exactly one member")


def unsubscribe(version):
    topic = unique("paho/unsubscribe")
    with Peer(version) as subscriber, Peer(version) as publisher:
        subscriber.subscribe([(f"{topic}/a", 1), (f"{topic}/b", 1)])
        same(subscriber.unsubscribe(f"{topic}/a"), [0] if version == V5 else [], "UNSUBACK")
        publisher.publish(f"{topic}/a", b"a", 1)
        publisher.publish(f"{topic}/b", b"b", 1)
        subscriber.nothing_but(publisher, b"b")
        if version == V5:
            same(subscriber.unsubscribe(f"{topic}/a"), [0x11], "UNSUBACK of nothing")


def wildcards(version):
    topic = unique("paho/wild")
    with Peer(version) as subscriber, Peer(version) as publisher:
        subscriber.subscribe([(f"{topic}/+/c", 1), (f"{topic}/x/#", 1)])
        for tail in ("a/c", "a/b/c", "x", "x/y/z", "a/d"):
            publisher.publish(f"{topic}/{tail}", tail, 1)
        subscriber.nothing_but(publisher, b"a/c", b"x", b"x/y/z")


def overlapping_subscriptions(version):
    topic = unique("paho/overlap")
    with Peer(version) as subscriber, Peer(version) as publisher:
        subscriber.subscribe([(f"{topic}/a", 0), (f"{topic}/#", 2)])
        publisher.publish(f"{topic}/a", b"x", 2)
        message = subscriber.take()[0]
        same(message.topic, f"{topic}/a")


def server_topics(version):
    with Peer(version) as subscriber:
        # Both at once: an update of the first may come before the second is subscribed.
        subscriber.subscribe([("$SYS/broker/uptime", 0), ("$SYS/broker/clients/connected", 0)])
        topics = {message.topic for message in subscriber.take(2)}
        same(topics, {"$SYS/broker/uptime", "$SYS/broker/clients/connected"})


def takeover(version):
    name = unique("paho")
    first, second = Peer(version, name), Peer(version, name)
    first.open()
    same(second.open()[1].value, 0, "CONNACK of the second")
    flags, _, _ = first.ends.get(timeout=PATIENCE)
    # paho reads no reason code from a DISCONNECT without properties; MQTT.js checks that it is 0x8E.
    same(flags.is_disconnect_packet_from_server, version == V5, "DISCONNECT of the first")
    first.client.loop_stop()
    second.close()


def credentials(version):
    with Peer(version, user=(USER, PASSWORD)):
        pass
    wrong = Peer(version, user=(USER, f"not {PASSWORD}"))
    # paho shows the return codes of 3.x as the reason codes of the same meaning.
    same(wrong.open()[1].value, 0x86, "CONNACK")
    wrong.client.loop_stop()


def empty_client_identifier():
    with Peer(mqtt.MQTTv311, name=""):
        pass
    peer = Peer(V5, name="")
    _, code, props = peer.open()
    same(code.value, 0, "CONNACK")
    assert props.AssignedClientIdentifier, "no Assigned Client Identifier"
    peer.close()


def announced_limits():
    peer = Peer(V5)
    _, _, props = peer.open()
    same((props.ReceiveMaximum, props.TopicAliasMaximum, props.MaximumPacketSize), (1024, 64, 16 << 20))
    peer.close()


def message_properties():
    topic = unique("paho/properties")
    sent = properties(
        PacketTypes.PUBLISH,
        PayloadFormatIndicator=1,
        MessageExpiryInterval=3600,
        ContentType="text/plain",
        ResponseTopic="answers/here",
        CorrelationData=b"\x00\x01\xff",
        UserProperty=[("a", "1"), ("b", "2"), ("a", "3")],
        TopicAlias=1,
    )
    with Peer(V5) as subscriber, Peer(V5) as publisher:
        numbered = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=77)
        subscriber.subscribe(topic, options=SubscribeOptions(qos=1), properties=numbered)
        for name in (topic, ""):  # the second time the alias stands for the topic
            publisher.publish(name, b"text", 1, properties=sent)
            message = subscriber.take()[0]
            got = message.properties
            same((message.topic, message.payload), (topic, b"text"))
            same((got.PayloadFormatIndicator, got.ContentType), (1, "text/plain"))
            same((got.ResponseTopic, got.CorrelationData), ("answers/here", b"\x00\x01\xff"))
            same([tuple(pair) for pair in got.UserProperty], [("a", "1"), ("b", "2"), ("a", "3")])
            same(got.SubscriptionIdentifier, [77])
            assert 3590 <= got.MessageExpiryInterval <= 3600, got.MessageExpiryInterval


def will_properties():
    topic = unique("paho/will")
    made = properties(PacketTypes.WILLMESSAGE, ContentType="x/y", UserProperty=[("why", "lost")])
    with Peer(V5) as watcher:
        watcher.subscribe(topic, 1)
        dying = Peer(V5, will={"topic": topic, "payload": b"gone", "qos": 1, "properties": made})
        dying.open()
        dying.drop()
        message = watcher.take()[0]
        same((message.payload, message.properties.ContentType), (b"gone", "x/y"))
        same([tuple(pair) for pair in message.properties.UserProperty], [("why", "lost")])


def will_delay_ends_with_a_new_connection():
    topic, name = unique("paho/will"), unique("paho")
    made = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=3600)
    with Peer(V5) as watcher:
        watcher.subscribe(topic, 1)
        will = {"topic": topic, "payload": b"gone", "qos": 1, "properties": made}
        dying = Peer(V5, name, clean=False, will=will, SessionExpiryInterval=3600)
        dying.open()
        dying.drop()
        back = Peer(V5, name, clean=False, SessionExpiryInterval=3600)
        same(back.open()[0], True, "session present")
        watcher.nothing_but(watcher)
        back.close()


def subscription_options():
    topic = unique("paho/options")
    with Peer(V5) as one, Peer(V5) as other:
        other.publish(topic, b"kept", 1, retain=True)
        one.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=2))
        one.nothing_but(other)
        one.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=1))
        one.nothing_but(other)
        one.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=0, noLocal=True, retainAsPublished=True))
        same(one.take()[0].payload, b"kept")
        one.publish(topic, b"mine", 1)
        other.publish(topic, b"yours", 1, retain=True)
        message = one.take()[0]
        same((message.payload, message.retain), (b"yours", True))
        other.publish(topic, b"", 1, retain=True)


def small_receive_maximum(qos):
    topic = unique("paho/window")
    with Peer(V5, ReceiveMaximum=1) as subscriber, Peer(V5) as publisher:
        subscriber.subscribe(topic, qos)
        for number in range(100):
            publisher.client.publish(topic, str(number), qos)
        same([int(message.payload) for message in subscriber.take(100)], list(range(100)))


def small_maximum_packet_size():
    topic = unique("paho/size")
    with Peer(V5, MaximumPacketSize=200) as subscriber, Peer(V5) as publisher:
        subscriber.subscribe(topic, 1)
        publisher.publish(topic, b"x" * 500, 1)
        publisher.publish(topic, b"small", 1)
        subscriber.nothing_but(publisher, b"small")


def request_and_response():
    questions, answers = unique("paho/questions"), unique("paho/answers")
    with Peer(V5) as asking, Peer(V5) as answering:
        answering.subscribe(questions, 1)
        asking.subscribe(answers, 1)
        wanted = properties(PacketTypes.PUBLISH, ResponseTopic=answers, CorrelationData=b"7")
        asking.publish(questions, b"what?", 1, properties=wanted)
        question = answering.take()[0].properties
        reply = properties(PacketTypes.PUBLISH, CorrelationData=question.CorrelationData)
        answering.publish(question.ResponseTopic, b"that", 1, properties=reply)
        answer = asking.take()[0]
        same((answer.payload, answer.properties.CorrelationData), (b"that", b"7"))


def nobody_listens():
    with Peer(V5) as publisher:
        code = publisher.publish(unique("paho/nobody"), b"x", 1)
        assert code in (0x00, 0x10), code


def main():
    suite = Suite("paho" if OVER == "mqtt" else f"paho over {OVER}")
    suite.each(round_trip, VERSIONS, QOS)
    suite.each(granted_qos_limits_delivery, VERSIONS)
    suite.each(across_versions, VERSIONS, VERSIONS, QOS)
    suite.each(in_order_and_once, VERSIONS, QOS)
    suite.each(retained, VERSIONS, QOS)
    suite.each(will_on_a_lost_connection, VERSIONS, QOS, (False, True))
    suite.each(no_will_after_disconnect, VERSIONS)
    suite.each(persistent_session, VERSIONS, (1, 2))
    suite.each(session_survives_a_lost_connection, VERSIONS)
    suite.each(shared_subscription, VERSIONS, QOS)
    suite.each(unsubscribe, VERSIONS)
    suite.each(wildcards, VERSIONS)
    suite.each(overlapping_subscriptions, VERSIONS)
    suite.each(server_topics, VERSIONS)
    suite.each(takeover, VERSIONS)
    suite.each(small_receive_maximum, (1, 2))
    for case in (
        empty_client_identifier, announced_limits, message_properties, will_properties,
        will_delay_ends_with_a_new_connection, subscription_options, small_maximum_packet_size,
        request_and_response, nobody_listens,
    ):
        suite.add(case)
    if USER:
        suite.each(credentials, VERSIONS)
    suite.run()


main()
