//! YAML as events with their places: scalars as written, and what no manifest may use.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use saphyr_parser::{BufferedInput, Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::window::TextWindow;
use crate::manifest::decode::Decoder;
use crate::problem::{Place, Problem, ProblemCode, ProblemList};

/// No single value, and no stretch of comments, may be longer than this in characters.
const EVENT_LIMIT: usize = 4 << 20;

/// More anchors than this are not read: the parser remembers each, and no manifest has a use for one.
const MAX_ANCHORS: usize = 1_000;

/// What stands before the rows may not have more bytes than this: it is held as a whole.
const HEAD_LIMIT: usize = 4 << 20;

/// Reading cannot go on; why has been reported.
pub(crate) struct EventsEnd;

/// A scalar that stands for itself.
pub(crate) struct Scalar<'t> {
    pub(crate) text: Cow<'t, str>,
    /// Whether YAML takes it for nothing: plain, and empty or a way to write null.
    pub(crate) is_null: bool,
    pub(crate) is_plain: bool,
    pub(crate) place: Place,
    /// Whether it is plain and a comment begins right behind it.
    pub(crate) ends_at_comment: bool,
}

/// A value, of whatever kind.
pub(crate) enum Value {
    Scalar(Scalar<'static>),
    /// A list that has just begun.
    List(Place),
    /// A map that has just begun.
    Map(Place),
    /// Reported already.
    Refused,
}

/// What stands before rows that are read from the middle of a manifest, so that the parser knows where it is.
const BEFORE_ROWS: &str = "uploads:\n";

/// The text of a manifest, which the parser's characters come from and which knows their flaws.
pub(crate) type SharedText = Rc<RefCell<TextWindow>>;

/// The events of the parser, with the text they come from.
pub(crate) struct Events {
    parser: Parser<'static, BufferedInput<Chars>>,
    pub(crate) text: SharedText,
    fuel: Rc<Cell<usize>>,
    /// What the parser said before anybody asked.
    pending: Option<Result<(Event<'static>, Span), ScanError>>,
    /// Where the last event began and ended, as the parser counts.
    last: Span,
    /// The line that the last event ended on.
    line: u32,
    /// Whether what stands before the rows is still being read.
    in_head: bool,
    /// Whether there was an anchor, which what follows may refer to.
    has_anchors: bool,
    /// What the parser has read of that does not stand in the rest of the window: what was put before it, what has been
    /// passed over.
    passed: usize,
    /// How many lines of the manifest the parser does not know of.
    lines_before: usize,
    /// Where the end of a value was found last: `passed` at that time, characters and bytes of the rest before it. Values come
    /// in their order, so that the next one need not be looked for from the beginning.
    found: Cell<(usize, usize, usize)>,
}

/// Gives the parser one character after another, and no more than a value may have.
struct Chars {
    text: SharedText,
    piece: String,
    at: usize,
    fuel: Rc<Cell<usize>>,
}

impl Iterator for Chars {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.at >= self.piece.len() {
            self.at = 0;
            if !self.text.borrow_mut().next_piece(&mut self.piece) {
                return None;
            }
        }
        let fuel = self.fuel.get().checked_sub(1)?;
        self.fuel.set(fuel);
        let next = self.piece.get(self.at..)?.chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

impl Events {
    /// The events of a whole manifest.
    pub(crate) fn new(decoder: Decoder) -> Events {
        Events::reading(Rc::new(RefCell::new(TextWindow::new(decoder))), "", 0)
    }

    /// The events of the rows that the rest of the window begins with, which stands on this line of the manifest.
    pub(super) fn of_rows(text: SharedText, line: u32) -> Events {
        text.borrow_mut().rewind();
        let lines_before = (line as usize).saturating_sub(1 + BEFORE_ROWS.lines().count());
        let mut events = Events::reading(text, BEFORE_ROWS, lines_before);
        events.in_head = false;
        // What it says of the text that we put there says nothing of the manifest.
        loop {
            match events.parser.next_event() {
                Some(Ok((
                    Event::StreamStart | Event::DocumentStart(_) | Event::MappingStart(..) | Event::Scalar(..),
                    _,
                ))) => {}
                Some(Ok((Event::SequenceStart(..), _))) => break,
                other => {
                    events.pending = other;
                    break;
                }
            }
        }
        events.fuel.set(EVENT_LIMIT);
        events
    }

