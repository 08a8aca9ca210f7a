//! Which row of a record takes over which line: each line goes to at most one row. Decides by what it is told of pairs and
//! reads nothing itself.

use std::collections::HashMap;

use super::compare::Likeness;

/// What to do with rows that may have been sent from another path, where the content of what was sent is not known
/// (`--moved`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum MovedRule {
    /// Ask: such a row is a problem.
    #[default]
    Ask,
    /// They were sent.
    Same,
    /// They were not.
    New,
    /// As said for each row, by its line in the manifest; others are problems.
    ByLine(HashMap<u32, MovedAnswer>),
}

/// What the user says of one row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MovedAnswer {
    /// It was sent from another path.
    Same,
    /// It was not sent.
    New,
}

impl MovedRule {
    /// What is said of the row on this line of the manifest.
    pub(super) fn answer(&self, line: u32) -> Option<MovedAnswer> {
        match self {
            MovedRule::Ask => None,
            MovedRule::Same => Some(MovedAnswer::Same),
            MovedRule::New => Some(MovedAnswer::New),
            MovedRule::ByLine(answers) => answers.get(&line).copied(),
        }
    }
}

/// What to do with rows whose file was sent under another name (`--renamed`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RenamedRule {
    /// Ask: such a row is a problem.
    #[default]
    Ask,
    /// Leave what is there, under its name.
    Keep,
    /// Attach it again, under the new name.
    Send,
}

/// What the contents of a row's file and of what a line tells of say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ContentMatch {
    Same,
    Different,
    /// Nobody knows what was sent.
    Unknown,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowFate {
    /// It was not sent before.
    New,
    /// It takes over the line with this number.
    Takes(usize),
    /// It may have been sent as the line with this number says, from another path.
    SentBefore(usize),
    /// As many rows as this line can stand for have taken it: another row took it.
    SentBeforeByOther(usize),
    /// Its file was sent under another name, as this line says.
    SentUnderAnotherName(usize),
    /// It was sent to another record, to which its key led when this line was written.
    SentToAnotherRecord(usize),
}

impl RowFate {
    /// Leaves the row for later, unless it takes a line.
    pub(super) fn leave_unless_taken(&mut self) {
        if !matches!(self, RowFate::Takes(_)) {
            *self = RowFate::New;
        }
    }
}

/// The pairs of one record, as somebody sees them who knows rows and lines.
pub(super) trait Pairs {
    /// How the row goes with the line.
    fn likeness(&self, row: usize, line: usize) -> Likeness;
    /// What the contents say. Asked only where the likeness leaves it to them.
    fn content(&self, row: usize, line: usize) -> ContentMatch;
    /// What the user said of the row.
    fn moved(&self, row: usize) -> Option<MovedAnswer>;
}

/// The lines that are not taken yet.
struct FreeLines(Vec<bool>);

impl FreeLines {
    fn of(lines: usize) -> FreeLines {
        FreeLines(vec![true; lines])
    }

    /// The first free line that fits.
    fn find(&self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        self.0.iter().enumerate().filter(|(_, free)| **free).map(|(line, _)| line).find(|line| fits(*line))
    }

    fn take(&mut self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let line = self.find(fits)?;
        self.0[line] = false;
        Some(line)
    }
}

/// The rows that are recognised by what they say, before any file is looked at: row and line.
pub(super) fn assign_as_written(
    rows: usize,
    lines: usize,
    pairs: &impl Pairs,
    renamed: RenamedRule,
) -> Vec<(usize, usize)> {
    let mut free = FreeLines::of(lines);
    let mut taken = Vec::new();
    let mut pass = |wanted: Likeness, taken: &mut Vec<(usize, usize)>| {
        for row in 0..rows {
            if !taken.iter().any(|(other, _)| *other == row) {
                taken.extend(free.take(|line| pairs.likeness(row, line) == wanted).map(|line| (row, line)));
            }
        }
    };
    pass(Likeness::Same, &mut taken);
    if renamed == RenamedRule::Keep {
        pass(Likeness::OtherName, &mut taken);
    }
    taken
}

