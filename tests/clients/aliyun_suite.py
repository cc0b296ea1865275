"""Aliyun's device library for Python, unchanged but for the address, against `hexmq serve`.

With HEXMQ_LINKKIT=old it is the older library of the same module name, which has no gateway,
no registration over MQTT and no OTA.
"""

import base64
import json
import os
import pathlib
import queue
import shutil
import socket
import ssl
import tempfile

from cloud import ADMIN, Server, certificate, sha256, until
from suite import Suite, same

from linkkit import linkkit

OLD = os.environ.get("HEXMQ_LINKKIT") == "old"
PATIENCE = 20
PRODUCT, PRODUCT_SECRET = "a1TestPk001", "ProdSecret01234567"
SUB_PRODUCT, SUB_PRODUCT_SECRET = "a1Sub00001", "SubProdSecret01234"
SECRET = "0123456789abcdef0123456789abcdef"

TSL = {
    "profile": {"version": "1.0", "productKey": PRODUCT},
    "properties": [
        {
            "identifier": "PowerSwitch",
            "name": "switch",
            "accessMode": "rw",
            "dataType": {"type": "bool", "specs": {"0": "off", "1": "on"}},
        },
        {
            "identifier": "Temperature",
            "name": "temperature",
            "accessMode": "r",
            "dataType": {"type": "float", "specs": {"min": "-40", "max": "120"}},
        },
    ],
    "events": [
        {
            "identifier": "post",
            "name": "post",
            "type": "info",
            "method": "thing.event.property.post",
            "outputData": [{"identifier": "PowerSwitch"}, {"identifier": "Temperature"}],
        },
        {
            "identifier": "alarm",
            "name": "alarm",
            "type": "alert",
            "method": "thing.event.alarm.post",
            "outputData": [{"identifier": "code", "name": "code", "dataType": {"type": "int", "specs": {}}}],
        },
    ],
    "services": [
        {
            "identifier": "set",
            "method": "thing.service.property.set",
            "callType": "async",
            "inputData": [{"identifier": "PowerSwitch"}],
            "outputData": [],
        },
        {
            "identifier": "get",
            "method": "thing.service.property.get",
            "callType": "async",
            "inputData": ["PowerSwitch"],
            "outputData": [{"identifier": "PowerSwitch"}],
        },
        {
            "identifier": "reboot",
            "name": "reboot",
            "method": "thing.service.reboot",
            "callType": "async",
            "inputData": [{"identifier": "delay", "name": "delay", "dataType": {"type": "int", "specs": {}}}],
            "outputData": [],
        },
    ],
}

suite = Suite("linkkit 1.0.0" if OLD else "aliyun-iot-linkkit")
server = None
tsl_file = None
authority = None


