//! The manifest of a story, which is exported otherwise between two runs: the same uploads in other words, some taken out,
//! some added, some of their files moved.

use std::collections::BTreeMap;
use std::fs;

use crate::case::Case;

/// Fewer rows are never left.
const LEAST_ROWS: usize = 8;

/// What one attachment is known by at the server: record, name, address of a link.
pub type AttachmentIdentity = (String, String, String);

/// One row, whatever it is written like.
#[derive(Clone)]
struct WantedRow {
    module: &'static str,
    record: u64,
    source: WantedSource,
    /// The name in the CRM; empty: the file's own.
    name: &'static str,
}

#[derive(Clone)]
enum WantedSource {
    /// Which of the story's files.
    File(usize),
    Link(String),
}

/// What is done to a manifest between two runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ManifestEdit {
    /// Paths with a dot, with a way up and down again, or absolute.
    Spelled,
    /// Rows in another order.
    Reordered,
    /// Headings in other letters and another order, cells behind semicolons, a column more or less.
    Headed,
    /// A row that was never there.
    Added,
    /// A row less.
    Removed,
    /// A row that was removed.
    BackAgain,
    /// One file in another folder.
    FileMoved,
    /// All files in another folder.
    FolderMoved,
}

const EDITS: [ManifestEdit; 8] = [
    ManifestEdit::Spelled,
    ManifestEdit::Reordered,
    ManifestEdit::Headed,
    ManifestEdit::Added,
    ManifestEdit::Removed,
    ManifestEdit::BackAgain,
    ManifestEdit::FileMoved,
    ManifestEdit::FolderMoved,
];

/// How the manifest is written.
#[derive(Default)]
struct ExportStyle {
    /// How paths are spelled, drawn anew for each row from this seed; `None`: plainly.
    spelling: Option<u64>,
    semicolons: bool,
    /// The first of the columns.
    first: usize,
    capitals: bool,
    carried: bool,
}

/// The manifest of a story, and the files that it names.
pub struct StoryManifest {
    rows: Vec<WantedRow>,
    removed: Vec<WantedRow>,
    /// Where each file is, from the folder of the case.
    files: Vec<String>,
    style: ExportStyle,
    /// How often each attachment was wanted at most.
    most: BTreeMap<AttachmentIdentity, usize>,
    /// Numbers new folders and new rows.
    next: u64,
}

