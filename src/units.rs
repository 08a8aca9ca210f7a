//! Sizes, counts, rates and times as people write and read them.
//!
//! Shown sizes are decimal everywhere (1 MB = 1,000,000 bytes), as in the service's own storage figures; written ones
//! may be decimal or binary (`100MB`, `95MiB`). Nothing here knows where a value comes from.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A text that is not the quantity it should be; says what would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadQuantity(&'static str);

impl fmt::Display for BadQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadQuantity {}

/// How many bytes each unit is.
const SIZE_UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Milliseconds in each unit of time.
const TIME_UNITS: [(&str, u64); 10] = [
    ("ms", 1),
    ("s", 1_000),
    ("sec", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("d", 86_400_000),
    ("days", 86_400_000),
];

/// Reads `100MB`, `95 MiB`, `1.5GB` or plain bytes.
///
/// # Errors
///
/// For anything else, and for more than a 64-bit number of bytes.
pub fn parse_size(text: &str) -> Result<u64, BadQuantity> {
    const WANTED: BadQuantity = BadQuantity("a size is a number and a unit: 100MB, 95MiB, 1.5GB, or plain bytes");
    let (amount, unit) = split_quantity(text.trim()).ok_or(WANTED)?;
    let unit = unit.to_ascii_lowercase();
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or(WANTED)?;
    amount.times(*factor).ok_or(WANTED)
}

/// Reads bytes per second: a size, with or without `/s` behind it.
///
/// # Errors
///
/// For anything else, and for nothing at all per second.
pub fn parse_bandwidth(text: &str) -> Result<u64, BadQuantity> {
    const WANTED: BadQuantity = BadQuantity("a bandwidth is a size per second above 0: 5MB/s, 800kB/s");
    let text = text.trim();
    let size = text.strip_suffix("/s").unwrap_or(text);
    parse_size(size).ok().filter(|bytes| *bytes > 0).ok_or(WANTED)
}

/// Reads `500ms`, `60s`, `1.5h`, `1h30m`, or `0`.
///
/// # Errors
///
/// For a number without a unit (but 0), and for anything else.
pub fn parse_duration(text: &str) -> Result<Duration, BadQuantity> {
    const WANTED: BadQuantity = BadQuantity("a time is a number and a unit: 500ms, 60s, 15min, 8h, 1h30m");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(WANTED);
    }
    let mut total_ms = 0_u64;
    while !rest.is_empty() {
        let (amount, tail) = split_quantity(rest).ok_or(WANTED)?;
        let unit_len = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = tail.split_at(unit_len);
        let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or(WANTED)?;
        total_ms = amount.times(*factor).and_then(|ms| total_ms.checked_add(ms)).ok_or(WANTED)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total_ms))
}

/// How often something may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// As often as it comes.
    Unlimited,
    /// So many times in each period.
    Limited {
        /// How many times.
        count: NonZeroU32,
        /// In how long: a second, a minute or an hour.
        per: Duration,
    },
}

impl Rate {
    /// So many times a second.
    pub const fn per_second(count: NonZeroU32) -> Rate {
        Rate::Limited { count, per: Duration::from_secs(1) }
    }

    /// Times in a second; `None` without a limit.
    pub fn each_second(self) -> Option<f64> {
        match self {
            Rate::Unlimited => None,
            Rate::Limited { count, per } => Some(f64::from(count.get()) / per.as_secs_f64()),
        }
    }
}

impl FromStr for Rate {
    type Err = BadQuantity;

