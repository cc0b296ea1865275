"""What the suites of the device cloud share: a server of their own, its HTTP API, raw MQTT, waiting.

Each suite starts `hexmq serve` on free ports and registers what it needs over /api/v1. Nothing
waits by the clock: `until` asks again and again, with a bound; a question is a request that takes its time.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

PATIENCE = 20
PROGRAM = os.environ.get("HEXMQ_PROGRAM", "target/debug/hexmq")
ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "tests/data/vectors.json").read_text())
ADMIN = "admin:" + (ADMIN_PASSWORD := "workshop")


def until(question, what, patience=PATIENCE):
    """Asks until there is an answer that is true, or a list with something in it; then gives it."""
    deadline = time.monotonic() + patience
    last = None
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        last = answer
    raise AssertionError(f"in {patience} s it did not come: {what} (last: {last!r})")


class Server:
    """`hexmq serve`, and its API."""

    def __init__(self, *arguments, data=None, environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hexmq-cloud-"))
        self.data = data or self.folder / "data"
        self.arguments = arguments
        self.environment = environment or {}
        self.start()

    def start(self):
        """Starts it, on what is in its data folder."""
        command = [PROGRAM, "serve", "--admin-password", ADMIN_PASSWORD, "--data", str(self.data)]
        command += ["--http", "127.0.0.1:0", "--device-http", "127.0.0.1:0", *self.arguments]
        if not any(argument.startswith("--listen") for argument in self.arguments):
            command += ["--listen", "mqtt://127.0.0.1:0"]
        self.log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, **self.environment},
        )
        self.listeners = []
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            if line.startswith("listening "):
                self.listeners.append(line.split(maxsplit=1)[1].strip())
        else:
            watchdog.cancel()
            raise AssertionError(f"the server did not start:\n{self.logged()[-4000:]}")
        watchdog.cancel()
        addresses = [listener.split("://", 1) for listener in self.listeners]
        mqtt = [address for scheme, address in addresses if scheme in ("mqtt", "auto")]
        http_ones = [address for scheme, address in addresses if scheme == "http"]
        other_http = [address for scheme, address in addresses if scheme in ("device-http", "http")]
        self.port = int(mqtt[0].rsplit(":", 1)[1])
        self.http = http_ones[0]
        self.device_http = [address for address in other_http if address != self.http][0]

    def logged(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print("the server's log ends with:\n" + self.logged()[-3000:])
        self.remove()

    def request(self, method, path, body=None, headers=None, address=None, patience=30):
        """Status, headers and body."""
        connection = http.client.HTTPConnection(address or self.http, timeout=patience)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def api(self, method, path, body=None, status=None, patience=30):
        """The JSON of /api/v1, as the administrator; fails where the status is another one."""
        authorization = "Basic " + base64.b64encode(ADMIN.encode()).decode()
        found, _, text = self.request(
            method, f"/api/v1{path}", body, {"Authorization": authorization}, patience=patience
        )
        answer = json.loads(text) if text else None
        good = found == status if status else 200 <= found < 300
        if not good:
            raise AssertionError(f"{method} {path}: {found} {text[:2000]!r}")
        return answer

    def product(self, product, dialect, secret=None, **more):
        body = {"id": product, "name": product, "dialect": dialect, **more}
        if secret is not None:
            body["secret"] = secret
        return self.api("POST", "/products", body, 201)

    def device(self, product, device, secret=None, **more):
        body = {"id": device, "name": device, **more}
        if secret is not None:
            body["secret"] = secret
        return self.api("POST", f"/products/{product}/devices", body, 201)

    def path(self, product, device, rest=""):
        quoted = urllib.parse.quote(device, safe="")
        return f"/products/{product}/devices/{quoted}{rest}"

    def status(self, product, device):
        return self.api("GET", self.path(product, device))["status"]

    def properties(self, product, device):
        """Value by name."""
        items = self.api("GET", self.path(product, device, "/properties"))["items"]
        return {item["id"]: item.get("value") for item in items}

    def history(self, product, device, **query):
        """All points, the oldest first."""
        items, cursor = [], None
        while True:
            asked = {"limit": 1000, "order": "asc", **query, **({"cursor": cursor} if cursor else {})}
            page = self.api("GET", self.path(product, device, f"/history?{urllib.parse.urlencode(asked)}"))
            items += page["items"]
            cursor = page["next"]
            if not cursor:
                return items

    def log_of(self, product, device):
        return self.api("GET", self.path(product, device, "/log?limit=200"))["items"]

    def command(self, product, device, body, status=202):
        return self.api("POST", self.path(product, device, "/commands"), body, status)

    def ended(self, product, device, command, state="answered"):
        """The command when it is in this state."""

        def look():
            found = self.api("GET", self.path(product, device, f"/commands/{command}"))
            return found if found["state"] == state else None

        return until(look, f"command {command} {state}")

    def rejection(self, text):
        """The newest refusal with this text in it."""

        def look():
            items = self.api("GET", "/rejections?limit=50")["items"]
            return next((item for item in items if text in json.dumps(item)), None)

        return until(look, f"a refusal with {text}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def certificate(folder):
    """A private authority and a certificate of 127.0.0.1: paths of CA, certificate and key."""
    folder = pathlib.Path(folder)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=workshop CA")
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san"]
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"


# --- MQTT by bytes ---------------------------------------------------------------------------------


def text_field(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(text)) + text


def packet(first, body):
    length, encoded = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        encoded += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([first]) + encoded + body


def connect_packet(client, user=None, password=None, clean=True, keep_alive=120, level=4):
    flags = 0x02 if clean else 0
    body = text_field(client)
    if user is not None:
        flags |= 0x80
        body += text_field(user)
    if password is not None:
        flags |= 0x40
        body += text_field(password)
    name = text_field("MQIsdp" if level == 3 else "MQTT")
    properties = b"\x00" if level == 5 else b""
    return packet(0x10, name + bytes([level, flags]) + struct.pack(">H", keep_alive) + properties + body)


def publish_packet(topic, payload, qos=0, identifier=10, flags=0):
    payload = payload if isinstance(payload, bytes) else payload.encode()
    middle = struct.pack(">H", identifier) if qos else b""
    return packet(0x30 | qos << 1 | flags, text_field(topic) + middle + payload)


def subscribe_packet(*filters, qos=0, identifier=20, first=0x82):
    body = b"".join(text_field(name) + bytes([qos]) for name in filters)
    return packet(first, struct.pack(">H", identifier) + body)


class Raw:
    """A socket that sends bytes and reads packets."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.waiting = []

    def send(self, data):
        self.socket.sendall(bytes.fromhex(data) if isinstance(data, str) else data)
        return self

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed")
        self.buffer += data

    def packet(self):
        """The next packet: first byte and body."""
        if self.waiting:
            return self.waiting.pop(0)
        return self._packet()

    def _packet(self):
        while True:
            length, shift, at = 0, 0, 1
            while at < len(self.buffer):
                digit = self.buffer[at]
                length |= (digit & 0x7F) << shift
                shift += 7
                at += 1
                if not digit & 0x80:
                    if len(self.buffer) >= at + length:
                        first, body = self.buffer[0], self.buffer[at : at + length]
                        self.raw = self.buffer[: at + length]
                        self.buffer = self.buffer[at + length :]
                        return first, body
                    break
            self._more()

    def expect(self, data):
        """Exactly this packet comes next."""
        expected = bytes.fromhex(data) if isinstance(data, str) else data
        first, body = self.packet()
        found = packet(first, body)
        if found != expected:
            raise AssertionError(f"came {found.hex(' ')}, expected {expected.hex(' ')}")
        return self

    def publish(self, acknowledge=True):
        """The next PUBLISH: topic, payload, first byte. Others before it are kept."""
        kept = []
        while True:
            first, body = self.packet()
            if first & 0xF0 == 0x30:
                break
            kept.append((first, body))
        self.waiting = kept + self.waiting
        size = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        if first & 0x06:
            identifier, rest = rest[:2], rest[2:]
            if acknowledge and first & 0x06 == 0x02:
                self.send(b"\x40\x02" + identifier)
        return topic, rest, first

    def json(self):
        topic, payload, _ = self.publish()
        return topic, json.loads(payload)

    def fence(self):
        """What was sent before has been read: PINGREQ is answered. Gives what came in between."""
        self.send(b"\xc0\x00")
        came = []
        while True:
            first, body = self.packet()
            if first == 0xD0:
                return came
            came.append((first, body))

    def closed(self):
        """The server closes; what it said before."""
        said = self.buffer
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(65536):
                said += data
        return said

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connected(port, client, user=None, password=None, **more):
    """A device that is let in."""
    raw = Raw(port)
    raw.send(connect_packet(client, user, password, **more))
    first, body = raw.packet()
    if first != 0x20 or body[1] != 0:
        raise AssertionError(f"refused: {first:02x} {body.hex()}")
    raw.session_present = body[0]
    return raw


# --- signatures ------------------------------------------------------------------------------------


def aliyun_connect(product, device, secret, method="hmacsha1", timestamp=None, client=None, extra=""):
    """Client identifier, user name and password of a device."""
    client = client or f"{product}.{device}"
    content = f"clientId{client}deviceName{device}productKey{product}"
    stamp = ""
    if timestamp is not None:
        content += f"timestamp{timestamp}"
        stamp = f",timestamp={timestamp}"
    password = hmac.new(secret.encode(), content.encode(), method.removeprefix("hmac")).hexdigest()
    return f"{client}|securemode=3,signmethod={method}{stamp}{extra}|", f"{device}&{product}", password


def onenet_token(key, resource, expiry, method="sha1", version="2018-10-31"):
    """A token, percent-encoded."""
    content = f"{expiry}\n{method}\n{resource}\n{version}"
    sign = base64.b64encode(hmac.new(base64.b64decode(key), content.encode(), method).digest()).decode()
    quote = lambda text: urllib.parse.quote(text, safe="")  # noqa: E731
    return f"version={version}&res={quote(resource)}&et={expiry}&method={method}&sign={quote(sign)}"


def sha256(data):
    return hashlib.sha256(data).hexdigest()
