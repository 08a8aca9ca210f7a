//! `attache report`: from a results file, or from a saved plan, to the page, the workbook or the text that options ask for.

mod args;
mod plan;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use self::args::ReportArgs;
use super::failure::{Failure, OrExit as _};
use super::screen::Screen;
use super::stdio;
use super::values::ReportOutput;
use crate::atomic_file::replace;
use crate::exit::Exit;
use crate::report::{CombinedResults, LaterResults, Origin, Report, ReportedVerification};
use crate::results::{ResultsTable, findings_of, is_same_file, read, runs, runs_of};
use crate::text::system_words;
use crate::verify::findings;

/// What cannot hold a report: somebody's manifest or results would be gone.
const NEVER: [&str; 6] = ["csv", "tsv", "yaml", "yml", "jsonl", "lock"];

/// Makes the report.
///
/// # Errors
///
/// The options contradict each other, the results cannot be read, or the report cannot be written.
pub fn run(args: &ReportArgs, screen: Screen) -> Result<Exit, Failure> {
    if let Some(plan) = &args.plan {
        return plan::run(args, plan, screen);
    }
    let place = place(args).map_err(Failure::usage)?;
    let tables = args.results.iter().map(|path| read(path, false)).collect::<Result<Vec<_>, _>>();
    let tables = tables.or_exit(Exit::Results)?;
    let rows = CombinedResults::of(&tables).context("cannot read the results").or_exit(Exit::Results)?;
    let report = summed_up(args, &tables, &rows).or_exit(Exit::Results)?;
    match &place {
        ReportTask::StandardOutput(text) => to_standard_output(&report, *text)
            .map_err(|error| anyhow!("cannot write to standard output: {}", system_words(&error))),
        ReportTask::File(form, path) => replace(path, |out| write(&report, &rows, *form, out))
            .map_err(|error| anyhow!("cannot write {}: {}", path.display(), system_words(&error)))
            .map(|()| announce(path, &report.headline(), screen)),
    }
    .or_exit(Exit::Results)?;
    Ok(Exit::Done)
}

/// What is made, and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum ReportTask {
    File(ReportOutput, PathBuf),
    StandardOutput(Text),
}

/// A report that is not a file of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Text {
    Json,
    Markdown,
}

/// Decides what is made and where it goes. Unless somebody names a file, what people open goes beside the results, and
/// what programs read to standard output.
fn place(args: &ReportArgs) -> anyhow::Result<ReportTask> {
    let form = args.output;
    match args.to.as_deref() {
        None => Ok(match form.unwrap_or(ReportOutput::Html) {
            ReportOutput::Html => ReportTask::File(ReportOutput::Html, usual(args, "html")?),
            ReportOutput::Xlsx => ReportTask::File(ReportOutput::Xlsx, usual(args, "xlsx")?),
            ReportOutput::Json => ReportTask::StandardOutput(Text::Json),
            ReportOutput::Markdown => ReportTask::StandardOutput(Text::Markdown),
        }),
        Some(path) if path.as_os_str() == "-" => match form {
            Some(ReportOutput::Json) => Ok(ReportTask::StandardOutput(Text::Json)),
            Some(ReportOutput::Markdown) => Ok(ReportTask::StandardOutput(Text::Markdown)),
            _ => Err(anyhow!("only --output json and --output markdown can go to standard output")),
        },
        Some(path) => Ok(ReportTask::File(form_of(path, form, args)?, path.to_owned())),
    }
}

/// Where a report goes that nobody gave a name: beside the first results, of which the command line demands one at least,
/// or beside the plan and called like it.
fn usual(args: &ReportArgs, ending: &str) -> anyhow::Result<PathBuf> {
    let Some(plan) = &args.plan else {
        return Ok(beside(args.results.first().map_or(Path::new(""), PathBuf::as_path), ending));
    };
    let path = plan.with_extension(ending);
    if is_read(args, &path) {
        return Err(anyhow!("{} would be overwritten: name the file of the report with -o", path.display()));
    }
    Ok(path)
}

/// Whether a file is one that the report is made of.
fn is_read(args: &ReportArgs, path: &Path) -> bool {
    args.results.iter().chain(&args.plan).any(|read| is_same_file(read, path))
}