/// What becomes of the rows that were not recognised by what they say, now that their files are known.
pub(super) fn assign_by_content(rows: usize, lines: usize, pairs: &impl Pairs, renamed: RenamedRule) -> Vec<RowFate> {
    let mut free = FreeLines::of(lines);
    let mut fates = vec![RowFate::New; rows];
    for (row, fate) in fates.iter_mut().enumerate() {
        if let Some(line) = free.take(|line| content_of(pairs, row, line) == Some(ContentMatch::Same)) {
            *fate = RowFate::Takes(line);
        }
    }
    let unknown = |row, line| content_of(pairs, row, line) == Some(ContentMatch::Unknown);
    let before: Vec<Option<usize>> = (0..rows).map(|row| free.find(|line| unknown(row, line))).collect();
    for (row, fate) in fates.iter_mut().enumerate().filter(|(_, fate)| **fate == RowFate::New) {
        let Some(first) = before.get(row).copied().flatten() else { continue };
        match pairs.moved(row) {
            Some(MovedAnswer::New) => {}
            Some(MovedAnswer::Same) => {
                *fate = free.take(|line| unknown(row, line)).map_or(RowFate::SentBeforeByOther(first), RowFate::Takes);
            }
            None => *fate = RowFate::SentBefore(first),
        }
    }
    for (row, fate) in fates.iter_mut().enumerate().filter(|(_, fate)| **fate == RowFate::New) {
        let is_renamed = |line| match pairs.likeness(row, line) {
            Likeness::OtherName => true,
            Likeness::RenamedByContent => pairs.content(row, line) == ContentMatch::Same,
            Likeness::Same | Likeness::ByContent | Likeness::Different => false,
        };
        match renamed {
            RenamedRule::Send => {}
            RenamedRule::Keep => *fate = free.take(is_renamed).map_or(RowFate::New, RowFate::Takes),
            RenamedRule::Ask => *fate = free.find(is_renamed).map_or(RowFate::New, RowFate::SentUnderAnotherName),
        }
    }
    fates
}

fn content_of(pairs: &impl Pairs, row: usize, line: usize) -> Option<ContentMatch> {
    (pairs.likeness(row, line) == Likeness::ByContent).then(|| pairs.content(row, line))
}