class Device:
    """A LinkKit with its callbacks as queues."""

    CALLBACKS = {
        "on_connect": ("flags", "code"),
        "on_disconnect": ("code",),
        "on_thing_enable": (),
        "on_thing_prop_post": ("id", "code", "data", "message"),
        "on_thing_prop_changed": ("params",),
        "on_thing_event_post": ("event", "id", "code", "data", "message"),
        "on_thing_call_service": ("service", "id", "params"),
        "on_thing_device_info_update": ("id", "code", "data", "message"),
        "on_thing_device_info_delete": ("id", "code", "data", "message"),
        "on_thing_shadow_get": ("payload",),
        "on_topic_message": ("topic", "payload", "qos"),
        "on_subscribe_topic": ("mid", "granted"),
        "on_device_dynamic_register": ("code", "secret"),
        "on_device_dynamic_register_nwl_reply": ("code", "client_id", "user_name", "password"),
        "on_gateway_add_subdev_topo_reply": ("id", "code", "data", "message"),
        "on_gateway_delete_subdev_topo_reply": ("id", "code", "data", "message"),
        "on_gateway_login_subdev_reply": ("id", "code", "data", "message"),
        "on_gateway_logout_subdev_reply": ("id", "code", "data", "message"),
        "on_gateway_register_subdev_reply": ("id", "code", "data", "message"),
        "on_gateway_product_register_subdev_reply": ("id", "code", "data", "message"),
        "on_gateway_topo_change": ("id", "params"),
        "on_ota_message_arrived": ("kind", "version", "size", "url", "sign_method", "sign", "module", "extra"),
    }

    def __init__(self, name, secret=SECRET, product=PRODUCT, thing=True, tls=False, info=None, **more):
        self.name, self.product = name, product
        self.kit = linkkit.LinkKit("127.0.0.1", product, name, secret, **more)
        settings = {"port": server.port, "protocol": "MQTTv311", "transport": "TCP", "secure": "", "keep_alive": 60}
        if tls:
            settings |= {"secure": "TLS", "cadata": authority.read_text(), "endpoint": "127.0.0.1"}
        self.kit.config_mqtt(clean_session=True, **settings)
        if info:
            self.kit.config_device_info(info)
        self.queues = {}
        for callback, names in self.CALLBACKS.items():
            if hasattr(type(self.kit), callback):
                self.queues[callback] = queue.Queue()
                setattr(self.kit, callback, self.put(callback, names))
        if thing:
            same(self.kit.thing_setup(str(tsl_file)), 0, "thing_setup")

    def put(self, callback, names):
        def called(*arguments):
            self.queues[callback].put(dict(zip(names, arguments)))

        return called

    def got(self, callback):
        """What the callback is called with next."""
        try:
            return self.queues[callback].get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"{callback} was not called in {PATIENCE} s") from None

    def connected(self):
        self.kit.connect_async()
        same(self.got("on_connect")["code"], 0, "return code of CONNACK")
        if self.queues.get("on_thing_enable") is not None:
            self.got("on_thing_enable")
        return self

    def sent(self, result):
        """The library took the request; its id."""
        code, identifier = result
        same(code, 0, "result of the library")
        return identifier

    def __enter__(self):
        return self.connected()

    def __exit__(self, *_):
        self.kit.destruct()


_numbers = iter(range(1, 10_000))


def registered(stem="dev", product=PRODUCT):
    name = f"{stem}{next(_numbers)}"
    server.device(product, name, SECRET)
    return name


def succeeded(answer, what):
    same(answer["code"], 200, f"code of {what} {answer}")
    return answer["data"]


def properties_are_posted():
    name = registered()
    with Device(name) as device:
        until(lambda: server.status(PRODUCT, name) == "online", "on line")
        for number in range(60):
            # More than the library's table of open ids holds: it fills where answers do not come.
            identifier = device.sent(device.kit.thing_post_property({"Temperature": 20.5 + number}))
            answer = device.got("on_thing_prop_post")
            succeeded(answer, "post_reply")
            same(answer["id"], identifier, "id")
        device.sent(device.kit.thing_post_property({"PowerSwitch": 1}))
        device.got("on_thing_prop_post")
        wanted = {"Temperature": 79.5, "PowerSwitch": 1}
        until(lambda: server.properties(PRODUCT, name) == wanted, f"{wanted} in the API")
    until(lambda: server.status(PRODUCT, name) == "offline", "off line")


def a_property_is_set():
    name = registered()
    with Device(name) as device:
        sent = server.command(PRODUCT, name, {"service": "set", "params": {"PowerSwitch": 0}})
        same(device.got("on_thing_prop_changed")["params"], {"PowerSwitch": 0}, "params")
        # The library answers by itself.
        same(server.ended(PRODUCT, name, sent["id"])["reply_code"], 200, "reply_code")


def a_service_is_called():
    name = registered()
    with Device(name) as device:
        sent = server.command(PRODUCT, name, {"service": "reboot", "params": {"delay": 5}})
        call = device.got("on_thing_call_service")
        same((call["service"], call["params"]), ("reboot", {"delay": 5}))
        same(device.kit.thing_answer_service("reboot", call["id"], 200, {"done": 1}), 0, "thing_answer_service")
        same(server.ended(PRODUCT, name, sent["id"])["reply_data"], {"done": 1}, "reply_data")
        refused = server.command(PRODUCT, name, {"service": "reboot", "params": {"delay": 6}})
        call = device.got("on_thing_call_service")
        device.kit.thing_answer_service("reboot", call["id"], 460, {})
        same(server.ended(PRODUCT, name, refused["id"])["reply_code"], 460, "reply_code")


