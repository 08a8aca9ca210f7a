//! Runs a command to its end and says what it cost, by the operating system's own accounting of the finished process.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// What one finished process cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time.
    pub cpu: Duration,
    /// From start to end.
    pub wall: Duration,
    /// Peak resident set, in bytes.
    pub rss: u64,
    /// Whether it ended with status 0.
    pub ok: bool,
}

/// Runs the command with its output thrown away.
pub fn run(command: &mut Command) -> io::Result<Cost> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let finished = child.wait4()?;
    let usage = finished.rusage;
    Ok(Cost { cpu: usage.utime + usage.stime, wall: began.elapsed(), rss: usage.maxrss, ok: finished.status.success() })
}

/// The middle value of an odd number of values, the lower middle of an even one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
