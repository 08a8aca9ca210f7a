//! The columns of a results file: which there are, in which order, and which of them a file at hand has.
//!
//! A file is read by its header, so files of earlier versions, which lack the columns that came later, are read as well.
//! A new column is one line of [`COLUMNS`] and its cell in `codec.rs`.

use std::borrow::Cow;
use std::ops::Range;

use super::cell;

/// A column of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum ResultsColumn {
    Line,
    Module,
    Record,
    RecordKey,
    File,
    Url,
    Name,
    Status,
    AttachmentId,
    Code,
    Message,
    HttpStatus,
    Tries,
    Bytes,
    Content,
    Seconds,
    SentAt,
    FinishedAt,
    CreatedTime,
    CreatedBy,
    Target,
    Org,
    Run,
    Key,
    Check,
}

/// What is fixed about a column.
struct ColumnSpec {
    column: ResultsColumn,
    name: &'static str,
    place: ColumnPlace,
    since: ColumnSince,
}

/// On which side of the carried columns a column of ours stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ColumnPlace {
    Front,
    Back,
}

/// Since when there is a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ColumnSince {
    /// Every results file has it.
    Always,
    /// Files that an earlier version wrote may lack it.
    Later,
}

const fn front(column: ResultsColumn, name: &'static str) -> ColumnSpec {
    ColumnSpec { column, name, place: ColumnPlace::Front, since: ColumnSince::Always }
}

const fn back(column: ResultsColumn, name: &'static str) -> ColumnSpec {
    ColumnSpec { column, name, place: ColumnPlace::Back, since: ColumnSince::Always }
}

impl ColumnSpec {
    const fn later(self) -> ColumnSpec {
        ColumnSpec { since: ColumnSince::Later, ..self }
    }
}

/// Every column of ours, in its order; in the order of [`ResultsColumn`], too.
const COLUMNS: [ColumnSpec; 25] = [
    front(ResultsColumn::Line, "line"),
    front(ResultsColumn::Module, "module"),
    front(ResultsColumn::Record, "record"),
    front(ResultsColumn::RecordKey, "record_key").later(),
    front(ResultsColumn::File, "file"),
    front(ResultsColumn::Url, "url"),
    front(ResultsColumn::Name, "name"),
    front(ResultsColumn::Status, "status"),
    front(ResultsColumn::AttachmentId, "attachment_id"),
    front(ResultsColumn::Code, "code"),
    front(ResultsColumn::Message, "message"),
    front(ResultsColumn::HttpStatus, "http_status"),
    front(ResultsColumn::Tries, "tries"),
    front(ResultsColumn::Bytes, "bytes"),
    front(ResultsColumn::Content, "content").later(),
    front(ResultsColumn::Seconds, "seconds"),
    front(ResultsColumn::SentAt, "sent_at"),
    front(ResultsColumn::FinishedAt, "finished_at"),
    front(ResultsColumn::CreatedTime, "created_time"),
    front(ResultsColumn::CreatedBy, "created_by"),
    back(ResultsColumn::Target, "target"),
    back(ResultsColumn::Org, "org").later(),
    back(ResultsColumn::Run, "run"),
    back(ResultsColumn::Key, "key"),
    back(ResultsColumn::Check, "check"),
];

/// One place of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// A column of ours.
    Ours(ResultsColumn),
    /// The so many-th carried column, from 0.
    Carried(usize),
}

/// The columns of one results file: ours, and those carried over from the manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    carried: Vec<String>,
    /// What stands where.
    slots: Vec<Slot>,
    /// Of each column of ours: where it stands, if the file has it.
    places: [Option<usize>; COLUMNS.len()],
}

impl Default for Layout {
    fn default() -> Layout {
        Layout::new(Vec::<String>::new())
    }
}

impl Layout {
    /// The layout that is written today, with these carried columns.
    pub fn new(carried: impl IntoIterator<Item = impl Into<String>>) -> Layout {
        Layout::having(carried.into_iter().map(Into::into).collect(), |_| true)
    }

    fn having(carried: Vec<String>, has: impl Fn(ResultsColumn) -> bool) -> Layout {
        let of = |place| COLUMNS.iter().filter(move |spec| spec.place == place).map(|spec| spec.column);
        let front = of(ColumnPlace::Front).filter(|column| has(*column)).map(Slot::Ours);
        let back = of(ColumnPlace::Back).filter(|column| has(*column)).map(Slot::Ours);
        let slots: Vec<Slot> = front.chain((0..carried.len()).map(Slot::Carried)).chain(back).collect();
        let places = COLUMNS.map(|spec| slots.iter().position(|slot| *slot == Slot::Ours(spec.column)));
        Layout { carried, slots, places }
    }

    /// The carried columns, in their order.
    pub fn carried(&self) -> &[String] {
        &self.carried
    }

