//! Until when a certificate is valid: the one field that rustls checks but does not tell (RFC 5280, 4.1.2.5).

use std::time::{Duration, SystemTime};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// The end of the validity of a certificate in DER; `None` where it cannot be read.
pub(crate) fn not_after(der: &[u8]) -> Option<SystemTime> {
    let (tag, certificate, _) = element(der)?;
    let (inner, body, _) = element(certificate)?;
    if tag != SEQUENCE || inner != SEQUENCE {
        return None;
    }
    let mut rest = body;
    if element(rest)?.0 == VERSION {
        rest = element(rest)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (tag, validity, _) = element(rest)?;
    if tag != SEQUENCE {
        return None;
    }
    let (tag, text, _) = element(element(validity)?.2)?;
    time(tag, text)
}

/// How long until then, in days; negative when it is over.
pub(crate) fn days_left(until: SystemTime, now: SystemTime) -> f64 {
    const DAY: f64 = 86_400.0;
    match until.duration_since(now) {
        Ok(left) => left.as_secs_f64() / DAY,
        Err(over) => -over.duration().as_secs_f64() / DAY,
    }
}

/// The tag and the content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let digits = usize::from(first & 0x7f);
        // Four bytes of length would be a certificate of gigabytes.
        if !(1..=3).contains(&digits) || rest.len() < digits {
            return None;
        }
        let (length, rest) = rest.split_at(digits);
        (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    (rest.len() >= length).then(|| (tag, &rest[..length], &rest[length..]))
}

fn time(tag: u8, text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            // RFC 5280, 4.1.2.5.1
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| rest[at..at + 2].parse::<i64>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    match u64::try_from(seconds) {
        Ok(seconds) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
        Err(_) => Some(SystemTime::UNIX_EPOCH),
    }
}

/// In the Gregorian calendar: years are counted from March, so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Days from 1 March of the year 0 to 1 January 1970.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<u64> {
        time(tag, text.as_bytes())?.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
    }

    #[test]
    fn both_notations_of_time_are_read() {
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(seconds(GENERALIZED_TIME, "21000301000000Z"), Some(4_107_542_400));
        for wrong in ["20241301000000Z", "2024010100000Z", "20240101000000", "20240101ab0000Z", "é0240101000000Z"] {
            assert_eq!(seconds(GENERALIZED_TIME, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_authority_that_we_believe_says_until_when_it_is_valid_or_nothing_at_all() {
        // A bare name and key, as the roots are kept, is no certificate.
        for root in webpki_roots::TLS_SERVER_ROOTS {
            assert_eq!(not_after(&root.subject), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = not_after(&bytes);
            let mut nested = vec![SEQUENCE, 0x81, u8::try_from(bytes.len()).unwrap(), SEQUENCE];
            nested.extend(bytes);
            let _ = not_after(&nested);
        }

        #[test]
        fn a_day_later_is_a_day_later(year in 1970_i64..3000, month in 1_i64..=12, day in 1_i64..28) {
            prop_assert_eq!(days_since_1970(year, month, day + 1), days_since_1970(year, month, day) + 1);
        }
    }

    #[test]
    fn fuzz_any_certificate_ends_at_some_time_or_at_none() {
        seaworthy_fuzz::drive("certificate", |der| {
            if let Some(until) = not_after(der) {
                assert!(days_left(until, SystemTime::UNIX_EPOCH).is_finite());
            }
        });
    }
}
