//! Exports that nobody would write by hand: each line and each file of them must come out somewhere, once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A line of `Attachment.csv` that may be anything.
#[derive(Clone, Debug)]
struct GeneratedLine {
    id: usize,
    parent: &'static str,
    name: &'static str,
    /// A quote in the middle of a quoted cell.
    broken: bool,
}

/// What lies in `Attachments` for an id.
#[derive(Clone, Copy, Debug)]
struct GeneratedFile {
    id: usize,
    ending: &'static str,
    empty: bool,
}

fn line() -> impl Strategy<Value = GeneratedLine> {
    let parents =
        vec!["0035g00000XyZ12AAB", "0015g00000XyZ12", "a0B5g00000XyZ12AAB", "0055g00000XyZ12AAB", "", "3.5E+17", "x"];
    let names = vec!["a.pdf", "b/c.pdf", "setup.EXE", "", " blank ", "=1+1", "விலை, \u{2028}.pdf", "a\nb.pdf"];
    (0..6_usize, prop::sample::select(parents), prop::sample::select(names), prop::bool::weighted(0.15))
        .prop_map(|(id, parent, name, broken)| GeneratedLine { id, parent, name, broken })
}

fn file() -> impl Strategy<Value = GeneratedFile> {
    let endings = vec!["", ".pdf", ".txt"];
    (0..8_usize, prop::sample::select(endings), any::<bool>()).prop_map(|(id, ending, empty)| GeneratedFile {
        id,
        ending,
        empty,
    })
}

fn id(number: usize) -> String {
    format!("00P5g00000AAA{number:02}AAA")
}

fn table(lines: &[GeneratedLine]) -> String {
    let mut text = String::from("\"Id\",\"ParentId\",\"Name\",\"Description\"\n");
    for line in lines {
        let quote = if line.broken { "\"x" } else { "" };
        text.push_str(&format!(
            "\"{}\",\"{}\",\"{}\",\"{quote}\"\n",
            id(line.id),
            line.parent,
            line.name.replace('"', "")
        ));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_and_every_file_of_an_export_comes_out_somewhere(
        lines in prop::collection::vec(line(), 0..12),
        files in prop::collection::vec(file(), 0..10),
        zipped in any::<bool>(),
    ) {
        let case = ExportCase::new();
        let names: BTreeSet<(String, bool)> =
            files.iter().map(|file| (format!("{}{}", id(file.id), file.ending), file.empty)).collect();
        let names: std::collections::BTreeMap<String, bool> = names.into_iter().collect();
        let mut members = vec![("Attachment.csv".to_owned(), table(&lines))];
        for (name, empty) in &names {
            members.push((format!("Attachments/{name}"), if *empty { String::new() } else { "content".to_owned() }));
        }
        let case = if zipped {
            let members: Vec<_> = members.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            case.zip("WE/WE_1.zip", &members)
        } else {
            members.iter().fold(case, |case, (name, text)| case.file(&format!("WE/{name}"), text))
        };
        let done = case.collect("salesforce", &["WE"]);

        let of_lines = done.left_out.iter().filter(|line| line.contains("Attachment.csv:")).count();
        // A name with a line break in a line that is broken leaves two pieces, each with an end of its own.
        let least = lines.len();
        prop_assert_eq!(done.collected.counts.lines as usize, done.rows.len() + of_lines);
        prop_assert!(done.rows.len() + of_lines >= least, "{:?}", done.left_out);
        let places: BTreeSet<&str> = done.left_out.iter().filter_map(|line| line.split('|').next()).collect();
        prop_assert_eq!(places.len(), done.left_out.len(), "nothing is listed twice: {:?}", done.left_out);

        for name in names.keys() {
            let named = |line: &&String| line.contains(&format!("Attachments/{name}|"));
            let taken = done.rows.iter().filter(named).count();
            let listed = done.left_out.iter().filter(named).count();
            let by_line = done.left_out.iter().any(|line| line.contains(&format!("|{}|", &name[..18])));
            let by_key = done.left_out.iter().any(|line| line.contains("module-unknown-in-export"));
            prop_assert!(taken + listed > 0 || by_line || by_key, "{name} is nowhere: {:?}", done.left_out);
            prop_assert!(taken == 0 || listed == 0, "{name} is taken and left out");
        }
        let wrong = problems(&case, None);
        let harmless = ["same-name", "identical-rows", "no-rows", "name-direction", "crosswalk"];
        let wrong: Vec<_> = wrong.iter().filter(|code| !harmless.iter().any(|known| code.starts_with(known))).collect();
        prop_assert!(wrong.is_empty(), "a run would refuse what was collected: {wrong:?}");
    }
}
