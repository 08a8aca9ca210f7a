//! Faults on demand: how one is written (`cut-stored,on=upload,nth=3`), and which requests it strikes.
//!
//! Deciding is deterministic: the same requests in the same order meet the same faults, and a fault by chance depends on
//! its seed, the record and how often that record was asked for, not on the order among records. What a strike does to
//! an answer or to the connection is not decided here.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FaultKind {
    /// 429, nothing stored.
    TooMany,
    /// 500, nothing stored.
    ErrorBefore,
    /// 500 although the attachment was stored.
    ErrorAfter,
    /// The connection is cut when the head of the request is in, before its body is read.
    CutBefore,
    /// The connection is cut when about half of the body is in.
    CutInside,
    /// The connection is cut when the whole body is in; nothing stored.
    CutAfter,
    /// The attachment is stored, then the connection is cut without an answer.
    CutStored,
    /// Stored; the answer stops in the middle of its body.
    Truncated,
    /// Stored; the answer is bytes that are no HTTP.
    Garbage,
    /// 200 with a web page in place of JSON, as from a proxy in between; nothing stored.
    Html,
    /// Stored; the answer comes byte by byte.
    Slow,
    /// 401 before the body is read; then the connection is closed.
    Early401,
    /// 413 before the body is read; then the connection is closed.
    Early413,
    /// 302 to another place; nothing stored.
    Redirect,
    /// 403 `NO_PERMISSION`.
    NoPermission,
    /// 400 `AUTHORIZATION_FAILED`.
    NotAuthorized,
}

impl FaultKind {
    /// Every kind with the word that users write.
    pub const ALL: [(&'static str, FaultKind); 16] = [
        ("429", FaultKind::TooMany),
        ("500-before", FaultKind::ErrorBefore),
        ("500-after", FaultKind::ErrorAfter),
        ("cut-before", FaultKind::CutBefore),
        ("cut-inside", FaultKind::CutInside),
        ("cut-after", FaultKind::CutAfter),
        ("cut-stored", FaultKind::CutStored),
        ("truncated", FaultKind::Truncated),
        ("garbage", FaultKind::Garbage),
        ("html", FaultKind::Html),
        ("slow", FaultKind::Slow),
        ("early-401", FaultKind::Early401),
        ("early-413", FaultKind::Early413),
        ("redirect", FaultKind::Redirect),
        ("no-permission", FaultKind::NoPermission),
        ("not-authorized", FaultKind::NotAuthorized),
    ];

    /// The word that users write.
    pub fn word(self) -> &'static str {
        FaultKind::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// When the fault takes its effect.
    pub(super) fn moment(self) -> FaultMoment {
        match self {
            FaultKind::CutBefore | FaultKind::Early401 | FaultKind::Early413 => FaultMoment::BeforeBody,
            FaultKind::CutInside => FaultMoment::InsideBody,
            FaultKind::TooMany
            | FaultKind::ErrorBefore
            | FaultKind::CutAfter
            | FaultKind::Html
            | FaultKind::Redirect
            | FaultKind::NoPermission
            | FaultKind::NotAuthorized => FaultMoment::InsteadOfWork,
            FaultKind::ErrorAfter
            | FaultKind::CutStored
            | FaultKind::Truncated
            | FaultKind::Garbage
            | FaultKind::Slow => FaultMoment::AfterWork,
        }
    }
}

/// When a fault takes its effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FaultMoment {
    /// The body has not been read.
    BeforeBody,
    /// About half of the body has been read.
    InsideBody,
    /// The body has been read; what was asked for is not done.
    InsteadOfWork,
    /// What was asked for is done; its answer suffers.
    AfterWork,
}

/// Which requests a fault is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum On {
    /// Uploads of files and links.
    Upload,
    /// Lists of a record's attachments.
    List,
    /// Requests for an access token.
    Token,
    /// Queries: COQL, Bulk Read, fields.
    Query,
    /// Deletions of attachments.
    Delete,
}

/// Which of the requests that a fault is about it strikes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum When {
    /// All of them.
    Always,
    /// The n-th, counted from 1.
    Nth(u64),
    /// Each n-th.
    Every(u64),
    /// Each with this probability.
    Chance(f64),
}

