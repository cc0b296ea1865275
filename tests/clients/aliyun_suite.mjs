// Aliyun's device libraries for Node, unchanged but for the address, against `hexmq serve`.
//
// alibabacloud-iot-device-sdk 1.2.8 and its forerunner aliyun-iot-device-sdk 1.0.1, which puts line
// feeds into its client identifier. The suite starts a server of its own, registers what it needs over
// /api/v1, and waits for events with a bound.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

const PATIENCE = 20_000;
const PROGRAM = process.env.HEXMQ_PROGRAM ?? "target/debug/hexmq";
const require = createRequire(path.join(process.env.HEXMQ_NODE_CLOUD_FOLDER, "package.json"));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "hexmq-cloud-"));
const AUTHORITY = path.join(folder, "ca.pem");

function openssl(...parameters) {
  execFileSync("openssl", parameters, { cwd: folder, stdio: "ignore" });
}

// NODE_EXTRA_CA_CERTS is read when Node starts, so the suite starts itself again with it.
if (!process.env.HEXMQ_SUITE_AUTHORITY) {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=workshop CA");
  openssl("req", ...curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1");
  fs.writeFileSync(path.join(folder, "san"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san"];
  openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...signing);
  const environment = { ...process.env, HEXMQ_SUITE_AUTHORITY: folder, NODE_EXTRA_CA_CERTS: AUTHORITY };
  const again = spawn(process.execPath, process.argv.slice(1), { env: environment, stdio: "inherit" });
  const code = await new Promise((resolve) => again.on("exit", resolve));
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 1);
}

const home = process.env.HEXMQ_SUITE_AUTHORITY;
const iot = require("alibabacloud-iot-device-sdk");
const old = require("aliyun-iot-device-sdk");

const PRODUCT = "a1TestPk001";
const PRODUCT_SECRET = "ProdSecret01234567";
const SUB_PRODUCT = "a1Sub00001";
const SECRET = "0123456789abcdef0123456789abcdef";
const AUTHORIZATION = `Basic ${Buffer.from("admin:workshop").toString("base64")}`;

const server = await start();

async function start() {
  const child = spawn(
    PROGRAM,
    [
      "serve",
      ...["--admin-password", "workshop", "--data", path.join(folder, "data")],
      ...["--http", "127.0.0.1:0", "--device-http", "127.0.0.1:0", "--listen", "auto://127.0.0.1:0"],
      ...["--tls-cert", path.join(home, "server.pem"), "--tls-key", path.join(home, "server.key")],
    ],
    { stdio: ["ignore", "pipe", fs.openSync(path.join(folder, "server.log"), "w")] },
  );
  const listeners = [];
  let isReady = false;
  AbortSignal.timeout(60_000).addEventListener("abort", () => isReady || child.kill("SIGKILL"));
  for await (const line of readline.createInterface({ input: child.stdout })) {
    isReady = line === "ready";
    if (isReady) break;
    if (line.startsWith("listening ")) listeners.push(line.slice("listening ".length));
  }
  const addresses = listeners.map((listener) => listener.split("://"));
  const mqtt = addresses.find(([scheme]) => ["auto", "mqtt"].includes(scheme));
  const https = addresses.filter(([scheme]) => ["http", "device-http"].includes(scheme)).map(([, address]) => address);
  if (!mqtt || https.length < 2) {
    throw new Error(`the server did not start: ${listeners}\n${fs.readFileSync(path.join(folder, "server.log"))}`);
  }
  return { child, port: mqtt[1].split(":").pop(), http: https[0], deviceHttp: https[1] };
}

async function api(method, resource, body, status) {
  const response = await fetch(`http://${server.http}/api/v1${resource}`, {
    method,
    headers: { authorization: AUTHORIZATION, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const good = status ? response.status === status : response.ok;
  assert.ok(good, `${method} ${resource}: ${response.status} ${text.slice(0, 1000)}`);
  return text ? JSON.parse(text) : undefined;
}

/** Asks until the answer is true enough; then gives it. */
async function until(question, what) {
  const deadline = Date.now() + PATIENCE;
  let last;
  while (Date.now() < deadline) {
    last = await question();
    if (last) return last;
  }
  throw new Error(`in ${PATIENCE} ms it did not come: ${what} (last: ${JSON.stringify(last)})`);
}

/** The first call of a callback. */
function called(what, begin) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${what} was not called in ${PATIENCE} ms`));
    AbortSignal.timeout(PATIENCE).addEventListener("abort", late);
    begin((...values) => resolve(values.length > 1 ? values : values[0]));
  });
}

let numbers = 0;

async function registered(stem = "node", product = PRODUCT) {
  numbers += 1;
  const id = `${stem}${numbers}`;
  await api("POST", `/products/${product}/devices`, { id, secret: SECRET }, 201);
  return id;
}

const properties = async (product, device) => {
  const { items } = await api("GET", `/products/${product}/devices/${device}/properties`);
  return Object.fromEntries(items.map((item) => [item.id, item.value]));
};

const same = async (product, device, wanted) =>
  until(async () => {
    const found = await properties(product, device);
    return Object.entries(wanted).every(([name, value]) => JSON.stringify(found[name]) === JSON.stringify(value));
  }, `${JSON.stringify(wanted)} of ${device}`);

const status = async (product, device) => (await api("GET", `/products/${product}/devices/${device}`)).status;
const order = async (product, device, body) => api("POST", `/products/${product}/devices/${device}/commands`, body, 202);

const ended = async (product, device, id, state = "answered") =>
  until(async () => {
    const found = await api("GET", `/products/${product}/devices/${device}/commands/${id}`);
    return found.state === state && found;
  }, `command ${id} ${state}`);

/** A device of the library, connected; its end is the caller's. */
async function connected(library, deviceName, more = {}) {
  const device = library.device({
    productKey: PRODUCT,
    deviceName,
    deviceSecret: SECRET,
    brokerUrl: `mqtt://127.0.0.1:${server.port}`,
    ...more,
  });
  device.on("error", () => {});
  await called("connect", (done) => device.on("connect", () => done()));
  // Its subscriptions are granted when an answer to a post comes.
  return device;
}

async function posts(library) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    const answer = await called("post_reply", (done) => device.postProps({ Temperature: 21.5, PowerSwitch: 1 }, done));
    assert.equal(answer.code, 200);
    assert.ok(answer.message !== undefined && answer.data !== undefined, JSON.stringify(answer));
    await same(PRODUCT, name, { Temperature: 21.5, PowerSwitch: 1 });
    assert.equal(await status(PRODUCT, name), "online");
  } finally {
    device.end(true);
  }
  await until(async () => (await status(PRODUCT, name)) === "offline", "off line");
}

