//! The comparisons themselves, one function each, and the table they fill.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::input::{self, InputFormat};
use crate::log;
use crate::measure::{self, Cost, median};
use crate::server::{self, BenchServer, Manner};

const ATTACHE: &str = env!("CARGO_BIN_EXE_attache");
/// Where the table is written unless `--out` says otherwise.
const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/compare.md");
type Comparison = fn(&mut Bench) -> io::Result<()>;

const COMPARISONS: [(&str, Comparison); 10] = [
    ("small", small),
    ("log", log),
    ("large", large),
    ("latency", latency),
    ("throttle", throttle),
    ("rate", rate),
    ("dry-run", dry_run),
    ("growth", growth),
    ("resume", resume),
    ("version", version),
];

/// Runs the comparisons named in the arguments, or all.
pub fn main() -> io::Result<()> {
    let mut bench = Bench::new()?;
    let mut names = Vec::new();
    let mut out = PathBuf::from(OUT);
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--runs" => bench.runs = arguments.next().and_then(|runs| runs.parse().ok()).unwrap_or(bench.runs),
            "--out" => out = arguments.next().map_or(out, PathBuf::from),
            name if COMPARISONS.iter().any(|(known, _)| *known == name) => names.push(argument),
            other => {
                let known: Vec<_> = COMPARISONS.iter().map(|(name, _)| *name).collect();
                eprintln!("`{other}` is no comparison; there are: {}", known.join(", "));
                std::process::exit(2);
            }
        }
    }
    let floor = measure::run(&Command::new("true"))?;
    bench.row("nothing at all", "peak RSS", &mib(floor.rss), "");
    for (name, compare) in COMPARISONS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            eprintln!("· {name}");
            compare(&mut bench)?;
        }
    }
    print!("{}", bench.table);
    std::fs::write(&out, &bench.table)?;
    eprintln!("the table is in {}", out.display());
    Ok(())
}

struct Bench {
    folder: tempfile::TempDir,
    runs: usize,
    table: String,
    has_curl: bool,
    has_python: bool,
}

impl Bench {
    fn new() -> io::Result<Bench> {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        let mut table = String::from("| work | measure | attache | against |\n| --- | --- | --- | --- |\n");
        let (has_curl, has_python) = (has("curl"), has("python3"));
        for (program, found) in [("curl", has_curl), ("python3", has_python)] {
            if !found {
                let _ = writeln!(table, "| | `{program}` is not installed | | left out |");
            }
        }
        Ok(Bench { folder: tempfile::tempdir()?, runs: 3, table, has_curl, has_python })
    }

    fn row(&mut self, work: &str, measure: &str, figure: &str, against: &str) {
        let _ = writeln!(self.table, "| {work} | {measure} | {figure} | {against} |");
        eprintln!("  {work}: {measure}: {figure} {against}");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `attache run` against the server, with a results file that is begun afresh.
    fn attache_run(&self, manifest: &Path, url: &str, ca: Option<&Path>, flags: &[&str]) -> Command {
        let results = manifest.with_extension("bench-results.csv");
        for stale in [results.clone(), manifest.with_extension("bench-results.runs.jsonl")] {
            let _ = std::fs::remove_file(stale);
        }
        let mut command = Command::new(ATTACHE);
        command.arg("run").arg(manifest).args(["--api-domain", url, "--yes", "--progress", "off"]);
        command.arg("--results").arg(results).args(flags).env("ZOHO_ACCESS_TOKEN", "none");
        if let Some(ca) = ca {
            command.arg("--ca-file").arg(ca);
        }
        command
    }

    /// Runs one command and then the other, as often as asked; the costs in pairs.
    fn pairs(
        &self,
        mut first: impl FnMut() -> Command,
        mut second: impl FnMut() -> Command,
    ) -> io::Result<Vec<(Cost, Cost)>> {
        (0..self.runs).map(|_| Ok((checked(first())?, checked(second())?))).collect()
    }

    fn compare_rows(&mut self, work: &str, other: &str, pairs: &[(Cost, Cost)]) {
        let ratio =
            median(pairs.iter().map(|(ours, theirs)| ours.cpu.as_secs_f64() / theirs.cpu.as_secs_f64()).collect());
        let cpu = |of: fn(&(Cost, Cost)) -> Cost| {
            seconds(median(pairs.iter().map(|pair| of(pair).cpu.as_secs_f64()).collect()))
        };
        let rss = |of: fn(&(Cost, Cost)) -> Cost| mib(pairs.iter().map(|pair| of(pair).rss).max().unwrap_or(0));
        let wall = |of: fn(&(Cost, Cost)) -> Cost| {
            seconds(median(pairs.iter().map(|pair| of(pair).wall.as_secs_f64()).collect()))
        };
        self.row(work, "CPU", &cpu(|pair| pair.0), &format!("{other} {}; ratio {ratio:.2}", cpu(|pair| pair.1)));
        self.row(work, "wall", &wall(|pair| pair.0), &format!("{other} {}", wall(|pair| pair.1)));
        self.row(work, "peak RSS", &rss(|pair| pair.0), &format!("{other} {}", rss(|pair| pair.1)));
    }
}

/// Runs a command that must succeed: a figure of a failed run says nothing.
fn checked(command: Command) -> io::Result<Cost> {
    let cost = measure::run(&command)?;
    if cost.ok { Ok(cost) } else { Err(io::Error::other(format!("this command failed: {command:?}"))) }
}

fn seconds(value: f64) -> String {
    format!("{value:.3} s")
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}

fn curl(config: &Path) -> Command {
    let mut command = Command::new("curl");
    command.args(["-Z", "--parallel-max", "8", "-K"]).arg(config);
    command
}

fn python(script: &str, arguments: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new("python3");
    command.arg("-c").arg(script).args(arguments);
    command
}

fn small(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "small", 10_000, 4096)?;
    uploads(bench, "10,000 files of 4 KiB", "small", &files)
}

