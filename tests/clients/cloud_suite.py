"""OneNET and Aliyun by raw bytes over TCP: the tutorials' flows, every vector, every quirk of firmware.

Bytes go in by a socket; what became of them is read back through /api/v1 and through the vendor's REST.
"""

import base64
import datetime
import hmac
import http.server
import json
import queue
import struct
import threading
import time
import urllib.parse
import uuid

from cloud import (
    ADMIN_PASSWORD,
    VECTORS,
    Raw,
    Server,
    aliyun_connect,
    connect_packet,
    connected,
    onenet_token,
    packet,
    publish_packet,
    subscribe_packet,
    text_field,
    until,
)
from suite import Suite, same

suite = Suite("device cloud")
server = None

ONENET, ONENET_KEY = "491644", "MasterKeyOfProduct491644AAA="
TOKEN_PRODUCT, TOKEN_KEY = "123123", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ALIYUN, ALIYUN_SECRET = "i5drb0tO5li", "0123456789abcdef0123456789abcdef"
PLAIN = "workshop"
_numbers = iter(range(100_000, 999_999))


def tutorial(name):
    """Bytes of a packet of the tutorials or of a firmware, in hex."""
    everything = VECTORS["tutorial_packets"] + VECTORS["firmware_packets"]
    return next(vector["hex"] for vector in everything if vector["id"] == name)


def onenet_device(auth="123456", **more):
    """A new device of the legacy product: its id."""
    device = str(next(_numbers))
    server.device(ONENET, device, auth, **more)
    return device


def onenet_connected(device, auth="123456", **more):
    return connected(server.port, device, ONENET, auth, **more)


def rest(method, path, body=None, key=ONENET_KEY, address=None, errno=0):
    """The data of the vendor's envelope."""
    status, _, text = server.request(method, path, body, {"api-key": key}, address)
    same(status, 200, f"HTTP status of {method} {path}: {text!r}")
    envelope = json.loads(text)
    same(envelope["errno"], errno, f"errno of {method} {path}: {envelope}")
    return envelope.get("data")


def refused(port, *sign_in, level=4, **more):
    """The code of CONNACK."""
    with Raw(port) as raw:
        raw.send(connect_packet(*sign_in, level=level, **more))
        first, body = raw.packet()
        same(first, 0x20, "first byte of CONNACK")
        if body[1] == 0:
            raise AssertionError("it was let in")
        raw.closed()
        return body[1]