/// One `--fault KIND[,key=value…]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which requests it is about.
    pub on: On,
    /// Only requests about this module.
    pub module: Option<String>,
    /// Only requests about this record.
    pub record: Option<String>,
    /// Which of them are struck.
    pub when: When,
    /// At most so many strikes.
    pub times: Option<u64>,
    /// Another seed strikes others, where chance decides.
    pub seed: u64,
    /// The `Retry-After` header of the answer, in seconds.
    pub retry_after: Option<u64>,
    /// How long the fault takes. `slow` spreads its answer over it; `cut-stored` cuts at once and stores only after it,
    /// as a service does that goes on working when its client has gone; the others wait for it first.
    pub delay: Option<Duration>,
}

impl Fault {
    /// A fault that strikes every upload.
    pub fn new(kind: FaultKind) -> Fault {
        Fault {
            kind,
            on: On::Upload,
            module: None,
            record: None,
            when: When::Always,
            times: None,
            seed: 0,
            retry_after: None,
            delay: None,
        }
    }

    /// Whether the fault is about such a request.
    fn concerns(&self, on: On, module: &str, record: &str) -> bool {
        self.on == on
            && self.module.as_deref().is_none_or(|wanted| wanted == module)
            && self.record.as_deref().is_none_or(|wanted| wanted == record)
    }
}

/// Why a fault could not be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultError(String);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FaultError {}

const KEYS: [&str; 10] = ["on", "module", "record", "nth", "every", "p", "times", "seed", "retry-after", "delay"];

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(spec: &str) -> Result<Fault, FaultError> {
        let mut parts = spec.split(',').map(str::trim);
        let word = parts.next().unwrap_or_default();
        let Some((_, kind)) = FaultKind::ALL.iter().find(|(known, _)| *known == word) else {
            let known = FaultKind::ALL.map(|(known, _)| known);
            return Err(FaultError(format!("\"{word}\" is no fault{}", hint(word, &known))));
        };
        let mut fault = Fault::new(*kind);
        let mut given: Vec<&str> = Vec::new();
        for part in parts {
            let Some((key, value)) = part.split_once('=') else {
                return Err(FaultError(format!("\"{part}\" in \"{spec}\" is not of the form key=value")));
            };
            let (key, value) = (key.trim(), value.trim());
            if given.contains(&key) {
                return Err(FaultError(format!("\"{key}\" stands twice in \"{spec}\"")));
            }
            given.push(key);
            fault.set(key, value)?;
        }
        let deciding: Vec<&str> = given.iter().copied().filter(|key| ["nth", "every", "p"].contains(key)).collect();
        match deciding.as_slice() {
            [] | [_] => {}
            [first, second, ..] => {
                return Err(FaultError(format!(
                    "\"{first}\" and \"{second}\" in \"{spec}\" exclude each other; write two faults"
                )));
            }
        }
        fault.agrees_with_itself()?;
        Ok(fault)
    }
}

impl Fault {
    fn set(&mut self, key: &str, value: &str) -> Result<(), FaultError> {
        match key {
            "on" => self.on = on(value)?,
            "module" => self.module = Some(value.to_owned()),
            "record" => self.record = Some(value.to_owned()),
            "nth" => self.when = When::Nth(count(key, value)?),
            "every" => self.when = When::Every(count(key, value)?),
            "p" => self.when = When::Chance(probability(value)?),
            "times" => self.times = Some(count(key, value)?),
            "seed" => {
                self.seed = value
                    .parse()
                    .map_err(|_| FaultError(format!("seed \"{value}\" is not a whole number from 0 on")))?;
            }
            "retry-after" => self.retry_after = Some(duration(key, value)?.as_secs()),
            "delay" => self.delay = Some(duration(key, value)?),
            _ => return Err(FaultError(format!("\"{key}\" is no key{}", hint(key, &KEYS)))),
        }
        Ok(())
    }

    fn agrees_with_itself(&self) -> Result<(), FaultError> {
        let word = self.kind.word();
        if matches!(self.on, On::Token | On::Query) && (self.module.is_some() || self.record.is_some()) {
            return Err(FaultError("such a request has no module and no record in its path".to_owned()));
        }
        if self.retry_after.is_some()
            && !matches!(self.kind, FaultKind::TooMany | FaultKind::ErrorBefore | FaultKind::ErrorAfter)
        {
            return Err(FaultError(format!("\"{word}\" has no answer that could carry retry-after")));
        }
        Ok(())
    }
}

fn on(value: &str) -> Result<On, FaultError> {
    match value {
        "upload" => Ok(On::Upload),
        "list" => Ok(On::List),
        "token" => Ok(On::Token),
        "query" => Ok(On::Query),
        "delete" => Ok(On::Delete),
        _ => Err(FaultError(format!(
            "on=\"{value}\" is nothing known{}",
            hint(value, &["upload", "list", "token", "query", "delete"])
        ))),
    }
}