fn large(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "large", 10, 100_000_000)?;
    uploads(bench, "10 files of 100 MB", "large", &files)
}

/// The same rows by attache, curl and Python, plain and over TLS; and over TLS to a name, which the HTTP library of
/// attache has looked up for each request and curl once.
fn uploads(bench: &mut Bench, work: &str, name: &str, files: &[PathBuf]) -> io::Result<()> {
    let manifest = input::manifest(bench.path(), name, files, files.len(), InputFormat::Csv)?;
    let (authority, tls) = server::make_tls()?;
    let authority_file = bench.path().join("authority.pem");
    std::fs::write(&authority_file, authority)?;
    let plain = BenchServer::start(Manner::default(), None)?;
    let secure = BenchServer::start(Manner::default(), Some(tls))?;
    for (kind, url, ca) in [
        ("plain", plain.url(), None),
        ("TLS", secure.url(), Some(authority_file.as_path())),
        ("TLS by name", secure.url_by_name(), Some(authority_file.as_path())),
    ] {
        let config = input::curl_config(bench.path(), &url, files, ca)?;
        let flags = ["--concurrency", "8", "--rate", "none"];
        let ours = || bench.attache_run(&manifest, &url, ca, &flags);
        let work = format!("{work}, {kind}");
        if bench.has_curl {
            let pairs = bench.pairs(ours, || curl(&config))?;
            bench.compare_rows(&work, "curl", &pairs);
        }
        if bench.has_python {
            let arguments = [manifest.as_os_str(), url.as_ref(), ca.unwrap_or(Path::new("none")).as_os_str()];
            let cost = checked(bench.attache_run(&manifest, &url, ca, &flags))?;
            let pairs = [(cost, checked(python(input::PYTHON_UPLOADER, &arguments))?)];
            bench.compare_rows(&work, "python", &pairs);
        }
    }
    Ok(())
}

/// What of the small files' cost is the log's.
fn log(bench: &mut Bench) -> io::Result<()> {
    let results = bench.path().join("log.results.csv");
    let costs: io::Result<Vec<Cost>> = (0..bench.runs)
        .map(|_| {
            let _ = std::fs::remove_file(&results);
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(log::ALONE).arg(&results);
            checked(command)
        })
        .collect();
    let costs = costs?;
    let work = format!("the durable log of {} uploads alone, 8 threads", log::ROWS);
    bench.row(&work, "CPU", &seconds(median(costs.iter().map(|cost| cost.cpu.as_secs_f64()).collect())), "");
    bench.row(&work, "wall", &seconds(median(costs.iter().map(|cost| cost.wall.as_secs_f64()).collect())), "");
    Ok(())
}

fn latency(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "latency", 2_000, 4096)?;
    let manifest = input::manifest(bench.path(), "latency", &files, files.len(), InputFormat::Csv)?;
    let manner = Manner { latency: Duration::from_millis(50), in_flight: None };
    let server = BenchServer::start(manner, None)?;
    let cost = checked(bench.attache_run(&manifest, &server.url(), None, &["--concurrency", "10", "--rate", "none"]))?;
    let ideal = 2_000.0 / 10.0 * 0.050;
    let share = ideal / cost.wall.as_secs_f64();
    bench.row("2,000 files, 50 ms latency, 10 at once", "ideal time / wall", &format!("{share:.3}"), "");
    Ok(())
}

fn throttle(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "throttle", 4_000, 1024)?;
    let manifest = input::manifest(bench.path(), "throttle", &files, files.len(), InputFormat::Csv)?;
    for allowed in [5, 10] {
        let latency = Duration::from_millis(300);
        let server = BenchServer::start(Manner { latency, in_flight: Some(allowed) }, None)?;
        let cost =
            checked(bench.attache_run(&manifest, &server.url(), None, &["--concurrency", "25", "--rate", "none"]))?;
        let possible = cost.wall.as_secs_f64() / latency.as_secs_f64() * allowed as f64;
        let (useful, refused) = (server.seen.uploads() as f64, server.seen.refused() as f64);
        let work = format!("server allows {allowed} at once, 300 ms");
        bench.row(&work, "useful / allowed", &format!("{:.3}", useful / possible), "");
        bench.row(&work, "share of 429", &format!("{:.2} %", 100.0 * refused / (useful + refused)), "");
    }
    Ok(())
}

