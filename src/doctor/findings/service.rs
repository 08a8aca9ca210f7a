//! Checks of the service and of the way in.

use super::{CheckStatus, DoctorAdvice, DoctorCase, DoctorFinding, DoctorStopKind};
use crate::crm::{lacking_scopes, scopes as scopes_needed};
use crate::doctor::inquiry::Learnt;
use crate::explain::doctor_checks::DoctorCheck;
use crate::units::{count, counted, duration};
use crate::zoho::Organisation;

/// Seconds by which clocks may differ: answers tell whole seconds, and take their time.
const CLOCK_TOLERANCE: i64 = 60;

/// The most calls at once that a run takes.
const MOST_AT_ONCE: u32 = 25;

pub(super) fn connection(case: &DoctorCase<'_>) -> DoctorFinding {
    let check = DoctorCheck::Connection;
    if let Some(words) = case.is_stopped_by(DoctorStopKind::Connection) {
        return DoctorFinding::new(check, CheckStatus::Fail, words).with(DoctorAdvice::CheckTarget);
    }
    let access = case.access;
    let api = access.target.api();
    let way = if api.is_https() { "a certificate that is trusted here" } else { "plain HTTP on this machine" };
    let proxy = access.proxy.as_ref().map_or("no proxy".to_owned(), |proxy| format!("by the proxy {proxy}"));
    DoctorFinding::new(check, CheckStatus::Ok, format!("{api} answers; {way}, {proxy}"))
}

pub(super) fn clock(case: &DoctorCase<'_>) -> DoctorFinding {
    let check = DoctorCheck::Clock;
    let Some(ahead) = case.access.clock_ahead else {
        return DoctorFinding::new(check, CheckStatus::NotAsked, "no answer said the service's time");
    };
    if ahead.abs() <= CLOCK_TOLERANCE {
        return DoctorFinding::new(check, CheckStatus::Ok, "this machine's clock agrees with the service's");
    }
    let side = if ahead > 0 { "behind" } else { "ahead of" };
    let difference = duration(std::time::Duration::from_secs(ahead.unsigned_abs()));
    let detail = format!("this machine's clock is {difference} {side} the service's");
    DoctorFinding::new(check, CheckStatus::Warn, detail).with(DoctorAdvice::SetClock)
}

pub(super) fn credentials(case: &DoctorCase<'_>) -> DoctorFinding {
    let check = DoctorCheck::Credentials;
    if let Some(words) = case.is_stopped_by(DoctorStopKind::Credentials) {
        return DoctorFinding::new(check, CheckStatus::Fail, words).with(DoctorAdvice::SignIn);
    }
    let (organisation, user) = (&case.facts.organisation, &case.facts.user);
    let mut known = Vec::new();
    if let Learnt::Known(user) = user {
        known.push(format!("{} <{}>", user.name, user.email));
    }
    if let Learnt::Known(organisation) = organisation {
        let Organisation { name, id, edition, .. } = organisation;
        known.push(format!("organisation {name} ({id}), edition {edition}"));
    }
    let source = &case.access.source;
    match (known.is_empty(), organisation, user) {
        (_, Learnt::Known(_), Learnt::Known(_)) => {
            DoctorFinding::new(check, CheckStatus::Ok, format!("{}; from {source}", known.join(", ")))
        }
        (_, Learnt::NoScope, _) | (_, _, Learnt::NoScope) => {
            let rest = if known.is_empty() { String::new() } else { format!("{}; ", known.join(", ")) };
            let scopes = [(organisation == &Learnt::NoScope, ORG), (user == &Learnt::NoScope, USERS)];
            let lacking: Vec<&str> = scopes.into_iter().filter(|(lacks, _)| *lacks).map(|(_, scope)| scope).collect();
            let finding = DoctorFinding::needs(check, "whose it is", &lacking);
            DoctorFinding { detail: format!("{rest}{}", finding.detail), ..finding }
        }
        (true, Learnt::Nothing, Learnt::Nothing) => case.ended(check),
        (is_empty, ..) => {
            let words = [refused(organisation), refused(user)].into_iter().flatten().collect::<Vec<_>>().join("; ");
            let known = if is_empty { String::new() } else { format!("{}; ", known.join(", ")) };
            DoctorFinding::new(check, CheckStatus::NotAsked, format!("{known}the service does not say whose: {words}"))
        }
    }
}

/// The scopes for asking whose credentials they are, and for licences.
const ORG: &str = "ZohoCRM.org.READ";
const USERS: &str = "ZohoCRM.users.READ";
const FEATURES: &str = "ZohoCRM.features.READ";

fn refused<T>(learnt: &Learnt<T>) -> Option<&str> {
    match learnt {
        Learnt::Refused(words) => Some(words),
        _ => None,
    }
}

pub(super) fn data_centre(case: &DoctorCase<'_>) -> DoctorFinding {
    let check = DoctorCheck::DataCentre;
    if let Some(words) = case.is_stopped_by(DoctorStopKind::DataCentre) {
        return DoctorFinding::new(check, CheckStatus::Fail, words).with(DoctorAdvice::CheckTarget);
    }
    if case.stop.is_some_and(|stop| matches!(stop.kind, DoctorStopKind::Connection | DoctorStopKind::Credentials)) {
        return case.ended(check);
    }
    let detail = format!("the token is good for {}", case.access.target.label());
    DoctorFinding::new(check, CheckStatus::Ok, detail)
}