fn count(key: &str, value: &str) -> Result<u64, FaultError> {
    match value.parse() {
        Ok(0) | Err(_) => Err(FaultError(format!("{key} \"{value}\" is not a whole number from 1 on"))),
        Ok(count) => Ok(count),
    }
}

fn probability(value: &str) -> Result<f64, FaultError> {
    match value.parse::<f64>() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err(FaultError(format!("p \"{value}\" is not a number from 0 to 1"))),
    }
}

fn duration(key: &str, value: &str) -> Result<Duration, FaultError> {
    parse_duration(value).ok_or_else(|| FaultError(format!("{key} \"{value}\" is not a time such as 500ms, 5s or 2m")))
}

/// Reads `500ms`, `5s`, `2m`, `1h` or plain seconds. Longer than a day is refused: no rehearsal waits that long.
fn parse_duration(value: &str) -> Option<Duration> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match value.get(digits.len()..)? {
        "ms" => 1.0,
        "" | "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    let is_plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let ms = digits.parse::<f64>().ok().filter(|_| is_plain)? * unit_ms;
    (ms <= 86_400_000.0).then(|| Duration::from_secs_f64(ms / 1_000.0))
}

/// The end of a message about an unknown word: the nearest known one, or all of them.
fn hint(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|other| (strsim::damerau_levenshtein(word, other), other)).min();
    match near {
        Some((distance, other)) if distance <= 3 && distance < other.len() => format!("; did you mean \"{other}\"?"),
        _ => format!("; there are {}", known.join(", ")),
    }
}

/// A fault that strikes a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Strike {
    pub(super) kind: FaultKind,
    pub(super) retry_after: Option<u64>,
    pub(super) delay: Option<Duration>,
}

/// All faults of a server, with what each has seen so far.
#[derive(Debug)]
pub(super) struct FaultBook {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    seen: u64,
    struck: u64,
    /// How often each record was asked for, where chance decides.
    by_record: HashMap<(String, String), u64>,
}

impl FaultBook {
    pub(super) fn new(faults: Vec<Fault>) -> FaultBook {
        let rule = |fault| Rule { fault, seen: 0, struck: 0, by_record: HashMap::new() };
        FaultBook { rules: faults.into_iter().map(rule).collect() }
    }

    /// Which fault, if any, strikes this request. Every fault counts it, whichever strikes.
    pub(super) fn decide(&mut self, on: On, module: &str, record: &str) -> Option<Strike> {
        let mut strike = None;
        for (index, rule) in self.rules.iter_mut().enumerate() {
            if !rule.fault.concerns(on, module, record) {
                continue;
            }
            let would = rule.counts_and_would_strike(index, module, record);
            if would && strike.is_none() {
                rule.struck += 1;
                let Fault { kind, retry_after, delay, .. } = rule.fault;
                strike = Some(Strike { kind, retry_after, delay });
            }
        }
        strike
    }
}

impl Rule {
    fn counts_and_would_strike(&mut self, index: usize, module: &str, record: &str) -> bool {
        self.seen += 1;
        let by_time = match self.fault.when {
            When::Always => true,
            When::Nth(n) => self.seen == n,
            When::Every(n) => self.seen.is_multiple_of(n),
            When::Chance(p) => {
                let nth = self.by_record.entry((module.to_owned(), record.to_owned())).or_default();
                *nth += 1;
                chance(self.fault.seed, index as u64, module, record, *nth) < p
            }
        };
        by_time && self.fault.times.is_none_or(|times| self.struck < times)
    }
}

