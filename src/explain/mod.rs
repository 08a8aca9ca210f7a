//! What each code means and what to do about it: the pages of `attache explain`.
//!
//! The texts about a manifest's problems stand with their codes in `problem`; `outcomes` has those of the codes in the
//! results, `plan` those of what a plan says, `findings` those of a verification, `statuses` and `exits` those of the two kinds
//! of status. Here is only how they are found and shown.

pub mod doctor_checks;
pub mod exits;
pub mod findings;
pub mod outcomes;
pub mod plan;
pub mod reasons;
pub mod statuses;

use std::fmt::Write as _;

use crate::problem::ProblemCode;
use crate::text::{nearest, wrap};

/// One page: a code, what it means, what to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExplainPage {
    /// The code as it appears in problems or results, or an exit status.
    pub code: &'static str,
    /// What it means, in one line without a full stop.
    pub title: &'static str,
    /// What has happened and why it matters, in whole sentences.
    pub meaning: &'static str,
    /// What to do about it, in whole sentences.
    pub remedy: &'static str,
}

/// A kind of codes, with its pages in the order in which they are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chapter {
    /// Where these codes appear.
    pub title: &'static str,
    /// The pages.
    pub pages: &'static [ExplainPage],
}

/// Every page there is.
pub const CHAPTERS: [Chapter; 8] = [
    Chapter { title: "Problems of a manifest", pages: &PROBLEMS },
    Chapter { title: "What a plan says", pages: plan::PAGES },
    Chapter { title: "Statuses in the results", pages: statuses::PAGES },
    Chapter { title: "Codes in the results", pages: outcomes::PAGES },
    Chapter { title: "Reasons in a list of what was left out", pages: reasons::PAGES },
    Chapter { title: "Findings of a verification", pages: findings::PAGES },
    Chapter { title: "Checks of attache doctor", pages: doctor_checks::PAGES },
    Chapter { title: "Exit statuses", pages: exits::PAGES },
];

/// The pages of the codes that a manifest's problems have.
const PROBLEMS: [ExplainPage; ProblemCode::ALL.len()] = {
    let mut pages = [ExplainPage { code: "", title: "", meaning: "", remedy: "" }; ProblemCode::ALL.len()];
    let mut at = 0;
    while at < pages.len() {
        let code = ProblemCode::ALL[at];
        pages[at] =
            ExplainPage { code: code.as_str(), title: code.title(), meaning: code.meaning(), remedy: code.remedy() };
        at += 1;
    }
    pages
};

/// There is no such code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoSuchCode {
    /// The codes of its kind that may be meant, the likeliest first.
    pub nearest: Vec<&'static str>,
}

/// The page of a code; case does not matter, nor whether its words are joined by `-` or `_`.
///
/// # Errors
///
/// If there is none, with those that may be meant.
pub fn find(code: &str) -> Result<&'static ExplainPage, NoSuchCode> {
    let wanted = plain(code);
    let pages = || CHAPTERS.iter().flat_map(|chapter| chapter.pages);
    if let Some(page) = pages().find(|page| plain(page.code) == wanted) {
        return Ok(page);
    }
    Err(NoSuchCode { nearest: likely(code.trim(), &wanted) })
}

/// What may be meant by an unknown word: any exit status by a number; otherwise the code that is spelled most like it, one of the
/// service for a word in capitals, and those that have the word in them.
fn likely(typed: &str, wanted: &str) -> Vec<&'static str> {
    /// More of them are a list, and there is a command for that.
    const MOST: usize = 6;
    let codes = || CHAPTERS.iter().flat_map(|chapter| chapter.pages).map(|page| page.code);
    if !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        return exits::PAGES.iter().map(|page| page.code).collect();
    }
    let is_of_service = |code: &str| code.contains(|c: char| c.is_ascii_uppercase());
    let kind = is_of_service(typed) && !typed.contains(|c: char| c.is_ascii_lowercase());
    let of_kind = codes().filter(|code| is_of_service(code) == kind);
    let spelled_alike = nearest_joined(wanted, of_kind).or_else(|| nearest_joined(wanted, codes()));
    let has_it = codes().filter(|code| wanted.len() > 2 && plain(code).split('-').any(|part| part == wanted));
    let mut found: Vec<&str> = spelled_alike.into_iter().collect();
    found.extend(has_it);
    found.dedup();
    found.truncate(MOST);
    found
}

