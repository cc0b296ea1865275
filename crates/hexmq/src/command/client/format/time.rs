//! Times in output formats, in the zone of the machine.

use jiff::Zoned;
use jiff::fmt::strtime::BrokenDownTime;

/// `%I`: 2016-08-10T09:47:38+0100.
pub(super) fn iso_8601(now: &Zoned) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
}

/// `%U`: seconds since the epoch with nanoseconds.
pub(super) fn unix(now: &Zoned) -> String {
    format!("{}.{:09}", now.timestamp().as_second(), now.subsec_nanosecond())
}

/// The `tst` of JSON output, as mosquitto_sub 2.0 writes it.
pub(super) fn tst(now: &Zoned) -> String {
    let micros = now.subsec_nanosecond() / 1_000;
    format!("{}.{micros:06}Z{}", now.strftime("%Y-%m-%dT%H:%M:%S"), now.strftime("%z"))
}

/// `@X`: what strftime makes of `%X` in the C locale; an unknown letter stays as it is.
/// `@N` is the nanoseconds.
pub(super) fn strftime(letter: char, now: &Zoned) -> String {
    let format = match letter {
        'N' => return format!("{:09}", now.subsec_nanosecond()),
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'r' => "%I:%M:%S %p",
        'X' | 'T' => "%H:%M:%S",
        // Fractions and zone names are jiff's, not strftime's.
        '+' | 'f' | 'Q' | 'q' | 'J' | 'K' | 'L' | 'i' | 'o' | 'v' | '1'..='9' => return format!("%{letter}"),
        _ => &format!("%{letter}"),
    };
    let mut text = String::new();
    match BrokenDownTime::from(now).format(format, &mut text) {
        Ok(()) => text,
        Err(_) => format!("%{letter}"),
    }
}
