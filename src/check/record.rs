//! What is a record id, and by what name each damaged one is refused.

use super::CheckFinding;
use crate::crm::limits::EXPORT_ID_PREFIX;
use crate::problem::ProblemCode;
use crate::upload::RecordId;

/// An id that could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ReadRecord {
    pub(super) id: RecordId,
    /// Whether the prefix of an export was taken off.
    pub(super) had_prefix: bool,
}

/// Reads an id whose outer blanks have been taken off.
pub(super) fn read(text: &str) -> Result<ReadRecord, CheckFinding> {
    let digits = text.strip_prefix(EXPORT_ID_PREFIX).unwrap_or(text);
    let had_prefix = digits.len() < text.len();
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        return of_digits(digits).map(|id| ReadRecord { id, had_prefix });
    }
    Err(damaged(digits))
}

fn of_digits(digits: &str) -> Result<RecordId, CheckFinding> {
    if digits.starts_with('0') {
        return Err(CheckFinding::new(
            ProblemCode::RecordLeadingZero,
            format!("the record id {} begins with 0, and no id does", crate::text::masked_excerpt(digits)),
            "compare it with the export",
        ));
    }
    if !(10..=19).contains(&digits.len()) {
        return Err(CheckFinding::new(
            ProblemCode::RecordLength,
            format!(
                "the record id {} has {} digits; ids have 10 to 19",
                crate::text::masked_excerpt(digits),
                digits.len()
            ),
            "use the id of the record in the CRM, as in the address of its page",
        ));
    }
    digits.parse().ok().and_then(RecordId::new).ok_or_else(|| {
        CheckFinding::new(
            ProblemCode::RecordTooLarge,
            format!("the record id {digits} is larger than {}, the largest possible one", RecordId::MAX),
            "compare it with the export",
        )
    })
}

/// Names the damage.
fn damaged(text: &str) -> CheckFinding {
    let shown = crate::text::masked_excerpt(text);
    let again = "take the ids from the export again, as text: in a spreadsheet the column must not be a number";
    if text.starts_with(['\'', '\u{2018}', '\u{2019}', '`']) {
        return CheckFinding::new(
            ProblemCode::RecordApostrophe,
            format!("the record id {shown} begins with an apostrophe"),
            "remove the apostrophe; it only marks text in a spreadsheet",
        );
    }
    if text.chars().any(|c| c.is_numeric() && !c.is_ascii_digit()) {
        return CheckFinding::new(
            ProblemCode::RecordWideDigits,
            format!("the record id {shown} has digits that are not 0 to 9"),
            "write it with the digits 0 to 9",
        );
    }
    if text.starts_with(['+', '-', '\u{2212}']) {
        return CheckFinding::new(
            ProblemCode::RecordSign,
            format!("the record id {shown} has a sign"),
            "remove the sign, and check where it came from",
        );
    }
    if is_scientific(text) {
        return CheckFinding::new(
            ProblemCode::RecordScientific,
            format!("the record id {shown} is in scientific notation: its last digits are lost"),
            again,
        );
    }
    if is_grouped(text) {
        return CheckFinding::new(
            ProblemCode::RecordThousands,
            format!("the record id {shown} has separators between thousands"),
            again,
        );
    }
    if is_decimal(text) {
        return CheckFinding::new(
            ProblemCode::RecordDecimal,
            format!("the record id {shown} has a decimal point"),
            again,
        );
    }
    let culprit = text.chars().find(|c| !c.is_ascii_digit());
    let named = match culprit {
        Some(c) if c.is_whitespace() || c.is_control() => format!("the character U+{:04X}", u32::from(c)),
        Some(c) => format!("\"{c}\""),
        None => "no digits".to_owned(),
    };
    CheckFinding::new(
        ProblemCode::RecordNotDigits,
        format!("the record id \"{shown}\" contains {named}"),
        "an id has digits only, as in the address of the record's page",
    )
}

fn is_scientific(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(exponent) && (all_digits(number) || is_decimal(number))
}

/// Digits with one point or comma among them.
fn is_decimal(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once(['.', ',']) else { return false };
    !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
}

/// Groups of three digits with the same separator between them.
fn is_grouped(text: &str) -> bool {
    let Some(separator) = text.chars().find(|c| !c.is_ascii_digit()) else { return false };
    if !matches!(separator, '.' | ',' | '\'' | '\u{2019}' | '_' | ' ' | '\u{A0}' | '\u{202F}' | '\u{2009}') {
        return false;
    }
    let mut groups = text.split(separator);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_digit())
        && groups.all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How many digits an id has.
pub(super) fn digits(id: RecordId) -> usize {
    id.get().checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Whether a spreadsheet could have rounded this id: 17 to 19 digits, and zeros behind the 15th.
pub(super) fn looks_rounded(id: RecordId) -> bool {
    match digits(id) {
        17 => id.get().is_multiple_of(100),
        18 => id.get().is_multiple_of(1_000),
        19 => id.get().is_multiple_of(10_000),
        _ => false,
    }
}

/// The digits that stand for the organisation, in ids of the usual length.
pub(super) fn organisation(id: RecordId) -> Option<u64> {
    const RECORD_DIGITS: u64 = 1_000_000_000_000;
    (digits(id) >= 16).then(|| id.get() / RECORD_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_damage_has_its_own_name() {
        for (text, wanted) in [
            ("738964000000291009", "ok"),
            ("zcrm_738964000000291009", "ok"),
            ("1000000000", "ok"),
            ("9223372036854775807", "ok"),
            ("9223372036854775808", "record-too-large"),
            ("9999999999999999999", "record-too-large"),
            ("999999999", "record-length"),
            ("10000000000000000000", "record-length"),
            ("0738964000000291009", "record-leading-zero"),
            ("7.38964E+17", "record-scientific"),
            ("7,38964E+17", "record-scientific"),
            ("7e17", "record-scientific"),
            ("738964000000291009.0", "record-decimal"),
            ("738964000000291009,", "record-decimal"),
            ("738.964.000.000.291.009", "record-thousands"),
            ("738,964,000,000,291,009", "record-thousands"),
            ("738 964 000 000 291 009", "record-thousands"),
            ("738\u{A0}964\u{A0}000", "record-thousands"),
            ("738_964_000", "record-thousands"),
            ("+738964000000291009", "record-sign"),
            ("-738964000000291009", "record-sign"),
            ("７３８９６４", "record-wide-digits"),
            ("٧٣٨٩٦٤", "record-wide-digits"),
            ("'738964000000291009", "record-apostrophe"),
            ("0x1F", "record-not-digits"),
            ("zcrm_", "record-not-digits"),
            ("ZCRM_738964000000291009", "record-not-digits"),
            ("738964000000291009\u{A0}", "record-not-digits"),
            ("ABC-1", "record-not-digits"),
        ] {
            let found = read(text).map_or_else(|finding| finding.code.as_str(), |_| "ok");
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn a_rounded_id_has_zeros_behind_its_fifteenth_digit() {
        let rounded = |text: &str| looks_rounded(read(text).unwrap().id);
        assert!(rounded("4150868000001940000") && rounded("738964000000291000") && rounded("73896400000029100"));
        assert!(!rounded("4150868000001944000") && !rounded("738964000000291100") && !rounded("7389640000002910"));
    }
}