/// The code that is spelled most like a word, however its parts are joined.
fn nearest_joined(wanted: &str, codes: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let joined: Vec<(String, &str)> = codes.map(|code| (plain(code), code)).collect();
    let found = nearest(wanted, joined.iter().map(|(plain, _)| plain.as_str()))?;
    joined.iter().find(|(plain, _)| plain == found).map(|(_, code)| *code)
}

fn plain(code: &str) -> String {
    code.trim().to_lowercase().replace('_', "-")
}

/// One page as text.
pub fn page(page: &ExplainPage) -> String {
    let ExplainPage { code, title, meaning, remedy } = page;
    let mut text = format!("{code}: {title}\n");
    let _ = write!(text, "\nWhat it means\n{}", indented(meaning));
    if let Ok(problem) = code.parse::<ProblemCode>() {
        text.push_str("\nFor example\n");
        for line in problem.example().lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    if !remedy.is_empty() {
        let _ = write!(text, "\nWhat to do\n{}", indented(remedy));
    }
    text
}

/// Every code with its title, a line each.
pub fn contents() -> String {
    let mut text = String::new();
    for Chapter { title, pages } in CHAPTERS {
        let width = pages.iter().map(|page| page.code.len()).max().unwrap_or(0);
        let _ = writeln!(text, "{title}:");
        for page in pages {
            let _ = writeln!(text, "  {:width$}  {}", page.code, page.title);
        }
        text.push('\n');
    }
    text.push_str("attache explain CODE says more about each.\n");
    text
}

/// Fills lines of at most 78 characters, two blanks before each.
fn indented(body: &str) -> String {
    /// Of 80 characters, two stand before the text and two are left free.
    const WIDTH: usize = 76;
    let paragraphs = body.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        wrap(&words.join(" "), WIDTH).iter().map(|line| format!("  {line}\n")).collect::<String>()
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn pages() -> impl Iterator<Item = &'static ExplainPage> {
        CHAPTERS.iter().flat_map(|chapter| chapter.pages)
    }

    #[test]
    fn every_page_is_complete_and_found_by_its_code_alone() {
        let mut codes = HashSet::new();
        for page in pages() {
            assert!(codes.insert(plain(page.code)), "{} is explained twice", page.code);
            assert!(!page.title.is_empty() && !page.title.ends_with('.'), "{}", page.code);
            assert!(page.meaning.ends_with(['.', '?']), "{}", page.code);
            assert!(page.remedy.is_empty() || page.remedy.ends_with(['.', '?']), "{}", page.code);
            assert_eq!(find(page.code), Ok(page));
            assert_eq!(find(&page.code.to_uppercase().replace('-', "_")), Ok(page));
        }
    }

    #[test]
    fn a_mistyped_code_gets_the_nearest_one() {
        let longest = pages().max_by_key(|page| page.code.len()).unwrap().code;
        let likely = |typed: &str| find(typed).map_err(|unknown| unknown.nearest);
        assert_eq!(likely(&format!("{longest}z")), Err(vec![longest]));
        assert_eq!(likely("something-else-altogether"), Err(vec![]));
    }

    #[test]
    fn an_unknown_word_gets_words_of_its_kind() {
        let likely = |typed: &str| find(typed).expect_err("unknown").nearest;
        assert_eq!(likely("7"), exits::PAGES.iter().map(|page| page.code).collect::<Vec<_>>());
        assert_eq!(likely("NO_PERMISION").first(), Some(&"NO_PERMISSION"), "a code of the service, not of a manifest");
        assert_eq!(likely("Uploadd"), ["uploaded"]);
        let backslash = likely("backslash");
        assert!(backslash.contains(&"file-backslash"), "{backslash:?}");
    }

    #[test]
    fn a_page_keeps_to_the_width_of_a_terminal() {
        for page in pages().map(page) {
            assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
        }
        insta::assert_snapshot!(page(find("4").unwrap()));
    }
}