    fn from_str(text: &str) -> Result<Rate, BadQuantity> {
        const WANTED: BadQuantity = BadQuantity("a rate is a whole number per second or minute: 10/s, 90/min, or none");
        let text = text.trim();
        if text == "none" {
            return Ok(Rate::Unlimited);
        }
        let (count, period) = text.split_once('/').ok_or(WANTED)?;
        let per = match period.trim() {
            "s" | "sec" => Duration::from_secs(1),
            "m" | "min" => Duration::from_secs(60),
            "h" | "hour" => Duration::from_secs(3_600),
            _ => return Err(WANTED),
        };
        let count = count.trim().parse().map_err(|_| WANTED)?;
        Ok(Rate::Limited { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Unlimited => f.write_str("none"),
            Rate::Limited { count, per } => {
                let period = match per.as_secs() {
                    60 => "min",
                    3_600 => "h",
                    _ => "s",
                };
                write!(f, "{count}/{period}")
            }
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A size for people, three figures and a decimal unit: `999 B`, `1.25 MB`, `104 GB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 of a unit would be shown as 1000 of it.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A size near a limit, where three figures would hide the difference: `104,857,601 bytes (105 MB)`.
pub fn exact_size(bytes: u64) -> String {
    match bytes {
        0..1_000 => counted(bytes, "byte"),
        _ => format!("{} ({})", counted(bytes, "byte"), size(bytes)),
    }
}

/// A count with a comma between thousands: `200,000`.
pub fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count with its noun, whose plural takes an "s": `1 row`, `200,000 rows`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// A time for people, its two largest units: `0.4 s`, `3 min 20 s`, `2 days 4 h`.
pub fn duration(time: Duration) -> String {
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    // Rounded to what is shown first, so that 59.6 s is "1 min" and never "60 s".
    let seconds = time.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let seconds = seconds.round() as u64;
    let minutes = (seconds + 30) / 60;
    let hours = (minutes + 30) / 60;
    if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3_600 {
        two(seconds / 60, "min", seconds % 60, "s")
    } else if minutes < 2 * 24 * 60 {
        two(minutes / 60, "h", minutes % 60, "min")
    } else {
        two(hours / 24, "days", hours % 24, "h")
    }
}

/// A decimal number as written, kept exact until it meets its unit.
struct Amount {
    whole: u64,
    /// Up to six figures behind the point, in millionths.
    millionths: u64,
}

impl Amount {
    fn times(&self, factor: u64) -> Option<u64> {
        let fraction = u128::from(self.millionths) * u128::from(factor) / 1_000_000;
        self.whole.checked_mul(factor)?.checked_add(u64::try_from(fraction).ok()?)
    }
}

/// Cuts a text into the number that it begins with and what follows, blanks between them left out.
fn split_quantity(text: &str) -> Option<(Amount, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let whole = whole.parse().ok()?;
    let Some(rest) = rest.strip_prefix('.') else {
        return Some((Amount { whole, millionths: 0 }, rest.trim_start()));
    };
    let (fraction, rest) = rest.split_at(digits(rest));
    if fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    let millionths = format!("{fraction:0<6}").parse().ok()?;
    Some((Amount { whole, millionths }, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        for (text, bytes) in [
            ("0", 0),
            ("104857600", 104_857_600),
            ("100MB", 100_000_000),
            ("100 mb", 100_000_000),
            ("95MiB", 99_614_720),
            ("1.5GB", 1_500_000_000),
            ("0.1kB", 100),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "MB", "-1", "1.MB", "10 parsecs", "1,000", "99999999999TB", "١MB", "1e3"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bandwidth_is_a_size_above_zero_per_second() {
        assert_eq!(parse_bandwidth("5MB/s"), Ok(5_000_000));
        assert_eq!(parse_bandwidth("800kB"), Ok(800_000));
        assert!(parse_bandwidth("0").is_err());
        assert!(parse_bandwidth("5MB/min").is_err());
    }

    #[test]
    fn times_need_a_unit_and_may_be_compound() {
        for (text, ms) in [("0", 0), ("500ms", 500), ("60s", 60_000), ("1h30m", 5_400_000), ("1.5 h", 5_400_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "60", "s", "1h30", "-5s", "1 fortnight", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_reads_back_what_it_writes() {
        for text in ["10/s", "90/min", "500/h", "none"] {
            assert_eq!(text.parse::<Rate>().map(|rate| rate.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "10", "0/s", "-1/s", "1.5/s", "10/day", "unlimited"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        assert_eq!("90/min".parse::<Rate>().ok().and_then(Rate::each_second), Some(1.5));
    }

    #[test]
    fn sizes_are_shown_with_three_figures() {
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (9_994_999, "9.99 MB"),
            (9_995_000, "10.0 MB"),
            (104_857_600, "105 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn counts_have_separators_and_nouns_agree() {
        for (number, shown) in [(0_u64, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), shown);
        }
        assert_eq!(counted(1_u32, "row"), "1 row");
        assert_eq!(counted(200_000_u32, "row"), "200,000 rows");
    }

    #[test]
    fn times_are_shown_in_their_two_largest_units() {
        for (ms, shown) in [
            (0, "0.0 s"),
            (420, "0.4 s"),
            (59_400, "59 s"),
            (59_600, "1 min"),
            (200_000, "3 min 20 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (86_400_000, "24 h"),
            (187_200_000, "2 days 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), shown);
        }
    }
}
