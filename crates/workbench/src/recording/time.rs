//! Times as people write them: RFC 3339.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z, until the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

const NANOS: u64 = 1_000_000_000;
const SECONDS_OF_DAY: u64 = 86_400;

impl Timestamp {
    /// The time in whole milliseconds since 1970.
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// Reads `2026-11-23T02:10:00.5Z` or the same with an offset such as `+08:00`. Digits behind
    /// the ninth decimal are cut off.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (date, rest) = text.split_at_checked(10)?;
        let (year, month, day) = (number(date, 0..4)?, number(date, 5..7)?, number(date, 8..10)?);
        let time = rest.strip_prefix(['T', 't', ' '])?;
        let (clock, rest) = time.split_at_checked(8)?;
        let (hour, minute, second) = (number(clock, 0..2)?, number(clock, 3..5)?, number(clock, 6..8)?);
        let separated = date.as_bytes().get(4) == Some(&b'-')
            && date.as_bytes().get(7) == Some(&b'-')
            && clock.as_bytes().get(2) == Some(&b':')
            && clock.as_bytes().get(5) == Some(&b':');
        let in_range = separated
            && (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !in_range {
            return None;
        }
        let (nanos, zone) = fraction(rest)?;
        let seconds = days_since_1970(year, month, day)
            .checked_mul(SECONDS_OF_DAY)?
            .checked_add(hour * 3600 + minute * 60 + second)?;
        let seconds = seconds.checked_add_signed(-zone_seconds(zone)?)?;
        Some(Timestamp(seconds.checked_mul(NANOS)?.checked_add(nanos)?))
    }
}

fn number(text: &str, range: std::ops::Range<usize>) -> Option<u64> {
    let digits = text.get(range)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The nanoseconds of `.5`, and what follows the digits.
fn fraction(rest: &str) -> Option<(u64, &str)> {
    let Some(decimals) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        let digit = decimals.as_bytes().get(place).filter(|_| place < digits).map_or(0, |byte| byte - b'0');
        nanos = nanos * 10 + u64::from(digit);
    }
    Some((nanos, decimals.get(digits..)?))
}

/// What a zone is ahead of UTC.
fn zone_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if zone.len() != 6 || zone.as_bytes().get(3) != Some(&b':') {
        return None;
    }
    let (hours, minutes) = (number(zone, 1..3)?, number(zone, 4..6)?);
    let whole = i64::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours < 24 && minutes < 60).then_some(sign * whole)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years are counted from March, so that the leap day is the last of a year.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Year, month and day of a day counted from 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// RFC 3339 in UTC with nine decimals. With a precision (`{:.3}`) only so many.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / NANOS, self.0 % NANOS);
        let (year, month, day) = civil(seconds / SECONDS_OF_DAY);
        let second = seconds % SECONDS_OF_DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let places = f.precision().unwrap_or(9).min(9);
        if places > 0 {
            let dropped = 10u64.pow(u32::try_from(9 - places).unwrap_or(0));
            write!(f, ".{:0places$}", nanos / dropped)?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00.000000000Z", 0),
            ("2000-02-29T12:00:00.000000001Z", 951_825_600_000_000_001),
            ("2026-11-23T02:10:00.500000000Z", 1_795_399_800_500_000_000),
        ] {
            assert_eq!(Timestamp(nanos).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(nanos)));
        }
        assert_eq!(format!("{:.3}", Timestamp(1_999_999_999)), "1970-01-01T00:00:01.999Z");
        assert_eq!(format!("{:.0}", Timestamp(1_999_999_999)), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn other_ways_to_write_a_time() {
        let time = Some(Timestamp(1_795_399_800_500_000_000));
        for text in
            ["2026-11-23T02:10:00.5Z", "2026-11-23 10:10:00.5+08:00", "2026-11-22T21:40:00.5000000009-04:30"]
        {
            assert_eq!(Timestamp::parse(text), time, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-11-23",
            "2026-11-23T02:10:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T02:10:00.Z",
            "2026-11-23T02:10:00+8",
            "2026/11/23T02:10:00Z",
            "1970-01-01T00:00:00+01:00",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "2026-11-23T02:10:0éZ",
            "+026-11-23T02:10:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in any::<u64>()) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(nanos).to_string()), Some(Timestamp(nanos)));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