async function isSet(library) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    await called("post_reply", (done) => device.postProps({ PowerSwitch: 1 }, done));
    const setting = called("onProps", (done) => device.onProps(done));
    const sent = await order(PRODUCT, name, { service: "set", params: { PowerSwitch: 0 } });
    const came = await setting;
    assert.deepEqual(came.params, { PowerSwitch: 0 });
    device.publish(
      `/sys/${PRODUCT}/${name}/thing/service/property/set_reply`,
      JSON.stringify({ id: came.id, code: 200, data: {} }),
    );
    await ended(PRODUCT, name, sent.id);
  } finally {
    device.end(true);
  }
}

async function service(library, sync) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    const calling = called("onService", (done) => device.onService("add", (call, reply) => done(call, reply)));
    await called("post_reply", (done) => device.postProps({ PowerSwitch: 1 }, done));
    const sent = await order(PRODUCT, name, { service: "add", params: { x: 1, y: 2 }, sync });
    const [call, reply] = await calling;
    assert.deepEqual(call.params, { x: 1, y: 2 });
    reply({ id: call.id, code: 200, data: { z: call.params.x + call.params.y } }, sync ? "sync" : "async");
    const found = await ended(PRODUCT, name, sent.id);
    assert.deepEqual(found.reply_data, { z: 3 });
  } finally {
    device.end(true);
  }
}

