//! Times on the command line.

use std::str::FromStr;

use hexmq_workbench::recording::Timestamp;

/// A point in time, or one relative to the start of the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    /// Nanoseconds after the first packet.
    After(u64),
}

impl Moment {
    /// The point in time in a capture that begins at `start`.
    pub(super) fn in_capture(self, start: Timestamp) -> Timestamp {
        match self {
            Moment::At(at) => at,
            Moment::After(nanoseconds) => Timestamp(start.0.saturating_add(nanoseconds)),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Some(span) = text.strip_prefix('+') {
            return span_ns(span)
                .map(Moment::After)
                .ok_or_else(|| format!("{span:?} is no span of time; +90s, +1.5m and +250ms are"));
        }
        Timestamp::parse(text).map(Moment::At).ok_or_else(|| {
            "it is no time; 2026-11-23T02:10:00Z, 2026-11-23T10:10:00.5+08:00 and +90s after the start are".to_owned()
        })
    }
}

/// `90s`, `1.5m`, `250ms`; seconds where no unit stands.
fn span_ns(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "" | "s" => 1e9,
        "ms" => 1e6,
        "us" => 1e3,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = plain.then(|| digits.parse().ok())??;
    // Beyond the range it becomes the largest, which is after everything.
    Some((number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_or_refused() {
        assert_eq!("+90s".parse(), Ok(Moment::After(90_000_000_000)));
        assert_eq!("+1.5m".parse(), Ok(Moment::After(90_000_000_000)));
        assert_eq!("+250ms".parse(), Ok(Moment::After(250_000_000)));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Moment::At(Timestamp(1_000_000_000))));
        for wrong in ["", "+", "+s", "+1 day", "yesterday", "+-1s", "+1e3"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
