//! How long a run will take, as a range, and which limit it runs into.
//!
//! What is not known beforehand (how fast the service answers, how fast the line is) is taken from a good and from a bad
//! day; what the user set is taken as set.

use std::num::NonZeroU64;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Rate;

/// Seconds that the service takes to answer an upload, on a good and on a bad day.
const ANSWER_SECONDS: [f64; 2] = [0.3, 1.5];

/// Bytes a second that the line takes, on a good and on a bad day: 100 and 10 Mbit/s.
const LINE_BYTES_EACH_SECOND: [f64; 2] = [12_500_000.0, 1_250_000.0];

const DAY_SECONDS: f64 = 86_400.0;

/// What has to be done, and within which limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeInputs {
    /// Requests for uploads.
    pub(super) uploads: u64,
    /// All requests, each of which costs a credit.
    pub(super) credits: u64,
    /// Bytes to send.
    pub(super) bytes: u64,
    /// Requests at once.
    pub(super) concurrency: u32,
    /// Requests in a time.
    pub(super) rate: Rate,
    /// Bytes a second, where the user set a limit.
    pub(super) bandwidth: Option<u64>,
    /// Credits in 24 hours that this run may use.
    pub(super) credits_per_day: NonZeroU64,
}

/// What a run's time is bound by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// `--rate`.
    Rate,
    /// `--concurrency`: answers take their time, and only so many may be under way.
    Concurrency,
    /// `--bandwidth`.
    Bandwidth,
    /// How fast the line takes the bytes.
    Line,
    /// The credits of an organisation come back only after 24 hours.
    CreditsPerDay,
}

/// One end of the range.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Seconds, rounded.
    pub seconds: u64,
    /// The limit that makes it so long.
    pub bound_by: Bound,
}

impl Estimate {
    /// As a time.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// From when all goes well to when service and line are slow.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimeRange {
    /// On a good day.
    pub least: Estimate,
    /// On a bad day.
    pub most: Estimate,
}

/// How long this takes.
pub(super) fn estimate(work: &TimeInputs) -> TimeRange {
    let [least, most] = [0, 1].map(|day| on_a_day(work, ANSWER_SECONDS[day], LINE_BYTES_EACH_SECOND[day]));
    TimeRange { least, most }
}

fn on_a_day(work: &TimeInputs, answer_seconds: f64, line: f64) -> Estimate {
    let bandwidth = work.bandwidth.map_or(f64::INFINITY, |bytes| bytes as f64);
    let rate = work.rate.each_second().map_or(0.0, |rate| work.credits as f64 / rate);
    let concurrency = work.uploads as f64 * answer_seconds / f64::from(work.concurrency.max(1));
    let bounds = [
        (rate, Bound::Rate),
        (concurrency, Bound::Concurrency),
        (work.bytes as f64 / line, Bound::Line),
        (work.bytes as f64 / bandwidth, Bound::Bandwidth),
    ];
    let (seconds, bound_by) =
        bounds.into_iter().fold((0.0, Bound::Rate), |most, bound| if bound.0 > most.0 { bound } else { most });
    let waits = days_of_waiting(work);
    if waits == 0 {
        return Estimate { seconds: seconds.round() as u64, bound_by };
    }
    // After each day's credits are used, the next ones come 24 hours after the first of them went; what is left after
    // the last wait goes at the pace of the other limits.
    let per_credit = seconds / work.credits.max(1) as f64;
    let left = work.credits - waits * work.credits_per_day.get();
    let with_waits = waits as f64 * DAY_SECONDS + left as f64 * per_credit;
    if with_waits > seconds {
        Estimate { seconds: with_waits.round() as u64, bound_by: Bound::CreditsPerDay }
    } else {
        Estimate { seconds: seconds.round() as u64, bound_by }
    }
}

fn days_of_waiting(work: &TimeInputs) -> u64 {
    work.credits.saturating_sub(1) / work.credits_per_day.get()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn work(uploads: u64) -> TimeInputs {
        TimeInputs {
            uploads,
            credits: uploads + 1,
            bytes: 0,
            concurrency: 4,
            rate: Rate::per_second(NonZeroU32::new(10).unwrap()),
            bandwidth: None,
            credits_per_day: NonZeroU64::new(50_000).unwrap(),
        }
    }

    fn of(work: &TimeInputs) -> (u64, Bound, u64, Bound) {
        let TimeRange { least, most } = estimate(work);
        (least.seconds, least.bound_by, most.seconds, most.bound_by)
    }

    #[test]
    fn small_files_are_bound_by_the_rate_or_by_slow_answers() {
        assert_eq!(of(&work(1_000)), (100, Bound::Rate, 375, Bound::Concurrency));
    }

    #[test]
    fn large_files_are_bound_by_the_line_or_by_what_the_user_leaves_of_it() {
        let large = TimeInputs { bytes: 125_000_000_000, ..work(1_000) };
        assert_eq!(of(&large), (10_000, Bound::Line, 100_000, Bound::Line));
        let limited = TimeInputs { bandwidth: Some(1_000_000), ..large };
        assert_eq!(of(&limited), (125_000, Bound::Bandwidth, 125_000, Bound::Bandwidth));
    }

    #[test]
    fn two_hundred_thousand_rows_at_fifty_thousand_credits_a_day_take_four_days() {
        let (least, bound_by, ..) = of(&work(200_000));
        assert_eq!((least, bound_by), (345_600, Bound::CreditsPerDay));
        let within_a_day = TimeInputs { credits: 50_000, ..work(49_999) };
        assert_eq!(of(&within_a_day).1, Bound::Rate);
    }

    #[test]
    fn nothing_to_do_takes_no_time() {
        assert_eq!(of(&TimeInputs { credits: 0, ..work(0) }), (0, Bound::Rate, 0, Bound::Rate));
    }
}
