//! Rows read plainly against the same rows read from events: no manifest may tell the two apart.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::manifest::limits::CELL_LIMIT;

/// All that a reading gives.
#[derive(PartialEq, Debug)]
struct DocumentReading {
    rows: Vec<String>,
    problems: Vec<String>,
    carried: Vec<String>,
    /// Rows and blank rows, as counted.
    counts: (u32, u32),
    sha256: String,
}

/// What to read rows from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RowReading {
    /// Events alone.
    Events,
    /// Lines, where that can be.
    Lines,
}

/// Reads a manifest; and how many rows of it were plain.
fn read(bytes: &[u8], way: RowReading) -> (DocumentReading, usize) {
    let decoder = Decoder::new(Box::new(Cursor::new(bytes.to_vec())), None, true);
    let mut problems = ProblemList::default();
    let mut document = match way {
        RowReading::Events => YamlDocument::open_with_events(decoder, HeadingRules::default(), &[], &mut problems),
        RowReading::Lines => YamlDocument::open(decoder, HeadingRules::default(), &[], &mut problems),
    };
    if way == RowReading::Events {
        document.indent = None;
    }
    let (mut row, mut tolerance) = (RawRow::default(), Tolerance::default());
    let (mut rows, mut plain) = (Vec::new(), 0_usize);
    loop {
        let text = document.text();
        let next = document.plain.as_mut().map(|plain| plain.next(&mut text.borrow_mut()));
        plain += usize::from(matches!(next, Some(PlainNext::Row(_))));
        if !document.next(&mut row, &mut tolerance, &mut problems) {
            break;
        }
        rows.push(shown(&row));
    }
    let sha256 = document.text().borrow_mut().decoder.digest();
    let reading = DocumentReading {
        rows,
        problems: problems.iter().map(|problem| format!("{problem:?}")).collect(),
        carried: document.carried,
        counts: (tolerance.rows, tolerance.empty_rows),
        sha256,
    };
    (reading, plain)
}

fn shown(row: &RawRow) -> String {
    let cells = Field::ALL
        .map(|field| (row.get(field).to_owned(), row.place(field), row.is_inherited(field), row.is_refused(field)));
    let carried: Vec<&str> = row.carried().collect();
    format!("{} {} {} {cells:?} {carried:?}", row.number, row.line, row.broken)
}

/// Reads both ways and gives how many rows were plain.
fn both(manifest: &str) -> usize {
    let (by_events, _) = read(manifest.as_bytes(), RowReading::Events);
    let (by_lines, plain) = read(manifest.as_bytes(), RowReading::Lines);
    assert_eq!(by_lines, by_events, "{manifest}");
    plain
}

const HEAD: &str = "version: 1\nuploads:\n";

#[test]
fn rows_in_the_plain_block_style_are_read_without_events() {
    let rows = "  - module: Leads
    record: \"738964000000291009\"
    file: a b.pdf

  # a comment
  -   module:   'Deals'
      record: 738964000000291009
      name: 'it''s'
      file: ü/日本.pdf
      url:
      x_old: ~
  - module: Leads
    file: C:\\a#b,c[1].pdf
";
    assert_eq!(both(&format!("{HEAD}{rows}")), 3);
    assert_eq!(both(&format!("{HEAD}{}", rows.replace('\n', "\r\n"))), 3);
    assert_eq!(both(&format!("{HEAD}{}", rows.trim_end())), 3);
    assert_eq!(both(&format!("{HEAD}- module: Leads\n  file: a\n- file: b\n")), 2);
    // Behind something odd, too.
    assert_eq!(both(&format!("{HEAD}- module: Leads\n- {{file: b}}\n- file: c\n- file: d\n")), 3);
}

#[test]
fn behind_a_row_that_needs_events_the_next_ones_are_plain_again() {
    for odd in [
        "  - module: Leads\n    file: a\n      b\n",
        "  - module: Leads\n    file: \"a\\tb\"\n",
        "  - {module: Leads, file: a}\n",
        "  - {module: Leads,\n     file: a} # that is all\n",
        "  - module: Leads\n    note: |\n      - module: Deals\n        file: b\n",
        "  - module: Leads # of last year\n",
        "  -\n    module: Leads\n",
        "  - module: Leads\n    file: [a]\n",
        "  - module: Leads\n    module: Deals\n",
        "  - naem: b\n    ? file\n    : c\n",
    ] {
        let plain = "  - module: Leads\n    file: z\n";
        // Where the next row is odd, it is not known before whether the row at hand goes on.
        let rows = both(&format!("{HEAD}{plain}{plain}{odd}{plain}{odd}{odd}{plain}{plain}"));
        assert!((3..=5).contains(&rows), "{rows} with {odd}");
    }
}