    fn reading(text: SharedText, before: &str, lines_before: usize) -> Events {
        let fuel = Rc::new(Cell::new(EVENT_LIMIT));
        let chars = Chars { text: Rc::clone(&text), piece: before.to_owned(), at: 0, fuel: Rc::clone(&fuel) };
        Events {
            parser: Parser::new_from_iter(chars),
            text,
            fuel,
            pending: None,
            last: Span::default(),
            line: 1,
            in_head: true,
            has_anchors: false,
            passed: before.chars().count(),
            lines_before,
            found: Cell::default(),
        }
    }

    pub(crate) fn next(&mut self, problems: &mut ProblemList) -> Result<(Event<'static>, Span), EventsEnd> {
        let event = self.pending.take().or_else(|| self.parser.next_event());
        if self.fuel.replace(EVENT_LIMIT) == 0 {
            problems.push(
                Problem::new(
                    ProblemCode::RowTooLarge,
                    "no value ends within 4 million characters",
                    "check that this is the right file, and look at its quotes",
                )
                .on_line(self.line),
            );
            return Err(EventsEnd);
        }
        match event {
            Some(Ok((event, span))) => {
                self.last = span;
                self.has_anchors |= anchor_of(&event) != 0;
                let span = Span::new(self.in_manifest(span.start), self.in_manifest(span.end));
                self.line = line_of(span.end);
                let too_much = if anchor_of(&event) > MAX_ANCHORS {
                    Some(too_many_anchors())
                } else {
                    (self.in_head && self.text.borrow().rest().len() > HEAD_LIMIT).then(head_too_large)
                };
                if let Some(problem) = too_much {
                    problems.push(problem.at(place_of(span.start)));
                    return Err(EventsEnd);
                }
                Ok((event, span))
            }
            Some(Err(error)) => {
                // A path of Windows between double quotes is the usual way to it.
                let is_escape = ["escape", "hexadecimal"].iter().any(|word| error.info().contains(word));
                let hint = match is_escape {
                    true => {
                        "between double quotes \\ begins an escape: write \\\\ or /, or put the value between single quotes"
                    }
                    false => "look at the place named and at the line before it: indentation, colons, quotes",
                };
                let problem =
                    Problem::new(ProblemCode::YamlSyntax, format!("this is not YAML: {}", error.info()), hint);
                problems.push(problem.at(place_of(self.in_manifest(*error.marker()))));
                Err(EventsEnd)
            }
            None => Err(EventsEnd),
        }
    }

    /// The place in the manifest of what the parser saw at a place of its own.
    fn in_manifest(&self, mark: Marker) -> Marker {
        Marker::new(mark.index(), mark.line() + self.lines_before, mark.col())
    }

    /// The line that the last event ended on.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// The character that the last event began with.
    pub(crate) fn char_at_last_start(&self) -> Option<char> {
        let text = self.text.borrow();
        let at = text.byte_of(self.last.start.index().checked_sub(self.passed)?)?;
        text.rest().get(at..)?.chars().next()
    }

    /// Whether a comment begins on the line on which the last event ended, with nothing but blanks between them.
    fn is_before_comment(&self) -> bool {
        let text = self.text.borrow();
        // Where the text is let go of as it is read, as in the flow style, nobody can look.
        let end = text.is_keeping().then(|| self.last_end(text.rest())).flatten();
        let Some((before, behind)) = end.and_then(|end| text.rest().split_at_checked(end)) else { return false };
        let comment = behind.trim_start_matches([' ', '\t']);
        comment.starts_with('#') && (comment.len() < behind.len() || before.ends_with([' ', '\t']))
    }

    /// Where the last event ended, in bytes of the rest of the window; `None` if that is not here.
    fn last_end(&self, rest: &str) -> Option<usize> {
        let wanted = self.last.end.index().checked_sub(self.passed)?;
        let (passed, characters, bytes) = self.found.get();
        let (characters, bytes) =
            if passed == self.passed && characters <= wanted { (characters, bytes) } else { (0, 0) };
        let behind = rest.get(bytes..)?;
        let ends = behind.char_indices().map(|(at, _)| at).chain([behind.len()]);
        let end = bytes + { ends }.nth(wanted - characters)?;
        self.found.set((self.passed, wanted, end));
        Some(end)
    }

    /// The text before this character of the manifest, or all that was read of it. Only of use in the head.
    pub(super) fn head(&self, end: Option<usize>) -> String {
        let text = self.text.borrow();
        let end = end.and_then(|end| text.byte_of(end)).unwrap_or(text.rest().len());
        text.rest().get(..end).unwrap_or_default().to_owned()
    }

