//! Reads and judges the manifest of a run, with what earlier runs left.

use std::io;

use super::Results;
use super::prepare::Prepared;
use crate::check::{self, ChecksumWatch, Checkup};
use crate::cli::failure::{Failure, OrExit as _};
use crate::console::gauge::{Gauge, GaugeUnit};
use crate::exit::Exit;
use crate::manifest::Manifest;
use crate::plan::recognise::{RecogniseOptions, Recogniser, Recognition};

/// Reads and judges the manifest, and finds rows that earlier runs sent under other words. Where the results could not be
/// read, nobody knows which files may be gone, so none is looked at.
pub(super) fn judge(
    prepared: &Prepared,
    manifest: Manifest,
    results: Option<&Results>,
) -> Result<(Checkup, Recognition), Failure> {
    let checksum_watch = read_watch(prepared, "checksums");
    let options = check::CheckOptions { checksum_watch, ..prepared.check.clone() };
    let Some(results) = results else {
        return Ok((check::check(manifest, &options, &|_| true), Recognition::default()));
    };
    let nobody_knows = results.seen().history().is_empty() && prepared.recognise.others.paths().is_empty();
    if prepared.args.dry_run && nobody_knows {
        return Ok((check::check_anew(manifest, &options), Recognition::default()));
    }
    let recognise = RecogniseOptions { watch: read_watch(prepared, "changed files"), ..prepared.recognise.clone() };
    let mut recogniser = Recogniser::new(results.seen(), &recognise);
    let checkup = check::check_after(manifest, &options, &mut recogniser);
    Ok((checkup, recogniser.finish().or_exit(Exit::Results)?))
}

/// Shows how far the reading of files is that are read before anything is sent.
fn read_watch(prepared: &Prepared, what: &'static str) -> ChecksumWatch {
    let gauge = Gauge::new(prepared.progress().mode, what, GaugeUnit::Bytes, Box::new(io::stderr()));
    ChecksumWatch::new(move |bytes, of| gauge.at(bytes, Some(of)))
}