#[test]
fn what_comes_before_between_and_behind_rows_means_the_same_both_ways() {
    for manifest in [
        "version: 1\nuploads:\n",
        "version: 1\nuploads: []\n",
        "version: 1\nuploads:\n  - a\n  - file: b\n",
        "version: 1\nuploads:\n  - file: b\n  -\n  - ~\n  - file: c\n  - name:\n",
        "version: 1\nuploads:\n  - file: b\nversion: 2\n",
        "version: 1\nuploads:\n  - file: b\nroot: 2\ndefaults: {module: Leads}\n",
        "version: 1\nuploads:\n  - file: b\n...\n",
        "version: 1\nuploads:\n  - file: b\n---\nversion: 1\n",
        "version: 1\nuploads:\n  - file: b\n - file: c\n",
        "version: 1\nuploads:\n  - file: b\n   - file: c\n",
        "version: 1\nuploads:\n  - file: b\n    - file: c\n",
        "version: 1\nuploads:\n  - file: b\n  c: d\n",
        "version: 1\nuploads:\n  - file: &a b\n  - file: *a\n  - file: *b\n",
        "version: 1\nroot: &a .\nuploads:\n  - file: b\n  - file: *a\n",
        "%TAG ! !a\n---\nversion: 1\nuploads:\n  - file: b\n  - file: !b c\n",
        " version: 1\n uploads:\n  - file: b\n  - file: c\n",
        "{version: 1, uploads: [{file: a}, {file: b}]}\n",
        "version: 1\ndefaults: {module: Leads, x_a: 1}\nuploads:\n  - file: b\n    x_b: 2\n  - url: c\n    x_a: 3\n",
        "version: 1\nuploads:\n  - file: b\n    file:c: d\n  - file: c\n",
        "version: 1\nuploads:\n  - file: 'b\n  - file: c'\n  - file: d\n",
        "version: 1\nuploads:\n  - file: \"b\n  - file: c\"\n  - file: d\n",
        "version: 1\nuploads:\n  - file: b\t\n  - file:\tc\n\t\n  - file: d\n",
        "version: 1\nuploads:\n  - file: b: c\n  - file: d\n",
        "version: 1\nuploads:\n  - file: a\0b\n  - file: c\n  - file: d\n",
        "version: 1\nuploads:\n  - file: a\rb\n  - file: c\n  - file: d\n",
        "version: 1\nuploads:\n  - file: a\u{85}b\n  - file: c\u{2028}  - file: e\n  - file: \u{FEFF}d\n",
        "version: 1\nuploads: &a\n  - file: b\n  - file: c\n",
        "version: 1\nuploads: !a\n  - file: b\n  - file: c\n",
        "version: 1\nuploads:\n# x\n  - file: b # c\n# d\n  - file: c\n    # e\n    name: f\n  # g",
    ] {
        both(manifest);
    }
    let long = "b".repeat(CELL_LIMIT + 1);
    both(&format!("{HEAD}  - file: {long}\n  - file: '{long}'\n  - file: c\n"));
    let many: String = (0..MAX_CARRIED + 20).map(|number| format!("    x_{number}: a\n")).collect();
    both(&format!("{HEAD}  - file: a\n{many}  - file: b\n{many}"));
}

#[test]
fn a_long_manifest_is_read_piece_by_piece_both_ways() {
    let row = |number: usize| match number % 7 {
        0 => format!("  - module: Leads\n    record: '{number}'\n    name: a\n      folded {number}\n"),
        1 => format!("  - {{module: Leads, record: '{number}'}}\n"),
        _ => format!("  - module: Leads\n    record: '{number}'\n    file: ü {}.pdf\n", "x".repeat(number % 90)),
    };
    let rows: String = (0..20_000).map(row).collect();
    assert!(both(&format!("{HEAD}{rows}")) > 10_000);
}

/// A line that means something to YAML, or nearly.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        8 => "(module|record|file|url|name|x_a|note)",
        1 => "[a-z:?&*!'\"-]{1,3}",
    ];
    let value = prop_oneof![
        6 => "[a-zA-Z0-9 ./_-]{0,12}",
        2 => "\"[a-z #:'\\\\n]{0,6}\"",
        2 => "'[a-z #:\"]{0,4}(''|)[a-z]{0,2}'",
        3 => "[a-z é'\"#:,&*!|>%@`{}\\[\\]~?\t-]{0,6}",
    ];
    let indent = prop_oneof![8 => Just("    "), 3 => Just("  - "), 1 => " {0,6}".prop_map(|blanks| &*blanks.leak())];
    let end = prop_oneof![9 => Just("\n"), 1 => Just("\r\n"), 1 => Just(" # c\n"), 1 => Just(" \n\n")];
    (indent, key, prop_oneof![9 => Just(": "), 1 => Just(":"), 1 => Just(":  ")], value, end)
        .prop_map(|(indent, key, colon, value, end)| format!("{indent}{key}{colon}{value}{end}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_manifest_tells_the_two_ways_apart(lines in proptest::collection::vec(line(), 0..14)) {
        both(&format!("{HEAD}  - module: Leads\n{}", lines.concat()));
    }
}
