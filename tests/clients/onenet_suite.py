"""OneNET's libraries of PyPI against the REST of `hexmq serve`, and generic MQTT for its devices.

OneNetAPI 0.4 takes the address as a setting; pyonenet 0.0.1 has the vendor's host in its code, so
`requests` is told where that host is.
"""

import contextlib
import io
import json
import shutil
import subprocess
import time

import requests
from cloud import Server, connected, onenet_token, publish_packet, until
from suite import Suite, same

suite = Suite("OneNET's libraries")
server = None
PRODUCT, KEY = "491644", "MasterKeyOfProduct491644AAA="
TOKEN_PRODUCT, TOKEN_KEY = "123123", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
_numbers = iter(range(700_000, 799_999))


def device():
    number = str(next(_numbers))
    server.device(PRODUCT, number, "123456")
    return number


def quietly(function, *arguments):
    """The library prints what it does."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        return function(*arguments), said.getvalue()


def one_net_api():
    from OneNetAPI import OneNet

    number = device()
    with connected(server.port, number, PRODUCT, "123456") as raw:
        raw.send(publish_packet("$dp", b'\x03\x00\x0d{"temp":21.5}', qos=1)).expect("4002000a")
        until(lambda: server.properties(PRODUCT, number) == {"temp": 21.5}, "the value")
        library = OneNet()
        library.set_get_url(f"http://{server.http}/devices")
        library.set_get_device(number)
        library.set_datastream_id("temp")
        library.set_limit(10)
        # The library asks from a time of its own zone on, the cloud reads it as that of Beijing.
        library.set_time_delta_milliseconds(24 * 3600 * 1000)
        resource, expiry = f"products/{PRODUCT}", int(time.time()) + 3600
        for authorization in (None, onenet_token("TWFzdGVyS2V5T2ZQcm9kdWN0NDkxNjQ0QUFBPQ==", resource, expiry)):
            library.set_authorization(authorization)
            (found, said) = quietly(library.Getdata)
            if authorization is None:
                same(found, None, f"without a key: {said}")
        library.set_push_url(f"http://{server.http}/cmds?device_id=")
        library.set_push_device(number)
        library.set_masterkey(KEY)
        _, said = quietly(library.Pushdata, "led:1")
        if "Response Code: 200" not in said or "cmd_uuid" not in said:
            raise AssertionError(f"Pushdata said {said!r}")
        topic, payload, _ = raw.publish()
        same((topic.startswith("$creq/"), payload), (True, b"led:1"))
        library.set_masterkey("wrong")
        _, said = quietly(library.Pushdata, "led:1")
        if '"errno":1' not in said.replace(" ", "") or "auth failed" not in said:
            raise AssertionError(f"a wrong key: {said!r}")


def tokens_of_the_application():
    """`authorization: <token>` on the REST of the token generation."""
    from OneNetAPI import OneNet

    server.device(TOKEN_PRODUCT, "rest", TOKEN_KEY)
    base = f"$sys/{TOKEN_PRODUCT}/rest"
    token = onenet_token(TOKEN_KEY, f"products/{TOKEN_PRODUCT}/devices/rest", int(time.time()) + 3600)
    with connected(server.port, "rest", TOKEN_PRODUCT, token) as raw:
        post = {"id": 1, "dp": {"temp": [{"v": 30}]}}
        raw.send(publish_packet(f"{base}/dp/post/json", json.dumps(post), qos=1)).expect("4002000a")
        until(lambda: server.properties(TOKEN_PRODUCT, "rest") == {"temp": 30}, "the value")
    library = OneNet()
    library.set_get_url(f"http://{server.http}/devices")
    library.set_get_device("rest")
    library.set_datastream_id("temp")
    library.set_limit(10)
    library.set_time_delta_milliseconds(24 * 3600 * 1000)
    library.set_authorization(onenet_token(TOKEN_KEY, f"products/{TOKEN_PRODUCT}", int(time.time()) + 3600))
    found, said = quietly(library.Getdata)
    if not found:
        raise AssertionError(f"Getdata: {said}")
    same(found[0], 30, "value")


def pyonenet():
    """Points posted and one stream read, as if the vendor's host were ours."""
    real = requests.Session.request

    def ours(self, method, url, *arguments, **more):
        return real(self, method, url.replace("http://api.heclouds.com", f"http://{server.device_http}"), *arguments, **more)

    requests.Session.request = ours
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            library = loaded()
        number = device()
        triad = {"product_id": PRODUCT, "device_id": number, "api_key": KEY}
        points = [{"id": "ch01", "data": 7}, {"id": "ch02", "data": {"x": 1}, "at": "2015-03-22T22:31:12"}]
        same(library.upload_datapoint(triad, points)["errno"], 0, "errno of upload_datapoint")
        until(lambda: server.properties(PRODUCT, number) == {"ch01": 7, "ch02": {"x": 1}}, "the values")
        answer = library.query_datastream(triad, "ch01")
        same((answer["errno"], answer["data"]["id"], answer["data"]["current_value"]), (0, "ch01", 7))
        same(library.query_datastream({**triad, "api_key": "wrong"}, "ch01")["errno"], 1, "errno of a wrong key")
    finally:
        requests.Session.request = real


def loaded():
    """The package's module; where the package keeps it differs between installers."""
    import importlib

    for name in ("pyonenet.pyonenet", "pyonenet", "tool"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            if hasattr(module, "upload_datapoint"):
                return module
    raise AssertionError("pyonenet has no upload_datapoint")


def mosquitto_as_a_device():
    """mosquitto_pub is a legacy device: its CONNECT is that of tutorial 001."""
    if not shutil.which("mosquitto_pub"):
        raise AssertionError("mosquitto_pub is not installed")
    number = device()
    payload = server.folder / "payload.bin"
    payload.write_bytes(b'\x03\x00\x07{"a":1}')
    common = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(server.port), "-q", "1"]
    legacy = [*common, "-i", number, "-u", PRODUCT, "-k", "120", "-t", "$dp", "-f", str(payload)]
    for version in ("mqttv31", "mqttv311", "mqttv5"):
        subprocess.run([*legacy, "-P", "123456", "-V", version], check=True, timeout=30)
    until(lambda: len(server.history(PRODUCT, number)) == 3, "three points")
    wrong = subprocess.run([*legacy, "-P", "no"], capture_output=True, timeout=30)
    same(wrong.returncode != 0, True, "with a wrong auth info it fails")
    server.device(TOKEN_PRODUCT, "mosq", TOKEN_KEY)
    token = onenet_token(TOKEN_KEY, f"products/{TOKEN_PRODUCT}/devices/mosq", int(time.time()) + 3600, "sha256")
    topic = f"$sys/{TOKEN_PRODUCT}/mosq/dp/post/json"
    message = '{"id":1,"dp":{"t":[{"v":1}]}}'
    subprocess.run(
        [*common, "-i", "mosq", "-u", TOKEN_PRODUCT, "-P", token, "-t", topic, "-m", message],
        check=True,
        timeout=30,
    )
    until(lambda: server.properties(TOKEN_PRODUCT, "mosq") == {"t": 1}, "the value")


for case in (one_net_api, tokens_of_the_application, pyonenet, mosquitto_as_a_device):
    suite.add(case)

if __name__ == "__main__":
    server = Server()
    server.product(PRODUCT, "onenet", KEY)
    server.product(TOKEN_PRODUCT, "onenet-token", TOKEN_KEY)
    suite.run(server.remove)
