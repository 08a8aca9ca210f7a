//! Reads a YAML manifest: its head through serde, its rows one by one, from lines where they are plain and otherwise from
//! the events of a YAML parser.
//!
//! Both keep what serde would lose: the text as written (`2024.10`, `007`, `no`), the place of each value, and every
//! problem instead of the first. A million rows pass through a few kilobytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker};

use super::events::{
    Events, EventsEnd, Scalar, SharedText, Value, alias, in_row, is_null, place_of, place_of_value, report_anchor,
    report_tag, without_nul,
};
use super::head::{HEAD_KEYS, OneOrMore, YamlHead};
use super::late_keys::{LateKey, key_after_uploads};
use super::plain::{PlainEntry, PlainExtent, PlainNext, PlainRows, PlainStyle};
use super::problems::{
    ends_at_comment, key_twice, merge_key, missing_version, no_uploads, not_a_row, not_text, report_text, unknown_key,
    wrong_version,
};
use crate::manifest::decode::Decoder;
use crate::manifest::headings::{self, HeadingRule, HeadingRules};
use crate::manifest::limits::{MAX_CARRIED, too_many};
use crate::manifest::reader::Tolerance;
use crate::manifest::row::{self, Field, RawRow};
use crate::problem::{Place, Problem, ProblemCode, ProblemList};

/// A map with more keys than this has unknown ones or too many that are carried, which is reported, so that further ones
/// need not be looked for among all before them.
const MAX_KEYS: usize = MAX_CARRIED + 100;

/// A YAML manifest whose head has been read.
pub(crate) struct YamlDocument {
    events: Events,
    /// How far the `-` of the rows are indented, if some of them may be read without events.
    indent: Option<usize>,
    /// Reads the rows, unless the events do.
    plain: Option<PlainRows>,
    pub(crate) root: Option<(String, Place)>,
    pub(crate) custom_modules: Vec<(String, Place)>,
    pub(crate) crosswalks: Vec<(String, Place)>,
    defaults: Vec<Default>,
    pub(crate) carried: Vec<String>,
    carried_at: HashMap<String, usize>,
    keys: Vec<String>,
    state: DocumentState,
    /// What keys mean that are called otherwise.
    headings: HeadingRules,
    /// Keys of rows that are passed over, a few of them.
    unused: Vec<String>,
    /// Warnings of the row that is being read: unlike errors they do not make it a broken one.
    warnings: Vec<Problem>,
}

/// A value under `defaults:`.
struct Default {
    target: RowKeyTarget,
    text: String,
    place: Place,
}