    /// Ends the head. The rows that follow may be read as plain ones if nothing in the head changes what they mean and the
    /// list that has just begun is one of `-`: then this is how far they are indented.
    pub(super) fn end_head(&mut self) -> Option<usize> {
        self.in_head = false;
        let dash = self.first_dash().filter(|_| !self.has_anchors && !self.has_directives());
        match dash {
            Some(dash) => self.last.end = dash,
            None => self.text.borrow_mut().stop_keeping(),
        }
        dash.map(|dash| dash.col())
    }

    /// The `-` that the list begins with.
    fn first_dash(&self) -> Option<Marker> {
        let start = self.last.start;
        let text = self.text.borrow();
        let (before, behind) = text.rest().split_at(text.byte_of(start.index())?);
        let on_line = before.rsplit('\n').next()?;
        if behind.starts_with('-') && is_blank(on_line) {
            return Some(start);
        }
        // Of a list that is not indented, the parser tells only where the first row begins.
        let is_indentless = on_line.trim_end_matches(' ') == "-";
        is_indentless.then(|| Marker::new(start.index() - on_line.len(), start.line(), 0))
    }

    /// Whether a line begins with `%`, which may give a tag a meaning.
    fn has_directives(&self) -> bool {
        let text = self.text.borrow();
        text.rest().starts_with('%') || text.rest().contains("\n%")
    }

    /// Passes over what the parser has told of, up to the end of the last event. If another row begins behind it, or
    /// nothing, the rest of the window is that, and this is the line on which it begins.
    pub(super) fn pass(&mut self, indent: usize) -> Option<u32> {
        let mut text = self.text.borrow_mut();
        let at = text.byte_of(self.last.end.index().checked_sub(self.passed)?)?;
        let (before, behind) = text.rest().split_at(at);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let on_line = &before[line_start..];
        let (begin, line) = if is_blank(on_line) {
            (line_start, self.line)
        } else {
            let end = memchr::memchr(b'\n', behind.as_bytes()).filter(|end| is_blank(&behind[..*end]));
            (end.map_or(line_start, |end| at + end + 1), self.line + 1)
        };
        let goes_on = begin != line_start || is_blank(on_line);
        let plain = goes_on && !self.has_anchors && text.rest_is_rows(begin, indent);
        let passed = if plain { begin } else { line_start };
        self.passed += text.rest()[..passed].chars().count();
        text.advance(passed);
        plain.then_some(line)
    }

    /// The value of a key. Tags, anchors of rows and aliases are reported.
    pub(crate) fn value(&mut self, row: Option<u32>, problems: &mut ProblemList) -> Result<Value, EventsEnd> {
        let (event, span) = self.next(problems)?;
        let mut value = value_of(event, span, row, problems).unwrap_or(Value::Refused);
        if let Value::Scalar(scalar) = &mut value {
            scalar.ends_at_comment = scalar.is_plain && !scalar.text.is_empty() && self.is_before_comment();
        }
        Ok(value)
    }

    /// The next entry of the list that is open, or `None` at its end.
    pub(crate) fn item(&mut self, problems: &mut ProblemList) -> Result<Option<Value>, EventsEnd> {
        let (event, span) = self.next(problems)?;
        Ok(value_of(event, span, None, problems))
    }

    pub(crate) fn item_of_row(&mut self, row: u32, problems: &mut ProblemList) -> Result<Option<Value>, EventsEnd> {
        let (event, span) = self.next(problems)?;
        Ok(value_of(event, span, Some(row), problems))
    }

