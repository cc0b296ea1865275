//! The quirks of the cloud that firmware depends on or that an owner may want back, as named switches.

use hexmq_device::Quirk;

/// SUBACK grants QoS 1 to whoever asked for less.
pub const SUBACK_QOS_1: Quirk = Quirk {
    name: "aliyun_suback_qos1",
    default: false,
    what: "SUBACK grants QoS 1 whatever was asked, as the cloud does",
    source: "tutorials 002 and 003: 90 03 .. .. 01 to a SUBSCRIBE with QoS 0",
};

/// A keep-alive outside of the cloud's range is refused.
pub const KEEP_ALIVE: Quirk = Quirk {
    name: "aliyun_keep_alive_range",
    default: false,
    what: "a keep-alive outside of 30 to 1200 seconds is refused; off: it is served and noted",
    source: "vendor documentation: connecting over MQTT, keep-alive",
};

/// `_ss=1` subscribes.
pub const AUTO_SUBSCRIBE: Quirk = Quirk {
    name: "aliyun_auto_subscribe",
    default: true,
    what: "a client id with _ss=1 counts as subscribed to everything the platform sends",
    source: "aliyun-iot-linkkit 1.2.13 sends no SUBSCRIBE for system topics and waits for answers",
};

/// Everybody counts as subscribed.
pub const SUBSCRIBE_ALL: Quirk = Quirk {
    name: "aliyun_subscribe_all",
    default: false,
    what: "every device counts as subscribed to everything the platform sends, with _ss=1 or without",
    source: "of HexMQ: for firmware that relied on subscriptions somebody else made",
};

/// Refused values stand in the data of a successful answer.
pub const POST_ANSWERS_200: Quirk = Quirk {
    name: "aliyun_post_answers_200",
    default: true,
    what: "a property post of which values are refused is answered with 200 and the refused ones in data; off: \
           with the code of the first refused one",
    source: "observed behaviour of the cloud",
};

/// `sys.ack` of 0 is obeyed.
pub const SILENT_ACK_0: Quirk = Quirk {
    name: "aliyun_silent_ack0",
    default: true,
    what: "a request with sys.ack 0 is not answered",
    source: "vendor documentation: Alink protocol, sys.ack",
};

/// `{"value":…,"time":…}` is a value with its time.
pub const TIMED_VALUES: Quirk = Quirk {
    name: "aliyun_timed_values",
    default: true,
    what: "an object of exactly value and time, or of value alone, is a value with its time; off: it is a \
           structure in a property post, for models with such a structure",
    source: "vendor documentation: thing.event.property.post",
};

/// The vendor's bounds on one message.
pub const BATCH_LIMITS: Quirk = Quirk {
    name: "aliyun_batch_limits",
    default: false,
    what: "more than 200 properties, 200 events or 20 devices in one message are refused with 6106, 6356, 6357",
    source: "vendor documentation: error codes for devices",
};

/// Registering twice is allowed.
pub const REGISTER_AGAIN: Quirk = Quirk {
    name: "aliyun_register_again",
    default: false,
    what: "a device that has connected before may register again and gets its secret; off: it is refused \
           with 6289",
    source: "of HexMQ: for devices that were reset to factory settings",
};

/// Synchronous services over `/ext/rrpc/`.
pub const RRPC_EXT: Quirk = Quirk {
    name: "aliyun_rrpc_ext",
    default: false,
    what: "synchronous services are called on /ext/rrpc/{id}/sys/…/thing/service/…; off: on …/rrpc/request/{id}",
    source: "aliyun-iot-linkkit 1.2.13 connects with ext=1 and takes them there only",
};

/// All of them.
pub static QUIRKS: [Quirk; 10] = [
    SUBACK_QOS_1,
    KEEP_ALIVE,
    AUTO_SUBSCRIBE,
    SUBSCRIBE_ALL,
    POST_ANSWERS_200,
    SILENT_ACK_0,
    TIMED_VALUES,
    BATCH_LIMITS,
    REGISTER_AGAIN,
    RRPC_EXT,
];