/// What a key of a row stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RowKeyTarget {
    Field(Field),
    Carried(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DocumentState {
    /// The next event begins a row or ends the list.
    InRows,
    Done,
}

impl YamlDocument {
    /// Reads up to the first row.
    pub(crate) fn open(
        decoder: Decoder,
        headings: HeadingRules,
        late: &[(LateKey, u32)],
        problems: &mut ProblemList,
    ) -> YamlDocument {
        let mut document = YamlDocument::open_with_events(decoder, headings, late, problems);
        if document.state == DocumentState::InRows {
            document.pass_to_plain();
        }
        document
    }

    /// The same, with all rows to be read from events unless [`YamlDocument::pass_to_plain`] is called.
    fn open_with_events(
        decoder: Decoder,
        headings: HeadingRules,
        late: &[(LateKey, u32)],
        problems: &mut ProblemList,
    ) -> YamlDocument {
        let mut document = YamlDocument {
            events: Events::new(decoder),
            indent: None,
            plain: None,
            root: None,
            custom_modules: Vec::new(),
            crosswalks: Vec::new(),
            defaults: Vec::new(),
            carried: Vec::new(),
            carried_at: HashMap::new(),
            keys: Vec::new(),
            state: DocumentState::Done,
            headings,
            unused: Vec::new(),
            warnings: Vec::new(),
        };
        // An `Err` has been reported, and leaves no rows to read.
        let _ = document.read_head(late, problems);
        problems.extend(document.warnings.drain(..));
        if document.state == DocumentState::Done {
            document.events.report_flaws(None, problems);
        } else {
            // What stands on the line of the first row belongs to that.
            let line = document.events.line().saturating_sub(1);
            document.events.report_flaws_up_to(line, None, problems);
        }
        document
    }

    /// The text that the manifest was read from.
    pub(crate) fn text(&self) -> SharedText {
        Rc::clone(&self.events.text)
    }

    /// Reads on without events where the next row can be.
    fn pass_to_plain(&mut self) {
        let Some(indent) = self.indent else { return };
        self.plain = self.events.pass(indent).map(|line| PlainRows::new(indent, line));
    }

    fn read_head(&mut self, late: &[(LateKey, u32)], problems: &mut ProblemList) -> Result<(), EventsEnd> {
        let (first, place) = loop {
            match self.events.next(problems)? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (event, span) => break (event, place_of(span.start)),
            }
        };
        match first {
            Event::MappingStart(_, tag) => report_tag(tag.is_some(), place, None, problems),
            Event::StreamEnd => {
                problems.push(missing_version());
                return Err(EventsEnd);
            }
            _ => {
                problems.push(no_uploads("the file is not a set of keys and values").at(place));
                return Err(EventsEnd);
            }
        }
        let flow = self.events.char_at_last_start() == Some('{');
        let before = problems.total();
        let mut places = HeadPlaces::default();
        let mut uploads = None;
        while let Some((key, at)) = self.next_key(None, problems)? {
            match key.as_str() {
                "uploads" => {
                    uploads = Some((place_of(at), at.index()));
                    break;
                }
                _ => self.head_entry(&key, place_of(at), &mut places, problems)?,
            }
        }
        let version_is_late = late.iter().any(|(key, _)| *key == LateKey::Version);
        if !places.version && !version_is_late {
            problems.push(missing_version());
        }
        if late.iter().any(|(key, _)| *key != LateKey::Version) {
            let place = |line| Place { line, column: Some(1) };
            problems.extend(late.iter().map(|(key, line)| key_after_uploads(key.as_str(), place(*line))));
            return Err(EventsEnd);
        }
        if problems.total() == before && places.version {
            let end = uploads.map(|(_, index)| index);
            self.take_head(end, flow, places, problems);
        }
        match uploads {
            Some((place, _)) => self.begin_rows(place, problems),
            None => {
                problems.push(no_uploads("there is no key uploads"));
                self.end_document(problems)
            }
        }
    }

    /// Looks at one entry of the head: its shape, and where its values are.
    fn head_entry(
        &mut self,
        key: &str,
        place: Place,
        places: &mut HeadPlaces,
        problems: &mut ProblemList,
    ) -> Result<(), EventsEnd> {
        match key {
            "version" => {
                places.version = true;
                match self.events.value(None, problems)? {
                    Value::Scalar(scalar) if scalar.is_plain && scalar.text == "1" => Ok(()),
                    Value::Scalar(scalar) => {
                        problems.push(wrong_version(&scalar));
                        Ok(())
                    }
                    other => self.wrong_kind(key, "a whole number", other, problems),
                }
            }
            "root" => match self.events.value(None, problems)? {
                Value::Scalar(scalar) => {
                    places.root = Some(scalar.place);
                    Ok(())
                }
                other => self.wrong_kind(key, "one text", other, problems),
            },
            "custom_modules" => match self.events.value(None, problems)? {
                Value::Scalar(scalar) if scalar.is_null => Ok(()),
                Value::List(_) => self.custom_modules(places, problems),
                other => self.wrong_kind(key, "a list of names", other, problems),
            },
            "crosswalk" => match self.events.value(None, problems)? {
                Value::Scalar(scalar) if scalar.is_null => Ok(()),
                Value::Scalar(scalar) => {
                    places.crosswalks.push(scalar.place);
                    Ok(())
                }
                Value::List(_) => self.crosswalks(places, problems),
                other => self.wrong_kind(key, "a path or a list of paths", other, problems),
            },
            "columns" => match self.events.value(None, problems)? {
                Value::Scalar(scalar) if scalar.is_null => Ok(()),
                Value::Map(_) => self.columns(problems),
                other => self.wrong_kind(key, "a set of keys and values", other, problems),
            },
            "defaults" => match self.events.value(None, problems)? {
                Value::Scalar(scalar) if scalar.is_null => Ok(()),
                Value::Map(_) => self.defaults(places, problems),
                other => self.wrong_kind(key, "a set of keys and values", other, problems),
            },
            "<<" => {
                problems.push(merge_key(place));
                self.skip_value(problems)
            }
            _ => {
                problems.push(unknown_key(key, place, &HEAD_KEYS, ""));
                self.skip_value(problems)
            }
        }
    }

    fn custom_modules(&mut self, places: &mut HeadPlaces, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        loop {
            match self.events.item(problems)? {
                None => return Ok(()),
                Some(Value::Scalar(scalar)) if !scalar.is_null => places.custom_modules.push(scalar.place),
                Some(other) => self.wrong_kind("custom_modules", "a list of names", other, problems)?,
            }
        }
    }

    fn crosswalks(&mut self, places: &mut HeadPlaces, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        loop {
            match self.events.item(problems)? {
                None => return Ok(()),
                Some(Value::Scalar(scalar)) if !scalar.is_null => places.crosswalks.push(scalar.place),
                Some(other) => self.wrong_kind("crosswalk", "a path or a list of paths", other, problems)?,
            }
        }
    }

    /// What rows call the keys; the user's own word on the command line stands over it.
    fn columns(&mut self, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        let keys = std::mem::take(&mut self.keys);
        while let Some((key, at)) = self.next_key(None, problems)? {
            match self.events.value(None, problems)? {
                Value::Scalar(scalar) => match HeadingRule::new(&key, &scalar.text) {
                    Ok(rule) if self.headings.rules.iter().any(|own| own.column() == rule.column()) => {}
                    Ok(rule) => self.headings.rules.push(rule),
                    Err(why) => {
                        let problem = Problem::new(ProblemCode::HeadValue, why, "columns says what rows call a key");
                        problems.push(problem.at(place_of(at)).about("columns", &key));
                    }
                },
                other => self.wrong_kind("columns", "a set of keys and values", other, problems)?,
            }
        }
        self.keys = keys;
        Ok(())
    }

    fn defaults(&mut self, places: &mut HeadPlaces, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        let mut keys = Vec::new();
        std::mem::swap(&mut keys, &mut self.keys);
        while let Some((key, at)) = self.next_key(None, problems)? {
            let place = place_of(at);
            let known = self.target(&key, place, None, problems);
            match self.events.value(None, problems)? {
                Value::Scalar(scalar) if known.is_some() => {
                    report_text(&key, &scalar, self.is_carried(known), None, problems);
                    self.warnings.extend(known.and_then(|target| cut_by_comment(&key, target, &scalar)));
                    places.defaults.insert(key, (scalar.place, scalar.is_null));
                }
                Value::Scalar(_) | Value::Refused => {}
                other => {
                    problems.push(not_text(&key, &other).at(place_of_value(&other, place)));
                    self.events.skip(problems)?;
                }
            }
        }
        self.keys = keys;
        Ok(())
    }

    /// Reads the head through serde, now that its shape is known to be right.
    fn take_head(&mut self, end: Option<usize>, flow: bool, places: HeadPlaces, problems: &mut ProblemList) {
        let kept = self.events.head(end);
        let text = if flow && end.is_some() { format!("{kept}}}") } else { kept };
        let head: YamlHead = match serde_yaml::from_str(&text) {
            Ok(head) => head,
            Err(error) => {
                problems.push(serde_problem(&error));
                return;
            }
        };
        self.root = head.root.zip(places.root).filter(|(root, _)| !root.is_empty());
        self.custom_modules = head.custom_modules.unwrap_or_default().into_iter().zip(places.custom_modules).collect();
        let crosswalks = head.crosswalk.map(OneOrMore::into_vec).unwrap_or_default();
        self.crosswalks = crosswalks.into_iter().zip(places.crosswalks).collect();
        for (key, text) in head.defaults.unwrap_or_default() {
            let Some((place, _)) = places.defaults.get(&key).copied() else { continue };
            let Some(target) = self.target(&key, place, None, problems) else { continue };
            let text = text.unwrap_or_default();
            self.defaults.push(Default { target, text, place });
        }
    }

    fn begin_rows(&mut self, key_place: Place, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        match self.events.value(None, problems)? {
            Value::List(_) => {
                self.state = DocumentState::InRows;
                let indent = self.events.end_head();
                // What is indented as a whole is rare, and would need as many blanks before what stands for the head.
                self.indent = indent.filter(|_| key_place.column == Some(1));
                Ok(())
            }
            Value::Scalar(scalar) if scalar.is_null => self.finish(problems),
            other => {
                problems.push(no_uploads("uploads is not a list").at(key_place));
                if let Value::List(_) | Value::Map(_) = other {
                    self.events.skip(problems)?;
                }
                self.finish(problems)
            }
        }
    }

    /// The values under `defaults:` as a row of their own, so that they can be judged even if no row uses them.
    pub(crate) fn defaults_row(&self) -> Option<RawRow> {
        if self.defaults.is_empty() {
            return None;
        }
        let mut row = RawRow::default();
        row.begin(self.defaults.iter().map(|default| default.place.line).min().unwrap_or(1));
        for default in &self.defaults {
            if let RowKeyTarget::Field(field) = default.target {
                row.set_value(field, &default.text, default.place);
            }
        }
        Some(row)
    }

    /// Reads the next row that is not blank; `false` at the end.
    pub(crate) fn next(&mut self, row: &mut RawRow, tolerance: &mut Tolerance, problems: &mut ProblemList) -> bool {
        let more = self.try_next(row, tolerance, problems);
        if !matches!(more, Ok(true)) {
            self.state = DocumentState::Done;
            self.events.report_flaws(None, problems);
            let unused: Vec<&str> = self.unused.iter().map(String::as_str).collect();
            problems.extend(headings::ignored(&unused, 1));
            self.unused.clear();
        }
        matches!(more, Ok(true))
    }

    fn try_next(
        &mut self,
        row: &mut RawRow,
        tolerance: &mut Tolerance,
        problems: &mut ProblemList,
    ) -> Result<bool, EventsEnd> {
        while self.state == DocumentState::InRows {
            let number = tolerance.rows.saturating_add(1);
            match self.next_plain() {
                Some(PlainNext::Row(extent)) => {
                    row.begin(0);
                    row.number = number;
                    self.read_plain(row, extent, problems);
                    if row.is_blank() && !row.broken {
                        tolerance.empty_rows += 1;
                        continue;
                    }
                    self.inherit(row);
                    tolerance.count_row();
                    return Ok(true);
                }
                Some(PlainNext::End) => {
                    self.state = DocumentState::Done;
                    return Ok(false);
                }
                Some(PlainNext::Other) | None => {}
            }
            let Some(value) = self.events.item_of_row(number, problems)? else {
                self.finish(problems)?;
                return Ok(false);
            };
            match value {
                Value::Map(place) => {
                    row.begin(place.line);
                    row.number = number;
                    let before = problems.total();
                    self.read_row(row, problems)?;
                    self.pass_to_plain();
                    row.broken |= problems.total() > before;
                    if row.is_blank() && !row.broken {
                        tolerance.empty_rows += 1;
                        continue;
                    }
                    self.inherit(row);
                }
                Value::Scalar(scalar) if scalar.is_null => {
                    tolerance.empty_rows += 1;
                    continue;
                }
                other => {
                    let place = place_of_value(&other, Place { line: self.events.line(), column: None });
                    row.begin(place.line);
                    row.number = number;
                    row.broken = true;
                    if !matches!(other, Value::Refused) {
                        problems.push(not_a_row(&other).at(place).in_row(number));
                    }
                    if let Value::List(_) = other {
                        self.events.skip(problems)?;
                    }
                }
            }
            tolerance.count_row();
            problems.extend(self.warnings.drain(..));
            row.broken |= self.events.report_flaws(Some(row.number), problems);
            return Ok(true);
        }
        Ok(false)
    }

    fn read_row(&mut self, row: &mut RawRow, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        self.keys.clear();
        let number = Some(row.number);
        while let Some((key, at)) = self.next_key(number, problems)? {
            let place = place_of(at);
            let target = self.target(&key, place, number, problems);
            match self.events.value(number, problems)? {
                Value::Scalar(scalar) => self.take_value(row, &key, target, &scalar, problems),
                other => {
                    if let Some(RowKeyTarget::Field(field)) = target {
                        row.refuse(field);
                    }
                    if !matches!(other, Value::Refused) {
                        problems.push(in_row(not_text(&key, &other).at(place_of_value(&other, place)), number));
                        self.events.skip(problems)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What comes next without events, after which the events know where they are.
    fn next_plain(&mut self) -> Option<PlainNext> {
        let plain = self.plain.as_mut()?;
        let next = plain.next(&mut self.events.text.borrow_mut());
        if next == PlainNext::Other {
            self.events = Events::of_rows(Rc::clone(&self.events.text), plain.line());
            self.plain = None;
        }
        Some(next)
    }

    fn read_plain(&mut self, row: &mut RawRow, extent: PlainExtent, problems: &mut ProblemList) {
        let Some(mut plain) = self.plain.take() else { return };
        let text = self.text();
        let mut text = text.borrow_mut();
        row.line = plain.line() + extent.before;
        let before = problems.total();
        for entry in plain.entries() {
            self.take_entry(row, entry, plain.line(), text.rest(), problems);
        }
        row.broken |= problems.total() > before;
        plain.pass(extent, &mut text);
        self.plain = Some(plain);
    }

    fn take_entry(
        &mut self,
        row: &mut RawRow,
        entry: &PlainEntry,
        first_line: u32,
        text: &str,
        problems: &mut ProblemList,
    ) {
        let place = |blanks: u32| Place { line: first_line + entry.line, column: Some(blanks + 1) };
        let (key_column, value_column) = entry.columns;
        let key = text.get(entry.key.clone()).unwrap_or_default();
        let value = text.get(entry.value.clone()).unwrap_or_default();
        let is_plain = entry.style == PlainStyle::Bare;
        let value = match entry.style {
            PlainStyle::Bare | PlainStyle::Quoted => Cow::Borrowed(value),
            PlainStyle::DoubledQuotes => Cow::Owned(value.replace("''", "'")),
        };
        let target = self.target(key, place(key_column), Some(row.number), problems);
        let is_null = is_null(&value, is_plain);
        let place = place(value_column);
        let scalar = Scalar { text: value, is_null, is_plain, place, ends_at_comment: false };
        self.take_value(row, key, target, &scalar, problems);
    }

    /// Puts the value of a key into the row.
    fn take_value(
        &mut self,
        row: &mut RawRow,
        key: &str,
        target: Option<RowKeyTarget>,
        scalar: &Scalar<'_>,
        problems: &mut ProblemList,
    ) {
        report_text(key, scalar, self.is_carried(target), Some(row.number), problems);
        let cut = target.and_then(|target| cut_by_comment(key, target, scalar));
        self.warnings.extend(cut.map(|problem| problem.in_row(row.number)));
        if let Some(RowKeyTarget::Field(field)) = target
            && !row.get(field).is_empty()
            && !self.headings.rules.is_empty()
        {
            problems.push(key_twice(field.as_str(), scalar.place).in_row(row.number));
        }
        let text = if scalar.is_null { "" } else { &*scalar.text };
        match target {
            Some(RowKeyTarget::Field(field)) => row.set_value(field, text, scalar.place),
            Some(RowKeyTarget::Carried(column)) => row.set_carried(column, text),
            None => {}
        }
    }

    /// Fills in what the row leaves out. A source of its own, of either kind, replaces the default one, and so does a
    /// record or key.
    fn inherit(&self, row: &mut RawRow) {
        let own = |field| !row.get(field).is_empty() || row.is_refused(field);
        let has_source = own(Field::File) || own(Field::Url);
        let has_record = own(Field::Record) || own(Field::Key);
        for default in &self.defaults {
            match default.target {
                RowKeyTarget::Field(Field::File | Field::Url) if has_source => {}
                RowKeyTarget::Field(Field::Record | Field::Key) if has_record => {}
                RowKeyTarget::Field(field) if row.get(field).is_empty() && !row.is_refused(field) => {
                    row.inherit(field, &default.text, default.place);
                }
                RowKeyTarget::Field(_) => {}
                RowKeyTarget::Carried(column) => {
                    if row.carried().nth(column).is_none_or(str::is_empty) {
                        row.set_carried(column, &default.text);
                    }
                }
            }
        }
    }

    fn is_carried(&self, target: Option<RowKeyTarget>) -> bool {
        matches!(target, Some(RowKeyTarget::Carried(_)))
    }

    /// What a key of a row or of the defaults stands for; what is not known is reported.
    fn target(
        &mut self,
        key: &str,
        place: Place,
        row: Option<u32>,
        problems: &mut ProblemList,
    ) -> Option<RowKeyTarget> {
        // Nearly no manifest has rules, and a million rows have keys.
        let meant = (!self.headings.rules.is_empty()).then(|| self.headings.column_of(key).to_owned());
        let key = meant.as_deref().unwrap_or(key);
        if let Some(field) = Field::named(key) {
            return Some(RowKeyTarget::Field(field));
        }
        if row::is_carried(key) {
            if let Some(column) = self.carried_at.get(key) {
                return Some(RowKeyTarget::Carried(*column));
            }
            let column = self.carried.len();
            if column >= MAX_CARRIED {
                if column == MAX_CARRIED && !self.carried_at.contains_key("") {
                    // Said once; the key that no column can have remembers that.
                    self.carried_at.insert(String::new(), column);
                    problems.push(too_many(place));
                }
                return None;
            }
            self.carried.push(key.to_owned());
            self.carried_at.insert(key.to_owned(), column);
            return Some(RowKeyTarget::Carried(column));
        }
        const MOST_UNUSED: usize = 100;
        if self.headings.ignore_unknown && key != "<<" {
            if self.unused.len() < MOST_UNUSED && !self.unused.iter().any(|unused| unused == key) {
                self.unused.push(key.to_owned());
            }
            return None;
        }
        let problem = if key == "<<" {
            merge_key(place)
        } else {
            let known: Vec<&str> = Field::ALL.into_iter().map(Field::as_str).chain(["note"]).collect();
            unknown_key(key, place, &known, "; a key of your own begins with x_")
        };
        problems.push(in_row(problem, row));
        None
    }

    /// The next key of the map that is open, or `None` at its end. A key that stands twice is reported, and so is one
    /// that is no word.
    fn next_key(
        &mut self,
        row: Option<u32>,
        problems: &mut ProblemList,
    ) -> Result<Option<(String, Marker)>, EventsEnd> {
        loop {
            let (event, span) = self.events.next(problems)?;
            let place = place_of(span.start);
            match event {
                Event::MappingEnd => return Ok(None),
                Event::Scalar(text, _, anchor, tag) => {
                    report_tag(tag.is_some(), place, row, problems);
                    report_anchor(anchor, place, row, problems);
                    let key = without_nul(text.into_owned(), place, row, problems);
                    if self.keys.contains(&key) {
                        problems.push(in_row(key_twice(&key, place), row));
                    } else if self.keys.len() < MAX_KEYS {
                        self.keys.push(key.clone());
                    }
                    return Ok(Some((key, span.start)));
                }
                other => {
                    let problem = match other {
                        Event::Alias(_) => alias(place),
                        _ => Problem::new(
                            ProblemCode::KeyUnknown,
                            "a key that is not a word",
                            "a key is one of the known words, or begins with x_",
                        )
                        .at(place),
                    };
                    problems.push(in_row(problem, row));
                    if matches!(other, Event::SequenceStart(..) | Event::MappingStart(..)) {
                        self.events.skip(problems)?;
                    }
                    self.skip_value(problems)?;
                }
            }
        }
    }

    fn skip_value(&mut self, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        match self.events.value(None, problems)? {
            Value::List(_) | Value::Map(_) => self.events.skip(problems),
            Value::Scalar(_) | Value::Refused => Ok(()),
        }
    }

    fn wrong_kind(
        &mut self,
        key: &str,
        wanted: &str,
        value: Value,
        problems: &mut ProblemList,
    ) -> Result<(), EventsEnd> {
        let place = place_of_value(&value, Place { line: self.events.line(), column: None });
        let problem = Problem::new(
            ProblemCode::HeadValue,
            format!("{key} is not {wanted}"),
            format!("{key} is {wanted}; see the reference of the manifest"),
        );
        match value {
            Value::Refused => Ok(()),
            Value::Scalar(scalar) => {
                problems.push(problem.at(place).about(key, &scalar.text));
                Ok(())
            }
            Value::List(_) | Value::Map(_) => {
                let mut problem = problem.at(place);
                problem.field = Some(key.to_owned());
                problems.push(problem);
                self.events.skip(problems)
            }
        }
    }

    /// Reads what stands behind the rows: nothing should.
    fn finish(&mut self, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        self.state = DocumentState::Done;
        self.keys.clear();
        self.keys.push("uploads".to_owned());
        while let Some((key, at)) = self.next_key(None, problems)? {
            let place = place_of(at);
            if HEAD_KEYS.contains(&key.as_str()) {
                if key != "uploads" {
                    problems.push(key_after_uploads(&key, place));
                }
            } else {
                problems.push(unknown_key(&key, place, &HEAD_KEYS, ""));
            }
            self.skip_value(problems)?;
        }
        self.end_document(problems)
    }

    /// Reads what stands behind the map that the document is.
    fn end_document(&mut self, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        loop {
            match self.events.next(problems)? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    problems.push(
                        Problem::new(
                            ProblemCode::YamlDocuments,
                            "a second document begins here",
                            "make it one document, or one file for each",
                        )
                        .at(place_of(span.start)),
                    );
                    return Err(EventsEnd);
                }
                _ => {}
            }
        }
    }
}

/// A value whose end was taken for a comment, where that is no remark of the author's but part of a name.
fn cut_by_comment(key: &str, target: RowKeyTarget, scalar: &Scalar<'_>) -> Option<Problem> {
    let may_hold_one = match target {
        RowKeyTarget::Field(field) => matches!(field, Field::File | Field::Url | Field::Name | Field::Key),
        RowKeyTarget::Carried(_) => true,
    };
    (scalar.ends_at_comment && may_hold_one).then(|| ends_at_comment(key, scalar))
}

/// Where the values of the head are.
#[derive(Default)]
struct HeadPlaces {
    version: bool,
    root: Option<Place>,
    custom_modules: Vec<Place>,
    crosswalks: Vec<Place>,
    defaults: HashMap<String, (Place, bool)>,
}

/// What serde did not like although the shape is right.
fn serde_problem(error: &serde_yaml::Error) -> Problem {
    let problem = Problem::new(
        ProblemCode::HeadValue,
        format!("the head cannot be read: {error}"),
        "compare it with the reference of the manifest",
    );
    match error.location() {
        Some(location) => problem.at(Place {
            line: u32::try_from(location.line()).unwrap_or(u32::MAX),
            column: u32::try_from(location.column()).ok(),
        }),
        None => problem,
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
