//! What a spreadsheet writes into a cell whose formula went wrong, in whatever language it speaks.

/// Errors that end neither in `!` nor in `?` and hold no `/`: "not available" in German, Turkish, Scandinavian, Czech, Slovak
/// and Hungarian programs, and data that had not come yet.
const PLAIN: [&str; 8] = ["NV", "YOK", "ND", "SAKNAS", "NENÍ_K_DISPOZICI", "NEDOSTUPNÝ", "HIÁNYZIK", "GETTING_DATA"];

/// What LibreOffice puts before the number of an error, `Err:502`, in the languages that have a word of their own for it.
const NUMBERED: [&str; 14] = [
    "Err",
    "Error",
    "Erreur",
    "Errore",
    "Erro",
    "Fehler",
    "Fel",
    "Fejl",
    "Feil",
    "Fout",
    "Błąd",
    "Chyba",
    "Ошибка",
    "エラー",
];

/// Whether a cell holds the error of a spreadsheet, such as `#N/A`, `#REF!`, `#BEZUG!` or `#¿NOMBRE?`: a formula went
/// wrong, so the row is one whose value was lost, and no comment.
pub(crate) fn is_spreadsheet_error(cell: &str) -> bool {
    const LONGEST: usize = 24;
    if let Some((word, number)) = cell.trim().split_once(':') {
        let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        return is_number && NUMBERED.contains(&word.trim_end());
    }
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
            "#NENÍ_K_DISPOZICI",
            "#HIÁNYZIK",
            "#GETTING_DATA",
            "#I/T",
            "#VÄRDEFEL!",
            "#¡DESBORDAMIENTO!",
            "Err:502",
            "Fehler:508",
            "Erreur :504",
            "Ошибка:522",
        ] {
            assert!(is_spreadsheet_error(error), "{error}");
        }
        for other in [
            "# the second batch",
            "#remark",
            "#",
            "#12",
            "N/A",
            "#batch/2",
            "#TODO: look!",
            "",
            "Err:1",
            "Error: 502",
            "Notes:502",
        ] {
            assert!(!is_spreadsheet_error(other), "{other}");
        }
    }
}
