"""tshark and hexmq explain read the same from the same bytes: every MQTT field of a mixed session in
the three versions, with its value, offset and length."""

import json
import os
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

from corpus import corpus
from recording import new_session, old_session, pcap, refused_sessions
from suite import Suite, same

HEXMQ = os.environ["HEXMQ_PROGRAM"]
SERVER_PORT = 1883

# tshark's names and ours. Strings are those whose two length bytes tshark shows as a field of their own.
NUMBERS = {
    "mqtt.msgtype": "packet_type",
    "mqtt.hdr_reserved": "reserved",
    "mqtt.dupflag": "dup",
    "mqtt.qos": "qos",
    "mqtt.retain": "retain",
    "mqtt.len": "remaining_length",
    "mqtt.ver": "protocol_version",
    "mqtt.conflags": "connect_flags",
    "mqtt.conflag.uname": "user_name_flag",
    "mqtt.conflag.passwd": "password_flag",
    "mqtt.conflag.retain": "will_retain",
    "mqtt.conflag.qos": "will_qos",
    "mqtt.conflag.willflag": "will_flag",
    "mqtt.conflag.cleansess": "clean_session",
    "mqtt.conflag.reserved": "reserved",
    "mqtt.kalive": "keep_alive",
    "mqtt.conack.flags": "connect_acknowledge_flags",
    "mqtt.conack.flags.sp": "session_present",
    "mqtt.conack.flags.reserved": "reserved",
    "mqtt.conack.val": "return_code",
    "mqtt.suback.qos": "return_code",
    "mqtt.msgid": "packet_identifier",
    "mqtt.sub.qos": "requested_qos",
    "mqtt.subscription_options": "subscription_options",
    "mqtt.subscription_options_qos": "requested_qos",
    "mqtt.subscription_options_nl": "no_local",
    "mqtt.subscription_options_rap": "retain_as_published",
    "mqtt.subscription_options_retain": "retain_handling",
    "mqtt.subscription_options_reserved": "reserved",
    "mqtt.property_len": "property_length",
    "mqtt.property_id": "identifier",
    "mqtt.prop_number": "value",
    "mqtt.property.topic_alias": "value",
    "mqtt.property.max_qos": "value",
    **{f"mqtt.{packet}.reason_code": "reason_code" for packet in (
        "connack", "puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback", "disconnect", "auth")},
}
STRINGS = {
    "mqtt.protoname": "protocol_name",
    "mqtt.clientid": "client_identifier",
    "mqtt.willtopic": "will_topic",
    "mqtt.willmsg": "will_message",
    "mqtt.username": "user_name",
    "mqtt.passwd": "password",
    "mqtt.topic": "topic",
    "mqtt.prop_string": "value",
    "mqtt.prop_key": "name",
    "mqtt.prop_value": "value",
}
# tshark shows this one with its length bytes.
WHOLE_STRINGS = {"mqtt.property.content_type": "value"}
BYTES = {"mqtt.msg": "payload"}
# Lengths that our fields include, groups, and second views of a field.
LEFT_OUT = {
    "", "mqtt.hdrflags", "mqtt.properties", "mqtt.will_properties", "mqtt.proto_len", "mqtt.clientid_len",
    "mqtt.willtopic_len", "mqtt.willmsg_len", "mqtt.username_len", "mqtt.passwd_len", "mqtt.topic_len",
    "mqtt.prop_string_len", "mqtt.prop_key_len", "mqtt.prop_value_len",
}
# tshark shows password and will message, which are binary, as text, and remarks on bytes of them behind a NUL.
# That is no field, and no fault: any other remark of tshark's would fail here.
REMARKS = {
    "_ws.string.trailing_stray_characters", "_ws.expert", "_ws.expert.message", "_ws.expert.severity", "_ws.expert.group",
}
STRAY = "_ws.string.trailing_stray_characters"
OLD_BITS = ("mqtt.dupflag", "mqtt.qos", "mqtt.retain_reserved")

# Our names that differ by version or packet, where tshark has one.
ONE_NAME = {
    "clean_start": "clean_session", "will_payload": "will_message", "topic_name": "topic", "topic_filter": "topic",
}
# Bytes with bit fields inside: the byte itself is compared too.
BIT_GROUPS = ("connect_flags", "connect_acknowledge_flags", "subscription_options")


def explained(origin, version, stream):
    """Our view of each packet of a stream: its first byte's offset in it, and its fields."""
    command = [HEXMQ, "explain", "--json", "--from", origin, "--version", str(version), "--binary"]
    answer = json.loads(subprocess.run(command, input=stream, capture_output=True, check=False).stdout)
    same(answer["rest"], None, f"rest of {stream.hex()}")
    same(answer["skipped"], [], f"skipped in {stream.hex()}")
    return [(packet["offset"], ours(packet, version)) for packet in answer["packets"]]


def ours(packet, version):
    """The fields as (name, offset, length, bytes or number)."""
    worse = [fault for fault in packet["faults"] if fault["severity"] != "warning"]
    same(worse, [], f"faults of the packet at {packet['offset']}")
    start = packet["offset"]
    found = []

    def walk(fields, parent):
        for field in fields:
            name = field["name"]
            if not field["fields"] or name in BIT_GROUPS:
                # Of the options byte of 3.x tshark shows the QoS only.
                if version == 5 or (name, parent) not in ((BIT_GROUPS[2], "subscription"), ("reserved", BIT_GROUPS[2])):
                    add(name, field)
            walk(field["fields"], name)

    def add(name, field):
        value = field["value"]
        if value is None:
            return  # an empty group
        if isinstance(value, str):
            value = bytes.fromhex(value) if field.get("encoding") == "hex" else value.encode()
        if name == "payload" and not field["length"]:
            return  # tshark shows no empty payload
        found.append((ONE_NAME.get(name, name), field["offset"] - start, field["length"], comparable(value)))

    walk(packet["fields"], None)
    return sorted(found, key=repr)