    /// Passes over the rest of the list or map that has just begun.
    pub(crate) fn skip(&mut self, problems: &mut ProblemList) -> Result<(), EventsEnd> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next(problems)?.0 {
                Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
                Event::SequenceEnd | Event::MappingEnd => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reports what is no text up to here; whether there was any.
    pub(crate) fn report_flaws(&mut self, row: Option<u32>, problems: &mut ProblemList) -> bool {
        self.report_flaws_up_to(self.line(), row, problems)
    }

    pub(crate) fn report_flaws_up_to(&mut self, line: u32, row: Option<u32>, problems: &mut ProblemList) -> bool {
        let before = problems.total();
        while let Some(flaw) = self.text.borrow_mut().decoder.next_flaw(line) {
            problems.push(in_row(flaw, row));
        }
        problems.total() > before
    }
}

/// Whether there is nothing but blanks, perhaps with the first half of a line break of Windows.
fn is_blank(text: &str) -> bool {
    text.strip_suffix('\r').unwrap_or(text).bytes().all(|byte| byte == b' ')
}

/// The number of an anchor, counted from 1; 0 for a value without one.
fn anchor_of(event: &Event<'_>) -> usize {
    match event {
        Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => *anchor,
        _ => 0,
    }
}

fn too_many_anchors() -> Problem {
    Problem::new(
        ProblemCode::YamlAnchor,
        format!("more than {MAX_ANCHORS} YAML anchors (words that begin with &); what follows was not read"),
        "remove them all, or quote the values that begin with &, and look at the manifest again",
    )
}

fn head_too_large() -> Problem {
    Problem::new(
        ProblemCode::ManifestTooLarge,
        format!("what stands before the rows has more than {} MiB; what follows was not read", HEAD_LIMIT >> 20),
        "check that this is the right file; before uploads stand version, root, custom_modules, crosswalk and defaults",
    )
}

/// Whether YAML takes a text for nothing.
pub(super) fn is_null(text: &str, is_plain: bool) -> bool {
    text.is_empty() || (is_plain && matches!(text, "~" | "null" | "Null" | "NULL"))
}

/// What an event stands for; `None` at the end of a list.
fn value_of(event: Event<'static>, span: Span, row: Option<u32>, problems: &mut ProblemList) -> Option<Value> {
    let place = place_of(span.start);
    let tagged = match &event {
        Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => tag.is_some(),
        _ => false,
    };
    report_tag(tagged, place, row, problems);
    report_anchor(anchor_of(&event), place, row, problems);
    match event {
        Event::Scalar(text, style, ..) => {
            let is_plain = style == ScalarStyle::Plain;
            let is_null = is_null(&text, is_plain);
            let text = Cow::Owned(without_nul(text.into_owned(), place, row, problems));
            Some(Value::Scalar(Scalar { text, is_null, is_plain, place, ends_at_comment: false }))
        }
        Event::SequenceStart(..) => Some(Value::List(place)),
        Event::MappingStart(..) => Some(Value::Map(place)),
        Event::Alias(_) => {
            problems.push(in_row(alias(place), row));
            Some(Value::Refused)
        }
        _ => None,
    }
}

/// A text in which a NUL that was written as an escape is reported and replaced, as the decoder does with those of the
/// file itself.
pub(crate) fn without_nul(text: String, place: Place, row: Option<u32>, problems: &mut ProblemList) -> String {
    if !text.contains('\0') {
        return text;
    }
    let problem = Problem::new(
        ProblemCode::NulCharacter,
        "a NUL character, written as \\0",
        "take it out; no name, path or address can have one",
    );
    problems.push(in_row(problem.at(place), row));
    text.replace('\0', "\u{FFFD}")
}

fn line_of(mark: Marker) -> u32 {
    u32::try_from(mark.line()).unwrap_or(u32::MAX)
}

pub(crate) fn place_of(mark: Marker) -> Place {
    Place { line: line_of(mark), column: u32::try_from(mark.col() + 1).ok() }
}

pub(crate) fn place_of_value(value: &Value, otherwise: Place) -> Place {
    match value {
        Value::Scalar(scalar) => scalar.place,
        Value::List(place) | Value::Map(place) => *place,
        Value::Refused => otherwise,
    }
}

pub(crate) fn in_row(problem: Problem, row: Option<u32>) -> Problem {
    match row {
        Some(row) => problem.in_row(row),
        None => problem,
    }
}

pub(crate) fn report_tag(tagged: bool, place: Place, row: Option<u32>, problems: &mut ProblemList) {
    if tagged {
        let problem = Problem::new(
            ProblemCode::YamlTag,
            "a YAML tag (a word that begins with !)",
            "remove it: values are taken as written",
        );
        problems.push(in_row(problem.at(place), row));
    }
}

/// Anchors outside rows do no harm, since nothing may refer to them.
pub(crate) fn report_anchor(anchor: usize, place: Place, row: Option<u32>, problems: &mut ProblemList) {
    if anchor != 0 && row.is_some() {
        let problem = Problem::new(
            ProblemCode::YamlAnchor,
            "a YAML anchor (a word that begins with &)",
            "remove it, and quote a value that itself begins with &",
        );
        problems.push(in_row(problem.at(place), row));
    }
}

pub(crate) fn alias(place: Place) -> Problem {
    Problem::new(
        ProblemCode::YamlAlias,
        "a YAML alias (a word that begins with *)",
        "write the value out, put it under defaults, or quote a value that itself begins with *",
    )
    .at(place)
}