pub(super) fn scopes(case: &DoctorCase<'_>) -> DoctorFinding {
    let check = DoctorCheck::Scopes;
    let modules: Vec<&str> = case.manifest.iter().flat_map(|known| known.modules.iter().map(String::as_str)).collect();
    let granted = case.access.granted.as_deref();
    if modules.is_empty() {
        let detail = match granted {
            Some(granted) => {
                format!("granted are {}; without a manifest nobody knows what is needed", granted.join(", "))
            }
            None => "without a manifest nobody knows what is needed".to_owned(),
        };
        return DoctorFinding::new(check, CheckStatus::NotAsked, detail);
    }
    let needed = scopes_needed(modules.iter().copied());
    if let Some(granted) = granted {
        let lacking = lacking_scopes(&needed, granted);
        return match lacking.is_empty() {
            true => DoctorFinding::new(check, CheckStatus::Ok, "all that the manifest needs are granted"),
            false => {
                let detail = format!("the token lacks {}", lacking.join(", "));
                DoctorFinding::new(check, CheckStatus::Fail, detail).with(DoctorAdvice::GrantScopes(lacking))
            }
        };
    }
    let answers: Vec<_> = case.facts.by_module.iter().filter(|(name, _)| modules.contains(&name.as_str())).collect();
    let closed: Vec<&str> =
        answers.iter().filter(|(_, one)| one.list == Learnt::NoScope).map(|(name, _)| name.as_str()).collect();
    let (reading, creating): (Vec<String>, Vec<String>) =
        needed.into_iter().partition(|scope| scope.ends_with(".READ"));
    if !closed.is_empty() {
        let detail = format!("the attachments of {} may not be listed", closed.join(", "));
        let finding = DoctorFinding::new(check, CheckStatus::Fail, detail);
        return finding.with(DoctorAdvice::GrantScopes([reading, creating].concat()));
    }
    let reads = match answers.iter().all(|(_, one)| one.list.known().is_some()) && !answers.is_empty() {
        true => "listing attachments is allowed; whether creating them is would show only by attaching something",
        false => "the service did not say which scopes were granted",
    };
    DoctorFinding::new(check, CheckStatus::NotAsked, reads).with(DoctorAdvice::GrantScopes(creating))
}

pub(super) fn credits(case: &DoctorCase<'_>) -> DoctorFinding {
    let check = DoctorCheck::Credits;
    if let Some(words) = case.is_stopped_by(DoctorStopKind::Credits) {
        return DoctorFinding::new(check, CheckStatus::Fail, words);
    }
    let organisation = match &case.facts.organisation {
        Learnt::Known(organisation) => organisation,
        Learnt::NoScope => return DoctorFinding::needs(check, "the edition", &[ORG]),
        Learnt::Refused(words) => {
            let detail = format!("the service does not say which edition it is: {words}");
            return DoctorFinding::new(check, CheckStatus::NotAsked, detail);
        }
        Learnt::Nothing => return case.ended(check),
    };
    let users = if organisation.users > 0 { Some(organisation.users) } else { case.facts.licences.known().copied() };
    let Some(users) = users.filter(|users| *users > 0) else {
        let lacking = if case.facts.licences == Learnt::NoScope { &[FEATURES] as &[&str] } else { &[] };
        return DoctorFinding::needs(check, "the number of licences", lacking);
    };
    let licensed = Organisation { users, ..organisation.clone() };
    let Some(allowance) = licensed.allowance() else {
        let detail = format!("what the edition {} allows is not in the public table", organisation.edition);
        return DoctorFinding::new(check, CheckStatus::NotAsked, detail);
    };
    let rows = case.manifest.map_or(0, |known| u64::from(known.sound)) * credits_of_upload(case);
    let day = allowance.credits_per_day;
    let a_day =
        day.map_or("API credits without limit".to_owned(), |day| format!("{} a day", counted(day, "API credit")));
    let mut detail = format!(
        "{} with {}: {a_day}, {} calls at once",
        organisation.edition,
        counted(users, "licence"),
        allowance.concurrency
    );
    let exceeds_day = day.is_some_and(|day| rows > day);
    let left = case.access.credits_left;
    let exceeds_left = left.is_some_and(|left| rows > left);
    if let Some(left) = left {
        detail += &format!(", {} left", count(left));
    }
    if rows > 0 {
        detail += &format!("; the rows need {}", count(rows));
    }
    if let (true, Some(day)) = (exceeds_day, day) {
        detail += &format!(", which takes {} days at least", rows.div_ceil(day));
    }
    let status = if exceeds_day || exceeds_left { CheckStatus::Warn } else { CheckStatus::Ok };
    let concurrency = allowance.concurrency.saturating_sub(1).clamp(1, MOST_AT_ONCE);
    DoctorFinding::new(check, status, detail).with(DoctorAdvice::Pace {
        concurrency,
        rate: 2 * concurrency,
        credits_per_day: day,
        should_wait: status == CheckStatus::Warn,
    })
}

/// What one upload costs, as far as the service says: the most of all modules.
fn credits_of_upload(case: &DoctorCase<'_>) -> u64 {
    let calls = case.facts.by_module.values().filter_map(|one| one.upload.known()?.as_ref());
    calls.map(|call| call.credits).max().unwrap_or(1)
}