async function event(library) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    const answer = await called("post_reply", (done) => device.postEvent("lowVoltage", { power: 10 }, done));
    assert.equal(answer.code, 200);
    const items = await until(async () => {
      const found = await api("GET", `/products/${PRODUCT}/devices/${name}/events`);
      return found.items.length && found.items;
    }, "an event");
    assert.deepEqual([items[0].id, items[0].params], ["lowVoltage", { power: 10 }]);
  } finally {
    device.end(true);
  }
}

async function tags(library) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    const list = [{ attrKey: "room", attrValue: "7" }];
    assert.equal((await called("update_reply", (done) => device.postTags(list, done))).code, 200);
    assert.equal((await api("GET", `/products/${PRODUCT}/devices/${name}`)).tags.room, "7");
    assert.equal((await called("delete_reply", (done) => device.deleteTags(["room"], done))).code, 200);
    assert.equal((await api("GET", `/products/${PRODUCT}/devices/${name}`)).tags.room, undefined);
  } finally {
    device.end(true);
  }
}

async function shadow(library) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    await called("post_reply", (done) => device.postProps({ PowerSwitch: 1 }, done));
    let answered = called("onShadow", (done) => device.onShadow(done));
    device.postShadow({ color: "red" });
    assert.equal((await answered).payload.status, "success");
    answered = called("onShadow", (done) => device.onShadow(done));
    device.getShadow();
    assert.deepEqual((await answered).payload.state.reported, { color: "red" });
  } finally {
    device.end(true);
  }
}

async function configuration(library) {
  const name = await registered();
  const device = await connected(library, name);
  try {
    const answer = await called("config/get_reply", (done) => device.getConfig(done));
    // Nothing is configured for this product.
    assert.ok([200, 6710].includes(answer.code), JSON.stringify(answer));
  } finally {
    device.end(true);
  }
}

async function gateway() {
  const [name, sub] = [await registered("gw"), await registered("sub", SUB_PRODUCT)];
  const triple = { productKey: SUB_PRODUCT, deviceName: sub, deviceSecret: SECRET };
  const device = iot.gateway({
    productKey: PRODUCT,
    deviceName: name,
    deviceSecret: SECRET,
    brokerUrl: `mqtt://127.0.0.1:${server.port}`,
  });
  device.on("error", () => {});
  await called("connect", (done) => device.on("connect", () => done()));
  try {
    assert.equal((await called("add_reply", (done) => device.addTopo([triple], done))).code, 200);
    const listed = await called("get_reply", (done) => device.getTopo(done));
    assert.deepEqual(
      listed.data.map((item) => item.deviceName),
      [sub],
    );
    let child;
    const login = called("login_reply", (done) => {
      child = device.login({ ...triple }, done);
    });
    const isConnected = called("connect of the device behind it", (done) => child.on("connect", () => done()));
    assert.equal((await login).code, 200);
    await isConnected;
    await until(async () => (await status(SUB_PRODUCT, sub)) === "online", "the device behind it is on line");
    const answer = await called("its post_reply", (done) => child.postProps({ hum: 55 }, done));
    assert.equal(answer.code, 200);
    await same(SUB_PRODUCT, sub, { hum: 55 });
    const setting = called("its onProps", (done) => child.onProps(done));
    await order(SUB_PRODUCT, sub, { service: "set", params: { hum: 1 } });
    assert.deepEqual((await setting).params, { hum: 1 });
    const fresh = await called("register_reply", (done) =>
      device.regiestSubDevice([{ productKey: SUB_PRODUCT, deviceName: "node-fresh" }], done),
    );
    assert.equal(fresh.code, 200);
    assert.equal(typeof fresh.data[0].deviceSecret, "string");
    const { productKey, deviceName } = triple;
    assert.equal((await called("logout_reply", (done) => device.logout({ productKey, deviceName }, done))).code, 200);
    await until(async () => (await status(SUB_PRODUCT, sub)) === "offline", "off line");
    const removed = await called("delete_reply", (done) => device.removeTopo([{ productKey, deviceName }], done));
    assert.equal(removed.code, 200);
  } finally {
    device.end(true);
  }
}

