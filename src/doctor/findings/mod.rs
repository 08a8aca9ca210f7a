//! What follows from what was learnt: for each check whether it is in order, what was found, and what would help.
//!
//! Pure: facts in, findings out.

mod manifest;
mod service;

use crate::engine::requests::RequestStop;
use crate::explain::doctor_checks::DoctorCheck;
use crate::reply::{Reply, StopBecause, Verdict};
use crate::zoho::Target;

use super::inquiry::DoctorFacts;
use super::search::RecordSearch;

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum CheckStatus {
    /// As it should be.
    Ok,
    /// It could not be asked, or nobody can tell.
    NotAsked,
    /// A run is possible, and somebody should know this before.
    Warn,
    /// A run would not do what it should.
    Fail,
}

/// What would help.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DoctorAdvice {
    /// A token with these scopes as well.
    GrantScopes(Vec<String>),
    /// Signing in anew.
    SignIn,
    /// Another address, or another way there.
    CheckTarget,
    /// A clock that is right.
    SetClock,
    /// This pace fits.
    Pace {
        /// Calls at once.
        concurrency: u32,
        /// Calls a second.
        rate: u32,
        /// API credits in 24 hours; `None` without limit.
        credits_per_day: Option<u64>,
        /// Whether a run should wait for credits.
        should_wait: bool,
    },
    /// Another version of the API.
    OtherVersion,
    /// API names in place of what the manifest has, and custom modules to declare.
    NameModules {
        /// What the manifest has, and the API name.
        renames: Vec<(String, String)>,
        /// Custom modules that exist and were not declared.
        declare: Vec<String>,
    },
    /// The related list must be shown in the layout.
    ShowAttachments,
    /// A user who may do more.
    OtherUser,
    /// The rows are to be looked at, by the check of a dry run.
    MendRows,
    /// The rows without a record are to be looked at.
    MendRecords,
    /// The budget of this command is too small for the question.
    RaiseBudget(u64),
    /// A new crosswalk.
    NewCrosswalk,
    /// The CRM shows it to an administrator.
    LookInSetup,
}

/// What was found by one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DoctorFinding {
    /// Which check.
    pub(crate) check: DoctorCheck,
    /// How it ended.
    pub(crate) status: CheckStatus,
    /// What was found, or why nothing was.
    pub(crate) detail: String,
    /// What would help; `None` where nothing need be done.
    pub(crate) advice: Option<DoctorAdvice>,
}

impl DoctorFinding {
    fn new(check: DoctorCheck, status: CheckStatus, detail: impl Into<String>) -> DoctorFinding {
        DoctorFinding { check, status, detail: detail.into(), advice: None }
    }

    fn with(self, advice: DoctorAdvice) -> DoctorFinding {
        DoctorFinding { advice: Some(advice), ..self }
    }

    /// Not asked for want of scopes.
    fn needs(check: DoctorCheck, what: &str, scopes: &[&str]) -> DoctorFinding {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let finding = DoctorFinding::new(check, CheckStatus::NotAsked, format!("the token may not ask for {what}"));
        finding.with(DoctorAdvice::GrantScopes(scopes))
    }
}

/// Why nothing further could be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DoctorStop {
    /// What is in the way.
    pub(crate) kind: DoctorStopKind,
    /// The same in words, without a full stop.
    pub(crate) words: String,
}

/// What was in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DoctorStopKind {
    /// The service was not reached, or something else answered.
    Connection,
    /// The token is refused, or there is none.
    Credentials,
    /// The token is of another place.
    DataCentre,
    /// Credits: the user's budget, or the organisation's.
    Credits,
    /// The user.
    Signal,
}

impl DoctorStopKind {
    /// What a failed try to get a token means.
    pub(crate) fn of_reply(reply: &Reply) -> DoctorStopKind {
        match reply.verdict {
            _ if reply.code == crate::outcome::OwnCode::OtherTarget.as_str() => DoctorStopKind::DataCentre,
            Verdict::Stop(StopBecause::Credentials) => DoctorStopKind::Credentials,
            _ => DoctorStopKind::Connection,
        }
    }

    /// What an early end of the questions means.
    pub(crate) fn of_stop(stop: &RequestStop) -> DoctorStopKind {
        match stop {
            RequestStop::Signal => DoctorStopKind::Signal,
            RequestStop::MaxCredits { .. } | RequestStop::KeptCredits { .. } => DoctorStopKind::Credits,
            RequestStop::Service { because: StopBecause::Limit, .. } => DoctorStopKind::Credits,
            RequestStop::Service { reply, .. } => DoctorStopKind::of_reply(reply),
            RequestStop::NoAnswer { .. }
            | RequestStop::LongWait { .. }
            | RequestStop::ServiceDown { .. }
            | RequestStop::Refusals { .. } => DoctorStopKind::Connection,
        }
    }
}