fn rate(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "rate", 3_000, 1024)?;
    let manifest = input::manifest(bench.path(), "rate", &files, files.len(), InputFormat::Csv)?;
    let server = BenchServer::start(Manner::default(), None)?;
    checked(bench.attache_run(&manifest, &server.url(), None, &["--concurrency", "8", "--rate", "50/s"]))?;
    let arrivals = server.seen.arrivals();
    let (Some(first), Some(last)) = (arrivals.first(), arrivals.last()) else {
        return Err(io::Error::other("no upload arrived"));
    };
    let achieved = (arrivals.len() - 1) as f64 / last.duration_since(*first).as_secs_f64();
    let second = Duration::from_secs(1);
    let busiest = (0..arrivals.len())
        .map(|from| arrivals[from..].iter().take_while(|at| at.duration_since(arrivals[from]) < second).count())
        .max()
        .unwrap_or(0);
    bench.row("--rate 50/s for 60 s", "achieved / asked", &format!("{:.3}", achieved / 50.0), "");
    bench.row("--rate 50/s for 60 s", "most in any second", &busiest.to_string(), "");
    Ok(())
}

fn dry(manifest: &Path) -> Command {
    let mut command = Command::new(ATTACHE);
    command.arg("run").arg(manifest).args(["--dry-run", "--api-domain", "http://127.0.0.1:9"]);
    command.env("ZOHO_ACCESS_TOKEN", "none");
    command
}

fn dry_run(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "many", 100_000, 64)?;
    let work = "dry run, 1,000,000 rows, 100,000 files";
    let csv = input::manifest(bench.path(), "million", &files, 1_000_000, InputFormat::Csv)?;
    if bench.has_python {
        let pairs = bench.pairs(|| dry(&csv), || python(input::PYTHON_CHECKER, &[csv.as_os_str()]))?;
        bench.compare_rows(&format!("{work}, CSV"), "python", &pairs);
    }
    let yaml = input::manifest(bench.path(), "million", &files, 1_000_000, InputFormat::Yaml)?;
    let cost = checked(dry(&yaml))?;
    bench.row(&format!("{work}, YAML"), "CPU", &seconds(cost.cpu.as_secs_f64()), "");
    bench.row(&format!("{work}, YAML"), "peak RSS", &mib(cost.rss), "");
    Ok(())
}

fn growth(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "growth", 10_000, 64)?;
    for rows in [10_000, 100_000, 1_000_000] {
        for (name, format) in [("CSV", InputFormat::Csv), ("YAML", InputFormat::Yaml)] {
            let manifest = input::manifest(bench.path(), &format!("growth-{rows}"), &files, rows, format)?;
            let cost = checked(dry(&manifest))?;
            let figure = format!("{}, {}", seconds(cost.cpu.as_secs_f64()), mib(cost.rss));
            bench.row(
                &format!("dry run, {rows} rows over 10,000 files"),
                &format!("{name}: CPU, peak RSS"),
                &figure,
                "",
            );
        }
    }
    Ok(())
}

fn resume(bench: &mut Bench) -> io::Result<()> {
    let files = input::files(bench.path(), "resume", 1_000, 64)?;
    let manifest = input::manifest(bench.path(), "resume", &files, 200_000, InputFormat::Csv)?;
    let server = BenchServer::start(Manner::default(), None)?;
    let flags = ["--concurrency", "16", "--rate", "none"];
    checked(bench.attache_run(&manifest, &server.url(), None, &flags))?;
    let before = server.seen.requests();
    let mut walls = Vec::new();
    let mut cpus = Vec::new();
    for _ in 0..bench.runs {
        let mut again = Command::new(ATTACHE);
        again.arg("run").arg(&manifest).args(["--api-domain", &server.url(), "--yes", "--progress", "off"]);
        again.arg("--results").arg(manifest.with_extension("bench-results.csv"));
        let cost = checked({
            again.args(flags).env("ZOHO_ACCESS_TOKEN", "none");
            again
        })?;
        walls.push(cost.wall.as_secs_f64());
        cpus.push(cost.cpu.as_secs_f64());
    }
    let work = "resume, 200,000 settled rows";
    bench.row(work, "wall", &seconds(median(walls)), "");
    bench.row(work, "CPU", &seconds(median(cpus)), "");
    bench.row(work, "requests", &(server.seen.requests() - before).to_string(), "");
    Ok(())
}

fn version(bench: &mut Bench) -> io::Result<()> {
    let costs: io::Result<Vec<f64>> = (0..21)
        .map(|_| {
            let mut command = Command::new(ATTACHE);
            command.arg("--version");
            Ok(checked(command)?.cpu.as_secs_f64() * 1000.0)
        })
        .collect();
    bench.row("attache --version", "CPU", &format!("{:.1} ms", median(costs?)), "");
    Ok(())
}