/// What a named file is to hold.
fn form_of(path: &Path, form: Option<ReportOutput>, args: &ReportArgs) -> anyhow::Result<ReportOutput> {
    let shown = path.display();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    if NEVER.contains(&ending.as_str()) || is_read(args, path) {
        return Err(anyhow!("{shown} would be overwritten: a report ends in .html, .xlsx, .json or .md"));
    }
    match (by_ending(&ending), form) {
        (Some(named), Some(asked)) if named != asked => {
            Err(anyhow!("--output and the ending of {shown} ask for different things: leave out --output"))
        }
        (Some(form), _) | (None, Some(form)) => Ok(form),
        (None, None) => Err(anyhow!("{shown} does not say what to write: end it in .html, .xlsx, .json or .md")),
    }
}

fn by_ending(ending: &str) -> Option<ReportOutput> {
    match ending {
        "html" | "htm" => Some(ReportOutput::Html),
        "xlsx" => Some(ReportOutput::Xlsx),
        "json" => Some(ReportOutput::Json),
        "md" | "markdown" => Some(ReportOutput::Markdown),
        _ => None,
    }
}

/// The report of a results file beside it, `NAME.report.html`.
fn beside(results: &Path, ending: &str) -> PathBuf {
    // `NAME.runs.jsonl` without its two endings is the name.
    let mut name = runs_of(results).with_extension("").with_extension("").into_os_string();
    name.push(format!(".report.{ending}"));
    name.into()
}

fn announce(path: &Path, headline: &str, screen: Screen) {
    let text = format!("{}: {headline}", path.display());
    screen.note(&format!("{}\n", crate::text::escape_for_terminal(&text)));
}