def utc_ms(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def beijing_ms(text):
    return datetime.datetime.fromisoformat(text.replace(" ", "T") + "+08:00").timestamp() * 1000


# --- OneNET, legacy ---------------------------------------------------------------------------------


def the_tutorials_flow():
    """Tutorials 001 and 004: connect, $dp type 3, a command by REST, its answer."""
    server.device(ONENET, "901505824", "123456")
    with Raw(server.port) as device:
        device.send(tutorial("s1-connect")).expect("20020000")
        device.send(tutorial("s4-dp")).expect("4002000a")
        leds = {"Red_Led": 1, "Green_Led": 1, "Yellow_Led": 1, "Blue_Led": 1}
        until(lambda: server.properties(ONENET, "901505824") == leds, "the four LEDs in the API")
        same(server.status(ONENET, "901505824"), "online", "status")
        found = rest("GET", "/devices/901505824/datapoints?datastream_id=Red_Led,Blue_Led")
        streams = {stream["id"]: stream["datapoints"] for stream in found["datastreams"]}
        same({name: points[0]["value"] for name, points in streams.items()}, {"Red_Led": 1, "Blue_Led": 1})
        same(rest("GET", "/devices/status?devIds=901505824")["devices"][0]["online"], True, "online by REST")
        command = rest("POST", "/cmds?device_id=901505824", b"redled:0")["cmd_uuid"]
        same(len(command), 36, "letters of the id")
        same(command, command.lower(), "letter case of the id")
        # The very bytes of tutorial 004 but for the id.
        device.expect(publish_packet(f"$creq/{command}", b"redled:0"))
        same(rest("GET", f"/cmds/{command}")["status"], 2, "status of a command that was sent")
        answer = bytes.fromhex(tutorial("fw-crsp"))
        device.send(answer.replace(b"e8b6c9b6-225b-57dc-abaa-246ba58761d8", command.encode()))
        found = server.ended(ONENET, "901505824", command)
        same((found["reply"], found["reply_hex"]), ("ok", "6f6b"), "reply")
        same(rest("GET", f"/cmds/{command}")["status"], 4, "status of a command that was answered")
        _, _, body = server.request("GET", f"/cmds/{command}/resp", headers={"api-key": ONENET_KEY})
        same(body, b"ok", "raw answer")
        device.send(tutorial("s0-pingreq")).expect("d000").send(tutorial("s0-disconnect"))
        same(device.closed(), b"", "after DISCONNECT")
    until(lambda: server.status(ONENET, "901505824") == "offline", "offline")


def a_command_of_the_api_is_answered():
    device = onenet_device()
    with onenet_connected(device) as raw:
        sent = server.command(ONENET, device, {"payload": "led:1"})
        topic, payload, first = raw.publish()
        same((topic, payload, first), (f"$creq/{sent['id']}", b"led:1", 0x30))
        raw.send(publish_packet(f"$crsp/{sent['id']}", bytes(range(256)), qos=1, identifier=7))
        raw.expect("40020007")
        found = server.ended(ONENET, device, sent["id"])
        same(found["reply_hex"], bytes(range(256)).hex(), "reply_hex")
        binary = server.command(ONENET, device, {"payload_hex": "00ff10"})
        same(raw.publish()[1], b"\x00\xff\x10", "payload of payload_hex")
        raw.send(publish_packet(f"$crsp/{binary['id']}", b""))
        same(server.ended(ONENET, device, binary["id"])["reply_hex"], "", "an empty answer")


def offline_commands():
    device = onenet_device()
    rest("POST", f"/cmds?device_id={device}", b"now", errno=10)
    sent = server.command(ONENET, device, {"payload": "never", "timeout_s": 0})
    found = server.ended(ONENET, device, sent["id"], "refused")
    same(found["reason"], "offline", "reason")
    first = rest("POST", f"/cmds?device_id={device}&qos=1&timeout=600", b"one")["cmd_uuid"]
    second = server.command(ONENET, device, {"payload": "two", "timeout_s": 600})["id"]
    same(rest("GET", f"/cmds/{first}")["status"], 1, "status of a command that waits")
    with onenet_connected(device) as raw:
        same([raw.publish()[:2], raw.publish()[:2]], [(f"$creq/{first}", b"one"), (f"$creq/{second}", b"two")])
        raw.send(publish_packet(f"$crsp/{second}", b"2"))
        server.ended(ONENET, device, second)
    # QoS 1 without an answer is sent again at the next sign-in; what was answered is not.
    with onenet_connected(device) as raw:
        same(raw.publish()[:2], (f"$creq/{first}", b"one"), "again")
        raw.send(publish_packet(f"$crsp/{first}", b"1"))
        server.ended(ONENET, device, first)
        same(raw.fence(), [], "nothing else")
    expired = server.command(ONENET, device, {"payload": "late", "timeout_s": 1})["id"]
    server.ended(ONENET, device, expired, "timed_out")
    with onenet_connected(device) as raw:
        same(raw.fence(), [], "an expired command")


def every_dp_vector(vector):
    """Stored as its expected points, with their times."""
    device = onenet_device()
    with onenet_connected(device) as raw:
        before = time.time() * 1000
        raw.send(vector["publish_packet_qos1_id10"]).expect(vector["puback"])
        expected = vector["points"]
        points = until(
            lambda: (found := server.history(ONENET, device)) and len(found) >= len(expected) and found,
            f"{len(expected)} points",
        )
        same(len(points), len(expected), "points")
        for wanted in expected:
            name = wanted["datastream"]
            same_value = lambda point: (  # noqa: E731
                point.get("value_hex") == wanted["binary_hex"]
                if wanted.get("binary_hex")
                else point["value"] == wanted["value"]
            )
            found = [point for point in points if point["id"] == name and same_value(point)]
            if not found:
                raise AssertionError(f"{wanted} is not in {points}")
            at = utc_ms(found[0]["at"])
            if wanted["at"]:
                same(at, beijing_ms(wanted["at"]), f"time of {name}")
            elif abs(at - before) > 60_000:
                raise AssertionError(f"{name} was not measured now: {found[0]}")
        # The vendor's own REST says the same, with the time of Beijing.
        start = urllib.parse.quote("2000-01-01T00:00:00")
        data = rest("GET", f"/devices/{device}/datapoints?start={start}&limit=6000")
        same(sum(len(stream["datapoints"]) for stream in data["datastreams"]), len(expected), "points by REST")
        for wanted in expected:
            stream = next(stream for stream in data["datastreams"] if stream["id"] == wanted["datastream"])
            if wanted["at"]:
                times = [point["at"] for point in stream["datapoints"]]
                if f"{wanted['at'].replace('T', ' ')}.000" not in times:
                    raise AssertionError(f"{wanted['at']} is not among {times}")


def malformed_uploads(vector):
    """Acknowledged, so that firmware does not send them for ever; refused with rule and place; connection kept."""
    device = onenet_device()
    with onenet_connected(device) as raw:
        raw.send(publish_packet("$dp", bytes.fromhex(vector["payload_hex"]), qos=1)).expect("4002000a")
        if vector.get("lenient_points"):
            wanted = {point["datastream"]: point["value"] for point in vector["lenient_points"]}
            until(lambda: server.properties(ONENET, device) == wanted, "the points of the lenient reading")
        else:
            line = until(
                lambda: next((line for line in server.log_of(ONENET, device) if line["error"]), None),
                "a line with an error",
            )
            same(line["direction"], "up", "direction")
            same(line["hex"] or "", vector["payload_hex"], "hex")
            if "byte" not in line["error"]:
                raise AssertionError(f"no offset in {line['error']!r}")
            same(server.history(ONENET, device), [], "points")
        raw.send(publish_packet("$dp", b'\x03\x00\x09{"ok":99}', qos=1, identifier=11)).expect("4002000b")
        until(lambda: server.properties(ONENET, device).get("ok") == 99, "the next upload")


def who_may_connect():
    device = onenet_device("auth-info")
    for key in ["auth-info", ONENET_KEY]:
        onenet_connected(device, key).close()
    for level in [3, 4, 5]:
        onenet_connected(device, "auth-info", level=level).close()
    same(refused(server.port, device, ONENET, "wrong"), 4, "wrong auth info")
    finding = server.rejection(device)
    same(finding["client_id"], device, "client_id of the refusal")
    doctor = finding.get("doctor") or finding
    if "wrong_secret" not in json.dumps(finding):
        raise AssertionError(f"the doctor does not name the secret: {doctor}")
    if "auth-info" in json.dumps(finding) or "wrong".encode().hex() in finding["hex"]:
        raise AssertionError("a secret is shown")
    same(refused(server.port, "1", ONENET, "auth-info"), 2, "unknown device")
    server.rejection("unknown_device")
    found = server.api("POST", "/doctor", {"client_id": device, "user_name": ONENET, "password": "Auth-Info"})
    same((found["admitted"], found["code"] != "ok"), (False, True), "doctor")
    good = server.api("POST", "/doctor", {"client_id": device, "user_name": ONENET, "password": "auth-info"})
    same((good["admitted"], good["code"]), (True, "ok"), "doctor of the right one")
    server.api("PATCH", server.path(ONENET, device), {"disabled": True})
    same(server.status(ONENET, device), "disabled", "status")
    same(refused(server.port, device, ONENET, "auth-info"), 5, "disabled device")
    server.api("PATCH", server.path(ONENET, device), {"disabled": False})
    raw = onenet_connected(device, "auth-info")
    # A second connection ends the first one.
    with onenet_connected(device, "auth-info"):
        raw.closed()


def topics_are_those_of_the_product():
    """Devices of a product hear each other; other products and plain clients do not."""
    server.product("491645", "onenet", "another")
    server.device("491645", "7", "x")
    one, other = onenet_device(), onenet_device()
    with (
        onenet_connected(one) as sender,
        onenet_connected(other) as receiver,
        connected(server.port, "7", "491645", "x") as stranger,
        connected(server.port, "plain-listener") as plain,
    ):
        receiver.send(tutorial("fw-sub-flags0")).expect("9003000100")
        for raw in (stranger, plain):
            raw.send(subscribe_packet("app_topic", "#", identifier=1)).expect("900400010000")
        sender.send(tutorial("s0-pub-app-q0"))
        receiver.expect(tutorial("s0-pub-app-q0"))
        plain.send(publish_packet("app_topic", "of nobody's product"))
        same(plain.publish()[:2], ("app_topic", b"of nobody's product"))
        sender.fence()
        same(stranger.fence(), [], "another product")
        came = receiver.fence()
        same(came, [], "a message of a plain client")
        # And by REST.
        rest("POST", "/mqtt?topic=app_topic", b"pushed")
        same(receiver.publish()[:2], ("app_topic", b"pushed"), "a push")
        sender.send(subscribe_packet("$sys/#", identifier=5))
        first, body = sender.packet()
        same((first, body[2]), (0x90, 0x80), "a reserved topic")
        # The cloud's own words are not routed to others.
        receiver.send(subscribe_packet("$dp", identifier=6))
        receiver.packet()
        sender.send(publish_packet("$dp", b'\x03\x00\x07{"a":1}'))
        sender.fence()
        same(receiver.fence(), [], "an upload of another device")


def an_administrator_sees_the_bytes():
    """`$hexmq/{product}/raw/{topic}` and the normalised topics, for those who may."""
    device = onenet_device()
    with connected(server.port, "watcher", "admin", ADMIN_PASSWORD) as raw:
        base = f"$hexmq/{ONENET}/{device}"
        raw.send(subscribe_packet(f"$hexmq/{ONENET}/raw/#", f"{base}/+", identifier=1)).expect("900400010000")
        with onenet_connected(device) as sender:
            sender.send(publish_packet("$dp", b'\x03\x00\x07{"a":1}', qos=1)).expect("4002000a")
            sent = server.command(ONENET, device, {"payload": "x"})["id"]
            sender.publish()
            sender.send(publish_packet(f"$crsp/{sent}", b"y"))
            server.ended(ONENET, device, sent)
        seen = {}
        until(lambda: hears(raw, seen) and len(seen.get(f"{base}/presence", [])) == 2, f"coming and going in {seen}")
        same(seen[f"$hexmq/{ONENET}/raw/$dp"], [b'\x03\x00\x07{"a":1}'], "raw")
        same(json.loads(seen[f"{base}/properties"][0])["values"], {"a": 1}, "normalised")
        states = [json.loads(payload)["state"] for payload in seen[f"{base}/commands"]]
        same(states[-1], "answered", f"the last of {states}")


def hears(raw, seen):
    """The next message, put to the others of its topic."""
    topic, payload, _ = raw.publish()
    seen.setdefault(topic, []).append(payload)
    return True


def q1_zero_flags():
    device = onenet_device()
    with onenet_connected(device) as raw:
        raw.send(tutorial("fw-sub-flags0")).expect("9003000100")
        raw.send(tutorial("fw-unsub-flags0")).expect("b0020002")
        reported(device)
    with connected(server.port, f"plain-{device}") as raw:
        raw.send(tutorial("fw-sub-flags0"))
        same(raw.closed(), b"", "a plain client is closed")


def reported(device):
    """The device's log names a quirk."""
    until(
        lambda: next((line for line in server.log_of(ONENET, device) if line["stage"] == "quirk"), None),
        "a line of the stage quirk",
    )


def q2_pubrel_as_pubcomp():
    receiver, sender = onenet_device(), onenet_device()
    with onenet_connected(receiver) as raw, onenet_connected(sender) as other:
        raw.send(subscribe_packet("q2", qos=2, identifier=20)).expect("9003001402")
        for number in (1, 2):
            other.send(publish_packet("q2", f"message {number}", qos=2, identifier=number))
            other.expect(bytes([0x50, 2, 0, number])).send(bytes([0x62, 2, 0, number]))
            other.expect(bytes([0x70, 2, 0, number]))
            topic, payload, first = raw.publish()
            same((topic, payload, first & 6), ("q2", f"message {number}".encode(), 4))
            identifier = raw.raw[6:8] if raw.raw[1] < 128 else raw.raw[7:9]
            raw.send(b"\x50\x02" + identifier)
            first, body = raw.packet()
            same((first, body[:2]), (0x62, identifier), "PUBREL")
            # The kit's answer.
            raw.send(tutorial("fw-pubcomp-as-60"))
            same(raw.fence(), [], "the connection goes on")
        reported(receiver)
    with connected(server.port, f"plain-{receiver}") as raw:
        raw.send(tutorial("fw-pubcomp-as-60"))
        same(raw.closed(), b"", "a plain client is closed")


def q3_identifiers_are_used_again():
    device = onenet_device()
    with onenet_connected(device) as raw:
        uploads = [publish_packet("$dp", b"\x03\x00\x07" + b'{"n":%d}' % number, qos=1) for number in range(5)]
        raw.send(b"".join(uploads))
        for _ in uploads:
            raw.expect("4002000a")
        until(lambda: len(server.history(ONENET, device)) == 5, "five points")
        same([point["value"] for point in server.history(ONENET, device)], [0, 1, 2, 3, 4], "values in order")


def q4_one_packet_per_segment():
    """Two commands and a PUBACK leave in segments of their own, with a gap."""
    device = onenet_device()
    for _ in range(2):
        server.command(ONENET, device, {"payload": "led:1", "timeout_s": 60})
    with onenet_connected(device) as raw:
        raw.send(publish_packet("$dp", b'\x03\x00\x07{"a":1}', qos=1))
        arrivals = []
        received = b""
        while len(arrivals) < 3:
            data = raw.socket.recv(65536)
            arrivals.append((time.monotonic(), data))
            received += data
        for _, data in arrivals:
            length = data[1]
            same(len(data), length + 2, f"one packet in {data!r}")
        gaps = [later[0] - earlier[0] for earlier, later in zip(arrivals, arrivals[1:])]
        if min(gaps) < 0.02:
            raise AssertionError(f"the gaps are {gaps}")
        if max(len(data) for _, data in arrivals) > 256:
            raise AssertionError("a downlink is larger than the kit's buffer")
    with connected(server.port, f"plain-{device}") as raw:
        raw.send(b"\xc0\x00" * 20)
        came = b""
        while len(came) < 40:
            data = raw.socket.recv(65536)
            came += data
        same(came, b"\xd0\x00" * 20, "a plain client has no gaps")


def q5_no_retain_downwards():
    receiver, sender = onenet_device(), onenet_device()
    with onenet_connected(sender) as other, onenet_connected(receiver) as raw:
        other.send(publish_packet("q5", b"kept", flags=1)).fence()
        raw.send(subscribe_packet("q5", identifier=1)).expect("9003000100")
        topic, payload, first = raw.publish()
        same((topic, payload, first), ("q5", b"kept", 0x30), "RETAIN is clear")


def q6_q7_q10_what_goes_down():
    device = onenet_device()
    with onenet_connected(device) as raw:
        sent = server.command(ONENET, device, {"payload": "x"})
        _, _, first = raw.publish()
        same(first, 0x30, "QoS 0, DUP 0, RETAIN 0")
        same(len(sent["id"]), 36, "letters of the id")
        same(str(uuid.UUID(sent["id"])), sent["id"], "a lower-case UUID")
        raw.send(subscribe_packet("x", identifier=30, first=0x80)).packet()
        raw.send("a2050 01e0001 78".replace(" ", "")).expect("b002001e")


def q8_q9_granted_as_asked():
    device = onenet_device()
    with onenet_connected(device) as raw:
        for qos in (0, 1, 2):
            raw.send(subscribe_packet("a", "$creq/#", qos=qos, identifier=9))
            raw.expect(bytes([0x90, 4, 0, 9, qos, qos]))
        # A command goes out once, whatever was subscribed.
        sent = server.command(ONENET, device, {"payload": "once"})
        same(raw.publish()[0], f"$creq/{sent['id']}")
        same(raw.fence(), [], "once")


def q14_only_creq():
    """No `$` topic but `$creq` reaches a legacy device."""
    device = onenet_device()
    with onenet_connected(device) as raw:
        raw.send(subscribe_packet("#", "$SYS/#", identifier=2))
        first, body = raw.packet()
        same((first, body[2]), (0x90, 0), "# is granted")
        same([item for item in raw.fence() if item[1][2:3] == b"$"], [], "messages on $ topics")


def quirks_are_switches():
    product = server.api("GET", f"/products/{ONENET}/quirks")
    items = product["items"] if isinstance(product, dict) else product
    names = {item["name"]: item for item in items}
    if len(names) < 4:
        raise AssertionError(f"only {names}")
    server.product("491646", "onenet", "k", switches={name: False for name in names})
    server.device("491646", "8", "x")
    with connected(server.port, "8", "491646", "x") as raw:
        raw.send(tutorial("fw-sub-flags0"))
        same(raw.closed(), b"", "switched off, the flags are a fault")


def register_de():
    """Small, compact JSON in one segment, as firmware parses it."""
    server.product("491647", "onenet", "reg-key", dynamic_registration=True)
    body = b'{"sn":"SN0001","title":"board"}'
    # Where no registration code was set it is the master key.
    path = "/register_de?register_code=reg-key"
    status, headers, text = server.request("POST", path, body, address=server.device_http)
    same(status, 200, f"status: {text!r}")
    if not text.startswith(b"{") or b'"device_id":"' not in text or b'","key":"' not in text or b"succ" not in text:
        raise AssertionError(f"firmware cannot parse {text!r}")
    size = len(text) + sum(len(name) + len(value) + 4 for name, value in headers.items()) + 20
    if size >= 320:
        raise AssertionError(f"{size} bytes are more than the receive buffer: {headers}")
    data = json.loads(text)["data"]
    for password in (data["key"], "SN0001"):
        with connected(server.port, data["device_id"], "491647", password) as raw:
            raw.send(publish_packet("$dp", b'\x03\x00\x07{"a":1}', qos=1)).expect("4002000a")
    rest("POST", "/register_de?register_code=wrong", body, errno=1, address=server.device_http)
    # What only administrators may is not there.
    for path in ("/api/v1/status", "/api/v1/products", "/"):
        status, _, _ = server.request("GET", path, address=server.device_http)
        if status < 400:
            raise AssertionError(f"{path} is served on --device-http: {status}")
    same(rest("GET", "/devices?per_page=1", address=server.device_http)["per_page"], 1, "REST on --device-http")
    same(rest("GET", "/devices", key="wrong", errno=1, address=server.device_http), None, "a wrong key")


def rest_of_the_application():
    made = rest("POST", "/devices", {"title": "pump", "auth_info": "sn-7", "tags": ["a", "b"], "protocol": "MQTT"})
    device = made["device_id"]
    same(isinstance(device, str), True, "ids are text")
    shown = rest("GET", f"/devices/{device}")
    same((shown["title"], shown["auth_info"], shown["online"]), ("pump", "sn-7", False))
    rest("PUT", f"/devices/{device}", {"title": "pump 2"})
    same(rest("GET", f"/devices/{device}")["title"], "pump 2", "title")
    found = rest("GET", "/devices?key_words=pump&per_page=5&page=1")
    same((found["total_count"], found["devices"][0]["id"]), (1, device))
    for number in range(25):
        rest("POST", f"/devices/{device}/datapoints?type=3", {"n": number})
    until(lambda: len(server.history(ONENET, device)) == 25, "25 points")
    start = urllib.parse.quote("2020-01-01T00:00:00")
    values, cursor = [], ""
    for _ in range(10):
        data = rest("GET", f"/devices/{device}/datapoints?datastream_id=n&start={start}&limit=10{cursor}")
        values += [point["value"] for point in data["datastreams"][0]["datapoints"]]
        if not data.get("cursor"):
            break
        cursor = f"&cursor={urllib.parse.quote(data['cursor'])}"
    same(values, list(range(25)), "pages in order")
    data = rest("GET", f"/devices/{device}/datapoints?datastream_id=n&start={start}&limit=3&sort=DESC")
    same([point["value"] for point in data["datastreams"][0]["datapoints"]], [24, 23, 22], "newest first")
    latest = rest("GET", f"/devices/datapoints?devIds={device}")["devices"][0]["datastreams"]
    same([(stream["id"], stream["value"]) for stream in latest], [("n", 24)], "latest")
    streams = rest("GET", f"/devices/{device}/datastreams")
    same([stream["id"] for stream in streams], ["n"], "streams")
    rest("DELETE", f"/devices/{device}")
    server.api("GET", server.path(ONENET, device), status=404)


# --- OneNET, tokens ---------------------------------------------------------------------------------


def token_sign_ins():
    server.device(TOKEN_PRODUCT, "mydev", TOKEN_KEY)
    expiry = int(time.time()) + 3600
    for method in ("md5", "sha1", "sha256"):
        for resource in (f"products/{TOKEN_PRODUCT}/devices/mydev", f"products/{TOKEN_PRODUCT}"):
            token = onenet_token(TOKEN_KEY, resource, expiry, method)
            connected(server.port, "mydev", TOKEN_PRODUCT, token).close()
    for vector in VECTORS["onenet_tokens"]["accept"]:
        if vector["res"] == f"products/{TOKEN_PRODUCT}/devices/mydev" and vector["et"] > time.time():
            connected(server.port, "mydev", TOKEN_PRODUCT, vector["token"]).close()
            connected(server.port, "mydev", TOKEN_PRODUCT, vector["token_res_unescaped"]).close()
    resource = f"products/{TOKEN_PRODUCT}/devices/mydev"
    late = onenet_token(TOKEN_KEY, resource, int(time.time()) - 3600)
    wrong = onenet_token("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWc=", resource, expiry)
    other = onenet_token(TOKEN_KEY, f"products/{TOKEN_PRODUCT}/devices/other", expiry)
    for token, word in ((late, "expired"), (wrong, "secret"), (other, "resource"), ("nonsense", "token")):
        code = refused(server.port, "mydev", TOKEN_PRODUCT, token)
        same(code in (2, 4, 5), True, f"code {code}")
        newest = until(lambda: server.api("GET", "/rejections?limit=1")["items"], "a refusal")[0]
        if word not in json.dumps(newest):
            raise AssertionError(f"the doctor does not name {word}: {newest}")


def token_connected(device):
    token = onenet_token(TOKEN_KEY, f"products/{TOKEN_PRODUCT}/devices/{device}", int(time.time()) + 3600)
    return connected(server.port, device, TOKEN_PRODUCT, token)


def token_data_points():
    server.device(TOKEN_PRODUCT, "suite", TOKEN_KEY)
    base = f"$sys/{TOKEN_PRODUCT}/suite"
    with token_connected("suite") as raw:
        raw.send(subscribe_packet(f"{base}/dp/post/json/+", f"{base}/cmd/#", identifier=1)).expect("900400010000")
        post = {"id": 123, "dp": {"temp": [{"v": 30, "t": 1552289676}], "color": [{"v": {"c": "blue"}}]}}
        raw.send(publish_packet(f"{base}/dp/post/json", json.dumps(post), qos=1)).expect("4002000a")
        same(raw.json(), (f"{base}/dp/post/json/accepted", {"id": 123}))
        until(lambda: server.properties(TOKEN_PRODUCT, "suite") == {"temp": 30, "color": {"c": "blue"}}, "points")
        points = {point["id"]: point for point in server.history(TOKEN_PRODUCT, "suite")}
        same(utc_ms(points["temp"]["at"]), 1552289676000, "time of the point")
        raw.send(publish_packet(f"{base}/dp/post/json", b'{"id":124,"dp":7}'))
        topic, answer = raw.json()
        same((topic, answer["id"]), (f"{base}/dp/post/json/rejected", 124))
        sent = server.command(TOKEN_PRODUCT, "suite", {"payload": "go"})
        same(raw.publish()[:2], (f"{base}/cmd/request/{sent['id']}", b"go"))
        raw.send(publish_packet(f"{base}/cmd/response/{sent['id']}", b"gone"))
        same(server.ended(TOKEN_PRODUCT, "suite", sent["id"])["reply"], "gone", "reply")
        same(raw.publish()[0], f"{base}/cmd/response/{sent['id']}/accepted")
        # Not its own: neither to hear nor to say.
        raw.send(subscribe_packet(f"$sys/{TOKEN_PRODUCT}/mydev/#", identifier=2)).expect("9003000280")


def token_thing_model():
    server.device(TOKEN_PRODUCT, "studio", TOKEN_KEY)
    base = f"$sys/{TOKEN_PRODUCT}/studio/thing"
    with token_connected("studio") as raw:
        raw.send(subscribe_packet(f"{base}/#", identifier=1)).expect("9003000100")
        post = {"id": "7", "version": "1.0", "params": {"temp": {"value": 23.6}, "on": {"value": True, "time": 1524448722123}}}
        raw.send(publish_packet(f"{base}/property/post", json.dumps(post)))
        topic, answer = raw.json()
        same((topic, answer["id"], answer["code"]), (f"{base}/property/post/reply", "7", 200))
        until(lambda: server.properties(TOKEN_PRODUCT, "studio") == {"temp": 23.6, "on": True}, "values")
        event = {"id": "8", "version": "1.0", "params": {"alarm": {"value": {"code": 3}}}}
        raw.send(publish_packet(f"{base}/event/post", json.dumps(event)))
        same(raw.json()[1]["code"], 200, "code of the event's reply")
        events = until(
            lambda: server.api("GET", server.path(TOKEN_PRODUCT, "studio", "/events"))["items"], "an event"
        )
        same((events[0]["id"], events[0]["params"]), ("alarm", {"code": 3}))
        sent = server.command(TOKEN_PRODUCT, "studio", {"service": "set", "params": {"on": False}})
        topic, order = raw.json()
        same((topic, order["params"]), (f"{base}/property/set", {"on": False}))
        same(len(order["id"]) <= 15 and order["id"].isdigit(), True, f"id {order['id']}")
        answer = {"id": order["id"], "code": 200, "msg": "success"}
        raw.send(publish_packet(f"{base}/property/set_reply", json.dumps(answer)))
        server.ended(TOKEN_PRODUCT, "studio", sent["id"])
        # The device's own uplink never comes back, though its wildcard matches.
        same([item for item in raw.fence() if b"property/post" in item[1] and b"reply" not in item[1]], [])


# --- Aliyun ------------------------------------------------------------------------------------------


def aliyun_device(name=None):
    name = name or f"D{next(_numbers)}"
    server.device(ALIYUN, name, ALIYUN_SECRET)
    return name


def aliyun_connected(device, **more):
    return connected(server.port, *aliyun_connect(ALIYUN, device, ALIYUN_SECRET, **more))


def with_password(hex_packet, password):
    """A CONNECT of a tutorial with another password: the secrets are not in the tutorials."""
    data = bytes.fromhex(hex_packet)
    at = 2 if data[1] < 128 else 3
    body = data[at:]
    offset = 10
    fields = []
    while offset < len(body):
        size = struct.unpack(">H", body[offset : offset + 2])[0]
        fields.append(body[offset + 2 : offset + 2 + size])
        offset += 2 + size
    fields[-1] = password.encode()
    return packet(data[0], body[:10] + b"".join(text_field(field) for field in fields))


def aliyun_tutorial_003():
    """HMAC-MD5 without a timestamp: connect, subscribe, post, set."""
    server.device(ALIYUN, "D001", ALIYUN_SECRET)
    with Raw(server.port) as device:
        device.send(with_password(tutorial("s3-connect"), "590e8dac737b17c555d5b21f81b60be4")).expect("20020000")
        device.send(tutorial("s3-pingreq")).expect("d000")
        device.send(tutorial("s3-sub-propset"))
        first, body = device.packet()
        same((first, body[:2], body[2] in (0, 1)), (0x90, b"\x00\x01", True), "SUBACK")
        device.send(tutorial("s3-pub-q0"))
        until(lambda: server.properties(ALIYUN, "D001") == {"PowerSwitch": 1}, "PowerSwitch = 1")
        device.send(tutorial("s3-pub-q1-fixed")).expect("40020003")
        until(lambda: server.properties(ALIYUN, "D001") == {"PowerSwitch": 0}, "PowerSwitch = 0")
        sent = server.command(ALIYUN, "D001", {"service": "set", "params": {"PowerSwitch": 1}})
        topic, order = device.json()
        same(topic, "/sys/i5drb0tO5li/D001/thing/service/property/set")
        same((order["method"], order["params"]), ("thing.service.property.set", {"PowerSwitch": 1}))
        same(order["id"].isdigit() and int(order["id"]) < 2**32, True, f"id {order['id']}")
        answer = {"id": order["id"], "code": 200, "data": {}}
        device.send(publish_packet(f"{topic}_reply", json.dumps(answer)))
        server.ended(ALIYUN, "D001", sent["id"])
        device.send(tutorial("s3-unsub")).expect("b0020002")
        device.send(tutorial("s3-disconnect"))
        device.closed()


def aliyun_tutorial_002():
    """HMAC-SHA256 with a timestamp; announces securemode=2 over plain TCP."""
    server.product("gukv3BQLi1G", "aliyun", "ProdSecret01234567")
    server.device("gukv3BQLi1G", "camera1", ALIYUN_SECRET)
    password = "c9a3f17a6a6122a4733cf25d26c3b2378fc4aed00082d928d130d26af623ced8"
    with Raw(server.port) as device:
        device.send(with_password(tutorial("s2-connect"), password)).expect("20020000")
        device.send(tutorial("s2-sub-propset"))
        same(device.packet()[0], 0x90, "SUBACK")
        device.send(tutorial("s2-pub-prop"))
        found = until(lambda: server.properties("gukv3BQLi1G", "camera1"), "a value")
        same(len(found) >= 1, True, "values")
        sent = server.command("gukv3BQLi1G", "camera1", {"service": "set", "params": {"test111": 0}})
        topic, order = device.json()
        device.send(publish_packet(f"{topic}_reply", json.dumps({"id": order["id"], "code": 200, "data": {}})))
        server.ended("gukv3BQLi1G", "camera1", sent["id"])


def aliyun_sign_ins():
    device = aliyun_device()
    for method in ("hmacmd5", "hmacsha1", "hmacsha256"):
        for timestamp in (None, "2524608000000", "789"):
            aliyun_connected(device, method=method, timestamp=timestamp).close()
    identifier, user, password = aliyun_connect(ALIYUN, device, ALIYUN_SECRET)
    connected(server.port, identifier, user, password.upper()).close()
    # The order of parameters, surplus ones, line feeds and further bars do not matter.
    for extra in (",_v=2.2.1,lan=Python", ",sii=Eth|03ACDEFF0032|"):
        aliyun_connected(device, extra=extra).close()
    spaced = identifier.replace(",", ",\n        ")
    connected(server.port, spaced, user, password).close()
    for changed, word in (
        ((identifier, user, "0" * 40), "signature"),
        ((identifier, f"nobody&{ALIYUN}", password), "unknown_device"),
        ((identifier.replace("hmacsha1", "hmacsha9"), user, password), "sign_method"),
        ((identifier.rstrip("|"), user, "1" * 40), "|"),
    ):
        refused(server.port, *changed)
        newest = until(lambda: server.api("GET", "/rejections?limit=1")["items"], "a refusal")[0]
        if word not in json.dumps(newest):
            raise AssertionError(f"the doctor does not name {word}: {json.dumps(newest)[:1500]}")
    # The session belongs to (product, device), whatever the client identifier says.
    first = aliyun_connected(device, timestamp="1")
    with aliyun_connected(device, timestamp="2"):
        first.closed()


def aliyun_alink():
    device = aliyun_device()
    base = f"/sys/{ALIYUN}/{device}/thing"
    with aliyun_connected(device) as raw:
        services = (f"{base}/service/+", f"{base}/service/property/set", f"/sys/{ALIYUN}/{device}/rrpc/request/+")
        filters = (f"{base}/event/+/post_reply", *services)
        raw.send(subscribe_packet(*filters, qos=1, identifier=1)).packet()
        post = {"id": "1|x", "version": "1.0", "params": {"t": {"value": 21.5, "time": 1524448722000}, "s": {"a": 1}}}
        raw.send(publish_packet(f"{base}/event/property/post", json.dumps(post), qos=1)).expect("4002000a")
        topic, answer = raw.json()
        same((topic, answer["id"], answer["code"]), (f"{base}/event/property/post_reply", "1|x", 200))
        same({"data", "message"} <= answer.keys(), True, f"members of {answer}")
        until(lambda: server.properties(ALIYUN, device) == {"t": 21.5, "s": {"a": 1}}, "values")
        point = next(point for point in server.history(ALIYUN, device) if point["id"] == "t")
        same(utc_ms(point["at"]), 1524448722000, "time")
        raw.send(publish_packet(f"{base}/event/alarm/post", json.dumps({"id": "2", "params": {"value": {"code": 3}}})))
        same(raw.json()[1]["id"], "2", "reply to an event")
        events = until(lambda: server.api("GET", server.path(ALIYUN, device, "/events"))["items"], "an event")
        same((events[0]["id"], events[0]["params"]), ("alarm", {"code": 3}))
        raw.send(publish_packet(f"{base}/event/property/post", b'{"id":"3","params":{"t":}}'))
        same(raw.json()[1]["code"] != 200, True, "code for what is no JSON")
        line = until(
            lambda: next((line for line in server.log_of(ALIYUN, device) if line["error"]), None), "an error"
        )
        if "25" not in line["error"] and "byte" not in line["error"]:
            raise AssertionError(f"no place in {line['error']!r}")
        sent = server.command(ALIYUN, device, {"service": "reboot", "params": {"delay": 3}})
        topic, order = raw.json()
        same((topic, order["params"]), (f"{base}/service/reboot", {"delay": 3}))
        answer = {"id": order["id"], "code": 200, "data": {"ok": 1}}
        raw.send(publish_packet(f"{topic}_reply", json.dumps(answer)))
        same(server.ended(ALIYUN, device, sent["id"])["reply_data"], {"ok": 1}, "reply_data")
        sent = server.command(ALIYUN, device, {"service": "sum", "params": {"a": 1}, "sync": True})
        topic, order = raw.json()
        same((topic.rsplit("/", 1)[0], order["method"]), (f"/sys/{ALIYUN}/{device}/rrpc/request", "thing.service.sum"))
        raw.send(publish_packet(topic.replace("request", "response"), json.dumps({**answer, "id": order["id"]})))
        server.ended(ALIYUN, device, sent["id"])
        refusing = server.command(ALIYUN, device, {"service": "set", "params": {"t": 1}})
        topic, order = raw.json()
        raw.send(publish_packet(f"{topic}_reply", json.dumps({"id": order["id"], "code": 460, "data": {}})))
        same(server.ended(ALIYUN, device, refusing["id"])["reply_code"], 460, "reply_code")


def aliyun_others():
    """NTP, shadow, desired, tags, custom topics, forbidden topics."""
    device = aliyun_device()
    base = f"/sys/{ALIYUN}/{device}/thing"
    with aliyun_connected(device) as raw:
        filters = (f"/ext/ntp/{ALIYUN}/{device}/response", f"/shadow/get/{ALIYUN}/{device}", f"{base}/#")
        raw.send(subscribe_packet(*filters, qos=1, identifier=1)).packet()
        raw.send(publish_packet(f"/ext/ntp/{ALIYUN}/{device}/request", b'{"deviceSendTime":"1571724098000"}'))
        answer = raw.json()[1]
        same(answer["deviceSendTime"], "1571724098000")
        same(abs(int(answer["serverRecvTime"]) - time.time() * 1000) < 60_000, True, "serverRecvTime")
        update = {"method": "update", "state": {"reported": {"color": "red"}}, "version": 1}
        raw.send(publish_packet(f"/shadow/update/{ALIYUN}/{device}", json.dumps(update)))
        same(raw.json()[1]["payload"]["status"], "success", "shadow update")
        raw.send(publish_packet(f"/shadow/update/{ALIYUN}/{device}", json.dumps(update)))
        same(raw.json()[1]["payload"]["status"], "error", "an old version")
        raw.send(publish_packet(f"/shadow/update/{ALIYUN}/{device}", b'{"method":"get"}'))
        same(raw.json()[1]["payload"]["state"]["reported"], {"color": "red"}, "shadow get")
        server.api("PUT", server.path(ALIYUN, device, "/desired"), {"values": {"power": "on"}})
        for _ in range(3):
            raw.send(publish_packet(f"{base}/property/desired/get", b'{"id":"5","params":["power"]}'))
            topic, answer = raw.json()
            if topic.endswith("desired/get_reply"):
                break
        same(answer["data"]["power"]["value"], "on", "desired")
        tags = {"id": "6", "params": [{"attrKey": "room", "attrValue": "7"}]}
        raw.send(publish_packet(f"{base}/deviceinfo/update", json.dumps(tags)))
        for _ in range(3):
            topic, answer = raw.json()
            if topic.endswith("deviceinfo/update_reply"):
                break
        same((topic, answer["code"]), (f"{base}/deviceinfo/update_reply", 200), "tags")
        same(server.api("GET", server.path(ALIYUN, device))["tags"], {"room": "7"}, "tags in the API")
        raw.send(subscribe_packet(f"/{ALIYUN}/{device}/user/get", identifier=3)).expect("9003000300")
        raw.send(publish_packet(f"/{ALIYUN}/{device}/user/get", b"to myself"))
        same(raw.publish()[1], b"to myself", "a custom topic")
        raw.send(subscribe_packet(f"/sys/{ALIYUN}/D001/#", identifier=4)).expect("9003000480")


# --- plain, and everybody -----------------------------------------------------------------------------


def plain_devices():
    server.product(PLAIN, "plain")
    server.device(PLAIN, "bench-1", "pw")
    same(refused(server.port, "bench-1", PLAIN, "no"), 4, "a wrong secret")
    with connected(server.port, "bench-1", PLAIN, "pw") as raw:
        raw.send(subscribe_packet("devices/bench-1/commands/+", qos=1)).expect("9003001401")
        raw.send(publish_packet("devices/bench-1/properties", b'{"t":21.5}', qos=1)).expect("4002000a")
        until(lambda: server.properties(PLAIN, "bench-1") == {"t": 21.5}, "a value")
        sent = server.command(PLAIN, "bench-1", {"service": "blink", "params": {"n": 3}})
        topic, payload, first = raw.publish()
        same(json.loads(payload)["params"], {"n": 3})
        raw.send(publish_packet(f"{topic}/reply", b'{"code":200,"data":{"done":true}}'))
        same(server.ended(PLAIN, "bench-1", sent["id"])["reply_data"], {"done": True}, "reply_data")


class Listener(http.server.BaseHTTPRequestHandler):
    """Takes what webhooks deliver; refuses the first time."""

    got = queue.Queue()
    refusals = 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Listener.refusals:
            Listener.refusals -= 1
            self.send_response(503)
        else:
            Listener.got.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def webhooks_deliver():
    server.product("hooked", "plain")
    server.device("hooked", "d", "pw")
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    hook = server.api("POST", "/webhooks", {"url": url, "secret": "whsec", "product": "hooked", "kinds": ["uplink"]}, 201)
    try:
        with connected(server.port, "d", "hooked", "pw") as raw:
            for number in (1, 2):
                raw.send(publish_packet("devices/d/properties", f'{{"n":{number}}}', qos=1)).packet()
        for number in (1, 2):
            headers, body = Listener.got.get(timeout=30)
            told = json.loads(body)
            same((told["device"], told["data"]["values"]), ("d", {"n": number}), f"{body!r}")
            signed = f"{headers['x-hexmq-timestamp']}.".encode() + body
            wanted = hmac.new(b"whsec", signed, "sha256").hexdigest()
            same(headers["x-hexmq-signature"], f"sha256={wanted}", "signature")
            same(headers["x-hexmq-kind"], "uplink", "kind")
    finally:
        server.api("DELETE", f"/webhooks/{hook['id']}")
        receiver.shutdown()


def api_keys_have_scopes():
    made = server.api("POST", "/keys", {"name": "reader", "scopes": ["read"], "product": PLAIN}, 201)
    key = {"Authorization": f"Bearer {made['key']}"}

    def status(method, path, body=None):
        return server.request(method, f"/api/v1{path}", body, key)[0]

    same(status("GET", f"/products/{PLAIN}/devices"), 200, "reading")
    same(status("GET", f"/products/{ONENET}/devices") in (403, 404), True, "another product")
    same(status("POST", f"/products/{PLAIN}/devices", {"id": "no"}), 403, "creating")
    same(status("POST", f"/products/{PLAIN}/devices/bench-1/commands", {"payload": "x"}), 403, "ordering")
    server.api("DELETE", f"/keys/{made['id']}")
    same(status("GET", f"/products/{PLAIN}/devices"), 401, "after it was removed")


def a_model_judges_values():
    """Refused values are told to the device as its cloud does it, and not stored."""
    server.product("a1Judged001", "aliyun", "x", validation="refuse")
    server.device("a1Judged001", "d", ALIYUN_SECRET)
    temperature = {"type": "float", "specs": {"min": "-40", "max": "120"}}
    model = {
        "profile": {"productKey": "a1Judged001"},
        "properties": [{"identifier": "t", "name": "t", "accessMode": "rw", "dataType": temperature}],
        "events": [],
        "services": [],
    }
    server.api("PUT", "/products/a1Judged001/model", model)
    base = "/sys/a1Judged001/d/thing"
    with connected(server.port, *aliyun_connect("a1Judged001", "d", ALIYUN_SECRET, extra=",_ss=1")) as raw:
        post = {"id": "1", "version": "1.0", "params": {"t": 500, "unknown": 1}}
        raw.send(publish_packet(f"{base}/event/property/post", json.dumps(post)))
        topic, answer = raw.json()
        same((topic, sorted(answer["data"])), (f"{base}/event/property/post_reply", ["t", "unknown"]), f"{answer}")
        codes = [answer["data"][name]["code"] for name in ("t", "unknown")]
        same(codes, [6307, 6317], "codes")
        good = {"id": "2", "version": "1.0", "params": {"t": 21.5}}
        raw.send(publish_packet(f"{base}/event/property/post", json.dumps(good)))
        same(raw.json()[1]["data"], {}, "data")
        until(lambda: server.properties("a1Judged001", "d") == {"t": 21.5}, "the good value alone")
    draft = server.api("GET", f"/products/{PLAIN}/model/draft")
    same([item["identifier"] for item in draft["properties"]], ["t"], "the draft of another product")


def devices_are_imported_and_exported():
    server.product("batch", "plain")
    status, _, text = server.request(
        "POST",
        "/api/v1/products/batch/devices:import",
        b"id,secret,tags\none,s1,room=7\ntwo,s2,\none,s3,\nbad id,s4,\n",
        {"Authorization": "Basic " + base64.b64encode(f"admin:{ADMIN_PASSWORD}".encode()).decode(), "Content-Type": "text/csv"},
    )
    report = json.loads(text)
    same((status, report["created"], report["failed"]), (200, 2, 2), f"{report}")
    same([line["line"] for line in report["lines"] if line["state"] == "failed"], [4, 5], "lines that failed")
    connected(server.port, "one", "batch", "s1").close()
    exported = server.api("GET", "/products/batch/devices:export?format=json")
    items = exported["items"] if isinstance(exported, dict) else exported
    same([item["id"] for item in items], ["one", "two"], "exported")
    same("s1" in json.dumps(exported), False, "a secret in an export")


def a_plain_client_is_no_device():
    """Without a user name, or with one that is no product: plain rules on the same listener."""
    with connected(server.port, "901505824x") as raw:
        raw.send(subscribe_packet("a", qos=2, identifier=1)).expect("9003000102")
        raw.send(publish_packet("b", b"x", qos=2, identifier=2)).expect("50020002")
    with connected(server.port, "onlooker") as raw:
        raw.send(subscribe_packet("$hexmq/#", identifier=1))
        same(raw.packet()[1][2], 0x80, "$hexmq is not for everybody")


def secrets_stay_secret():
    shown = json.dumps([server.api("GET", "/products"), server.api("GET", f"/products/{ALIYUN}/devices")])
    for secret in (ONENET_KEY, ALIYUN_SECRET):
        same(secret in shown, False, "a secret in a listing")
        same(secret in server.logged(), False, "a secret in the log")
    revealed = server.api("GET", f"/products/{ONENET}?reveal=true")
    same(revealed["secret"], ONENET_KEY, "when an administrator asks")
    for hidden in ("/products", f"/products/{ONENET}"):
        status, _, _ = server.request("GET", f"/api/v1{hidden}")
        same(status, 401, "without credentials")


for case in (
    the_tutorials_flow,
    a_command_of_the_api_is_answered,
    offline_commands,
    who_may_connect,
    topics_are_those_of_the_product,
    an_administrator_sees_the_bytes,
    q1_zero_flags,
    q2_pubrel_as_pubcomp,
    q3_identifiers_are_used_again,
    q4_one_packet_per_segment,
    q5_no_retain_downwards,
    q6_q7_q10_what_goes_down,
    q8_q9_granted_as_asked,
    q14_only_creq,
    quirks_are_switches,
    register_de,
    rest_of_the_application,
    token_sign_ins,
    token_data_points,
    token_thing_model,
    aliyun_tutorial_003,
    aliyun_tutorial_002,
    aliyun_sign_ins,
    aliyun_alink,
    aliyun_others,
    plain_devices,
    webhooks_deliver,
    api_keys_have_scopes,
    a_model_judges_values,
    devices_are_imported_and_exported,
    a_plain_client_is_no_device,
    secrets_stay_secret,
):
    suite.add(case)


def of_vectors(function, name):
    """A case for each vector, called by its id."""
    for vector in VECTORS[name]:
        suite.cases.append((f"{function.__name__}({vector['id']})", function, (vector,)))


of_vectors(every_dp_vector, "onenet_dp")
of_vectors(malformed_uploads, "onenet_dp_errors")

if __name__ == "__main__":
    server = Server()
    server.product(ONENET, "onenet", ONENET_KEY)
    server.product(TOKEN_PRODUCT, "onenet-token", TOKEN_KEY)
    server.product(ALIYUN, "aliyun", "ProdSecret01234567")
    suite.run(end=server.remove)