def an_event_is_reported():
    name = registered()
    with Device(name) as device:
        device.sent(device.kit.thing_trigger_event(("alarm", {"code": 3})))
        answer = device.got("on_thing_event_post")
        same((answer["event"], answer["code"]), ("alarm", 200))
        events = until(lambda: server.api("GET", server.path(PRODUCT, name, "/events"))["items"], "an event")
        same((events[0]["id"], events[0]["params"]), ("alarm", {"code": 3}))


def tags_are_kept():
    name = registered()
    with Device(name) as device:
        device.sent(device.kit.thing_update_tags({"room": "7", "floor": "2"}))
        succeeded(device.got("on_thing_device_info_update"), "deviceinfo/update_reply")
        same(server.api("GET", server.path(PRODUCT, name))["tags"], {"room": "7", "floor": "2"}, "tags")
        device.sent(device.kit.thing_remove_tags(["floor"]))
        succeeded(device.got("on_thing_device_info_delete"), "deviceinfo/delete_reply")
        same(server.api("GET", server.path(PRODUCT, name))["tags"], {"room": "7"}, "tags")


def the_shadow_is_kept():
    name = registered()
    with Device(name) as device:
        device.kit.thing_update_shadow({"color": "red"}, 1)
        same(device.got("on_thing_shadow_get")["payload"]["payload"]["status"], "success", "status")
        device.kit.thing_get_shadow()
        answer = device.got("on_thing_shadow_get")["payload"]["payload"]
        same(answer["state"]["reported"], {"color": "red"}, "reported")
        same(server.api("GET", server.path(PRODUCT, name, "/shadow"))["reported"]["color"]["value"], "red")


def custom_topics_are_for_the_device():
    name = registered()
    with Device(name) as device:
        topic = f"/{PRODUCT}/{name}/user/get"
        same(device.kit.subscribe_topic(topic)[0], 0, "subscribe_topic")
        device.got("on_subscribe_topic")
        server.api("POST", f"/products/{PRODUCT}/publish", {"topic": topic, "payload": "hello"})
        message = device.got("on_topic_message")
        same((message["topic"], bytes(message["payload"])), (topic, b"hello"))
        same(device.kit.publish_topic(topic, "to myself")[0], 0, "publish_topic")
        same(bytes(device.got("on_topic_message")["payload"]), b"to myself")


def bars_in_the_client_identifier():
    name = registered()
    with Device(name, info="Eth|03ACDEFF0032|Eth|03ACDEFF0031") as device:
        device.sent(device.kit.thing_post_property({"PowerSwitch": 1}))
        succeeded(device.got("on_thing_prop_post"), "post_reply")


def over_tls():
    name = registered()
    with Device(name, tls=True) as device:
        device.sent(device.kit.thing_post_property({"PowerSwitch": 1}))
        succeeded(device.got("on_thing_prop_post"), "post_reply")
    # Without our authority the library refuses the server, as it should.
    context = ssl.create_default_context()
    try:
        with socket.create_connection(("127.0.0.1", server.port), 10) as plain:
            context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        raise AssertionError("a certificate of nobody was trusted")
    except ssl.SSLCertVerificationError:
        pass


def a_wrong_secret_is_refused():
    name = registered()
    device = Device(name, secret="f" * 32)
    device.kit.connect_async()
    try:
        finding = server.rejection(name)
        text = json.dumps(finding)
        if "secret" not in text or SECRET in text or "f" * 32 in text:
            raise AssertionError(f"the doctor does not name the secret, or shows it: {text[:1500]}")
        same(finding["client_id"].startswith(f"{PRODUCT}&{name}|"), True, "client_id")
        same(server.status(PRODUCT, name), "never", "status")
    finally:
        device.kit.destruct()


