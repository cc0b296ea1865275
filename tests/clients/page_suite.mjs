// The HTML page of a recording in a real browser: what it shows, that it folds, that it changes the
// language, and that it asks nobody for anything.
//
// HEXMQ_SCREENSHOTS=FOLDER keeps pictures of it, to be looked at.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { chromium } = createRequire(join(process.env.HEXMQ_NODE_FOLDER, "package.json"))("playwright-core");
const { HEXMQ_PROGRAM: program, HEXMQ_HOST: host, HEXMQ_PORT: port, HEXMQ_SCREENSHOTS: screenshots } = process.env;
const folder = mkdtempSync(join(tmpdir(), "hexmq-page-"));
const file = (name) => join(folder, name);

// A dialogue with markup in it, a warning, a fault that closes the connection, and a password.
const lines = String.raw`CONNECT v5 id=page clean_start keep_alive=60 user_name=u password=correct-horse
wait CONNACK
connect
CONNECT v4 id=page clean_start keep_alive=60
expect CONNACK
SUBSCRIBE pid=1 filter=a/# qos=1
expect SUBACK
PUBLISH topic=a/<b>bold</b> qos=1 pid=2 payload="</script><img src=x onerror=alert(1)> 温度 21 °C"
wait PUBLISH
wait PUBACK
PUBACK pid=1
PINGREQ
expect PINGRESP
80 06 00 03 00 01 61 00
wait closed
`;

/** The page of that dialogue. */
function makePage() {
  const session = file("session.jsonl");
  const ran = spawnSync(program, ["raw", `${host}:${port}`, "--write", session], { input: lines, encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);
  execFileSync(program, ["capture", session, "--write", file("page.html"), "--lang", "en"]);
  return pathToFileURL(file("page.html")).href;
}

const browser = await chromium.launch({
  executablePath: process.env.HEXMQ_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** The page opened anew; `errors` and `requests` tell what should not be. */
async function opened(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  const page = await context.newPage();
  const [errors, requests] = [[], []];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => errors.push(dialog.message()));
  page.on("request", (request) => request.url() !== url && requests.push(request.url()));
  await page.goto(url);
  return { page, errors, requests, close: () => context.close() };
}

async function picture(page, name) {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

async function showsBothDirections(url) {
  const { page, errors, requests, close } = await opened(url);
  assert.equal(await page.locator("section").count(), 2);
  const arrows = page.locator("section").nth(1).locator(".arrow");
  assert.ok((await arrows.count()) >= 10, `${await arrows.count()} arrows`);
  assert.match(await arrows.nth(0).innerText(), /^CONNECT v4 id=page/);
  assert.match(await arrows.nth(1).innerText(), /^CONNACK 0x00/);
  assert.match(await page.locator("body").innerText(), /<b>bold<\/b>/);
  assert.equal(await page.locator("img").count(), 0);
  await picture(page, "light");
  assert.deepEqual([errors, requests], [[], []]);
  await close();
}

async function foldsAndFollowsArrows(url) {
  const { page, errors, close } = await opened(url);
  const details = page.locator("details");
  const open = () => page.locator("details[open]").count();
  assert.equal(await open(), 0);
  await page.locator(".arrow", { hasText: "SUBSCRIBE" }).first().click();
  await page.waitForFunction(() => document.querySelectorAll("details[open]").length === 1);
  const subscribe = page.locator("details[open]");
  assert.match(await subscribe.innerText(), /Packet Identifier = 1/i);
  await page.locator("#open").click();
  assert.equal(await open(), await details.count());
  await picture(page, "unfolded");
  await page.locator("#close").click();
  assert.equal(await open(), 0);
  assert.deepEqual(errors, []);
  await close();
}

async function changesTheLanguage(url) {
  const { page, errors, close } = await opened(url, { colorScheme: "dark" });
  await page.locator("#open").click();
  assert.doesNotMatch(await page.locator("h1").innerText(), /录制/);
  await page.locator("#language").click();
  assert.match(await page.locator("h1").innerText(), /录制/);
  assert.match(await page.locator("details").first().innerText(), /客户端/);
  assert.equal(await page.locator("thead", { hasText: "meaning" }).filter({ visible: true }).count(), 0);
  await picture(page, "dark-zh");
  assert.deepEqual(errors, []);
  await close();
}

async function followsTheSystemsColours(url) {
  const ground = async (colorScheme) => {
    const { page, close } = await opened(url, { colorScheme });
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await close();
    return colour;
  };
  assert.notEqual(await ground("dark"), await ground("light"));
}

async function fitsANarrowScreen(url) {
  const { page, close } = await opened(url, { viewport: { width: 380, height: 800 } });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} pixels too wide`);
  await picture(page, "narrow");
  await close();
}

async function hidesThePassword(url) {
  const { page, close } = await opened(url);
  const text = await page.content();
  assert.ok(!text.includes("correct-horse") && !text.includes(Buffer.from("correct-horse").toString("hex")));
  assert.match(text, /Passwords are masked/);
  await close();
}

let [passed, failed] = [0, 0];
try {
  const url = makePage();
  for (const run of [
    showsBothDirections,
    foldsAndFollowsArrows,
    changesTheLanguage,
    followsTheSystemsColours,
    fitsANarrowScreen,
    hidesThePassword,
  ]) {
    try {
      await run(url);
      passed += 1;
    } catch (error) {
      failed += 1;
      console.log(`page: FAILED ${run.name}\n${error.stack}`);
    }
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`page: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
