// MQTT.js against the real server: 3.1, 3.1.1 and 5.0, every QoS.
//
// Every wait is for an event and has a bound; "nothing arrives" is shown by a fence message that does.

import assert from "node:assert/strict";
import { EventEmitter, on, once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const mqtt = createRequire(join(process.env.HEXMQ_NODE_FOLDER, "package.json"))("mqtt");
const over = process.env.HEXMQ_OVER ?? "mqtt";
const path = over.startsWith("ws") ? "/mqtt" : "";
const url = `${over}://${process.env.HEXMQ_HOST}:${process.env.HEXMQ_PORT}${path}`;
const ca = /^(wss|mqtts)$/.test(over) ? readFileSync(process.env.HEXMQ_CAFILE) : undefined;
const suite = over === "mqtt" ? "mqttjs" : `mqttjs over ${over}`;
const { HEXMQ_TEST_USER: user, HEXMQ_TEST_PASSWORD: password } = process.env;

const VERSIONS = [3, 4, 5];
const QOS = [0, 1, 2];
const PATIENCE_MS = 20_000;
const PAYLOADS = ["hello", "", "温度 21 °C", "x".repeat(100_000)].map((text) => Buffer.from(text));
PAYLOADS.push(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));

const bound = () => ({ signal: AbortSignal.timeout(PATIENCE_MS) });
let names = 0;
const unique = (stem) => `${stem}-${process.pid}-${++names}`;

/** A client with an inbox; `more` are MQTT.js options. */
class Peer {
  constructor(version, more = {}) {
    this.version = version;
    this.client = mqtt.connect(url, {
      protocolVersion: version,
      protocolId: version === 3 ? "MQIsdp" : "MQTT",
      clientId: unique("mqttjs"),
      reconnectPeriod: 0,
      ca,
      ...more,
    });
    this.arrived = new EventEmitter();
    this.inbox = on(this.arrived, "message", bound());
    this.client.on("message", (topic, payload, packet) => this.arrived.emit("message", { topic, payload, packet }));
    this.client.on("error", () => {}); // a refused connection is seen in its case
  }

  /** Waits for CONNACK and gives it. */
  async open() {
    const [connack] = await once(this.client, "connect", bound());
    return connack;
  }

  static async opened(version, more) {
    const peer = new Peer(version, more);
    await peer.open();
    return peer;
  }

  subscribe(topic, options) {
    return this.client.subscribeAsync(topic, options);
  }

  publish(topic, payload, options) {
    return this.client.publishAsync(topic, payload, options);
  }

  async take(count = 1) {
    const messages = [];
    while (messages.length < count) messages.push((await this.inbox.next()).value[0]);
    return messages;
  }

  /** Everything that arrives before a fence message is expected, and arrives. */
  async nothingBut(publisher, ...expected) {
    const fence = unique("fence");
    await this.subscribe(fence, { qos: 2 });
    await publisher.publish(fence, "fence", { qos: 2 });
    const payloads = [];
    for (;;) {
      const [message] = await this.take();
      if (message.topic === fence) break;
      payloads.push(message.payload.toString());
    }
    assert.deepEqual(payloads, expected);
  }

  async close() {
    await this.client.endAsync();
  }

  /** Loses the network connection without DISCONNECT. */
  async drop() {
    const closed = once(this.client, "close", bound());
    this.client.stream.destroy();
    await closed;
  }
}

/** Peers for one case, closed when it ends well. */
async function peers(versions, use) {
  const opened = await Promise.all(versions.map((version) => Peer.opened(version)));
  await use(...opened);
  await Promise.all(opened.map((peer) => peer.close()));
}

async function roundTrip(version, qos) {
  const topic = unique("mqttjs/round");
  await peers([version, version], async (subscriber, publisher) => {
    const [granted] = await subscriber.subscribe(topic, { qos });
    assert.equal(granted.qos, qos);
    for (const payload of PAYLOADS) {
      await publisher.publish(topic, payload, { qos });
      const [message] = await subscriber.take();
      assert.equal(message.topic, topic);
      assert.deepEqual(message.payload, payload);
      assert.equal(message.packet.qos, qos);
    }
  });
}

