//! What a settings file beside a manifest may say: such a folder may come from anyone, so it makes a run slower, smaller or
//! stricter than the user's own file or the defaults have it, and nothing else.

use std::fmt;

use super::run_settings::RunSettings;
use crate::engine::Policy;
use crate::units::Rate;

/// A setting by which a file would allow more than the user does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loosening {
    /// The key.
    pub key: &'static str,
    theirs: String,
    allowed: String,
    /// Whether the user's own file says what is allowed, or the default.
    by_user: bool,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loosening { key, theirs, allowed, by_user } = self;
        let whose = if *by_user { "your own attache.toml has it" } else { "the default is" };
        write!(
            f,
            "`{key}` is {theirs} here, but {whose} {allowed}: a file beside a manifest may make a run only slower, smaller or \
             stricter, since such a folder may come from anyone; take the line out, and say it in your own attache.toml or \
             on the command line"
        )
    }
}

/// The first setting that allows more than the user's own file, or the default where that says nothing.
pub fn loosening(theirs: &RunSettings, own: &RunSettings) -> Option<Loosening> {
    let standard = Policy::default();
    let defaults = RunSettings {
        concurrency: u8::try_from(standard.concurrency).ok(),
        rate: Some(standard.rate),
        max_size: Some(crate::crm::limits::MAX_REQUEST_BYTES),
        ..RunSettings::default()
    };
    at_most("concurrency", theirs.concurrency, own.concurrency, defaults.concurrency, |number| u64::from(*number))
        .or_else(|| loosened_rate(theirs.rate, own.rate, defaults.rate))
        .or_else(|| at_most("bandwidth", theirs.bandwidth, own.bandwidth, None, |bytes| *bytes))
        .or_else(|| at_most("credits_per_day", theirs.credits_per_day, own.credits_per_day, None, |credits| *credits))
        .or_else(|| at_most("max_size", theirs.max_size, own.max_size, defaults.max_size, |bytes| *bytes))
        .or_else(|| {
            switch("strict", theirs.strict.map(|strict| !strict), own.strict.map(|strict| !strict), "false", true)
        })
        .or_else(|| switch("allow_empty", theirs.allow_empty, own.allow_empty, "true", false))
        .or_else(|| switch("allow_identical", theirs.allow_identical, own.allow_identical, "true", false))
        .or_else(|| switch("allow_rounded_ids", theirs.allow_rounded_ids, own.allow_rounded_ids, "true", false))
        .or_else(|| switch("ignore_columns", theirs.ignore_columns, own.ignore_columns, "true", false))
}

/// A number that may only be smaller. Without a limit of the user's or a default any number is one.
fn at_most<T: fmt::Display>(
    key: &'static str,
    theirs: Option<T>,
    own: Option<T>,
    default: Option<T>,
    number: impl Fn(&T) -> u64,
) -> Option<Loosening> {
    let theirs = theirs?;
    let by_user = own.is_some();
    let allowed = own.or(default)?;
    (number(&theirs) > number(&allowed)).then(|| Loosening {
        key,
        theirs: theirs.to_string(),
        allowed: allowed.to_string(),
        by_user,
    })
}

fn loosened_rate(theirs: Option<Rate>, own: Option<Rate>, default: Option<Rate>) -> Option<Loosening> {
    let (theirs, by_user) = (theirs?, own.is_some());
    let allowed = own.or(default)?;
    let is_faster = match (theirs.each_second(), allowed.each_second()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(theirs), Some(allowed)) => theirs > allowed,
    };
    let shown = |rate: Rate| format!("\"{rate}\"");
    is_faster.then(|| Loosening { key: "rate", theirs: shown(theirs), allowed: shown(allowed), by_user })
}

/// A switch that lets something pass: it may be on only where the user has it on. `default` is whether it is on where the user
/// says nothing, `word` what is written to switch it on.
fn switch(
    key: &'static str,
    theirs: Option<bool>,
    own: Option<bool>,
    word: &'static str,
    default: bool,
) -> Option<Loosening> {
    let lets_pass = theirs? && !own.unwrap_or(default);
    let other = if word == "true" { "false" } else { "true" };
    lets_pass.then(|| Loosening { key, theirs: word.to_owned(), allowed: other.to_owned(), by_user: own.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Option<Rate> {
        Some(text.parse().expect("a rate"))
    }

    #[test]
    fn what_is_tighter_or_equal_passes() {
        let own = RunSettings {
            concurrency: Some(8),
            rate: rate("none"),
            bandwidth: Some(1000),
            max_size: Some(1000),
            strict: Some(true),
            allow_empty: Some(true),
            ..RunSettings::default()
        };
        assert_eq!(loosening(&own.clone(), &own), None);
        let theirs = RunSettings {
            concurrency: Some(1),
            rate: rate("60/min"),
            bandwidth: Some(10),
            credits_per_day: Some(10),
            max_size: Some(10),
            strict: Some(true),
            allow_empty: Some(false),
            custom_modules: vec!["Fleet".to_owned()],
            ..RunSettings::default()
        };
        assert_eq!(loosening(&theirs, &own), None);
        assert_eq!(loosening(&theirs, &RunSettings::default()), None);
        assert_eq!(loosening(&RunSettings::default(), &own), None);
    }

    #[test]
    fn what_is_looser_is_named_with_both_values() {
        let own = RunSettings {
            concurrency: Some(2),
            rate: rate("5/s"),
            bandwidth: Some(10),
            credits_per_day: Some(10),
            max_size: Some(10),
            strict: Some(true),
            ..RunSettings::default()
        };
        let none = RunSettings::default();
        let with = |change: fn(&mut RunSettings)| {
            let mut theirs = RunSettings::default();
            change(&mut theirs);
            theirs
        };
        let cases: [(RunSettings, &RunSettings, &str, &str, &str); 11] = [
            (with(|run| run.concurrency = Some(3)), &own, "concurrency", "3", "2"),
            (with(|run| run.concurrency = Some(5)), &none, "concurrency", "5", "4"),
            (with(|run| run.rate = rate("none")), &own, "rate", "\"none\"", "\"5/s\""),
            (with(|run| run.rate = rate("601/min")), &none, "rate", "\"601/min\"", "\"10/s\""),
            (with(|run| run.bandwidth = Some(11)), &own, "bandwidth", "11", "10"),
            (with(|run| run.credits_per_day = Some(11)), &own, "credits_per_day", "11", "10"),
            (with(|run| run.max_size = Some(u64::MAX)), &none, "max_size", "18446744073709551615", "104857600"),
            (with(|run| run.strict = Some(false)), &own, "strict", "false", "true"),
            (with(|run| run.allow_empty = Some(true)), &own, "allow_empty", "true", "false"),
            (with(|run| run.allow_identical = Some(true)), &none, "allow_identical", "true", "false"),
            (with(|run| run.allow_rounded_ids = Some(true)), &none, "allow_rounded_ids", "true", "false"),
        ];
        for (theirs, own, key, said, allowed) in cases {
            let found = loosening(&theirs, own).expect(key);
            assert_eq!((found.key, found.theirs.as_str(), found.allowed.as_str()), (key, said, allowed));
        }
        assert_eq!(loosening(&with(|run| run.strict = Some(false)), &none), None, "it is not strict anyway");
    }
}