async function registration() {
  await api("POST", `/products/${PRODUCT}/devices`, { id: "reg-http" }, 201);
  const triple = {
    productKey: PRODUCT,
    productSecret: PRODUCT_SECRET,
    deviceName: "reg-http",
    registerURL: `http://${server.deviceHttp}/auth/register/device`,
  };
  const answer = await called("register", (done) => iot.register(triple, done));
  assert.equal(answer.code, 200, JSON.stringify(answer.message ?? answer));
  const device = await connected(iot, "reg-http", { deviceSecret: answer.data.deviceSecret });
  try {
    assert.equal((await called("post_reply", (done) => device.postProps({ PowerSwitch: 1 }, done))).code, 200);
  } finally {
    device.end(true);
  }
  // Once it is known to have been here, its secret is not told again.
  await until(async () => {
    const again = await called("register", (done) => iot.register(triple, done));
    return again.code === 6289;
  }, "6289 for a device that was here");
  const wrong = await called("register", (done) => iot.register({ ...triple, productSecret: "x" }, done));
  assert.notEqual(wrong.code, 200);
}

async function tls() {
  const name = await registered();
  const device = await connected(iot, name, { brokerUrl: `mqtts://127.0.0.1:${server.port}` });
  try {
    assert.equal((await called("post_reply", (done) => device.postProps({ PowerSwitch: 1 }, done))).code, 200);
  } finally {
    device.end(true);
  }
}

async function wrongSecret(library) {
  const name = await registered();
  const device = library.device({
    productKey: PRODUCT,
    deviceName: name,
    deviceSecret: "f".repeat(32),
    brokerUrl: `mqtt://127.0.0.1:${server.port}`,
  });
  try {
    await called("error", (done) => device.on("error", done));
    const finding = await until(async () => {
      const { items } = await api("GET", "/rejections?limit=50");
      return items.find((item) => JSON.stringify(item).includes(name));
    }, "the refusal");
    const text = JSON.stringify(finding);
    assert.ok(text.includes("secret"), `the doctor does not name the secret: ${text.slice(0, 1500)}`);
    assert.ok(!text.includes(SECRET) && !text.includes("f".repeat(32)), "a secret is shown");
    assert.equal(await status(PRODUCT, name), "never");
  } finally {
    device.end(true);
  }
}

const cases = [
  ["posts", () => posts(iot)],
  ["a property is set", () => isSet(iot)],
  ["a service, asynchronous", () => service(iot, false)],
  ["a service, synchronous", () => service(iot, true)],
  ["an event", () => event(iot)],
  ["tags", () => tags(iot)],
  ["shadow", () => shadow(iot)],
  ["configuration", () => configuration(iot)],
  ["gateway", gateway],
  ["registration over HTTP", registration],
  ["TLS", tls],
  ["a wrong secret", () => wrongSecret(iot)],
  ["old: posts", () => posts(old)],
  ["old: an event", () => event(old)],
  ["old: tags", () => tags(old)],
  ["old: shadow", () => shadow(old)],
  ["old: a wrong secret", () => wrongSecret(old)],
];

await api("POST", "/products", { id: PRODUCT, name: "n", dialect: "aliyun", secret: PRODUCT_SECRET, dynamic_registration: true }, 201);
await api("POST", "/products", { id: SUB_PRODUCT, name: "s", dialect: "aliyun", secret: "x", dynamic_registration: true }, 201);

let passed = 0;
let failed = 0;
const wanted = process.argv.slice(2);
for (const [name, run] of cases) {
  if (wanted.length && !wanted.some((word) => name.includes(word))) continue;
  const deadline = new Promise((_, reject) => {
    AbortSignal.timeout(60_000).addEventListener("abort", () => reject(new Error("the case takes too long")));
  });
  // What comes after the case's end is nobody's.
  deadline.catch(() => {});
  try {
    await Promise.race([run(), deadline]);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`Aliyun's libraries (Node): FAILED ${name}`);
    console.log(error.stack ?? error);
  }
}
server.child.kill("SIGTERM");
AbortSignal.timeout(30_000).addEventListener("abort", () => server.child.kill("SIGKILL"));
if (server.child.exitCode === null) await new Promise((resolve) => server.child.on("exit", resolve));
fs.rmSync(folder, { recursive: true, force: true });
console.log(`Aliyun's libraries (Node): ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
