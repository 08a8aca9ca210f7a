//! YAML as events with their places: scalars as written, and what no manifest may use.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use saphyr_parser::{BufferedInput, Event, Marker, Parser, ScalarStyle, Span};

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
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Whether YAML takes it for nothing: plain, and empty or a way to write null.
    pub(crate) is_null: bool,
    pub(crate) is_plain: bool,
    pub(crate) place: Place,
}

/// A value, of whatever kind.
pub(crate) enum Value {
    Scalar(Scalar),
    /// A list that has just begun.
    List(Place),
    /// A map that has just begun.
    Map(Place),
    /// Reported already.
    Refused,
}

/// The events of the parser, with the text they come from.
pub(crate) struct Events {
    parser: Parser<'static, BufferedInput<Chars>>,
    pub(crate) decoder: SharedDecoder,
    fuel: Rc<Cell<usize>>,
    /// Where the last event began and ended.
    last: (Option<usize>, u32),
}

/// The decoder, which the parser's characters come from and which knows their flaws.
#[derive(Clone)]
pub(crate) struct SharedDecoder(pub(super) Rc<RefCell<Decoder>>);

impl std::ops::Deref for SharedDecoder {
    type Target = RefCell<Decoder>;

    fn deref(&self) -> &RefCell<Decoder> {
        &self.0
    }
}

/// Gives the parser one character after another, and no more than a value may have.
struct Chars {
    decoder: SharedDecoder,
    text: String,
    at: usize,
    fuel: Rc<Cell<usize>>,
}

impl Iterator for Chars {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.at >= self.text.len() {
            self.text.clear();
            self.at = 0;
            if !self.decoder.borrow_mut().read_into(&mut self.text) {
                return None;
            }
        }
        let fuel = self.fuel.get().checked_sub(1)?;
        self.fuel.set(fuel);
        let next = self.text.get(self.at..)?.chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

impl Events {
    pub(crate) fn new(decoder: Decoder) -> Events {
        let decoder = SharedDecoder(Rc::new(RefCell::new(decoder)));
        decoder.borrow_mut().start_keeping();
        let fuel = Rc::new(Cell::new(EVENT_LIMIT));
        let chars = Chars { decoder: decoder.clone(), text: String::new(), at: 0, fuel: Rc::clone(&fuel) };
        Events { parser: Parser::new_from_iter(chars), decoder, fuel, last: (None, 1) }
    }

    pub(crate) fn next(&mut self, problems: &mut ProblemList) -> Result<(Event<'static>, Span), EventsEnd> {
        let event = self.parser.next_event();
        if self.fuel.replace(EVENT_LIMIT) == 0 {
            problems.push(
                Problem::new(
                    ProblemCode::RowTooLarge,
                    "no value ends within 4 million characters",
                    "check that this is the right file, and look at its quotes",
                )
                .on_line(self.last.1),
            );
            return Err(EventsEnd);
        }
        match event {
            Some(Ok((event, span))) => {
                self.last = (Some(span.start.index()), line_of(span.end));
                let too_much = if anchor_of(&event) > MAX_ANCHORS {
                    Some(too_many_anchors())
                } else {
                    (self.decoder.borrow().kept_len() > HEAD_LIMIT).then(head_too_large)
                };
                if let Some(problem) = too_much {
                    problems.push(problem.at(place_of(span.start)));
                    return Err(EventsEnd);
                }
                Ok((event, span))
            }
            Some(Err(error)) => {
                let problem = Problem::new(
                    ProblemCode::YamlSyntax,
                    format!("this is not YAML: {}", error.info()),
                    "look at the place named and at the line before it: indentation, colons, quotes",
                );
                problems.push(problem.at(place_of(*error.marker())));
                Err(EventsEnd)
            }
            None => Err(EventsEnd),
        }
    }

    /// The line that the last event ended on.
    pub(crate) fn line(&self) -> u32 {
        self.last.1
    }

    pub(crate) fn char_at_last_start(&self) -> Option<char> {
        self.decoder.borrow().kept_char(self.last.0?)
    }

    /// The value of a key. Tags, anchors of rows and aliases are reported.
    pub(crate) fn value(&mut self, row: Option<u32>, problems: &mut ProblemList) -> Result<Value, EventsEnd> {
        let (event, span) = self.next(problems)?;
        Ok(value_of(event, span, row, problems).unwrap_or(Value::Refused))
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
        while let Some(flaw) = self.decoder.borrow_mut().next_flaw(line) {
            problems.push(in_row(flaw, row));
        }
        problems.total() > before
    }
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
            let is_null = text.is_empty() || (is_plain && matches!(&*text, "~" | "null" | "Null" | "NULL"));
            let text = without_nul(text.into_owned(), place, row, problems);
            Some(Value::Scalar(Scalar { text, is_null, is_plain, place }))
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
