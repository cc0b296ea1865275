//! How long a silent client is waited for.

/// The longest silence of a client that announced `keep_alive_s` seconds, in milliseconds: one
/// and a half times the Keep Alive. `None` for 0, which turns the mechanism off.
/// [V4 MQTT-3.1.2-24, V5 MQTT-3.1.2-22]
///
/// ```
/// use hexmq_session::keep_alive_deadline;
/// assert_eq!(keep_alive_deadline(60), Some(90_000));
/// assert_eq!(keep_alive_deadline(0), None);
/// ```
/// [V5 U-3.1.2.10-1]
pub const fn keep_alive_deadline(keep_alive_s: u16) -> Option<u64> {
    match keep_alive_s {
        0 => None,
        seconds => Some(seconds as u64 * 1_500),
    }
}

#[cfg(test)]
mod tests {
    use super::keep_alive_deadline;

    /// [V4 MQTT-3.1.2-24, V5 MQTT-3.1.2-22]
    #[test]
    fn one_and_a_half_times_the_keep_alive() {
        assert_eq!(keep_alive_deadline(1), Some(1_500));
        assert_eq!(keep_alive_deadline(u16::MAX), Some(98_302_500));
        assert_eq!(keep_alive_deadline(0), None);
    }
}
