//! Whole processes side by side: `attache`, `curl --parallel` and a Python client, on a server that only reads and
//! answers.
//!
//! ```text
//! cargo bench --bench compare                      # everything, about ten minutes
//! cargo bench --bench compare -- small large       # only these
//! cargo bench --bench compare -- --runs 5 --out figures.md
//! ```
//!
//! It needs `curl` and `python3`; a comparison whose other side is missing is left out, and the table says so. All
//! traffic goes to loopback servers of this process. Figures are user + system time and peak resident set of the
//! client process alone, medians over the runs; ratios are taken pair by pair, so they hold where the machine's speed
//! drifts. A child's peak cannot read lower than what this harness itself held when it started the child; that floor
//! is printed.

#[cfg(unix)]
mod input;
#[cfg(unix)]
mod measure;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod table;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    table::main()
}

#[cfg(not(unix))]
fn main() {
    println!("the comparisons need a Unix system: they read the operating system's accounting of a finished process");
}
