//! How long the rest of a run takes, by what its rows and its bytes have cost so far. Pure; the time is passed in.
//!
//! Neither count alone tells: behind one file of 90 MB a thousand small ones would seem to take hours by rows, and a thousand
//! small ones in front of the large files would promise an early end. So the time of the last minutes is split into what a row
//! costs and what a byte costs, as the two numbers that explain it best (least squares).

use std::time::Duration;

use crate::engine::Elapsed;

/// The least time that is weighed as one. A row ends in a moment and was on its way for seconds.
const SAMPLE: Duration = Duration::from_secs(5);

/// After so many seconds a sample weighs half: a run may have got another line, or another limit.
const HALF_LIFE: f64 = 120.0;

/// Where rows and bytes grow alike to within this, nothing tells apart what either costs.
const ALIKE: f64 = 1e-3;

/// Bytes are counted in millions, so that both counts are of about one size.
const MILLION: f64 = 1e6;

/// What a run has cost.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct WorkPace {
    /// When the sample under way began.
    since: Elapsed,
    /// Rows of that sample.
    rows: u64,
    /// Bytes of that sample.
    bytes: u64,
    /// All samples before.
    sums: PaceSums,
}

/// Sums over samples, the older ones weighing less: of seconds, rows, millions of bytes, and of their products.
#[derive(Clone, Copy, Default, Debug)]
struct PaceSums {
    seconds: f64,
    rows: f64,
    bytes: f64,
    rows_rows: f64,
    rows_bytes: f64,
    bytes_bytes: f64,
    rows_seconds: f64,
    bytes_seconds: f64,
}

impl WorkPace {
    /// Notes that so many rows have ended and so many bytes have left.
    pub(super) fn note(&mut self, at: Elapsed, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        let span = at.saturating_sub(self.since);
        // A pause ends up in the sample that it delayed: whatever made the run wait may make it wait again.
        if span >= SAMPLE {
            self.sums.add(span.as_secs_f64(), self.rows as f64, self.bytes as f64 / MILLION);
            (self.since, self.rows, self.bytes) = (at, 0, 0);
        }
    }

    /// How long so many rows with so many bytes take; `None` while too little is known.
    pub(super) fn lasting(&self, rows: u64, bytes: u64) -> Option<Duration> {
        let (row, byte) = self.sums.costs()?;
        Duration::try_from_secs_f64(rows as f64 * row + bytes as f64 / MILLION * byte).ok()
    }
}

impl PaceSums {
    fn add(&mut self, seconds: f64, rows: f64, bytes: f64) {
        let aged = 0.5_f64.powf(seconds / HALF_LIFE);
        let with = |sum: f64, more: f64| sum * aged + more;
        *self = PaceSums {
            seconds: with(self.seconds, seconds),
            rows: with(self.rows, rows),
            bytes: with(self.bytes, bytes),
            rows_rows: with(self.rows_rows, rows * rows),
            rows_bytes: with(self.rows_bytes, rows * bytes),
            bytes_bytes: with(self.bytes_bytes, bytes * bytes),
            rows_seconds: with(self.rows_seconds, rows * seconds),
            bytes_seconds: with(self.bytes_seconds, bytes * seconds),
        };
    }

    /// Seconds for a row and for a million bytes. Neither is below 0, and together they explain all the time.
    fn costs(&self) -> Option<(f64, f64)> {
        let of_rows = (self.rows_seconds / self.rows_rows, 0.0);
        let of_bytes = (0.0, self.bytes_seconds / self.bytes_bytes);
        let apart = self.rows_rows * self.bytes_bytes - self.rows_bytes * self.rows_bytes;
        let (row, byte) = if self.rows_rows == 0.0 && self.bytes_bytes == 0.0 {
            return None;
        } else if self.bytes_bytes == 0.0 {
            of_rows
        } else if self.rows_rows == 0.0 {
            of_bytes
        } else if apart <= ALIKE * self.rows_rows * self.bytes_bytes {
            // Files of one size: half of the time for each, which is right as long as they stay so.
            (self.seconds / (2.0 * self.rows), self.seconds / (2.0 * self.bytes))
        } else {
            let row = (self.rows_seconds * self.bytes_bytes - self.bytes_seconds * self.rows_bytes) / apart;
            let byte = (self.bytes_seconds * self.rows_rows - self.rows_seconds * self.rows_bytes) / apart;
            match (row < 0.0, byte < 0.0) {
                (true, _) => of_bytes,
                (_, true) => of_rows,
                (false, false) => (row, byte),
            }
        };
        let explained = row * self.rows + byte * self.bytes;
        (explained > 0.0).then(|| (row * self.seconds / explained, byte * self.seconds / explained))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run in which a row costs so much and a million bytes so much, over these files.
    fn after(row: f64, million: f64, files: impl Iterator<Item = u64>) -> WorkPace {
        let (mut pace, mut seconds) = (WorkPace::default(), 0.0);
        for bytes in files {
            // A large file leaves in pieces.
            for piece in (0..bytes).step_by(1_000_000).map(|from| (bytes - from).min(1_000_000)) {
                seconds += piece as f64 / MILLION * million;
                pace.note(Duration::from_secs_f64(seconds), 0, piece);
            }
            seconds += row;
            pace.note(Duration::from_secs_f64(seconds), 1, 0);
        }
        pace
    }

    fn seconds(pace: &WorkPace, rows: u64, bytes: u64) -> f64 {
        pace.lasting(rows, bytes).expect("known").as_secs_f64()
    }

    #[test]
    fn small_files_behind_a_large_one_do_not_seem_to_take_hours() {
        let files = std::iter::once(90_000_000).chain(std::iter::repeat_n(10_000, 300));
        let pace = after(0.1, 0.5, files);
        let left = seconds(&pace, 1_000, 10_000_000);
        assert!((80.0..140.0).contains(&left), "{left}, and it is 105");
    }

    #[test]
    fn large_files_behind_small_ones_are_counted_by_their_bytes() {
        let sizes = (0..400_u64).map(|n| if n % 40 == 0 { 20_000_000 } else { 10_000 });
        let pace = after(0.1, 0.5, sizes);
        let left = seconds(&pace, 10, 900_000_000);
        assert!((400.0..500.0).contains(&left), "{left}, and it is 451");
    }

    #[test]
    fn files_of_one_size_go_on_as_they_went() {
        let pace = after(0.1, 0.1, std::iter::repeat_n(1_000_000, 500));
        let left = seconds(&pace, 1_000, 1_000_000_000);
        assert!((195.0..205.0).contains(&left), "{left}, and it is 200");
    }

    #[test]
    fn links_alone_and_a_beginning_are_told_by_what_is_known() {
        assert_eq!(WorkPace::default().lasting(10, 10), None);
        let left = seconds(&after(0.2, 0.0, std::iter::repeat_n(0, 100)), 50, 0);
        assert!((9.0..11.0).contains(&left), "{left}");
    }
}
