//! When the uploads happened and how long their answers took, put into a number of bins that fits a drawing.
//!
//! A run of several days stands still at night. Drawn to scale it would be thin needles in white space, so the time
//! line is cut into stretches of work, and only those are drawn.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// Without an upload for this long, the work was interrupted.
const PAUSE_SECONDS: i64 = 30 * 60;
/// More stretches than this are not told apart any more; longer pauses then count as work.
const MOST_STRETCHES: usize = 12;
/// Bins that still can be seen as bars of their own.
const MOST_BINS: i64 = 150;
/// Lengths of a bin that divide an hour or a day, so that bins begin at round times.
const BIN_SECONDS: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400];

/// One upload whose own answer came.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Answered {
    /// When, in seconds since 1970.
    pub(super) at: i64,
    /// How long the answer took.
    pub(super) seconds: f32,
}

/// The stretches of work, in order, in bins of one length.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Timeline {
    /// Length of a bin.
    pub bin_seconds: i64,
    /// Stretches of work between pauses.
    pub stretches: Vec<Stretch>,
    /// Times to answer over all uploads.
    pub answers: AnswerTimes,
}

/// A stretch of work without a long pause.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Stretch {
    /// Where the first bin begins, in seconds since 1970.
    #[serde(serialize_with = "instant")]
    #[schemars(with = "Option<String>")]
    pub from: i64,
    /// Bins without a gap between them.
    pub bins: Vec<Bin>,
}

/// What happened in one bin.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct Bin {
    /// Uploads that ended in it.
    pub uploads: u32,
    /// Half of the answers took at most this long; 0 without an upload.
    pub median_seconds: f32,
    /// Nineteen in twenty answers took at most this long.
    pub p95_seconds: f32,
}

/// Times to answer, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Answers")]
pub struct AnswerTimes {
    /// Half of the answers took at most this long.
    pub median: f32,
    /// Nineteen in twenty answers took at most this long.
    pub p95: f32,
    /// The slowest.
    pub longest: f32,
}

impl Timeline {
    /// The time line of these uploads, in any order; `None` if there are none.
    pub(super) fn of(mut answered: Vec<Answered>) -> Option<Timeline> {
        answered.sort_unstable_by_key(|answer| answer.at);
        if answered.is_empty() {
            return None;
        }
        let stretches = stretches(&answered);
        let bin_seconds = bin_seconds(&stretches);
        let stretches = stretches.iter().map(|stretch| Stretch::of(stretch, bin_seconds)).collect();
        let mut all: Vec<f32> = answered.iter().map(|answer| answer.seconds).collect();
        let (median, p95) = quantiles(&mut all);
        Some(Timeline {
            bin_seconds,
            stretches,
            answers: AnswerTimes { median, p95, longest: all.last().copied().unwrap_or(0.0) },
        })
    }

    /// The most uploads in one bin.
    pub fn busiest(&self) -> u32 {
        self.bins().map(|bin| bin.uploads).max().unwrap_or(0)
    }

    /// All bins, stretch after stretch.
    pub fn bins(&self) -> impl Iterator<Item = &Bin> {
        self.stretches.iter().flat_map(|stretch| &stretch.bins)
    }
}

impl Stretch {
    fn of(answered: &[Answered], bin_seconds: i64) -> Stretch {
        let bin_of = |answer: &Answered| answer.at.div_euclid(bin_seconds);
        let first = answered.first().map_or(0, bin_of);
        let mut bins = Vec::new();
        for same in answered.chunk_by(|a, b| bin_of(a) == bin_of(b)) {
            let at = same.first().map_or(first, bin_of) - first;
            bins.resize_with(usize::try_from(at).unwrap_or(0), Bin::default);
            let mut seconds: Vec<f32> = same.iter().map(|answer| answer.seconds).collect();
            let (median_seconds, p95_seconds) = quantiles(&mut seconds);
            bins.push(Bin { uploads: u32::try_from(same.len()).unwrap_or(u32::MAX), median_seconds, p95_seconds });
        }
        Stretch { from: first * bin_seconds, bins }
    }
}

