//! Times as the API writes them: `2017-06-29 11:55:25.203`, in the product's zone.

/// With milliseconds.
pub(super) fn with_ms(unix_ms: i64, zone_minutes: i16) -> String {
    format!("{}.{:03}", without_ms(unix_ms, zone_minutes), unix_ms.rem_euclid(1000))
}

/// To the second.
pub(super) fn without_ms(unix_ms: i64, zone_minutes: i16) -> String {
    let seconds = unix_ms.div_euclid(1000).saturating_add(i64::from(zone_minutes) * 60);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Years are counted from March
/// on, so that the leap day is the last day of its year; 400 of them have 146097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // 153 days in each five months from March on: 31, 30, 31, 30, 31.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use hexmq_device::CivilTime;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vendors_example() {
        assert_eq!(with_ms(1_498_708_525_203, 480), "2017-06-29 11:55:25.203");
        assert_eq!(without_ms(0, 0), "1970-01-01 00:00:00");
        assert_eq!(with_ms(-1, 0), "1969-12-31 23:59:59.999");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(ms in -62_000_000_000_000_i64..250_000_000_000_000, zone in -720_i16..840) {
            let text = with_ms(ms, zone);
            prop_assert_eq!(CivilTime::parse(&text).map(|time| time.unix_ms(zone)), Some(ms), "{}", text);
        }

        #[test]
        fn no_time_makes_it_panic(ms: i64, zone: i16) {
            prop_assert!(with_ms(ms, zone).len() >= 23);
        }
    }
}
