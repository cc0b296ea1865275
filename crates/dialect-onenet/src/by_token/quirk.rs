//! What the accesses by token leave to choice, each with its switch.

use hexmq_device::Quirk;

/// B2.
pub const PRODUCT_KEY: Quirk = Quirk {
    name: "product_key",
    default: true,
    what: "a token signed with the product's access key lets any device of the product in, whether it names the \
           product or the device",
    source: "the vendor's web documentation for products/{pid}; several tutorials sign a device's resource so",
};

/// B2.
pub const CLOCK_SKEW: Quirk = Quirk {
    name: "clock_skew",
    default: false,
    what: "a token counts as valid for 300 s after its expiry, for devices whose clock is behind",
    source: "the vendor refuses a token once et is over",
};

/// A2.
pub const NO_RETAIN: Quirk = Quirk {
    name: "no_retain",
    default: true,
    what: "RETAIN is never set on what the device gets",
    source: "Q5: the MQTT C library ends the session at such a PUBLISH; the platform does not know it",
};

/// B3.
pub const TOPICS_BETWEEN_DEVICES: Quirk = Quirk {
    name: "topics_between_devices",
    default: false,
    what: "devices of the product may also use topics that do not begin with $ among themselves",
    source: "ours: the vendor offers $sys topics only",
};

/// All of them.
pub const ALL: [Quirk; 5] =
    [PRODUCT_KEY, CLOCK_SKEW, NO_RETAIN, TOPICS_BETWEEN_DEVICES, crate::legacy::quirk::NEWEST_WITHOUT_START];

/// How long a token outlives its expiry with [`CLOCK_SKEW`], in seconds.
pub const SKEW_S: i64 = 300;
