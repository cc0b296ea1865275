//! What firmware of the legacy access depends on beyond the standard, each with its switch.
//!
//! Q3, Q6 and Q8 to Q13 of the list in `docs/cloud-onenet.md` are the standard's own behaviour or cured by one
//! of these, and Q14 is a rule about topics: they need no switch.

use hexmq_device::Quirk;

/// Q1.
pub const ZERO_FLAGS: Quirk = Quirk {
    name: "zero_flags",
    default: true,
    what: "SUBSCRIBE (80), UNSUBSCRIBE (A0) and PUBREL (60) with flags 0000 are read as if they had 0010",
    source: "Q1: the vendor's document V2.3, its MQTT C library, its all-in-one library, the ESP8266/kylin kit",
};

/// Q2.
pub const PUBREL_AS_PUBCOMP: Quirk = Quirk {
    name: "pubrel_as_pubcomp",
    default: true,
    what: "a PUBREL whose packet identifier is not awaited (60 02 00 0A) is the PUBCOMP of the oldest QoS 2 delivery",
    source: "Q2: ESP8266/kylin kit",
};

/// Q2, the other way to live with it.
pub const HOLD_QOS_2: Quirk = Quirk {
    name: "hold_qos_2",
    default: false,
    what: "the device gets nothing with more than QoS 1, whatever it subscribed with",
    source: "Q2: for firmware that never completes a QoS 2 delivery",
};

/// Q4 and Q13.
pub const ONE_PACKET_PER_SEGMENT: Quirk = Quirk {
    name: "one_packet_per_segment",
    default: true,
    what: "each packet to the device is a TCP segment of its own, 50 ms behind the one before",
    source: "Q4: the ESP8266/kylin kit parses only the first packet of what it reads in 10 ms; Q13: MQTT C library",
};

/// Q5.
pub const NO_RETAIN: Quirk = Quirk {
    name: "no_retain",
    default: true,
    what: "RETAIN is never set on what the device gets",
    source: "Q5: the kit drops such a PUBLISH, the MQTT C library ends the session",
};

/// A3.
pub const COMMAND_FILTER_GRANTED: Quirk = Quirk {
    name: "command_filter_granted",
    default: true,
    what: "SUBSCRIBE to $creq/# or $creq/+ is granted, though commands come without it and come once",
    source: "all-in-one library, ESP32 projects; the document says that $ topics cannot be subscribed to",
};

/// A1.
pub const API_KEY_AS_PASSWORD: Quirk = Quirk {
    name: "api_key_as_password",
    default: true,
    what: "an API key of the device, or the product's master key, is taken in place of the auth info",
    source: "document V2.3; tutorials",
};

/// A4.
pub const LENIENT_DATA_POINTS: Quirk = Quirk {
    name: "lenient_data_points",
    default: true,
    what: "$dp takes JSON without its header as type 3, type 6 with a time it does not announce, and a time that \
           does not exist as now; the log says so",
    source: "firmware that leaves the three header bytes out; the EDP form of type 6",
};

/// A7.
pub const NEWEST_WITHOUT_START: Quirk = Quirk {
    name: "newest_without_start",
    default: false,
    what: "GET /devices/{id}/datapoints without start, end, duration, sort and cursor answers with the newest points \
           of each stream, the newest first; `limit` (1 if absent) counts for each stream",
    source: "mini-programs that read the newest value so; the vendor's document says ASC from the beginning",
};

/// All of them.
pub const ALL: [Quirk; 9] = [
    ZERO_FLAGS,
    PUBREL_AS_PUBCOMP,
    HOLD_QOS_2,
    ONE_PACKET_PER_SEGMENT,
    NO_RETAIN,
    COMMAND_FILTER_GRANTED,
    API_KEY_AS_PASSWORD,
    LENIENT_DATA_POINTS,
    NEWEST_WITHOUT_START,
];

/// Between two packets for a device with [`ONE_PACKET_PER_SEGMENT`], in milliseconds.
pub const PACKET_GAP_MS: u32 = 50;
