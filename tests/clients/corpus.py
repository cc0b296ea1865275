"""Generated connections with packets of every type and version, the same in every run.

Built by hand like those of recording.py, so that neither our encoder nor a library decides which fields
occur. Each breaks no rule of form; as a conversation they need not make sense."""

import random

from recording import byte, four, packet, prop, properties, text, two, varint

WORDS = ["a", "dev1", "sensors", "温度", "größe", "x-9", "_", "room 7", "😀", "node.js"]
CONNECTIONS = 24
PACKETS = 30

# 5.0: identifier, how its value is written, and the packets it may stand in (0: the will).
TEXT, BINARY, ONE, TWO, FOUR, VARINT, PAIR = range(7)
PROPERTIES = {
    1: (ONE, {3, 0}), 2: (FOUR, {3, 0}), 3: (TEXT, {3, 0}), 8: (TEXT, {3, 0}), 9: (BINARY, {3, 0}), 11: (VARINT, {8}),
    17: (FOUR, {1, 2}), 18: (TEXT, {2}), 19: (TWO, {2}), 21: (TEXT, {1, 2, 15}), 23: (ONE, {1}),
    24: (FOUR, {0}), 25: (ONE, {1}), 26: (TEXT, {2}), 28: (TEXT, {2}),
    31: (TEXT, {2, 4, 5, 6, 7, 9, 11, 14, 15}), 33: (TWO, {1, 2}), 34: (TWO, {1, 2}), 35: (TWO, {3}), 36: (ONE, {2}),
    37: (ONE, {2}), 38: (PAIR, set(range(16))), 39: (FOUR, {1, 2}), 40: (ONE, {2}), 41: (ONE, {2}), 42: (ONE, {2}),
}
REASONS = {
    2: [0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C,
        0x9D, 0x9F],
    4: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99], 5: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
    6: [0x00, 0x92], 7: [0x00, 0x92], 9: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
    11: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91], 15: [0x18],
}
FROM_CLIENT = [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]


class Generated:
    """One connection; as `recording.Connection`, but nobody was there."""

    def __init__(self, version, dice):
        self.version = version
        self.dice = dice
        self.exchanged = [("client", self.connect()), ("server", self.connack(accepts=True))]
        while len(self.exchanged) < PACKETS:
            origin = dice.choice(["client", "server"])
            self.exchanged.append((origin, self.any_packet(origin)))

    # ---- pieces

    def word(self):
        return "".join(self.dice.choice(WORDS) for _ in range(self.dice.randint(1, 3)))

    def topic(self):
        return "/".join(self.word() for _ in range(self.dice.randint(1, 4)))

    def filter(self):
        return self.topic() + self.dice.choice(["", "/#", "/+", "/+/x"])

    def data(self, most=40):
        return bytes(self.dice.randrange(256) for _ in range(self.dice.randint(0, most)))

    def payload(self):
        return self.dice.choice([self.word().encode(), b'{"t":23.5}', b"", b"42", self.data(200)])

    def identifier(self):
        return two(self.dice.randint(1, 65_535))

    def properties(self, place):
        if self.version < 5:
            return b""
        fitting = [number for number, (_, places) in PROPERTIES.items() if place in places]
        chosen = [number for number in fitting if self.dice.random() < 0.3]
        self.dice.shuffle(chosen)
        if place == 15 and 21 not in chosen:
            chosen.append(21)
        return properties(*(prop(number, self.value(PROPERTIES[number][0], place)) for number in chosen))

    def value(self, kind, place):
        number = self.dice.randint(1, 65_535)
        if kind == TEXT:
            return text(self.word())
        if kind == PAIR:
            return text(self.word()) + text(self.word())
        if kind == BINARY:
            return text(self.data(10))
        return {ONE: byte(number & 1), TWO: two(number), FOUR: four(number * 1000), VARINT: varint(number * 50)}[kind]

    # ---- packets

    def connect(self):
        dice, version = self.dice, self.version
        will, user = dice.random() < 0.5, dice.random() < 0.6
        password = user and dice.random() < 0.8
        flags = 0x02 | user << 7 | password << 6
        if will:
            flags |= 0x04 | dice.randint(0, 2) << 3 | dice.randint(0, 1) << 5
        body = [text("MQIsdp" if version == 3 else "MQTT"), byte(version), byte(flags), two(dice.randint(10, 65_535)),
                self.properties(1), text(self.word())]
        if will:
            body += [self.properties(0), text(self.topic()), text(self.payload() or b"gone")]
        if user:
            body.append(text(self.word()))
        if password:
            body.append(text(self.data(20) + b"pw"))
        return packet(0x10, *body)

    def connack(self, accepts=False):
        present = byte(self.dice.randint(0, 1) if accepts and self.version > 3 else 0)
        codes = REASONS[2] if self.version == 5 else list(range(6))
        code = 0 if accepts else self.dice.choice(codes[1:])
        return packet(0x20, present, byte(code), self.properties(2))

    def publish(self):
        qos = self.dice.randint(0, 2)
        first = 0x30 | qos << 1 | self.dice.randint(0, 1) | (self.dice.randint(0, 1) << 3 if qos else 0)
        return packet(first, text(self.topic()), self.identifier() if qos else b"", self.properties(3), self.payload())

    def acknowledgement(self, number):
        first = number << 4 | (2 if number == 6 else 0)
        return packet(first, self.identifier(), self.reason(number, self.dice.choice(REASONS[number])))

    def reason(self, number, code):
        """Reason code and properties, both of which may be left out."""
        if self.version < 5 or self.dice.random() < 0.3:
            return b""
        return byte(code) + (self.properties(number) if self.dice.random() < 0.7 else b"")

    def subscribe(self):
        options = [0, 1, 2, 0x0D, 0x16, 0x28] if self.version == 5 else [0, 1, 2]
        filters = b"".join(text(self.filter()) + byte(self.dice.choice(options)) for _ in range(self.dice.randint(1, 3)))
        return packet(0x82, self.identifier(), self.properties(8), filters)

    def suback(self):
        codes = REASONS[9] if self.version == 5 else [0, 1, 2, 0x80]
        granted = bytes(self.dice.choice(codes) for _ in range(self.dice.randint(1, 3)))
        return packet(0x90, self.identifier(), self.properties(9), granted)

    def unsubscribe(self):
        filters = b"".join(text(self.filter()) for _ in range(self.dice.randint(1, 3)))
        return packet(0xA2, self.identifier(), self.properties(10), filters)

    def unsuback(self):
        count = self.dice.randint(1, 3) if self.version == 5 else 0
        codes = bytes(self.dice.choice(REASONS[11]) for _ in range(count))
        return packet(0xB0, self.identifier(), self.properties(11), codes)

    def disconnect(self):
        return packet(0xE0, self.reason(14, self.dice.choice(FROM_CLIENT)))

    def auth(self):
        return packet(0xF0, byte(0x18), self.properties(15))

    def any_packet(self, origin):
        choices = [self.publish] * 5
        choices += [lambda number=number: self.acknowledgement(number) for number in (4, 5, 6, 7)]
        if origin == "client":
            choices += [self.subscribe, self.subscribe, self.unsubscribe, lambda: packet(0xC0), self.disconnect]
        else:
            choices += [self.suback, self.unsuback, lambda: packet(0xD0)]
        if self.version == 5:
            choices += [self.disconnect, self.auth]
        return self.dice.choice(choices)()


def corpus(version):
    """The connections of this version."""
    dice = random.Random(20_260_000 + version)
    return [Generated(version, dice) for _ in range(CONNECTIONS)]