/// What is known of the way in before anything is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DoctorAccess {
    /// Where the credentials come from.
    pub(crate) source: String,
    /// Where to.
    pub(crate) target: Target,
    /// The proxy on the way, without its password.
    pub(crate) proxy: Option<String>,
    /// The scopes that were granted, as far as somebody says.
    pub(crate) granted: Option<Vec<String>>,
    /// The service's clock less ours, in seconds; `None` where no answer said its time.
    pub(crate) clock_ahead: Option<i64>,
    /// API credits that the last answer said are left.
    pub(crate) credits_left: Option<u64>,
}

/// What is known of the manifest here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DoctorManifest {
    /// As the user called it.
    pub(crate) name: String,
    /// Rows read.
    pub(crate) rows: u32,
    /// Rows that are sound by their form.
    pub(crate) sound: u32,
    /// The modules of the sound rows.
    pub(crate) modules: Vec<String>,
    /// Names in the column module that are none here.
    pub(crate) unknown_modules: Vec<String>,
    /// Whether it has rows by key.
    pub(crate) has_keys: bool,
    /// The organisation that the crosswalk is of, where it says so.
    pub(crate) crosswalk_organisation: Option<String>,
}

/// Why records were not looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotSearched {
    /// The user said no.
    Declined,
    /// It takes this many API credits, and the user's budget has fewer.
    OverBudget(u64),
}

/// Everything that findings are made of.
#[derive(Clone, Copy)]
pub(crate) struct DoctorCase<'a> {
    /// The way in.
    pub(crate) access: &'a DoctorAccess,
    /// What the service told.
    pub(crate) facts: &'a DoctorFacts,
    /// Why it ended early; `None` where everything was asked.
    pub(crate) stop: Option<&'a DoctorStop>,
    /// The manifest; `None` where none was named.
    pub(crate) manifest: Option<&'a DoctorManifest>,
    /// The search for its records.
    pub(crate) search: Option<&'a RecordSearch>,
    /// Why there was no search.
    pub(crate) not_searched: Option<NotSearched>,
    /// Rows whose record does not exist.
    pub(crate) rows_without_record: u32,
}

impl DoctorCase<'_> {
    /// Why a check has nothing to say, where that is because everything ended early.
    fn ended(&self, check: DoctorCheck) -> DoctorFinding {
        let why = match self.stop.map(|stop| stop.kind) {
            Some(DoctorStopKind::Signal) => "interrupted before",
            Some(DoctorStopKind::Credits) => "no credits were left for it",
            Some(_) => "nothing could be asked",
            None => "there was nothing to ask",
        };
        DoctorFinding::new(check, CheckStatus::NotAsked, why)
    }

    fn is_stopped_by(&self, kind: DoctorStopKind) -> Option<&str> {
        self.stop.filter(|stop| stop.kind == kind).map(|stop| stop.words.as_str())
    }
}