    /// All columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| self.name_of(*slot))
    }

    fn name_of(&self, slot: Slot) -> &str {
        match slot {
            Slot::Ours(column) => COLUMNS[column as usize].name,
            Slot::Carried(at) => self.carried.get(at).map_or("", String::as_str),
        }
    }

    /// The layout that holds what `self` carries and then what only `older` does.
    pub(super) fn with_older(&self, older: &Layout) -> Layout {
        let more = older.carried.iter().filter(|column| !self.carried.contains(column));
        Layout::new(self.carried.iter().chain(more).cloned())
    }

    /// Carried cells of another layout as they stand in this one.
    pub fn rearranged(&self, other: &Layout, mut cells: Vec<String>) -> Vec<String> {
        if self.carried == other.carried {
            return cells;
        }
        let place = |column| other.carried.iter().position(|other| other == column);
        let mut cell = |at| cells.get_mut(at).map(std::mem::take);
        self.carried.iter().map(|column| place(column).and_then(&mut cell).unwrap_or_default()).collect()
    }

    pub(super) fn encode_header(&self, out: &mut Vec<u8>) {
        for (at, column) in self.columns().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            cell::push(out, column);
        }
        out.push(b'\n');
    }

    /// The layout that a header line (without its newline) tells of; `None` if it is not a header of ours.
    pub(super) fn decode_header(line: &[u8]) -> Option<Layout> {
        // Spreadsheets put a mark of UTF-8 in front.
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        cell::split(line, &mut ranges)?;
        let columns: Vec<Cow<'_, str>> =
            ranges.into_iter().map(|range| cell::text(&line[range])).collect::<Option<_>>()?;
        // No carried column has a name of ours: the manifest's reader lets only `note` and `x_…` be carried.
        let has = |column: ResultsColumn| columns.iter().any(|name| name == COLUMNS[column as usize].name);
        let is_ours = |name: &str| COLUMNS.iter().any(|spec| spec.name == name);
        let carried = columns.iter().filter(|name| !is_ours(name)).map(|name| name.clone().into_owned()).collect();
        let complete = COLUMNS.iter().all(|spec| spec.since == ColumnSince::Later || has(spec.column));
        let layout = Layout::having(carried, has);
        (complete && layout.columns().eq(columns.iter().map(|name| name.as_ref()))).then_some(layout)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Where a column stands; `None` in a file from before there was one.
    pub(super) fn index(&self, column: ResultsColumn) -> Option<usize> {
        self.places[column as usize]
    }

    /// Where the carried columns stand.
    pub(super) fn carried_places(&self) -> Range<usize> {
        let start = self.slots.iter().position(|slot| matches!(slot, Slot::Carried(_))).unwrap_or(0);
        start..start + self.carried.len()
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.slots.get(index).map_or("", |slot| self.name_of(*slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(layout: &Layout) -> String {
        let mut header = Vec::new();
        layout.encode_header(&mut header);
        String::from_utf8(header).expect("UTF-8").strip_suffix('\n').expect("newline").to_owned()
    }

    #[test]
    fn the_table_of_columns_is_in_the_order_of_their_kind() {
        for (at, spec) in COLUMNS.iter().enumerate() {
            assert_eq!(spec.column as usize, at, "{}", spec.name);
        }
    }

    #[test]
    fn a_header_reads_back_its_carried_columns_and_nothing_else_is_a_header() {
        let layout = Layout::new(["note", "x_batch"]);
        let text = header(&layout);
        assert_eq!(Layout::decode_header(text.as_bytes()), Some(layout.clone()));
        assert_eq!(Layout::decode_header(format!("\u{feff}{text}\r").as_bytes()), Some(layout));
        for other in ["", "module,record,file", &text.replace(',', ";"), &text.replace("status", "Status"), &text[..40]]
        {
            assert_eq!(Layout::decode_header(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Layout::decode_header(text.replace("run,key", "key,run").as_bytes()), None, "another order");
    }

    #[test]
    fn a_header_from_before_a_column_was_there_is_one_of_ours() {
        let older = header(&Layout::new(["note"])).replace("content,", "").replace("org,", "");
        let layout = Layout::decode_header(older.as_bytes()).expect("a header of ours");
        assert_eq!((layout.index(ResultsColumn::Content), layout.index(ResultsColumn::Org)), (None, None));
        assert_eq!((layout.carried(), header(&layout)), (&["note".to_owned()][..], older));
        assert_ne!(layout, Layout::new(["note"]));
    }

    #[test]
    fn columns_of_older_runs_are_kept_behind_those_of_the_manifest() {
        let merged = Layout::new(["x_b", "note"]).with_older(&Layout::new(["x_a", "note"]));
        assert_eq!(merged, Layout::new(["x_b", "note", "x_a"]));
    }
}
