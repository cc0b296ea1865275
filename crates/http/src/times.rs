//! Times as the API writes and reads them.

use std::fmt;

use hexmq_device::CivilTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// A time, in milliseconds since 1970 UTC. Written as RFC 3339 in UTC with milliseconds; read as RFC 3339 with or
/// without a zone (UTC then), or as a number: Unix seconds, or milliseconds from 100,000,000,000 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub(crate) struct At(pub(crate) i64);

const DAY_MS: i64 = 86_400_000;
/// 0001-01-01 and the last millisecond of 9999, which RFC 3339 can say.
const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_402_300_799_999;
/// Numbers from here on are milliseconds: as seconds they would be in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

impl At {
    /// Reads a time as the query and the body may say it.
    pub(crate) fn parse(text: &str) -> Option<At> {
        if let Ok(number) = text.parse::<i64>() {
            return Some(At::of_number(number));
        }
        CivilTime::parse(text).map(|time| At(time.unix_ms(0)))
    }

    fn of_number(number: i64) -> At {
        At(if number.abs() < MILLISECONDS_FROM { number * 1000 } else { number })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.clamp(FIRST_MS, LAST_MS);
        let (year, month, day) = civil(ms.div_euclid(DAY_MS));
        let of_day = ms.rem_euclid(DAY_MS);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Year, month and day of a day counted from 1970. Years are counted from March on, so that the leap day is the
/// last day of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2026-11-23T02:10:00.000Z, or Unix seconds or milliseconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<At, E> {
                At::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<At, E> {
                Ok(At::of_number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<At, E> {
                let signed = i64::try_from(number);
                signed
                    .map(At::of_number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Milliseconds of `90s`, `5m`, `1h`, `7d`, `500ms`, or of a number of seconds.
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(unit).filter(|&ms| ms > 0)
}

/// A zone such as `+08:00` in minutes east of Greenwich.
pub(crate) fn zone_minutes(text: &str) -> Option<i16> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').or_else(|| rest.split_at_checked(2))?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 14 && minutes < 60).then(|| sign * (i16::from(hours) * 60 + i16::from(minutes)))
}

/// The zone as it is shown.
pub(crate) fn zone(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let all = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", all / 60, all % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_399_800_500, "2026-11-23T02:10:00.500Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(At(ms).to_string(), text);
        }
    }

    #[test]
    fn times_are_read_as_people_and_programs_say_them() {
        let at = Some(At(1_795_399_800_500));
        assert_eq!(At::parse("2026-11-23T02:10:00.500Z"), at);
        assert_eq!(At::parse("2026-11-23T10:10:00.5+08:00"), at);
        assert_eq!(At::parse("2026-11-23 02:10:00.5"), at);
        assert_eq!(At::parse("1795399800500"), at);
        assert_eq!(At::parse("1795399800"), Some(At(1_795_399_800_000)));
        assert_eq!(At::parse("yesterday"), None);
        assert_eq!(serde_json::from_str::<At>("1795399800").ok(), Some(At(1_795_399_800_000)));
        assert!(serde_json::from_str::<At>("true").is_err());
    }

    #[test]
    fn durations_and_zones() {
        for (text, ms) in
            [("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000), ("7d", 604_800_000), ("60", 60_000)]
        {
            assert_eq!(duration_ms(text), Some(ms), "{text}");
        }
        for wrong in ["", "s", "0", "-5m", "1w", "9223372036854775807d", "1.5h"] {
            assert_eq!(duration_ms(wrong), None, "{wrong}");
        }
        for (text, minutes) in [("+08:00", 480), ("-03:30", -210), ("Z", 0), ("+0530", 330)] {
            assert_eq!(zone_minutes(text), Some(minutes), "{text}");
        }
        for wrong in ["", "8", "+8", "+15:00", "+08:60", "08:00", "+08:00:00", "+0é"] {
            assert_eq!(zone_minutes(wrong), None, "{wrong}");
        }
        assert_eq!((zone(480), zone(-210)), ("+08:00".to_owned(), "-03:30".to_owned()));
    }
}
