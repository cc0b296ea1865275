//! Times as devices write them.
//!
//! A device often writes a time of day without saying where on Earth; which zone is meant is a
//! setting of its product, so such a time stays civil until somebody who knows asks for it.

/// When something was measured, as the device said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// A date and a time of day.
    Civil(CivilTime),
    /// Milliseconds since 1970 UTC.
    UnixMs(i64),
}

impl Time {
    /// Milliseconds since 1970 UTC; `zone` is the offset in minutes east of Greenwich of times
    /// that name none (480 for Beijing).
    pub fn unix_ms(self, zone: i16) -> i64 {
        match self {
            Time::Civil(civil) => civil.unix_ms(zone),
            Time::UnixMs(ms) => ms,
        }
    }
}

/// A date and a time of day; parsing is the only way to get one, so the date exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    millisecond: u16,
    /// Minutes east of Greenwich, where the text names them.
    zone: Option<i16>,
}

impl CivilTime {
    /// The time with these parts and without a zone; `None` if there is no such date or time of
    /// day. A leap second (60) is let pass as the second before.
    pub fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<CivilTime> {
        let exists = (1..=12).contains(&month)
            && (1..=days_of(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        let second = second.min(59);
        exists.then_some(CivilTime { year, month, day, hour, minute, second, millisecond: 0, zone: None })
    }

    /// Parses `YYYY-MM-DD HH:MM:SS`, with `T` for the blank, with a fraction, with `Z` or an offset
    /// such as `+08:00`. `None` if it is none of these or no such time exists.
    pub fn parse(text: &str) -> Option<CivilTime> {
        let text = text.trim_matches(' ');
        let (date_and_time, rest) = text.as_bytes().split_at_checked(19)?;
        let mut parts = [0_u16; 6];
        let mut at = 0;
        let shape = b"0000-00-00 00:00:00";
        for (&byte, &wanted) in date_and_time.iter().zip(shape) {
            match wanted {
                b'0' if byte.is_ascii_digit() => {
                    let part = parts.get_mut(at)?;
                    *part = *part * 10 + u16::from(byte - b'0');
                }
                b' ' if matches!(byte, b' ' | b'T' | b't') => at += 1,
                b'-' | b':' if byte == wanted => at += 1,
                _ => return None,
            }
        }
        let [year, rest_of_date @ ..] = parts;
        let [month, day, hour, minute, second] =
            rest_of_date.map(|part| u8::try_from(part).unwrap_or(u8::MAX));
        let time = CivilTime::new(year, month, day, hour, minute, second)?;
        let (millisecond, rest) = fraction(rest)?;
        Some(CivilTime { millisecond, zone: zone(rest)?, ..time })
    }

    /// Year since 2000, month, day, hour, minute and second, one byte each; `None` for years that
    /// one byte cannot say. Milliseconds and zone are left out.
    pub fn six_bytes(self) -> Option<[u8; 6]> {
        let year = u8::try_from(self.year.checked_sub(2000)?).ok()?;
        Some([year, self.month, self.day, self.hour, self.minute, self.second])
    }

    /// Milliseconds since 1970 UTC; `zone` in minutes east of Greenwich counts where the text named
    /// none.
    pub fn unix_ms(self, zone: i16) -> i64 {
        let zone = i64::from(self.zone.unwrap_or(zone));
        let minutes = (days_since_1970(self.year, self.month, self.day) * 24 + i64::from(self.hour)) * 60
            + i64::from(self.minute)
            - zone;
        (minutes * 60 + i64::from(self.second)) * 1000 + i64::from(self.millisecond)
    }
}

impl std::fmt::Display for CivilTime {
    /// `2016-12-22 22:22:22`, with milliseconds and zone where they were given.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CivilTime { year, month, day, hour, minute, second, millisecond, zone } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        if *millisecond > 0 {
            write!(f, ".{millisecond:03}")?;
        }
        match zone {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(zone) => {
                let sign = if *zone < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", zone.unsigned_abs() / 60, zone.unsigned_abs() % 60)
            }
        }
    }
}

/// Milliseconds of a fraction at the beginning of `text`, and what follows it.
fn fraction(text: &[u8]) -> Option<(u16, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (digits, rest) = digits.split_at_checked(count)?;
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(3);
    Some((padded.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')), rest))
}

/// The offset that `text` is: nothing, `Z`, `+08:00`, `+0800` or `+08`.
fn zone(text: &[u8]) -> Option<Option<i16>> {
    match text {
        b"" => return Some(None),
        b"Z" | b"z" => return Some(Some(0)),
        _ => {}
    }
    let (&sign, rest) = text.split_first()?;
    let two = |tens: u8, ones: u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| i16::from(tens - b'0') * 10 + i16::from(ones - b'0'))
    };
    let minutes = match *rest {
        [a, b] => two(a, b)? * 60,
        [a, b, c, d] | [a, b, b':', c, d] => two(a, b)? * 60 + two(c, d)?,
        _ => return None,
    };
    match sign {
        _ if minutes > 18 * 60 => None,
        b'+' => Some(Some(minutes)),
        b'-' => Some(Some(-minutes)),
        _ => None,
    }
}

const fn days_of(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to this date of the Gregorian calendar. Years are counted from March on, so
/// that the leap day is the last day of its year.
fn days_since_1970(year: u16, month: u8, day: u8) -> i64 {
    let (year, month) = match month {
        1 | 2 => (i64::from(year) - 1, i64::from(month) + 9),
        _ => (i64::from(year), i64::from(month) - 3),
    };
    let of_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 153 days in each five months from March on: 31, 30, 31, 30, 31.
    let of_months = (153 * month + 2) / 5;
    of_years + of_months + i64::from(day) - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Option<i64> {
        CivilTime::parse(text).map(|time| time.unix_ms(480))
    }

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(ms("1970-01-01 08:00:00"), Some(0));
        assert_eq!(ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(ms("2016-12-22 22:22:22"), Some(1_482_416_542_000));
        assert_eq!(ms("2016-12-22T14:22:22.5Z"), Some(1_482_416_542_500));
        assert_eq!(ms("2016-12-22T09:22:22.1239-05:00"), Some(1_482_416_542_123));
        assert_eq!(ms("2000-02-29 00:00:00+0800"), Some(951_753_600_000));
        assert_eq!(ms("1969-12-31 23:59:59Z"), Some(-1000));
        assert_eq!(ms("0000-03-01 00:00:00Z"), Some(-62_162_035_200_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2016-13-01 00:00:00",
            "2015-02-29 00:00:00",
            "2016-12-22 24:00:00",
            "2016-12-22",
            "2016-12-22 22:22:22.",
            "2016-12-22 22:22:22 CST",
            "2016/12/22 22:22:22",
            "2016-12-22 22:22:22+99:00",
            "２016-12-22 22:22:22",
        ] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_shown_as_it_is_read() {
        for text in ["2016-12-22 22:22:22", "2016-12-22 22:22:22.500Z", "2016-12-22 22:22:22-05:30"] {
            assert_eq!(CivilTime::parse(text).map(|time| time.to_string()).as_deref(), Some(text));
        }
    }
}
