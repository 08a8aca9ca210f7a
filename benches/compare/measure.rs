//! Runs a command to its end and says what it cost, by the operating system's own accounting of the finished process.
//!
//! A new process begins its account of memory with the peak of the one that started it. So that a harness that has
//! held much does not lift the figures, each command is started by a small process in between: this same program,
//! called with [`IN_BETWEEN`].

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// The first argument of a process in between; the command to run follows it.
pub const IN_BETWEEN: &str = "--run-and-account";

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
pub fn run(command: &Command) -> io::Result<Cost> {
    let mut between = Command::new(std::env::current_exe()?);
    between.arg(IN_BETWEEN).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => between.env(name, value),
            None => between.env_remove(name),
        };
    }
    let told = between.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    Cost::parse(&String::from_utf8_lossy(&told.stdout))
        .ok_or_else(|| io::Error::other(format!("no figures of {command:?}")))
}

/// The work of the process in between: runs the command and writes its cost to standard output.
pub fn account(mut words: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut command = Command::new(words.next().ok_or(io::ErrorKind::InvalidInput)?);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let finished = command.spawn()?.wait4()?;
    let (wall, usage) = (began.elapsed(), finished.rusage);
    let cpu = usage.utime + usage.stime;
    let ok = u8::from(finished.status.success());
    println!("{} {} {} {ok}", cpu.as_micros(), wall.as_micros(), usage.maxrss);
    Ok(())
}

impl Cost {
    /// Reads what [`account`] wrote.
    fn parse(text: &str) -> Option<Cost> {
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (cpu, wall) = (Duration::from_micros(next()?), Duration::from_micros(next()?));
        Some(Cost { cpu, wall, rss: next()?, ok: next()? == 1 })
    }
}

/// The middle value of an odd number of values, the lower middle of an even one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