def comparable(value):
    return value if isinstance(value, bytes) else int(value)


def theirs(protocol, start):
    """The same from tshark; `start` is the offset of the packet in the captured segment."""
    found, length_at = [], 0
    fields = {field.get("name"): field for field in protocol.iter("field")}
    is_publish = fields["mqtt.msgtype"].get("show") == "3"
    if "_ws.expert" in fields and STRAY not in fields:
        raise AssertionError(f"tshark remarks {fields['_ws.expert'].get('showname')}")
    if "mqtt.retain_reserved" in fields and not is_publish:
        # For SUBSCRIBE, UNSUBSCRIBE and PUBREL tshark shows the bits that 3.1 names; we show them as one.
        bits = [int(fields[name].get("show"), 0) for name in OLD_BITS]
        found.append(("reserved", 0, 1, bits[0] << 3 | bits[1] << 1 | bits[2]))
    for field in protocol.iter("field"):
        name = field.get("name")
        offset, length = int(field.get("pos")) - start, int(field.get("size"))
        if name.endswith("_len") and name != "mqtt.property_len":
            length_at = offset
        if name in REMARKS:
            continue
        if name in LEFT_OUT or name in OLD_BITS and not is_publish or name == "mqtt.msg" and not length:
            continue
        if name in NUMBERS:
            shown = field.get("show")
            value = {"True": 1, "False": 0}.get(shown)
            value = int(shown, 0) if value is None else value
            found.append((NUMBERS[name], offset, length, value))
        elif name in STRINGS:
            raw = bytes.fromhex(field.get("value") or "")
            found.append((STRINGS[name], length_at, len(raw) + 2, raw))
        elif name in WHOLE_STRINGS:
            raw = bytes.fromhex(field.get("value"))
            found.append((WHOLE_STRINGS[name], offset, length, raw[2:]))
        elif name in BYTES:
            found.append((BYTES[name], offset, length, bytes.fromhex(field.get("value"))))
        else:
            raise AssertionError(f"tshark shows {name} = {field.get('show')!r}, which has no name here")
    return sorted(found, key=repr)


def dissected(connections):
    """For each MQTT packet in order, tshark's view of it."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(pcap(connections, SERVER_PORT))
        file.flush()
        command = ["tshark", "-n", "-r", file.name, "-d", f"tcp.port=={SERVER_PORT},mqtt", "-T", "pdml"]
        printed = subprocess.run(command, capture_output=True, check=True).stdout
    for frame in ElementTree.fromstring(printed):
        yield from (protocol for protocol in frame.iter("proto") if protocol.get("name") == "mqtt")


def views_of(connections):
    """Our view of each packet, in the order in which they were exchanged; one call for each direction."""
    views = {}
    for number, connection in enumerate(connections):
        for origin in ("client", "server"):
            said = [(index, data) for index, (who, data) in enumerate(connection.exchanged) if who == origin]
            mine = explained(origin, connection.version, b"".join(data for _, data in said))
            same(len(mine), len(said), f"packets of the {origin} of connection {number}")
            begin = 0
            for (index, data), (offset, fields) in zip(said, mine):
                same(offset, begin, "the offset of a packet")
                begin += len(data)
                views[number, index] = fields
    return views


def agree(what, connections):
    others, mine = list(dissected(connections)), views_of(connections)
    packets = [
        (number, index, connection.version, origin, data)
        for number, connection in enumerate(connections)
        for index, (origin, data) in enumerate(connection.exchanged)
    ]
    same(len(others), len(packets), f"MQTT packets in the capture of {what}")
    count = 0
    for (number, index, version, origin, data), view in zip(packets, others):
        our, their = mine[number, index], theirs(view, int(view.get("pos")))
        if our != their:
            only = [field for field in our if field not in their], [field for field in their if field not in our]
            raise AssertionError(f"{origin} {data.hex()} (version {version}):\n  only ours {only[0]}\n  only tshark {only[1]}")
        count += len(our)
    print(f"tshark: {what}: {len(packets)} packets, {count} fields the same")
    return len(packets)


def a_session_of_3_1():
    agree("3.1", [old_session(3)])


def a_session_of_3_1_1():
    agree("3.1.1", [old_session(4)])


def a_session_of_5_0():
    agree("5.0", [new_session()])


def refusals():
    agree("refusals", refused_sessions())


def two_thousand_generated_packets():
    total = 0
    for version in (3, 4, 5):
        connections = corpus(version)
        types = {data[0] >> 4 for connection in connections for _, data in connection.exchanged}
        same(types, set(range(1, 16 if version == 5 else 15)), "packet types in the corpus")
        total += agree(f"generated, level {version}", connections)
    if total < 2000:
        raise AssertionError(f"only {total} packets")


def main():
    suite = Suite("tshark")
    cases = (a_session_of_3_1, a_session_of_3_1_1, a_session_of_5_0, refusals, two_thousand_generated_packets)
    for case in cases:
        suite.add(case)
    suite.run()


main()
