//! What stands in a cell, as text: a sheet has numbers, dates and truth values, and a manifest has only text.

use std::borrow::Cow;

use calamine::{DataRef, ExcelDateTime};

/// A sheet keeps so many digits of a number.
const KEPT_DIGITS: usize = 15;

/// The smallest whole number that has more.
const INEXACT: f64 = 1e15;

/// Why a cell may not mean what its text says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CellFlaw {
    /// A number of 16 digits or more: those behind the 15th are gone.
    LongNumber,
    /// A date or a time, which the sheet shows in a form of its own.
    Date,
    /// `TRUE` or `FALSE`, which the sheet shows in its own language.
    Truth,
    /// A formula that was never worked out, so that nobody knows its value.
    NoValue,
}

/// The text of a cell, and what is odd about it. `has_formula`: a formula makes the value.
pub(super) fn text_of<'c>(value: &'c DataRef<'_>, has_formula: bool) -> (Cow<'c, str>, Option<CellFlaw>) {
    match value {
        DataRef::Empty => (Cow::Borrowed(""), has_formula.then_some(CellFlaw::NoValue)),
        DataRef::String(text) => (Cow::Borrowed(text), None),
        DataRef::SharedString(text) => (Cow::Borrowed(text), None),
        DataRef::Int(number) => number_of(*number as f64),
        DataRef::Float(number) => number_of(*number),
        DataRef::Bool(truth) => (Cow::Borrowed(if *truth { "TRUE" } else { "FALSE" }), Some(CellFlaw::Truth)),
        DataRef::DateTime(time) => (Cow::Owned(time_of(time)), Some(CellFlaw::Date)),
        DataRef::DateTimeIso(time) | DataRef::DurationIso(time) => (Cow::Borrowed(time), Some(CellFlaw::Date)),
        // What a failed formula left is told by its text, in a workbook as in a CSV.
        DataRef::Error(error) => (Cow::Owned(error.to_string()), None),
    }
}

/// A number as a sheet shows it where there is room: 15 digits, and zeros for those that are gone.
fn number_of(number: f64) -> (Cow<'static, str>, Option<CellFlaw>) {
    if number.fract() == 0.0 && number.abs() < INEXACT {
        return (Cow::Owned(format!("{number:.0}")), None);
    }
    // Rounded to what is kept, then written in full.
    let kept: f64 = format!("{number:.*e}", KEPT_DIGITS - 1).parse().unwrap_or(number);
    if kept.abs() < INEXACT {
        return (Cow::Owned(kept.to_string()), None);
    }
    let digits = format!("{:.*e}", KEPT_DIGITS - 1, number.abs());
    let (digits, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let zeros = exponent.parse::<usize>().unwrap_or(0).saturating_sub(KEPT_DIGITS - 1);
    let sign = if number < 0.0 { "-" } else { "" };
    (Cow::Owned(format!("{sign}{}{}", digits.replace('.', ""), "0".repeat(zeros))), Some(CellFlaw::LongNumber))
}

/// A date, a time or a span of time. A time of day alone belongs to the day before the first one.
fn time_of(time: &ExcelDateTime) -> String {
    if time.is_duration() {
        let seconds = (time.as_f64() * 86_400.0).round() as i64;
        return format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (time.as_f64() < 1.0, time.as_f64().fract() == 0.0) {
        (true, false) => format!("{hour:02}:{minute:02}:{second:02}"),
        (_, true) => date,
        (false, false) => format!("{date} {hour:02}:{minute:02}:{second:02}"),
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn a_number_is_written_as_the_sheet_shows_it_and_lost_digits_are_known() {
        for (number, text, flaw) in [
            (7.0, "7", None),
            (-3.5, "-3.5", None),
            (0.1 + 0.2, "0.3", None),
            (123_456_789_012_345.0, "123456789012345", None),
            (1_234_567_890_123_456.0, "1234567890123460", Some(CellFlaw::LongNumber)),
            (4_150_868_000_001_944_196.0, "4150868000001940000", Some(CellFlaw::LongNumber)),
            (-4_150_868_000_001_944_196.0, "-4150868000001940000", Some(CellFlaw::LongNumber)),
        ] {
            let cell = DataRef::Float(number);
            assert_eq!(text_of(&cell, false), (Cow::Borrowed(text), flaw), "{number}");
        }
    }

    #[test]
    fn what_is_no_text_is_known_for_what_it_is() {
        let day = |serial| DataRef::DateTime(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false));
        let span = DataRef::DateTime(ExcelDateTime::new(1.5, ExcelDateTimeType::TimeDelta, false));
        for (cell, formula, text, flaw) in [
            (day(45_352.0), false, "2024-03-01", Some(CellFlaw::Date)),
            (day(45_352.5), false, "2024-03-01 12:00:00", Some(CellFlaw::Date)),
            (day(0.25), false, "06:00:00", Some(CellFlaw::Date)),
            (span, false, "36:00:00", Some(CellFlaw::Date)),
            (DataRef::Bool(true), false, "TRUE", Some(CellFlaw::Truth)),
            (DataRef::Error(calamine::CellErrorType::NA), true, "#N/A", None),
            (DataRef::Empty, true, "", Some(CellFlaw::NoValue)),
            (DataRef::String(String::new()), true, "", None),
            (DataRef::Empty, false, "", None),
        ] {
            assert_eq!(text_of(&cell, formula), (Cow::Borrowed(text), flaw), "{cell:?}");
        }
    }
}
