"""A mixed session with the real server, every byte of both directions recorded; and its pcap file.

The packets of the client are built here by hand, so that neither our encoder nor a library decides
which fields occur."""

import socket
import struct

from suite import HOST, PATIENCE, PORT, unique


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def varint(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(first_byte, *parts):
    body = b"".join(parts)
    return bytes([first_byte]) + varint(len(body)) + body


def properties(*parts):
    body = b"".join(parts)
    return varint(len(body)) + body


def prop(identifier, value):
    return bytes([identifier]) + value


def byte(value):
    return bytes([value])


def two(value):
    return struct.pack(">H", value)


def four(value):
    return struct.pack(">I", value)


def user(name, value):
    return prop(38, text(name) + text(value))


class Connection:
    """One network connection; `exchanged` is a list of (from, bytes), one packet each."""

    def __init__(self, version):
        self.version = version
        self.socket = socket.create_connection((HOST, PORT), timeout=PATIENCE)
        self.stream = self.socket.makefile("rb")
        self.exchanged = []

    def say(self, data, *answers):
        """Sends a packet and reads its answers, whose types are given; their order is the server's."""
        self.socket.sendall(data)
        self.exchanged.append(("client", data))
        heard = [self.hear() for _ in answers]
        types = sorted(answer[0] & 0xF0 for answer in heard)
        if types != sorted(answers):
            raise AssertionError(f"{[answer.hex() for answer in heard]} came where {answers} were due")

    def delivered(self):
        """The PUBLISH that came last."""
        return next(data for origin, data in reversed(self.exchanged) if origin == "server" and data[0] >> 4 == 3)

    def hear(self):
        head = self.stream.read(1)
        length, shift, prefix = 0, 0, bytearray(head)
        while True:
            digit = self.stream.read(1)[0]
            prefix.append(digit)
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                break
        data = bytes(prefix) + self.stream.read(length)
        self.exchanged.append(("server", data))
        return data


def old_session(version):
    """3.1 and 3.1.1: every packet type, every QoS, a will and credentials."""
    topic = unique("recording")
    name, protocol = unique("rec"), text("MQIsdp" if version == 3 else "MQTT")
    connection = Connection(version)
    credentials = text("someone") + text(b"secret")
    connection.say(
        packet(0x10, protocol, byte(version), byte(0xEE), two(60), text(name), text(f"{topic}/will"), text("温度"),
               credentials),
        0x20,
    )
    if connection.exchanged[-1][1][3] != 0:  # a server with users refuses this one: again without
        connection = Connection(version)
        connection.say(
            packet(0x10, protocol, byte(version), byte(0x2E), two(60), text(name), text(f"{topic}/will"), text("温度")),
            0x20,
        )
    filters = text(f"{topic}/#") + byte(2) + text(f"{topic}/+/x") + byte(1) + text("other") + byte(0)
    connection.say(packet(0x82, two(10), filters), 0x90)
    connection.say(packet(0x30, text(f"{topic}/0"), b"plain"), 0x30)
    connection.say(packet(0x32, text(f"{topic}/1"), two(11), bytes(range(200))), 0x40, 0x30)
    identifier = connection.delivered()[-202:-200]
    connection.say(packet(0x40, identifier))
    connection.say(packet(0x34, text(f"{topic}/2"), two(12), b""), 0x50, 0x30)
    connection.say(packet(0x62, two(12)), 0x70)
    identifier = connection.delivered()[-2:]
    connection.say(packet(0x50, identifier), 0x60)
    connection.say(packet(0x70, identifier))
    connection.say(packet(0xC0), 0xD0)
    connection.say(packet(0xA2, two(13), text(f"{topic}/#"), text("other")), 0xB0)
    connection.say(packet(0xE0))
    return connection


def new_session():
    """5.0: every property a client may send, reason codes, and what the server answers."""
    topic = unique("recording")
    connection = Connection(5)
    will = properties(
        prop(24, four(5)), prop(1, byte(1)), prop(2, four(600)), prop(3, text("text/plain")),
        prop(8, text("answers/will")), prop(9, text(b"\x31\x32")), user("will", "yes"),
    )
    options = properties(
        prop(17, four(120)), prop(33, two(20)), prop(39, four(100_000)), prop(34, two(5)), prop(25, byte(1)),
        prop(23, byte(1)), user("a", "1"), user("a", "2"), user("größe", "10 µm"),
    )
    connection.say(
        packet(0x10, text("MQTT"), byte(5), byte(0x2E), two(30), options, text(unique("rec")), will,
               text(f"{topic}/will"), text("gone")),
        0x20,
    )
    filters = text(f"{topic}/#") + byte(0x2E - 0x04) + text(f"$share/g/{topic}/s") + byte(0x01)
    connection.say(packet(0x82, two(10), properties(prop(11, varint(300)), user("s", "t")), filters), 0x90)
    message = properties(
        prop(1, byte(1)), prop(2, four(600)), prop(35, two(1)), prop(8, text("answers/here")),
        prop(9, text(b"correlated")), user("one", "1"), user("two", "2"), prop(3, text("application/json")),
    )
    connection.say(packet(0x30, text(f"{topic}/0"), message, b'{"t":21}'), 0x30)
    connection.say(packet(0x32, text(""), two(11), properties(prop(35, two(1))), b"by alias"), 0x40, 0x30)
    delivered = connection.delivered()
    connection.say(packet(0x40, identifier_of(delivered), byte(0x10), properties(prop(31, text("taken")))))
    connection.say(packet(0x35, text(f"{topic}/2"), two(12), properties(), b"kept"), 0x50, 0x30)
    connection.say(packet(0x62, two(12), byte(0), properties(user("rel", "1"))), 0x70)
    delivered = connection.delivered()
    connection.say(packet(0x50, identifier_of(delivered), byte(0), properties(user("rec", "1"))), 0x60)
    connection.say(packet(0x70, identifier_of(delivered), byte(0), properties(prop(31, text("done")))))
    connection.say(packet(0x35, text(f"{topic}/2"), two(13), properties(), b""), 0x50, 0x30)
    connection.say(packet(0x62, two(13)), 0x70)
    connection.say(packet(0xC0), 0xD0)
    connection.say(packet(0xA2, two(14), properties(user("u", "v")), text(f"{topic}/#"), text("never")), 0xB0)
    connection.say(packet(0xE0, byte(0x04), properties(prop(17, four(0)), prop(31, text("bye")), user("x", "y"))))
    return connection


def refused_sessions():
    """What the server says no to."""
    authenticated = Connection(5)
    method = properties(prop(21, text("NOT-KNOWN")), prop(22, text(b"data")))
    authenticated.say(packet(0x10, text("MQTT"), byte(5), byte(2), two(0), method, text("")), 0x20)
    twice = Connection(5)
    connect = packet(0x10, text("MQTT"), byte(5), byte(2), two(0), properties(), text(""))
    twice.say(connect, 0x20)
    twice.say(connect, 0xE0)
    return [authenticated, twice]


def identifier_of(publish):
    """The packet identifier of a PUBLISH with a Remaining Length of one byte."""
    at = 2 if publish[1] < 0x80 else 3
    after_topic = at + 2 + int.from_bytes(publish[at:at + 2], "big")
    return publish[after_topic:after_topic + 2]


def pcap(connections, server_port):
    """The connections as a capture file of raw IPv4: each packet in a segment of its own."""
    out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 101))
    clock = 0

    def record(segment):
        nonlocal clock
        clock += 1
        out.extend(struct.pack("<IIII", clock, 0, len(segment), len(segment)) + segment)

    for number, connection in enumerate(connections):
        ports = {"client": (40_000 + number, server_port), "server": (server_port, 40_000 + number)}
        ends = {"client": b"\x7f\x00\x00\x01", "server": b"\x7f\x00\x00\x02"}
        sequence = {"client": 1000, "server": 5000}

        def segment(origin, flags, data=b""):
            peer = "server" if origin == "client" else "client"
            header = struct.pack(
                ">HHIIBBHHH", *ports[origin], sequence[origin], sequence[peer] if flags != 2 else 0,
                5 << 4, flags, 65_535, 0, 0,
            )
            length = 20 + len(header) + len(data)
            address = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, 6, 0) + ends[origin] + ends[peer]
            record(address + header + data)
            sequence[origin] += len(data) + (flags & 2) // 2

        segment("client", 0x02)
        segment("server", 0x12)
        segment("client", 0x10)
        for origin, data in connection.exchanged:
            segment(origin, 0x18, data)
    return bytes(out)