async function inOrderAndOnce(version, qos) {
  const topic = unique("mqttjs/order");
  await peers([version, version], async (subscriber, publisher) => {
    await subscriber.subscribe(topic, { qos });
    const numbers = Array.from({ length: 500 }, (_, number) => number);
    await Promise.all(numbers.map((number) => publisher.publish(topic, String(number), { qos })));
    const found = await subscriber.take(500);
    assert.deepEqual(found.map((message) => Number(message.payload)), numbers);
  });
}

async function retained(version, qos) {
  const topic = unique("mqttjs/retained");
  await peers([version, version, version], async (publisher, late, last) => {
    await publisher.publish(topic, "kept", { qos, retain: true });
    await publisher.nothingBut(publisher);
    await late.subscribe(topic, { qos });
    const [message] = await late.take();
    assert.deepEqual([message.payload.toString(), message.packet.retain, message.packet.qos], ["kept", true, qos]);
    await publisher.publish(topic, "", { qos, retain: true });
    await publisher.nothingBut(publisher);
    await last.subscribe(topic, { qos });
    await last.nothingBut(publisher);
  });
}

async function will(version, qos) {
  const topic = unique("mqttjs/will");
  await peers([version], async (watcher) => {
    await watcher.subscribe(topic, { qos: 2 });
    const dying = await Peer.opened(version, { will: { topic, payload: Buffer.from("gone"), qos, retain: false } });
    await dying.drop();
    const [message] = await watcher.take();
    assert.deepEqual([message.payload.toString(), message.packet.qos], ["gone", qos]);
    const leaving = await Peer.opened(version, { will: { topic, payload: Buffer.from("gone"), qos, retain: false } });
    await leaving.close();
    await watcher.nothingBut(watcher);
  });
}

async function persistentSession(version, qos) {
  const topic = unique("mqttjs/persistent");
  const kept = { clientId: unique("mqttjs"), clean: false };
  if (version === 5) kept.properties = { sessionExpiryInterval: 3600 };
  const first = new Peer(version, kept);
  assert.equal((await first.open()).sessionPresent, false);
  await first.subscribe(topic, { qos });
  await first.drop();
  await peers([version], async (publisher) => {
    for (let number = 0; number < 20; number += 1) await publisher.publish(topic, String(number), { qos });
  });
  const again = new Peer(version, kept);
  const connack = await again.open();
  assert.equal(connack.sessionPresent, version !== 3);
  const found = await again.take(20);
  assert.deepEqual(found.map((message) => Number(message.payload)), [...Array(20).keys()]);
  await again.close();
}

async function reconnectsByItself(version) {
  const topic = unique("mqttjs/reconnect");
  const peer = await Peer.opened(version, { reconnectPeriod: 1, clientId: unique("mqttjs") });
  await peer.subscribe(topic, { qos: 1 });
  const back = peer.open();
  peer.client.stream.destroy();
  await back;
  await peers([version], async (publisher) => {
    // A clean session subscribes anew; the answer to that comes before the fence's.
    await peer.nothingBut(publisher);
    await publisher.publish(topic, "still here", { qos: 1 });
    assert.equal((await peer.take())[0].payload.toString(), "still here");
  });
  await peer.close();
}

async function sharedSubscription(version, qos) {
  const topic = unique("mqttjs/shared");
  const group = unique("group");
  await peers([version, version, version], async (one, two, publisher) => {
    const done = unique("done");
    const numbers = [];
    for (const member of [one, two]) await member.subscribe([`$share/${group}/${topic}`, done], { qos });
    for (let number = 0; number < 40; number += 1) await publisher.publish(topic, String(number), { qos });
    await publisher.publish(done, "", { qos });
    for (const member of [one, two]) {
      for (let [message] = await member.take(); message.topic !== done; [message] = await member.take()) {
        numbers.push(Number(message.payload));
      }
    }
    assert.deepEqual(numbers.sort((a, b) => a - b), [...Array(40).keys()]);
  });
}