impl StoryManifest {
    /// Fourteen rows: several of one record, equal sizes, the same file twice on one record, links.
    pub fn new(case: &Case, random: &mut fastrand::Rng) -> StoryManifest {
        let mut story = StoryManifest {
            rows: Vec::new(),
            removed: Vec::new(),
            files: Vec::new(),
            style: ExportStyle::default(),
            most: BTreeMap::new(),
            next: 0,
        };
        for number in 0..12u64 {
            let size = if number % 2 == 0 { 200 } else { random.usize(1..60_000) };
            story.add_file(case, &format!("files/{number}.bin"), size);
            let source = match number {
                5 => WantedSource::Link("https://example.com/a".to_owned()),
                // The same source and name as row 6 on the same record.
                7 => WantedSource::File(6),
                _ => WantedSource::File(number as usize),
            };
            let record = 738_964_000_000_291_000 + number / 3;
            story.rows.push(WantedRow { module: "Leads", record, source, name: "" });
        }
        let deal = |source, name| WantedRow { module: "Deals", record: 738_964_000_000_292_000, source, name };
        story.rows.push(deal(WantedSource::File(0), "renamed.bin"));
        story.rows.push(deal(WantedSource::Link("https://example.com/b".to_owned()), ""));
        story.export(case);
        story
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How often each attachment is wanted now.
    pub fn wanted(&self) -> BTreeMap<AttachmentIdentity, usize> {
        let mut wanted = BTreeMap::new();
        for row in &self.rows {
            *wanted.entry(self.identity(row)).or_default() += 1;
        }
        wanted
    }

    /// How often an attachment was wanted at most.
    pub fn most(&self, attachment: &AttachmentIdentity) -> usize {
        self.most.get(attachment).copied().unwrap_or(0)
    }

    /// Changes the manifest in some ways and writes it; says in which.
    pub fn edit(&mut self, case: &Case, random: &mut fastrand::Rng) -> Vec<ManifestEdit> {
        let drawn: Vec<ManifestEdit> = (0..random.usize(1..4)).map(|_| EDITS[random.usize(..EDITS.len())]).collect();
        let done: Vec<ManifestEdit> = drawn.into_iter().filter(|edit| self.apply(*edit, case, random)).collect();
        self.export(case);
        done
    }

    /// Makes one change; says whether there was anything to change.
    fn apply(&mut self, edit: ManifestEdit, case: &Case, random: &mut fastrand::Rng) -> bool {
        self.next += 1;
        match edit {
            ManifestEdit::Spelled => self.style.spelling = Some(random.u64(..)),
            ManifestEdit::Reordered => random.shuffle(&mut self.rows),
            ManifestEdit::Headed => {
                let (semicolons, first, capitals) = (random.bool(), random.usize(..5), random.bool());
                let spelling = self.style.spelling;
                self.style = ExportStyle { spelling, semicolons, first, capitals, carried: random.bool() };
            }
            ManifestEdit::Added => self.add_row(case, random),
            ManifestEdit::Removed if self.rows.len() > LEAST_ROWS => {
                let row = self.rows.remove(random.usize(..self.rows.len()));
                self.removed.push(row);
            }
            ManifestEdit::BackAgain if !self.removed.is_empty() => {
                let row = self.removed.remove(random.usize(..self.removed.len()));
                self.rows.push(row);
            }
            ManifestEdit::Removed | ManifestEdit::BackAgain => return false,
            ManifestEdit::FileMoved => {
                let file = random.usize(..self.files.len());
                let name = file_name(&self.files[file]).to_owned();
                self.move_file(case, file, &format!("moved-{}/{name}", self.next));
            }
            ManifestEdit::FolderMoved => {
                for file in 0..self.files.len() {
                    let to = format!("files-{}/{}", self.next, self.files[file]);
                    self.move_file(case, file, &to);
                }
            }
        }
        true
    }

    fn add_file(&mut self, case: &Case, path: &str, size: usize) -> usize {
        case.write(path, vec![b'x'; size]);
        self.files.push(path.to_owned());
        self.files.len() - 1
    }

    fn add_row(&mut self, case: &Case, random: &mut fastrand::Rng) {
        let number = self.next;
        let source = if random.u8(..4) == 0 {
            WantedSource::Link(format!("https://example.com/new/{number}"))
        } else {
            WantedSource::File(self.add_file(case, &format!("new/n{number}.bin"), 200))
        };
        let record = 738_964_000_000_291_000 + random.u64(..6);
        let row = WantedRow { module: "Leads", record, source, name: "" };
        self.rows.insert(random.usize(..=self.rows.len()), row);
    }

    fn move_file(&mut self, case: &Case, file: usize, to: &str) {
        let target = case.path(to);
        fs::create_dir_all(target.parent().expect("a file is in a folder")).expect("folders can be made");
        fs::rename(case.path(&self.files[file]), target).expect("files can be moved");
        to.clone_into(&mut self.files[file]);
    }

    fn identity(&self, row: &WantedRow) -> AttachmentIdentity {
        let record = row.record.to_string();
        match &row.source {
            WantedSource::Link(url) => (record, String::new(), url.clone()),
            WantedSource::File(_) if !row.name.is_empty() => (record, row.name.to_owned(), String::new()),
            WantedSource::File(file) => (record, file_name(&self.files[*file]).to_owned(), String::new()),
        }
    }

    /// Writes the manifest, and remembers what it wants.
    fn export(&mut self, case: &Case) {
        for (attachment, count) in self.wanted() {
            let most = self.most.entry(attachment).or_default();
            *most = count.max(*most);
        }
        let style = &self.style;
        let mut spelling = style.spelling.map(fastrand::Rng::with_seed);
        let headings = ["module", "record", "file", "url", "name"];
        let mut lines =
            vec![style.line(headings.map(|name| if style.capitals { name.to_uppercase() } else { name.into() }))];
        if style.carried {
            lines[0].push_str(style.delimiter());
            lines[0].push_str("x_batch");
        }
        for (number, row) in self.rows.iter().enumerate() {
            let (file, url) = match &row.source {
                WantedSource::Link(url) => (String::new(), url.clone()),
                WantedSource::File(file) => (spelled(case, &self.files[*file], spelling.as_mut()), String::new()),
            };
            let mut line = style.line([row.module.into(), row.record.to_string(), file, url, row.name.into()]);
            if style.carried {
                line.push_str(&format!("{}{}", style.delimiter(), number % 3));
            }
            lines.push(line);
        }
        case.write("m.csv", lines.join("\n") + "\n");
    }
}

impl ExportStyle {
    fn delimiter(&self) -> &'static str {
        if self.semicolons { ";" } else { "," }
    }

    fn line(&self, mut cells: [String; 5]) -> String {
        cells.rotate_left(self.first);
        cells.join(self.delimiter())
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path in one of the ways in which exports write it.
fn spelled(case: &Case, path: &str, random: Option<&mut fastrand::Rng>) -> String {
    let folder = path.split('/').next().unwrap_or_default();
    match random.map_or(0, |random| random.u8(..5)) {
        0 => path.to_owned(),
        1 => format!("./{path}"),
        2 => format!("{folder}/../{path}"),
        3 => path.replace('/', "//"),
        _ => case.path(path).display().to_string(),
    }
}
