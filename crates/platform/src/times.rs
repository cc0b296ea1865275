//! Times as people read them.

use hexmq_device::CivilTime;

/// RFC 3339 in UTC with milliseconds: `2016-12-22T22:22:22.000Z`. Times outside of the years 0 to 9999 are shown as
/// the nearest one inside.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    // 0000-01-01 and 9999-12-31, the years that four digits can say.
    let ms = unix_ms.clamp(-62_167_219_200_000, 253_402_300_799_999);
    let (days, of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, millisecond) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// The date so many days after 1970-01-01. Years begin in March here, so that the leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + era * 400;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// The time that a text says, in milliseconds since 1970 UTC.
#[allow(dead_code)]
pub(crate) fn parse(text: &str) -> Option<i64> {
    CivilTime::parse(text).map(|time| time.unix_ms(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_read_as_it_was_written(ms in -62_167_219_200_000_i64..253_402_300_799_999) {
            prop_assert_eq!(parse(&rfc3339(ms)), Some(ms));
        }
    }

    #[test]
    fn times_beyond_four_digits_are_the_nearest() {
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    }
}
