//! What a spreadsheet writes into a cell whose formula went wrong, in whatever language it speaks.

/// Errors that end neither in `!` nor in `?` and hold no `/`: "not available" in German, Turkish and Scandinavian programs.
const PLAIN: [&str; 4] = ["NV", "YOK", "ND", "SAKNAS"];

/// Whether a cell holds the error of a spreadsheet, such as `#N/A`, `#REF!`, `#BEZUG!` or `#¿NOMBRE?`: a formula went
/// wrong, so the row is one whose value was lost, and no comment.
pub(crate) fn is_spreadsheet_error(cell: &str) -> bool {
    const LONGEST: usize = 24;
    let Some(rest) = cell.trim().strip_prefix('#').filter(|rest| rest.len() <= LONGEST) else { return false };
    let fits = |char: char| {
        let letter = char.is_alphabetic() && !char.is_lowercase();
        letter || char.is_ascii_digit() || matches!(char, '/' | '.' | '_' | '!' | '?' | '¡' | '¿')
    };
    let marked = rest.ends_with(['!', '?']) || rest.contains('/') || PLAIN.contains(&rest);
    marked && rest.chars().any(char::is_alphabetic) && rest.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_spreadsheets_are_known_in_many_languages_and_comments_are_none() {
        for error in [
            "#N/A",
            "#REF!",
            "#VALUE!",
            "#NAME?",
            "#DIV/0!",
            "#NULL!",
            "#NUM!",
            "#SPILL!",
            "#NV",
            "#BEZUG!",
            "#WERT!",
            "#N/D",
            "#¿NOMBRE?",
            "#¡REF!",
            "#Н/Д",
            "#ССЫЛКА!",
            "#YOK",
            " #N/A ",
        ] {
            assert!(is_spreadsheet_error(error), "{error}");
        }
        for other in ["# the second batch", "#remark", "#", "#12", "N/A", "#batch/2", "#TODO: look!", ""] {
            assert!(!is_spreadsheet_error(other), "{other}");
        }
    }
}