fn summed_up(args: &ReportArgs, tables: &[ResultsTable], rows: &CombinedResults<'_>) -> anyhow::Result<Report> {
    let mut files = args.results.iter().map(|path| -> anyhow::Result<LaterResults> {
        let results = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let results_sha256 = sha256(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(LaterResults { results, results_sha256 })
    });
    let LaterResults { results, results_sha256 } = files.next().context("there are no results")??;
    let origin = Origin {
        title: args.title.clone(),
        client: args.client.clone(),
        results,
        results_sha256,
        complete: tables.iter().all(ResultsTable::is_complete),
        later_results: files.collect::<anyhow::Result<_>>()?,
        made_at: Timestamp::now(),
        verification: verification(args, rows)?,
        aside: tables.iter().flat_map(ResultsTable::set_aside).collect(),
    };
    // Without the list of runs only the head of the report is shorter.
    let runs = args.results.iter().flat_map(|path| runs(path).unwrap_or_default()).collect();
    Report::of(rows.carried(), rows.lines(), origin, runs).context("cannot read the results")
}

/// What verifications found, if they were kept beside the results.
fn verification(args: &ReportArgs, rows: &CombinedResults<'_>) -> anyhow::Result<Option<ReportedVerification>> {
    let mut found = HashMap::new();
    for path in args.results.iter().map(|path| findings_of(path)).filter(|path| path.is_file()) {
        findings::read(&path, |line| {
            found.insert(line.key, line);
        })
        .with_context(|| format!("cannot use {}; verify again, or remove it", path.display()))?;
    }
    if found.is_empty() {
        return Ok(None);
    }
    ReportedVerification::of(&found, rows.lines()).map(Some).context("cannot read the results")
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut part = vec![0; 64 * 1024];
    loop {
        match file.read(&mut part)? {
            0 => break,
            read => hash.update(&part[..read]),
        }
    }
    Ok(crate::text::hex(&hash.finalize()))
}

fn write(
    report: &Report,
    rows: &CombinedResults<'_>,
    form: ReportOutput,
    out: &mut io::BufWriter<File>,
) -> io::Result<()> {
    match form {
        ReportOutput::Html => report.write_html(out),
        ReportOutput::Xlsx => report.write_xlsx(rows.carried(), rows.lines(), out),
        ReportOutput::Json => report.write_json(out),
        ReportOutput::Markdown => report.write_markdown(out),
    }
}

fn to_standard_output(report: &Report, text: Text) -> io::Result<()> {
    stdio::print_with(|mut out| match text {
        Text::Json => report.write_json(&mut out),
        Text::Markdown => report.write_markdown(&mut out),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Screen {
        let color = crate::cli::values::ColorWhen::Never;
        Screen::new(&crate::cli::args::CommonArgs { quiet: true, verbose: 0, color, log_file: None })
    }

    fn asked(results: PathBuf, to: Option<PathBuf>) -> ReportArgs {
        ReportArgs { results: vec![results], plan: None, to, output: None, title: None, client: None }
    }

    fn placed(to: Option<&str>, output: Option<ReportOutput>) -> Result<ReportTask, String> {
        let results = PathBuf::from("work/uploads.results.csv");
        place(&ReportArgs { output, ..asked(results, to.map(PathBuf::from)) }).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_file_a_page_goes_beside_the_results_and_a_text_to_standard_output() {
        let file = |form, name| Ok(ReportTask::File(form, PathBuf::from(name)));
        assert_eq!(placed(None, None), file(ReportOutput::Html, "work/uploads.report.html"));
        assert_eq!(placed(None, Some(ReportOutput::Xlsx)), file(ReportOutput::Xlsx, "work/uploads.report.xlsx"));
        assert_eq!(placed(None, Some(ReportOutput::Json)), Ok(ReportTask::StandardOutput(Text::Json)));
        assert_eq!(placed(Some("-"), Some(ReportOutput::Markdown)), Ok(ReportTask::StandardOutput(Text::Markdown)));
    }

    #[test]
    fn the_ending_of_a_file_says_what_is_made() {
        for (name, form) in [
            ("a.html", ReportOutput::Html),
            ("a.HTM", ReportOutput::Html),
            ("a.xlsx", ReportOutput::Xlsx),
            ("a.json", ReportOutput::Json),
            ("a.md", ReportOutput::Markdown),
        ] {
            assert_eq!(placed(Some(name), None), Ok(ReportTask::File(form, PathBuf::from(name))));
        }
        let text = ReportTask::File(ReportOutput::Markdown, PathBuf::from("a.txt"));
        assert_eq!(placed(Some("a.txt"), Some(ReportOutput::Markdown)), Ok(text));
    }

    #[test]
    fn a_report_never_takes_the_place_of_a_manifest_or_of_results() {
        for name in ["work/uploads.results.csv", "uploads.csv", "uploads.YAML", "uploads.runs.jsonl", "a.tsv"] {
            let refused = placed(Some(name), Some(ReportOutput::Json));
            assert!(refused.is_err_and(|why| why.contains("would be overwritten")), "{name}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_says_nothing_is_refused() {
        assert!(placed(Some("a.html"), Some(ReportOutput::Xlsx)).is_err());
        assert!(placed(Some("a.pdf"), None).is_err_and(|why| why.contains(".html, .xlsx, .json or .md")));
        assert!(placed(Some("-"), Some(ReportOutput::Xlsx)).is_err());
    }

    /// Results as a run wrote them, in a folder of their own.
    fn results() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let results = folder.path().join("uploads.results.csv");
        let written = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/results-v1.csv");
        std::fs::copy(written, &results).expect("copied");
        (folder, results)
    }

    #[test]
    fn every_form_of_the_report_is_written_from_real_results() {
        let (folder, results) = results();
        for name in ["a.html", "a.xlsx", "a.json", "a.md"] {
            let to = folder.path().join(name);
            let args = asked(results.clone(), Some(to.clone()));
            assert_eq!(run(&args, quiet()).expect("made"), Exit::Done, "{name}");
            assert!(std::fs::metadata(&to).is_ok_and(|file| file.len() > 500), "{name}");
        }
        let json = std::fs::read(folder.path().join("a.json")).expect("there");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["source"]["results"], "uploads.results.csv");
        assert_eq!(json["source"]["results_sha256"], sha256(&results).expect("a hash"));
    }

    #[test]
    fn a_report_on_a_log_does_not_speak_of_all_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/results-v1-log.csv"));
        let to = folder.path().join("a.md");
        let args = asked(log.to_owned(), Some(to.clone()));
        run(&args, quiet()).expect("made");
        let text = std::fs::read_to_string(to).expect("there");
        assert!(text.contains("in place so far") && text.contains("not begun"), "{text}");
    }

    #[test]
    fn results_that_are_not_there_or_not_results_are_trouble_with_the_results() {
        let (folder, results) = results();
        let args = |results| asked(results, Some(folder.path().join("a.html")));
        let exit = |results| run(&args(results), quiet()).map_err(|failure| failure.exit);
        assert_eq!(exit(folder.path().join("none.csv")), Err(Exit::Results));
        std::fs::write(&results, "module,record,file\n").expect("written");
        assert_eq!(exit(results), Err(Exit::Results));
        assert!(!folder.path().join("a.html").exists());
    }

    #[test]
    fn a_report_that_cannot_be_written_says_why() {
        let (folder, results) = results();
        let to = folder.path().join("no such folder").join("a.html");
        let failure = run(&asked(results, Some(to.clone())), quiet()).expect_err("no folder");
        let said = failure.to_string();
        let place = format!("cannot write {}: ", to.display());
        assert!(said.strip_prefix(&place).is_some_and(|why| !why.is_empty()), "{said}");
    }
}