def registration_with_the_products_secret():
    server.device(PRODUCT, "reg-1")
    device = Device("reg-1", secret="", thing=False, auth_type="register", product_secret=PRODUCT_SECRET)
    device.kit.connect_async()
    try:
        answer = device.got("on_device_dynamic_register")
        same(answer["code"], 0, "result")
        secret = answer["secret"]
    finally:
        device.kit.destruct()
    with Device("reg-1", secret=secret) as device:
        device.sent(device.kit.thing_post_property({"PowerSwitch": 1}))
        succeeded(device.got("on_thing_prop_post"), "post_reply")
    revealed = server.api("GET", server.path(PRODUCT, "reg-1") + "?reveal=true")
    same(revealed["secret"], secret, "secret")


def registration_of_an_unlisted_device():
    device = Device("reg-new", secret="", thing=False, auth_type="regnwl", product_secret=PRODUCT_SECRET)
    device.kit.connect_async()
    try:
        answer = device.got("on_device_dynamic_register_nwl_reply")
        same(answer["code"], 0, "result")
    finally:
        device.kit.destruct()
    given = {key: answer[key] for key in ("client_id", "password")} | {"username": answer["user_name"]}
    with Device("reg-new", secret="", **given) as device:
        device.sent(device.kit.thing_post_property({"PowerSwitch": 1}))
        succeeded(device.got("on_thing_prop_post"), "post_reply")


def a_gateway_and_the_devices_behind_it():
    name, sub = registered("gw"), registered("sub", SUB_PRODUCT)
    with Device(name) as gateway:
        kit = gateway.kit
        gateway.sent(kit.gateway_add_subdev_topo([[SUB_PRODUCT, sub, SECRET]]))
        succeeded(gateway.got("on_gateway_add_subdev_topo_reply"), "topo/add_reply")
        listed = server.api("GET", server.path(PRODUCT, name, "/topology"))
        if sub not in json.dumps(listed):
            raise AssertionError(f"{sub} is not in {listed}")
        gateway.sent(kit.gateway_login_subdev([[SUB_PRODUCT, sub, SECRET]]))
        succeeded(gateway.got("on_gateway_login_subdev_reply"), "batch_login_reply")
        until(lambda: server.status(SUB_PRODUCT, sub) == "online", "the device behind it is on line")
        # It speaks through the gateway's connection, on its own topics.
        base = f"/sys/{SUB_PRODUCT}/{sub}/thing"
        post = {"id": "1", "version": "1.0", "params": {"hum": 55}, "method": "thing.event.property.post"}
        same(kit.subscribe_topic(f"{base}/event/property/post_reply")[0], 0, "subscribe_topic")
        gateway.got("on_subscribe_topic")
        kit.publish_topic(f"{base}/event/property/post", json.dumps(post))
        message = gateway.got("on_topic_message")
        same(json.loads(bytes(message["payload"]))["code"], 200, "post_reply of the device behind it")
        until(lambda: server.properties(SUB_PRODUCT, sub) == {"hum": 55}, "its value")
        same(kit.subscribe_topic(f"{base}/service/property/set")[0], 0, "subscribe_topic")
        gateway.got("on_subscribe_topic")
        sent = server.command(SUB_PRODUCT, sub, {"service": "set", "params": {"hum": 1}})
        order = json.loads(bytes(gateway.got("on_topic_message")["payload"]))
        same(order["params"], {"hum": 1}, "params")
        answer = {"id": order["id"], "code": 200, "data": {}}
        kit.publish_topic(f"{base}/service/property/set_reply", json.dumps(answer))
        server.ended(SUB_PRODUCT, sub, sent["id"])
        gateway.sent(kit.gateway_logout_subdev([[SUB_PRODUCT, sub]]))
        succeeded(gateway.got("on_gateway_logout_subdev_reply"), "batch_logout_reply")
        until(lambda: server.status(SUB_PRODUCT, sub) == "offline", "off line")
        gateway.sent(kit.gateway_register_subdev([[SUB_PRODUCT, "fresh"]]))
        data = succeeded(gateway.got("on_gateway_register_subdev_reply"), "sub/register_reply")
        fresh = data[0]["deviceSecret"]
        gateway.sent(kit.gateway_add_subdev_topo([[SUB_PRODUCT, "fresh", fresh]]))
        succeeded(gateway.got("on_gateway_add_subdev_topo_reply"), "topo/add_reply")
        gateway.sent(kit.gateway_product_register_subdev([[SUB_PRODUCT, "fresher", SUB_PRODUCT_SECRET]]))
        data = succeeded(gateway.got("on_gateway_product_register_subdev_reply"), "product_register_reply")
        same(len(data["successes"]), 1, f"successes of {data}")
        gateway.sent(kit.gateway_login_subdev([[SUB_PRODUCT, "fresh", "0" * 32]]))
        answer = gateway.got("on_gateway_login_subdev_reply")
        same(answer["code"] in (6287, 460), True, f"code for a wrong signature: {answer}")
        gateway.sent(kit.gateway_delete_subdev_topo([[SUB_PRODUCT, sub]]))
        succeeded(gateway.got("on_gateway_delete_subdev_topo_reply"), "topo/delete_reply")


