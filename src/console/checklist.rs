//! A list of checks: how each ended, its name, what was found, what to do.

use std::fmt::Write as _;

use anstyle::AnsiColor;

use super::{Look, Paint};
use crate::doctor::findings::CheckStatus;
use crate::text::{escape_for_terminal, wrap};

/// One check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChecklistLine<'a> {
    /// How it ended.
    pub status: CheckStatus,
    /// Its name.
    pub name: &'a str,
    /// What was found.
    pub detail: &'a str,
    /// What to do; empty where nothing need be done.
    pub advice: &'a str,
}

/// Where the words begin, behind the status and the name.
const INDENT: usize = 25;

/// The checks, words broken into lines.
pub fn render<'a>(lines: impl IntoIterator<Item = ChecklistLine<'a>>, look: Look) -> String {
    let paint = Paint::new(look);
    let room = look.width.saturating_sub(INDENT).max(30);
    let mut text = String::new();
    for line in lines {
        let head = format!("{} {:<14}", mark(line.status, paint), line.name);
        let detail = wrap(&escape_for_terminal(line.detail), room);
        let advice = if line.advice.is_empty() { Vec::new() } else { wrap(&escape_for_terminal(line.advice), room) };
        for (at, words) in detail.iter().chain(&advice).enumerate() {
            let front = if at == 0 { head.clone() } else { " ".repeat(INDENT) };
            let _ = writeln!(text, "{}", format!("{front}{words}").trim_end());
        }
    }
    text
}

fn mark(status: CheckStatus, paint: Paint) -> String {
    let padded = |word: &str| format!("{word:<10}");
    match status {
        CheckStatus::Ok => paint.with(AnsiColor::Green.on_default(), &padded("ok")),
        CheckStatus::Warn => paint.warning(&padded("warn")),
        CheckStatus::Fail => paint.with(AnsiColor::Red.on_default().bold(), &padded("fail")),
        CheckStatus::NotAsked => paint.dim(&padded("not asked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_beside_their_check_and_nothing_moves_the_cursor() {
        let line = |status, name, detail| ChecklistLine { status, name, detail, advice: "Mend it." };
        let lines = [
            line(CheckStatus::Fail, "data-centre", "a few words too many for the rest of one line of sixty characters"),
            line(CheckStatus::NotAsked, "storage", "a\u{1b}[2Jb"),
        ];
        let text = render(lines, Look { color: false, width: 60 });
        assert_eq!(
            text,
            "fail       data-centre   a few words too many for the rest\n                         of one line of sixty \
             characters\n                         Mend it.\nnot asked  storage       a\\u{1b}[2Jb\n                  \
             \x20      Mend it.\n"
        );
    }
}
