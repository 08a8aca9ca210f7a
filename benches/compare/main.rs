//! Whole processes side by side: `attache`, `curl --parallel` and a Python client, on a server that only reads and
//! answers.
//!
//! ```text
//! cargo bench --bench compare                      # everything, about ten minutes
//! cargo bench --bench compare -- small large       # only these
//! cargo bench --bench compare -- --runs 5 --out figures.md
//! ```
//!
//! The table is printed and written to `target/tmp/compare.md`, or where `--out` says.
//!
//! It needs `curl` and `python3`; a comparison whose other side is missing is left out, and the table says so. All
//! traffic goes to loopback servers of this process. Figures are user + system time and peak resident set of the
//! client process alone, medians over the runs; ratios are taken pair by pair, so they hold where the machine's speed
//! drifts. The first row says what a process that does nothing reads as.

#[cfg(unix)]
mod input;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod measure;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod table;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let first = arguments.next_if(|first| first == measure::IN_BETWEEN || first == log::ALONE);
    match (first, arguments.peek()) {
        (None, _) => table::main(),
        (Some(first), Some(results)) if first == log::ALONE => log::write(results.as_ref()),
        (Some(_), _) => measure::account(arguments),
    }
}

#[cfg(not(unix))]
fn main() {
    println!("the comparisons need a Unix system: they read the operating system's accounting of a finished process");
}
