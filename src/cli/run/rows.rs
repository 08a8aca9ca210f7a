//! The rows of a manifest as the results need them: those that passed and those left out, in manifest order.

use crate::check::{Checked, LeftOut, RowIx};
use crate::outcome::{OwnCode, Status};
use crate::plan::Plan;
use crate::results::{Line, ResultsRows};
use crate::upload::RowKey;

/// Where each row of the manifest stands: among those that passed, or among those left out.
enum RowPlace<'c> {
    Passed(RowIx),
    LeftOut(&'c LeftOut),
}

/// All rows of a manifest. Holds nothing of its own but a few numbers: a left-out row's place among all rows is found by
/// its line, since both kinds are in manifest order.
pub(crate) struct ManifestRows<'c> {
    checked: &'c Checked,
    /// For each left-out row, how many rows that passed stand before it.
    before: Vec<u32>,
    plan: &'c Plan,
    target: &'c str,
    run: &'c str,
}

impl<'c> ManifestRows<'c> {
    /// The rows of a plan's manifest, for results of this target and run.
    pub(crate) fn new(plan: &'c Plan, target: &'c str, run: &'c str) -> ManifestRows<'c> {
        let checked = plan.checked();
        let mut passed = checked.rows().map(|row| checked.line(row)).peekable();
        let mut count = 0;
        let before = checked
            .left_out()
            .iter()
            .map(|left_out| {
                while passed.next_if(|line| *line < left_out.line).is_some() {
                    count += 1;
                }
                count
            })
            .collect();
        ManifestRows { checked, before, plan, target, run }
    }

    fn place(&self, row: u32) -> RowPlace<'c> {
        // The left-out row number `ix` is row `before[ix] + ix` of the manifest.
        let left_out_before = partition(self.before.len(), |ix| self.before[ix] as usize + ix < row as usize);
        let is_left_out = self.before.get(left_out_before).is_some_and(|before| before + left_out_before as u32 == row);
        match self.checked.left_out().get(left_out_before).filter(|_| is_left_out) {
            Some(left_out) => RowPlace::LeftOut(left_out),
            None => RowPlace::Passed(RowIx(row - left_out_before as u32)),
        }
    }
}

/// How many of the first numbers hold to a rule that holds up to some number and not beyond.
fn partition(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl ResultsRows for ManifestRows<'_> {
    fn columns(&self) -> &[String] {
        self.checked.carried_columns()
    }

    fn len(&self) -> u32 {
        // Rows are numbered in 32 bits throughout.
        (self.checked.len() + self.before.len()) as u32
    }

    fn key(&self, row: u32) -> RowKey {
        match self.place(row) {
            RowPlace::Passed(row) => self.checked.key(row),
            RowPlace::LeftOut(left_out) => left_out.key,
        }
    }

    fn line(&self, row: u32) -> u32 {
        match self.place(row) {
            RowPlace::Passed(row) => self.checked.line(row),
            RowPlace::LeftOut(left_out) => left_out.line,
        }
    }

    fn carried(&self, row: u32, each: &mut dyn FnMut(&str)) {
        match self.place(row) {
            RowPlace::Passed(row) => self.checked.carried(row).for_each(each),
            RowPlace::LeftOut(left_out) => left_out.carried(self.columns().len()).for_each(each),
        }
    }

    fn blank(&self, row: u32) -> Line {
        match self.place(row) {
            RowPlace::Passed(row) => {
                let bytes = self.checked.facts(row).map(|facts| facts.size);
                let line = Line::of(&self.checked.upload(row), bytes, self.target, self.run);
                let carried = self.checked.carried(row).map(str::to_owned).collect();
                let record_key = self.checked.record_key(row).to_owned();
                let is_selected = self.plan.is_selected(row);
                let code = if is_selected { OwnCode::RunEnded } else { OwnCode::NotSelected };
                Line { code: code.into(), record_key, carried, ..line }
            }
            RowPlace::LeftOut(left_out) => self.invalid(left_out),
        }
    }
}

impl ManifestRows<'_> {
    fn invalid(&self, left_out: &LeftOut) -> Line {
        let cells = left_out.cells();
        Line {
            line: left_out.line,
            module: cells.module.to_owned(),
            record: cells.record.to_owned(),
            record_key: cells.record_key.to_owned(),
            file: cells.file.to_owned(),
            url: cells.url.to_owned(),
            name: cells.name.to_owned(),
            status: Status::Invalid,
            attachment_id: None,
            code: left_out.code().as_str().to_owned(),
            message: left_out.message().to_owned(),
            http_status: None,
            tries: 0,
            bytes: None,
            content: None,
            seconds: std::time::Duration::ZERO,
            sent_at: None,
            finished_at: None,
            created_time: None,
            created_by: None,
            carried: left_out.carried(self.columns().len()).map(str::to_owned).collect(),
            target: self.target.to_owned(),
            org: None,
            run: self.run.to_owned(),
            key: left_out.key,
        }
    }
}