def firmware_is_announced_and_fetched():
    name = registered()
    image = os.urandom(300_000)
    base = f"/products/{PRODUCT}/firmware"
    with Device(name) as device:
        device.kit.ota_report_version("default", "1.0.0")
        found = put_firmware(f"{base}?version=1.1.0", image)
        server.api("POST", server.path(PRODUCT, name, "/firmware"), {"id": found["id"]})
        offer = device.got("on_ota_message_arrived")
        same((offer["version"], offer["size"]), ("1.1.0", len(image)), f"offer {offer}")
        same(offer["sign"].lower(), sha256(image), "sign")
        local = pathlib.Path(server.folder) / "image"
        code = device.kit.download_ota_firmware(offer["url"], str(local), offer["sign_method"], offer["sign"])
        same(code, linkkit.LinkKit.ErrorCode.SUCCESS, "download_ota_firmware")
        same(local.read_bytes(), image, "the image")
        device.kit.ota_report_version("default", "1.1.0")


def put_firmware(path, image):
    """Sends the bytes of an image to the API."""
    authorization = "Basic " + base64.b64encode(ADMIN.encode()).decode()
    headers = {"Authorization": authorization, "Content-Type": "application/octet-stream"}
    status, _, text = server.request("POST", f"/api/v1{path}", image, headers)
    same(status, 201, f"status: {text!r}")
    return json.loads(text)


for case in (properties_are_posted, a_property_is_set, a_service_is_called, an_event_is_reported):
    suite.add(case)
if not OLD:
    for case in (
        tags_are_kept,
        the_shadow_is_kept,
        custom_topics_are_for_the_device,
        bars_in_the_client_identifier,
        over_tls,
        registration_with_the_products_secret,
        registration_of_an_unlisted_device,
        a_gateway_and_the_devices_behind_it,
        firmware_is_announced_and_fetched,
    ):
        suite.add(case)
suite.add(a_wrong_secret_is_refused)

if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="hexmq-tls-")
    authority, certificate_file, key_file = certificate(folder)
    listen = ["--listen", "auto://127.0.0.1:0", "--tls-cert", str(certificate_file), "--tls-key", str(key_file)]
    server = Server(*listen)
    tsl_file = server.folder / "tsl.json"
    tsl_file.write_text(json.dumps(TSL))
    server.product(PRODUCT, "aliyun", PRODUCT_SECRET, dynamic_registration=True)
    server.product(SUB_PRODUCT, "aliyun", SUB_PRODUCT_SECRET, dynamic_registration=True)
    server.api("PUT", f"/products/{PRODUCT}/model", TSL)

    def end():
        server.remove()
        shutil.rmtree(folder, ignore_errors=True)

    suite.run(end)