async function unsubscribe(version) {
  const topic = unique("mqttjs/unsubscribe");
  await peers([version, version], async (subscriber, publisher) => {
    await subscriber.subscribe([`${topic}/a`, `${topic}/b`], { qos: 1 });
    await subscriber.client.unsubscribeAsync(`${topic}/a`);
    await publisher.publish(`${topic}/a`, "a", { qos: 1 });
    await publisher.publish(`${topic}/b`, "b", { qos: 1 });
    await subscriber.nothingBut(publisher, "b");
  });
}

async function credentials(version) {
  const good = await Peer.opened(version, { username: user, password });
  await good.close();
  const bad = new Peer(version, { username: user, password: `not ${password}` });
  const [error] = await once(bad.client, "error", bound());
  assert.equal(error.code, version === 5 ? 0x86 : 4);
  bad.client.end(true);
}

async function propertiesTravel() {
  const topic = unique("mqttjs/properties");
  const properties = {
    payloadFormatIndicator: true,
    messageExpiryInterval: 3600,
    contentType: "text/plain",
    responseTopic: "answers/here",
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: { a: ["1", "3"], b: "2" },
  };
  await peers([5, 5], async (subscriber, publisher) => {
    await subscriber.subscribe(topic, { qos: 2, nl: true, rap: true, rh: 1, properties: { subscriptionIdentifier: 9 } });
    await publisher.publish(topic, "text", { qos: 2, properties });
    const { messageExpiryInterval, ...got } = (await subscriber.take())[0].packet.properties;
    const { messageExpiryInterval: sent, ...expected } = properties;
    assert.ok(messageExpiryInterval <= sent && messageExpiryInterval > sent - 20);
    assert.deepEqual({ ...got, userProperties: { ...got.userProperties } }, { ...expected, subscriptionIdentifier: 9 });
    await subscriber.publish(topic, "my own", { qos: 2 });
    await subscriber.nothingBut(publisher);
  });
}

async function topicAliases() {
  const topic = unique("mqttjs/alias");
  const subscriber = await Peer.opened(5, { properties: { topicAliasMaximum: 8 } });
  const publisher = await Peer.opened(5, { autoAssignTopicAlias: true, properties: { topicAliasMaximum: 8 } });
  await subscriber.subscribe(`${topic}/#`, { qos: 1 });
  for (let number = 0; number < 100; number += 1) {
    await publisher.publish(`${topic}/${number % 20}`, String(number), { qos: 1 });
  }
  const found = await subscriber.take(100);
  assert.deepEqual(
    found.map((message) => [message.topic, Number(message.payload)]),
    [...Array(100).keys()].map((number) => [`${topic}/${number % 20}`, number]),
  );
  await Promise.all([subscriber.close(), publisher.close()]);
}

async function takeover() {
  const clientId = unique("mqttjs");
  const first = await Peer.opened(5, { clientId });
  const told = once(first.client, "disconnect", bound());
  const second = await Peer.opened(5, { clientId });
  const [packet] = await told;
  assert.equal(packet.reasonCode, 0x8e);
  first.client.end(true);
  await second.close();
}

const cases = [];
const each = (run, ...axes) => {
  const combine = (chosen, [axis, ...rest]) =>
    axis ? axis.forEach((value) => combine([...chosen, value], rest)) : cases.push([run, chosen]);
  combine([], axes);
};

for (const run of [roundTrip, inOrderAndOnce, retained, will, sharedSubscription]) each(run, VERSIONS, QOS);
each(persistentSession, VERSIONS, [1, 2]);
each(reconnectsByItself, VERSIONS);
each(unsubscribe, VERSIONS);
if (user) each(credentials, VERSIONS);
for (const run of [propertiesTravel, topicAliases, takeover]) each(run);

let passed = 0;
let failed = 0;
for (const [run, chosen] of cases) {
  try {
    await run(...chosen);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`${suite}: FAILED ${run.name}(${chosen.join(", ")})\n${error.stack}`);
  }
}
console.log(`${suite}: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