/// Times are RFC 3339 in every JSON of ours.
fn instant<S: Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    match Timestamp::from_second(*at) {
        Ok(at) => serializer.collect_str(&at),
        Err(_) => serializer.serialize_none(),
    }
}

/// Cuts sorted uploads at the pauses; at the longest ones only, where there are too many.
fn stretches(answered: &[Answered]) -> Vec<&[Answered]> {
    let mut pause = PAUSE_SECONDS;
    loop {
        let stretches: Vec<&[Answered]> = answered.chunk_by(|a, b| b.at - a.at <= pause).collect();
        if stretches.len() <= MOST_STRETCHES {
            return stretches;
        }
        pause *= 2;
    }
}

/// The shortest bin that keeps the number of bins small.
fn bin_seconds(stretches: &[&[Answered]]) -> i64 {
    let bins = |seconds: i64| -> i64 {
        let ends = stretches.iter().filter_map(|stretch| Some((stretch.first()?.at, stretch.last()?.at)));
        ends.map(|(first, last)| last.div_euclid(seconds) - first.div_euclid(seconds) + 1).sum()
    };
    let days = (1..).map(|days: i64| days * 86_400);
    BIN_SECONDS.into_iter().chain(days).find(|&seconds| bins(seconds) <= MOST_BINS).unwrap_or(i64::MAX)
}

/// Sorts, and gives the median and the 95th percentile.
fn quantiles(seconds: &mut [f32]) -> (f32, f32) {
    seconds.sort_unstable_by(f32::total_cmp);
    let at = |percent: usize| seconds.get(seconds.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0.0);
    (at(50), at(95))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(step: usize, from: i64, to: i64) -> Vec<Answered> {
        (from..to).step_by(step).map(|at| Answered { at, seconds: 0.5 }).collect()
    }

    #[test]
    fn a_night_without_uploads_is_not_drawn() {
        let mut uploads = every(10, 0, 7_200);
        uploads.extend(every(10, 60_000, 63_600));
        let timeline = Timeline::of(uploads).expect("there are uploads");
        assert_eq!(timeline.bin_seconds, 120);
        let bins: Vec<(i64, usize)> = timeline.stretches.iter().map(|part| (part.from, part.bins.len())).collect();
        assert_eq!(bins, [(0, 60), (60_000, 30)]);
        assert_eq!(timeline.bins().map(|bin| bin.uploads).sum::<u32>(), 720 + 360);
    }

    #[test]
    fn a_year_of_odd_uploads_still_fits_the_drawing() {
        let timeline = Timeline::of(every(100_000, 0, 366 * 86_400)).expect("there are uploads");
        assert!(timeline.stretches.len() <= MOST_STRETCHES);
        assert!(i64::try_from(timeline.bins().count()).expect("few") <= MOST_BINS);
        assert_eq!(timeline.bins().map(|bin| bin.uploads).sum::<u32>(), 317);
    }

    #[test]
    fn a_minute_without_an_upload_inside_a_stretch_is_an_empty_bin() {
        let mut uploads = every(1, 0, 60);
        uploads.extend(every(1, 240, 300));
        let timeline = Timeline::of(uploads).expect("there are uploads");
        assert_eq!(timeline.stretches.len(), 1);
        let empty = timeline.bins().filter(|bin| bin.uploads == 0).count();
        assert_eq!(i64::try_from(empty).expect("few") * timeline.bin_seconds, 180);
    }

    #[test]
    fn the_slow_answers_are_told_from_the_usual_ones() {
        let seconds = |n: u8| f32::from(n) / 10.0;
        let uploads = (1..=100).rev().map(|n| Answered { at: 0, seconds: seconds(n) }).collect();
        let timeline = Timeline::of(uploads).expect("there are uploads");
        assert_eq!(timeline.answers, AnswerTimes { median: seconds(50), p95: seconds(95), longest: seconds(100) });
        assert_eq!(Timeline::of(Vec::new()), None);
    }
}
