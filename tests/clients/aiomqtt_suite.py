"""aiomqtt (asyncio) against the real server: 3.1, 3.1.1 and 5.0, every QoS."""

import asyncio

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from suite import HOST, PASSWORD, PAYLOADS, PORT, USER, Suite, same, unique

VERSIONS = (ProtocolVersion.V31, ProtocolVersion.V311, ProtocolVersion.V5)
V5 = ProtocolVersion.V5
QOS = (0, 1, 2)


def client(version, name=None, clean=True, **more):
    session = {"clean_start": clean} if version == V5 else {"clean_session": clean}
    if version == V5 and not clean:
        kept = Properties(PacketTypes.CONNECT)
        kept.SessionExpiryInterval = 3600
        session["properties"] = kept
    return aiomqtt.Client(
        HOST, PORT, identifier=name or unique("aiomqtt"), protocol=version, **session, **more
    )


async def take(subscriber, count):
    messages = []
    while len(messages) < count:
        messages.append(await anext(subscriber.messages))
    return messages


async def round_trip(version, qos):
    topic = unique("aiomqtt/round")
    async with client(version) as subscriber, client(version) as publisher:
        await subscriber.subscribe(topic, qos=qos)
        for payload in PAYLOADS:
            await publisher.publish(topic, payload, qos=qos)
            message = (await take(subscriber, 1))[0]
            same((str(message.topic), message.payload or b"", message.qos), (topic, payload, qos))


async def many_at_once(version, qos):
    topic = unique("aiomqtt/many")
    async with client(version) as subscriber, client(version) as publisher:
        await subscriber.subscribe(f"{topic}/#", qos=qos)
        sending = (publisher.publish(f"{topic}/{number}", str(number), qos=qos) for number in range(200))
        await asyncio.gather(*sending)
        messages = await take(subscriber, 200)
        same(sorted(int(message.payload) for message in messages), list(range(200)))


async def retained(version, qos):
    topic = unique("aiomqtt/retained")
    async with client(version) as publisher, client(version) as late:
        await publisher.publish(topic, b"kept", qos=qos, retain=True)
        # The answer to a second exchange shows that the first was taken in, at QoS 0 too.
        await publisher.publish(unique("fence"), b"", qos=1)
        await late.subscribe(topic, qos=qos)
        message = (await take(late, 1))[0]
        same((message.payload, message.retain, message.qos), (b"kept", True, qos))
        await publisher.publish(topic, b"", qos=qos, retain=True)


async def will(version, qos):
    topic = unique("aiomqtt/will")
    async with client(version) as watcher:
        await watcher.subscribe(topic, qos=2)
        dying = client(version, will=aiomqtt.Will(topic, b"gone", qos=qos))
        try:
            async with dying:
                dying._client.socket().shutdown(2)  # the library has no public way to lose a connection
                await asyncio.wait_for(dying._disconnected, 20)
        except aiomqtt.MqttError:
            pass
        message = (await take(watcher, 1))[0]
        same((message.payload, message.qos), (b"gone", qos))


async def persistent_session(version, qos):
    topic, name = unique("aiomqtt/persistent"), unique("aiomqtt")
    async with client(version, name, clean=False) as first:
        await first.subscribe(topic, qos=qos)
    async with client(version) as publisher:
        for number in range(20):
            await publisher.publish(topic, str(number), qos=qos)
    async with client(version, name, clean=False) as again:
        messages = await take(again, 20)
        same([int(message.payload) for message in messages], list(range(20)))
    async with client(version, name, clean=True):
        pass


async def shared_subscription(version, qos):
    topic, share = unique("aiomqtt/shared"), unique("group")
    async with client(version) as one, client(version) as two, client(version) as publisher:
        done, got = unique("done"), []

        async def collect(member):
            await member.subscribe([(f"$share/{share}/{topic}", qos), (done, qos)])
            subscribed.release()
            async for message in member.messages:
                if str(message.topic) == done:
                    return
                got.append(int(message.payload))

        subscribed = asyncio.Semaphore(0)
        collecting = [asyncio.create_task(collect(member)) for member in (one, two)]
        for _ in collecting:
            await subscribed.acquire()
        for number in range(40):
            await publisher.publish(topic, str(number), qos=qos)
        await publisher.publish(done, b"", qos=qos)
        await asyncio.gather(*collecting)
        same(sorted(got), list(range(40)), "each message to exactly one member")


async def credentials(version):
    async with client(version, username=USER, password=PASSWORD):
        pass
    try:
        async with client(version, username=USER, password=f"not {PASSWORD}"):
            raise AssertionError("a wrong password was accepted")
    except aiomqtt.MqttError:
        pass


def main():
    suite = Suite("aiomqtt")
    for case in (round_trip, many_at_once, retained, will, shared_subscription):
        suite.each(case, VERSIONS, QOS)
    suite.each(persistent_session, VERSIONS, (1, 2))
    if USER:
        suite.each(credentials, VERSIONS)
    suite.run()


main()
