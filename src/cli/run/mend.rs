//! The file with the rows to mend: written when the check is over, and again, with the rows that failed at the service, when
//! the run is. So all that somebody has to look at is in one list, with cause and remedy.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::anyhow;

use super::prepare::Prepared;
use crate::check::{Checked, Checkup, LeftOut, LeftOutCells, RowIx};
use crate::checksum::ChecksumKind;
use crate::cli::failure::{Failure, OrExit as _};
use crate::cli::values::Output;
use crate::console::mend::{MendForm, MendTable, RefusedRow};
use crate::exit::Exit;
use crate::explain::outcomes::advice;
use crate::outcome::{Status, is_temporary};
use crate::results::{self, Line};
use crate::text::system_words;
use crate::units::counted;
use crate::upload::{RowKey, SourceKind};

/// The file of a run, as it was written last.
pub(super) struct MendFile {
    path: PathBuf,
    form: MendForm,
    /// To tell whether somebody has begun to mend it since.
    stamp: Option<(u64, SystemTime)>,
}

impl MendFile {
    /// Writes the rows that the check found wrong; `None` where nobody asked for them.
    pub(super) fn after_check(prepared: &Prepared, checkup: &Checkup) -> Result<Option<MendFile>, Failure> {
        let Some(path) = prepared.args.out.problems.clone() else { return Ok(None) };
        let form = MendForm::of(&path, checkup.manifest.delimiter);
        let mut file = MendFile { path, form, stamp: None };
        let table = table(checkup, &[]);
        file.write(&table)?;
        if !table.is_empty() {
            file.say(prepared, checkup, table.len())?;
        }
        Ok(Some(file))
    }

    /// Writes it again with the rows that failed for good. Those that go again by themselves are nobody's to mend, and those
    /// in doubt must not be sent from another manifest.
    pub(super) fn after_run(
        mut self,
        prepared: &Prepared,
        checkup: &Checkup,
        checked: &Checked,
    ) -> Result<(), Failure> {
        let refused = refused(prepared, checked).or_exit(Exit::Results)?;
        if refused.is_empty() {
            return Ok(());
        }
        let table = table(checkup, &refused);
        if stamp(&self.path) != self.stamp {
            let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let extension = self.path.extension().unwrap_or_default().to_string_lossy().into_owned();
            self.path.set_file_name(format!("{stem}.after-run.{extension}"));
        }
        self.write(&table)?;
        self.say(prepared, checkup, table.len())
    }

    /// It takes its place at once, so that a reader never meets half of it.
    fn write(&mut self, table: &MendTable<'_>) -> Result<(), Failure> {
        crate::atomic_file::replace(&self.path, |out| table.write(self.form, out))
            .map_err(|error| anyhow!("cannot write {}: {}", self.path.display(), system_words(&error)))
            .or_exit(Exit::Usage)?;
        self.stamp = stamp(&self.path);
        Ok(())
    }

    /// What it is good for, and what a spreadsheet does to ids.
    fn say(&self, prepared: &Prepared, checkup: &Checkup, rows: usize) -> Result<(), Failure> {
        if prepared.args.out.output == Output::Json {
            return Ok(());
        }
        let ids = match self.form {
            MendForm::Workbook => "Ids are text in it.",
            MendForm::Csv(_) => {
                "Open it with the ids as Text: a spreadsheet takes the last digits of an id away. A file that ends in .xlsx \
                 has them as text."
            }
        };
        let text = format!(
            "\nRows to mend: {} ({}). {ids} Mended, it is a manifest{}.\n",
            self.path.display(),
            counted(rows as u64, "row"),
            self.root_needed(checkup)
        );
        let width = prepared.screen.out_look().width.clamp(40, 100);
        let text = format!("\n{}\n", crate::text::wrap(text.trim(), width).join("\n"));
        match prepared.args.dry_run {
            true => prepared.screen.print_note(&text),
            false => {
                prepared.screen.note(&text);
                Ok(())
            }
        }
    }

    /// Paths are relative to the folder of the manifest: where this file lies in another one, that has to be said.
    fn root_needed(&self, checkup: &Checkup) -> String {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = &checkup.manifest.base;
        match folder.canonicalize().is_ok_and(|folder| folder == *base) {
            true => String::new(),
            false => format!(", run with --root {}", base.display()),
        }
    }
}

fn table<'t>(checkup: &'t Checkup, refused: &'t [RefusedRow]) -> MendTable<'t> {
    MendTable { columns: &checkup.carried_columns, unsound: &checkup.unsound, problems: &checkup.problems, refused }
}

fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// The rows of the manifest that failed for good, in its order.
fn refused(prepared: &Prepared, checked: &Checked) -> io::Result<Vec<RefusedRow>> {
    let table = results::read(&prepared.plan.results, true).map_err(io::Error::other)?;
    let mut lines: HashMap<RowKey, Line> = HashMap::new();
    for line in table.rows() {
        let line = line?;
        if line.status == Status::Failed && !is_temporary(&line.code) {
            lines.insert(line.key, line);
        }
    }
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let failed = checked.rows().filter_map(|row| Some((row, lines.remove(&checked.key(row))?)));
    Ok(failed.map(|(row, line)| refused_row(checked, row, &line)).collect())
}

fn refused_row(checked: &Checked, row: RowIx, line: &Line) -> RefusedRow {
    let upload = checked.upload(row);
    let (file, url) = match upload.kind {
        SourceKind::File => (upload.source, ""),
        SourceKind::Link => ("", upload.source),
    };
    let own = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let record_key = checked.record_key(row);
    let record = if record_key.is_empty() { upload.record.to_string() } else { String::new() };
    let checksums = checked.checksums(row);
    let cells = LeftOutCells {
        module: upload.module,
        record: &record,
        record_key,
        file,
        url,
        name: if upload.name == own { "" } else { upload.name },
        sha256: &checksums.hex(ChecksumKind::Sha256),
        md5: &checksums.hex(ChecksumKind::Md5),
    };
    let otherwise = "Look the record up in the CRM. Mend the row, or send it again with --resend failed.";
    RefusedRow {
        row: LeftOut::new(upload.line, 0, upload.key, &cells, checked.carried(row)),
        wrong: format!("{}: {}", line.code, line.message),
        what_to_do: advice(&line.code, line.http_status, &line.message).unwrap_or(otherwise).to_owned(),
    }
}
