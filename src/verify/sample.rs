//! Which attachments are downloaded to have their bytes compared. Pure; chance comes from a seed that people are shown,
//! so that the same choice can be made again.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use super::{VerifyRow, VerifyWork};
use crate::outcome::Status;

/// How many are to be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleSize {
    /// So many.
    Count(u32),
    /// This share of all, in percent; at least one.
    Percent(u8),
    /// All.
    All,
}

/// The text names no size of a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotASampleSize;

impl FromStr for SampleSize {
    type Err = NotASampleSize;

    fn from_str(text: &str) -> Result<SampleSize, NotASampleSize> {
        if text == "all" {
            return Ok(SampleSize::All);
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent));
            return percent.map(SampleSize::Percent).ok_or(NotASampleSize);
        }
        text.parse().ok().filter(|count| *count > 0).map(SampleSize::Count).ok_or(NotASampleSize)
    }
}

/// The sample.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sample {
    /// Which of [`VerifyWork::rows`], in their order.
    pub rows: Vec<usize>,
    /// From how many it was chosen.
    pub of: usize,
    /// What the choice was made by.
    pub seed: u64,
    /// Bytes that the results give for them, all together.
    pub bytes: u64,
}

/// Chooses from the files that the results call uploaded. Each module is represented, even where that makes the sample
/// larger than was asked for.
pub fn choose(work: &VerifyWork, size: SampleSize, seed: u64) -> Sample {
    let mut eligible: Vec<usize> =
        work.rows.iter().enumerate().filter(|(_, row)| is_eligible(row)).map(|(place, _)| place).collect();
    let of = eligible.len();
    let wanted = match size {
        SampleSize::Count(count) => count as usize,
        SampleSize::Percent(percent) => (of * usize::from(percent)).div_ceil(100),
        SampleSize::All => of,
    };
    fastrand::Rng::with_seed(seed).shuffle(&mut eligible);
    let mut modules: HashSet<Arc<str>> = HashSet::new();
    let (first_of_module, others): (Vec<usize>, Vec<usize>) = eligible
        .into_iter()
        .partition(|&place| work.rows.get(place).is_some_and(|row| modules.insert(Arc::clone(&row.module))));
    let more = wanted.saturating_sub(first_of_module.len());
    let mut rows: Vec<usize> = first_of_module.into_iter().chain(others.into_iter().take(more)).collect();
    rows.sort_unstable();
    let bytes = rows.iter().filter_map(|&place| work.rows.get(place)?.bytes).sum();
    Sample { rows, of, seed, bytes }
}

fn is_eligible(row: &VerifyRow) -> bool {
    row.status == Status::Uploaded && !row.is_link && row.attachment.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{RowKey, ServiceId, SourceKind};

    fn work(modules: &[(&str, u64)]) -> VerifyWork {
        let mut work = VerifyWork::default();
        for (module, rows) in modules {
            for n in 0..*rows {
                let name = format!("{n}.pdf");
                work.rows.push(VerifyRow {
                    line: 2,
                    module: (*module).into(),
                    record: "1000000000".to_owned(),
                    key: RowKey::of(module, "1000000000", SourceKind::File, &name, &name, 1),
                    status: Status::Uploaded,
                    source: name.clone(),
                    is_link: false,
                    name,
                    bytes: Some(10),
                    content: None,
                    sent_at: None,
                    attachment: Some(ServiceId::new(n)),
                    is_plain: true,
                    target: "sandbox".into(),
                    org: None,
                });
            }
        }
        work
    }

    #[test]
    fn every_module_is_represented_and_the_same_seed_chooses_the_same() {
        let work = work(&[("Leads", 5_000), ("Deals", 1), ("Contacts", 3)]);
        let modules = |sample: &Sample| {
            let modules: HashSet<&str> = sample.rows.iter().map(|&row| &*work.rows[row].module).collect();
            modules.len()
        };
        for seed in 0..20 {
            let sample = choose(&work, SampleSize::Count(10), seed);
            assert_eq!((sample.rows.len(), modules(&sample), sample.of, sample.bytes), (10, 3, 5_004, 100));
            assert_eq!(sample, choose(&work, SampleSize::Count(10), seed));
            assert_eq!(modules(&choose(&work, SampleSize::Count(1), seed)), 3, "more than was asked for");
        }
        assert_ne!(choose(&work, SampleSize::Count(10), 1).rows, choose(&work, SampleSize::Count(10), 2).rows);
    }

    #[test]
    fn a_share_is_rounded_up_and_all_is_all() {
        let work = work(&[("Leads", 101)]);
        assert_eq!(choose(&work, SampleSize::Percent(1), 0).rows.len(), 2);
        assert_eq!(choose(&work, SampleSize::All, 0).rows, (0..101).collect::<Vec<_>>());
        assert_eq!(choose(&work, SampleSize::Count(5_000), 0).rows.len(), 101);
        assert_eq!(choose(&VerifyWork::default(), SampleSize::All, 0), Sample::default());
    }

    #[test]
    fn links_and_what_was_not_uploaded_by_us_are_left_out() {
        let mut work = work(&[("Leads", 4)]);
        work.rows[0].is_link = true;
        work.rows[1].status = Status::AlreadyPresent;
        work.rows[2].attachment = None;
        assert_eq!(choose(&work, SampleSize::All, 0).rows, [3]);
    }

    #[test]
    fn the_size_of_a_sample_is_a_number_a_share_or_all() {
        assert_eq!("50".parse(), Ok(SampleSize::Count(50)));
        assert_eq!("5%".parse(), Ok(SampleSize::Percent(5)));
        assert_eq!("all".parse(), Ok(SampleSize::All));
        for wrong in ["", "0", "0%", "101%", "-1", "some", "1.5"] {
            assert_eq!(wrong.parse::<SampleSize>(), Err(NotASampleSize), "{wrong}");
        }
    }
}