/// All findings, in the order in which they are shown.
pub(crate) fn findings(case: &DoctorCase<'_>) -> Vec<DoctorFinding> {
    let mut findings = Vec::new();
    findings.extend(case.manifest.map(manifest::manifest));
    findings.extend([
        service::connection(case),
        service::clock(case),
        service::credentials(case),
        service::data_centre(case),
        service::scopes(case),
        service::credits(case),
    ]);
    if let Some(known) = case.manifest {
        findings.extend([
            manifest::api_version(case, known),
            manifest::modules(case, known),
            manifest::attachments(case, known),
            manifest::writing(case, known),
            manifest::records(case, known),
        ]);
        findings.extend(known.has_keys.then(|| manifest::crosswalk(case, known)));
    }
    let nobody_tells = "no call of the service tells how much room is left";
    let storage = DoctorFinding::new(DoctorCheck::Storage, CheckStatus::NotAsked, nobody_tells);
    findings.push(storage.with(DoctorAdvice::LookInSetup));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::inquiry::{DoctorInquiry, Learnt, ModuleAnswers};
    use crate::zoho::{Organisation, Where};

    fn access() -> DoctorAccess {
        let place = Where { api_domain: Some("https://www.zohoapis.eu".to_owned()), ..Where::default() };
        DoctorAccess {
            source: "environment".to_owned(),
            target: place.target().expect("a target"),
            proxy: None,
            granted: None,
            clock_ahead: Some(0),
            credits_left: None,
        }
    }

    fn facts(edition: &str, users: u64) -> DoctorFacts {
        let organisation =
            Organisation { name: "Zylker".to_owned(), id: "700000001".to_owned(), edition: edition.to_owned(), users };
        DoctorFacts { organisation: Learnt::Known(organisation), ..DoctorInquiry::new().facts }
    }

    fn manifest(rows: u32) -> DoctorManifest {
        DoctorManifest {
            name: "m.csv".to_owned(),
            rows,
            sound: rows,
            modules: vec!["Leads".to_owned()],
            unknown_modules: Vec::new(),
            has_keys: false,
            crosswalk_organisation: None,
        }
    }

    fn one(access: &DoctorAccess, facts: &DoctorFacts, rows: u32, check: DoctorCheck) -> DoctorFinding {
        let manifest = manifest(rows);
        let case = DoctorCase {
            access,
            facts,
            stop: None,
            manifest: Some(&manifest),
            search: None,
            not_searched: None,
            rows_without_record: 0,
        };
        findings(&case).into_iter().find(|finding| finding.check == check).expect("the check")
    }

    #[test]
    fn a_clock_is_wrong_by_more_than_a_minute_in_either_direction() {
        for (ahead, status, said) in [
            (Some(60), CheckStatus::Ok, "agrees"),
            (Some(300), CheckStatus::Warn, "5 min behind"),
            (Some(-300), CheckStatus::Warn, "5 min ahead of"),
            (None, CheckStatus::NotAsked, "no answer"),
        ] {
            let access = DoctorAccess { clock_ahead: ahead, ..access() };
            let found = one(&access, &facts("free", 1), 1, DoctorCheck::Clock);
            assert!(found.status == status && found.detail.contains(said), "{found:?}");
        }
    }

    #[test]
    fn the_pace_leaves_one_call_to_others_and_credits_that_do_not_suffice_are_a_warning() {
        let credits = |access: &DoctorAccess, edition, users, rows| {
            let found = one(access, &facts(edition, users), rows, DoctorCheck::Credits);
            (found.status, found.advice)
        };
        let pace = |concurrency, credits_per_day, should_wait| {
            Some(DoctorAdvice::Pace { concurrency, rate: 2 * concurrency, credits_per_day, should_wait })
        };
        let plain = access();
        assert_eq!(credits(&plain, "free", 3, 5_000), (CheckStatus::Ok, pace(4, Some(5_000), false)));
        assert_eq!(credits(&plain, "free", 3, 5_001), (CheckStatus::Warn, pace(4, Some(5_000), true)));
        assert_eq!(credits(&plain, "ultimate", 10, 9), (CheckStatus::Ok, pace(24, Some(70_000), false)));
        let few = DoctorAccess { credits_left: Some(8), ..access() };
        assert_eq!(credits(&few, "ultimate", 10, 9).0, CheckStatus::Warn);
        assert_eq!(credits(&plain, "something new", 10, 9), (CheckStatus::NotAsked, None));
        // Where the organisation does not say how many licences it has, the list of features may.
        let by_features = DoctorFacts { licences: Learnt::Known(10), ..facts("ultimate", 0) };
        assert_eq!(one(&plain, &by_features, 1, DoctorCheck::Credits).advice, pace(24, Some(70_000), false));
        assert_eq!(credits(&plain, "ultimate", 0, 9).0, CheckStatus::NotAsked);
    }

    #[test]
    fn scopes_are_believed_as_granted_and_else_only_as_far_as_they_were_seen() {
        let granted =
            |scopes: &str| DoctorAccess { granted: Some(scopes.split(' ').map(str::to_owned).collect()), ..access() };
        let scopes = |access: &DoctorAccess, facts: &DoctorFacts| one(access, facts, 1, DoctorCheck::Scopes);
        let (all, some) = ("ZohoCRM.modules.ALL ZohoCRM.modules.attachments.ALL", "ZohoCRM.modules.leads.READ");
        let nothing = facts("free", 1);
        assert_eq!(scopes(&granted(all), &nothing).status, CheckStatus::Ok);
        let lacking = scopes(&granted(some), &nothing);
        assert!(lacking.status == CheckStatus::Fail && lacking.detail.contains("leads.CREATE"), "{lacking:?}");
        let listed = |list| {
            let answers = ModuleAnswers { attachments: Learnt::Nothing, upload: Learnt::Nothing, list };
            let mut facts = facts("free", 1);
            facts.by_module.insert("Leads".to_owned(), answers);
            scopes(&access(), &facts)
        };
        assert_eq!(listed(Learnt::Known(())).status, CheckStatus::NotAsked);
        assert_eq!(listed(Learnt::NoScope).status, CheckStatus::Fail);
        assert_eq!(listed(Learnt::Refused(String::new())).status, CheckStatus::NotAsked);
    }
}