/// What becomes of rows that nothing on their own record stands for, held against lines of other records to which their
/// keys led. Each line stands for one row at most.
pub(super) fn assign_by_record_key(rows: usize, lines: usize, pairs: &impl Pairs) -> Vec<RowFate> {
    let mut free = FreeLines::of(lines);
    let is_same_file = |row, line| match pairs.likeness(row, line) {
        Likeness::Same | Likeness::OtherName => true,
        Likeness::ByContent | Likeness::RenamedByContent => pairs.content(row, line) == ContentMatch::Same,
        Likeness::Different => false,
    };
    let fate = |row| match pairs.moved(row) {
        Some(MovedAnswer::New) => RowFate::New,
        Some(MovedAnswer::Same) => free.take(|line| is_same_file(row, line)).map_or(RowFate::New, RowFate::Takes),
        None => free.take(|line| is_same_file(row, line)).map_or(RowFate::New, RowFate::SentToAnotherRecord),
    };
    (0..rows).map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs as a picture: a string for each row, a letter for each line. `=` the same, `n` another name, `c` the same
    /// content, `d` another content, `?` unknown content, `r` renamed and the same content, `o` renamed and another one,
    /// `.` different.
    struct Picture(&'static [&'static str], Option<MovedAnswer>);

    impl Picture {
        fn at(&self, row: usize, line: usize) -> u8 {
            self.0[row].as_bytes()[line]
        }
    }

    impl Pairs for Picture {
        fn likeness(&self, row: usize, line: usize) -> Likeness {
            match self.at(row, line) {
                b'=' => Likeness::Same,
                b'n' => Likeness::OtherName,
                b'c' | b'd' | b'?' => Likeness::ByContent,
                b'r' | b'o' => Likeness::RenamedByContent,
                _ => Likeness::Different,
            }
        }

        fn content(&self, row: usize, line: usize) -> ContentMatch {
            match self.at(row, line) {
                b'c' | b'r' => ContentMatch::Same,
                b'd' | b'o' => ContentMatch::Different,
                _ => ContentMatch::Unknown,
            }
        }

        fn moved(&self, _row: usize) -> Option<MovedAnswer> {
            self.1
        }
    }

    #[test]
    fn each_line_goes_to_at_most_one_row() {
        let as_written = |picture: &'static [&'static str], renamed| {
            assign_as_written(picture.len(), picture[0].len(), &Picture(picture, None), renamed)
        };
        assert_eq!(as_written(&["=", "="], RenamedRule::Ask), [(0, 0)]);
        assert_eq!(as_written(&["==", "=="], RenamedRule::Ask), [(0, 0), (1, 1)]);
        assert_eq!(as_written(&[".=", "?."], RenamedRule::Ask), [(0, 1)]);
        assert_eq!(as_written(&["n", "="], RenamedRule::Keep), [(1, 0)], "what is the same comes before another name");
        assert_eq!(as_written(&["n.", ".n"], RenamedRule::Keep), [(0, 0), (1, 1)]);
        assert_eq!(as_written(&["n"], RenamedRule::Ask), []);
        assert_eq!(as_written(&["n"], RenamedRule::Send), []);
    }

    #[test]
    fn what_went_to_another_record_by_its_key_is_asked_about_once_for_each_line() {
        use RowFate::{New, SentToAnotherRecord, Takes};
        let (same, new) = (Some(MovedAnswer::Same), Some(MovedAnswer::New));
        for (picture, moved, expected) in [
            (&["="][..], None, &[SentToAnotherRecord(0)][..]),
            (&["="], same, &[Takes(0)]),
            (&["="], new, &[New]),
            (&["n"], None, &[SentToAnotherRecord(0)]),
            (&["c", "r"], None, &[SentToAnotherRecord(0), New]),
            (&["?"], None, &[New]),
            (&["d"], None, &[New]),
            (&["o"], None, &[New]),
            (&["=", "="], None, &[SentToAnotherRecord(0), New]),
            (&["==", "=="], same, &[Takes(0), Takes(1)]),
        ] {
            let fates = assign_by_record_key(picture.len(), picture[0].len(), &Picture(picture, moved));
            assert_eq!(fates, expected, "{picture:?} {moved:?}");
        }
    }

    #[test]
    fn what_the_content_says_comes_before_what_nobody_knows_and_that_before_another_name() {
        use RowFate::{New, SentBefore, SentBeforeByOther, SentUnderAnotherName, Takes};
        let ask = RenamedRule::Ask;
        let (same, new) = (Some(MovedAnswer::Same), Some(MovedAnswer::New));
        for (picture, moved, renamed, expected) in [
            (&["c"][..], None, ask, &[Takes(0)][..]),
            (&["d"], None, ask, &[New]),
            (&["?"], None, ask, &[SentBefore(0)]),
            (&["?"], same, ask, &[Takes(0)]),
            (&["?"], new, ask, &[New]),
            (&["?", "c"], None, ask, &[New, Takes(0)]),
            (&["?c", "?d"], None, ask, &[Takes(1), SentBefore(0)]),
            // Two rows could be the one that was sent: neither is sent without a word, and no line is taken twice.
            (&["?", "?"], None, ask, &[SentBefore(0), SentBefore(0)]),
            (&["?", "?"], same, ask, &[Takes(0), SentBeforeByOther(0)]),
            (&["?", "?"], new, ask, &[New, New]),
            (&["n"], None, ask, &[SentUnderAnotherName(0)]),
            (&["n"], None, RenamedRule::Send, &[New]),
            (&["n?"], None, ask, &[SentBefore(1)]),
            (&["nd"], None, ask, &[SentUnderAnotherName(0)]),
            (&["n", "c"], None, ask, &[New, Takes(0)]),
            (&["..", ".."], None, ask, &[New, New]),
            (&["r"], None, ask, &[SentUnderAnotherName(0)]),
            (&["r"], None, RenamedRule::Keep, &[Takes(0)]),
            (&["r"], None, RenamedRule::Send, &[New]),
            (&["o"], None, ask, &[New]),
            (&["r", "r"], None, RenamedRule::Keep, &[Takes(0), New]),
            (&["r", "c"], None, ask, &[New, Takes(0)]),
        ] {
            let fates = assign_by_content(picture.len(), picture[0].len(), &Picture(picture, moved), renamed);
            assert_eq!(fates, expected, "{picture:?} {moved:?} {renamed:?}");
        }
    }
}