/// A number from 0 to 1 that depends on nothing but its arguments.
fn chance(seed: u64, index: u64, module: &str, record: &str, nth: u64) -> f64 {
    // FNV-1a gathers the bytes, the finisher of SplitMix64 spreads them: equal on every platform and Rust release,
    // which the hashers of the standard library do not promise.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let numbers = [seed, index, nth].map(u64::to_le_bytes);
    for byte in numbers.iter().flatten().chain(module.as_bytes()).chain(&[0]).chain(record.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_with_all_its_keys() {
        let fault: Fault =
            "429,on=list,module=Leads,record=42,every=3,times=2,seed=7,retry-after=2s,delay=150ms".parse().unwrap();
        let expected = Fault {
            on: On::List,
            module: Some("Leads".into()),
            record: Some("42".into()),
            when: When::Every(3),
            times: Some(2),
            seed: 7,
            retry_after: Some(2),
            delay: Some(Duration::from_millis(150)),
            ..Fault::new(FaultKind::TooMany)
        };
        assert_eq!(fault, expected);
        for (word, kind) in FaultKind::ALL {
            assert_eq!(word.parse::<Fault>().unwrap(), Fault::new(kind));
            assert_eq!(kind.word(), word);
        }
    }

    #[test]
    fn a_fault_that_is_not_understood_says_what_would_be() {
        let message = |spec: &str| spec.parse::<Fault>().unwrap_err().to_string();
        let cases = [
            ("cut-storred", r#""cut-storred" is no fault; did you mean "cut-stored"?"#),
            ("429,nht=1", r#""nht" is no key; did you mean "nth"?"#),
            ("429,on=uploads", r#"on="uploads" is nothing known; did you mean "upload"?"#),
            ("429,nth", r#""nth" in "429,nth" is not of the form key=value"#),
            ("429,nth=0", r#"nth "0" is not a whole number from 1 on"#),
            ("429,p=1.5", r#"p "1.5" is not a number from 0 to 1"#),
            ("429,p=nan", r#"p "nan" is not a number from 0 to 1"#),
            ("429,nth=1,nth=2", r#""nth" stands twice in "429,nth=1,nth=2""#),
            ("429,nth=1,p=0.5", r#""nth" and "p" in "429,nth=1,p=0.5" exclude each other; write two faults"#),
            ("slow,delay=5 days", r#"delay "5 days" is not a time such as 500ms, 5s or 2m"#),
            ("429,on=token,record=1", "such a request has no module and no record in its path"),
            ("html,retry-after=1", r#""html" has no answer that could carry retry-after"#),
        ];
        for (spec, expected) in cases {
            assert_eq!(message(spec), expected, "{spec}");
        }
        assert!(message("").starts_with(r#""" is no fault"#));
        assert!(message("earthquake").contains("there are 429, 500-before"));
    }

    #[test]
    fn times_are_read_in_the_units_people_use() {
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2"), Some(Duration::from_secs(2)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        for bad in ["", "s", "-1s", "1d", "1e3s", "25h", "inf", "1.2.3s", "１s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    fn struck(spec: &str, requests: &[(&str, &str)]) -> Vec<bool> {
        let mut book = FaultBook::new(vec![spec.parse().unwrap()]);
        requests.iter().map(|(module, record)| book.decide(On::Upload, module, record).is_some()).collect()
    }

    #[test]
    fn a_fault_strikes_the_requests_it_is_meant_for() {
        let four = [("Leads", "1"), ("Leads", "2"), ("Deals", "1"), ("Leads", "1")];
        assert_eq!(struck("429", &four), [true; 4]);
        assert_eq!(struck("429,nth=2", &four), [false, true, false, false]);
        assert_eq!(struck("429,every=2", &four), [false, true, false, true]);
        assert_eq!(struck("429,module=Leads,nth=3", &four), [false, false, false, true]);
        assert_eq!(struck("429,record=1,times=2", &four), [true, false, true, false]);
        assert_eq!(struck("429,on=list", &four), [false; 4]);
        assert_eq!(struck("429,p=0", &four), [false; 4]);
        assert_eq!(struck("429,p=1", &four), [true; 4]);
    }

    #[test]
    fn the_first_of_several_faults_strikes_and_all_of_them_count() {
        let mut book = FaultBook::new(vec!["429,nth=1".parse().unwrap(), "html,nth=2".parse().unwrap()]);
        let mut next = || book.decide(On::Upload, "Leads", "1").map(|strike| strike.kind);
        assert_eq!([next(), next(), next()], [Some(FaultKind::TooMany), Some(FaultKind::Html), None]);
    }

    #[test]
    fn chance_depends_on_seed_and_record_but_not_on_the_order_among_records() {
        let records: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let forth: Vec<(&str, &str)> = records.iter().map(|record| ("Leads", record.as_str())).collect();
        let back: Vec<(&str, &str)> = forth.iter().rev().copied().collect();
        let seven = struck("429,p=0.3,seed=7", &forth);
        let mut seven_back = struck("429,p=0.3,seed=7", &back);
        seven_back.reverse();
        assert_eq!(seven, seven_back);
        assert_ne!(seven, struck("429,p=0.3,seed=8", &forth));
        let share = seven.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&share), "{share} of 1000 at 30 %");
    }
}
