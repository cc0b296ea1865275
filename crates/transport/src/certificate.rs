//! What is read from a certificate besides what TLS itself needs: how long it is valid, and whose it is.

/// What stands in a certificate (RFC 5280).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
    /// The last Common Name of the subject.
    pub(crate) common_name: Option<String>,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const EXPLICIT_VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

impl Certificate {
    /// Reads a certificate in DER. `None`: it is none.
    pub(crate) fn read(der: &[u8]) -> Option<Certificate> {
        let mut whole = Der(der).expect(SEQUENCE)?;
        let mut body = whole.expect(SEQUENCE)?;
        if body.0.first() == Some(&EXPLICIT_VERSION) {
            body.next()?;
        }
        body.expect(INTEGER)?;
        let _signature = body.expect(SEQUENCE)?;
        let _issuer = body.expect(SEQUENCE)?;
        let mut validity = body.expect(SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = body.expect(SEQUENCE)?;
        Some(Certificate { not_before, not_after, common_name: common_name(subject) })
    }
}

fn common_name(mut subject: Der<'_>) -> Option<String> {
    let mut found = None;
    while let Some(mut names) = subject.expect(SET) {
        while let Some(mut pair) = names.expect(SEQUENCE) {
            if pair.expect(OBJECT_IDENTIFIER)?.0 == COMMON_NAME {
                let (_, text) = pair.next()?;
                found = Some(String::from_utf8_lossy(text.0).into_owned());
            }
        }
    }
    found
}

/// DER that is still to be read.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value and its tag.
    fn next(&mut self) -> Option<(u8, Der<'a>)> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7F);
            let digits = rest.get(..count).filter(|digits| (1..=4).contains(&digits.len()))?;
            length = digits.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            rest = rest.get(count..)?;
        }
        let value = rest.get(..length)?;
        self.0 = rest.get(length..)?;
        Some((tag, Der(value)))
    }

    fn expect(&mut self, tag: u8) -> Option<Der<'a>> {
        let mut ahead = *self;
        let (found, value) = ahead.next()?;
        (found == tag).then(|| {
            *self = ahead;
            value
        })
    }

    /// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let digits = std::str::from_utf8(text.0).ok()?.strip_suffix('Z')?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match tag {
            UTC_TIME => {
                let year: i64 = digits.get(..2)?.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
            }
            GENERALIZED_TIME => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
            _ => return None,
        };
        let part = |from: usize| rest.get(from..from + 2)?.parse::<i64>().ok();
        let [month, day, hour, minute, second] = [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?];
        Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin with March, so that the day a leap year adds is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `2026-11-23 05:31:16 UTC`
pub(crate) fn show_time(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!(
        "{:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        era * 400 + year + next,
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn made(from: i32, to: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(from, 2, 29);
        params.not_after = date_time_ymd(to, 12, 31);
        params.distinguished_name.push(DnType::OrganizationName, "a house");
        params.distinguished_name.push(DnType::CommonName, "设备 7");
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn times_and_name_are_read() {
        // Before 2050 as UTCTime, from then on as GeneralizedTime.
        let read = Certificate::read(&made(2024, 2060)).expect("a certificate");
        assert_eq!(show_time(read.not_before), "2024-02-29 00:00:00 UTC");
        assert_eq!(show_time(read.not_after), "2060-12-31 00:00:00 UTC");
        assert_eq!(read.common_name.as_deref(), Some("设备 7"));
        assert_eq!(show_time(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(show_time(951_782_399), "2000-02-28 23:59:59 UTC");
    }

    #[test]
    fn what_is_cut_or_changed_is_none_or_some_but_never_a_panic() {
        let whole = made(2024, 2030);
        for cut in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..cut]), None, "{cut}");
        }
        for at in 0..whole.len() {
            for value in [0, 0x7F, 0x80, 0x84, 0xFF] {
                let mut wrong = whole.clone();
                wrong[at] = value;
                let _ = Certificate::read(&wrong);
            }
        }
    }
}
