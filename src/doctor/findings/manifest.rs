//! Checks of what a manifest needs: version, modules, records, crosswalk.

use super::{CheckStatus, DoctorAdvice, DoctorCase, DoctorFinding, DoctorManifest, NotSearched};
use crate::crm::read_scope;
use crate::doctor::answers::{AttachmentList, ServiceModule};
use crate::doctor::inquiry::{Learnt, ModuleAnswers};
use crate::doctor::search::SearchFailure;
use crate::explain::doctor_checks::DoctorCheck;
use crate::units::{count, counted};

pub(super) fn manifest(known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::Manifest;
    let rows = counted(known.rows, "row");
    let wrong = known.rows.saturating_sub(known.sound);
    if wrong == 0 && known.rows > 0 {
        return DoctorFinding::new(check, CheckStatus::Ok, format!("{rows}, all sound by their form"));
    }
    let detail = format!("{} of {rows} are not sound and were not asked about", count(wrong));
    DoctorFinding::new(check, CheckStatus::Fail, detail).with(DoctorAdvice::MendRows)
}

/// What was learnt of each module of the manifest.
fn answers<'c>(
    case: &'c DoctorCase<'_>,
    known: &'c DoctorManifest,
) -> impl Iterator<Item = (&'c str, &'c ModuleAnswers)> {
    known.modules.iter().filter_map(|name| Some((name.as_str(), case.facts.by_module.get(name)?)))
}

/// A check that asks each module the same: the modules of which the answer is wrong, or why it is not known.
struct AskedOfModules<'c> {
    /// Modules that were answered for.
    answered: usize,
    lacks_scope: bool,
    refused: Option<&'c str>,
}

impl<'c> AskedOfModules<'c> {
    fn of<T: 'c>(learnt: impl Iterator<Item = &'c Learnt<T>>) -> AskedOfModules<'c> {
        let mut asked = AskedOfModules { answered: 0, lacks_scope: false, refused: None };
        for one in learnt {
            match one {
                Learnt::Known(_) => asked.answered += 1,
                Learnt::NoScope => asked.lacks_scope = true,
                Learnt::Refused(words) => asked.refused = Some(words),
                Learnt::Nothing => {}
            }
        }
        asked
    }

    /// The finding where not every module was answered for.
    fn gap(
        &self,
        check: DoctorCheck,
        case: &DoctorCase<'_>,
        modules: usize,
        (what, scope): (&str, &str),
    ) -> Option<DoctorFinding> {
        if self.lacks_scope {
            return Some(DoctorFinding::needs(check, what, &[scope]));
        }
        if let Some(words) = self.refused {
            let detail = format!("the service does not say it: {words}");
            return Some(DoctorFinding::new(check, CheckStatus::NotAsked, detail));
        }
        (self.answered < modules || modules == 0).then(|| case.ended(check))
    }
}

pub(super) fn api_version(case: &DoctorCase<'_>, known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::ApiVersion;
    let version = case.access.target.version();
    let lacking: Vec<&str> = answers(case, known)
        .filter(|(_, one)| matches!(one.upload, Learnt::Known(None)))
        .map(|(name, _)| name)
        .collect();
    if !lacking.is_empty() {
        let detail = format!("version {version} lists no call that attaches to {}", lacking.join(", "));
        return DoctorFinding::new(check, CheckStatus::Fail, detail).with(DoctorAdvice::OtherVersion);
    }
    let asked = AskedOfModules::of(answers(case, known).map(|(_, one)| &one.upload));
    if let Some(gap) = asked.gap(check, case, known.modules.len(), ("its calls and prices", "ZohoCRM.apis.READ")) {
        return gap;
    }
    let calls = answers(case, known).filter_map(|(_, one)| one.upload.known()?.as_ref());
    let credits = calls.map(|call| call.credits).max().unwrap_or(1);
    let detail =
        format!("version {version} attaches to {}, {} each", known.modules.join(", "), counted(credits, "API credit"));
    DoctorFinding::new(check, CheckStatus::Ok, detail)
}

pub(super) fn modules(case: &DoctorCase<'_>, known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::Modules;
    let list = match &case.facts.modules {
        Learnt::Known(list) => list,
        Learnt::NoScope => return DoctorFinding::needs(check, "its modules", &[MODULES]),
        Learnt::Refused(words) => {
            let detail = format!("the service does not list its modules: {words}");
            return DoctorFinding::new(check, CheckStatus::NotAsked, detail);
        }
        Learnt::Nothing => return case.ended(check),
    };
    let (mut wrong, mut renames, mut declare) = (Vec::new(), Vec::new(), Vec::new());
    for name in known.modules.iter().chain(&known.unknown_modules) {
        let is_undeclared = known.unknown_modules.contains(name);
        match find_module(list, name) {
            FoundModule::Exact(module) if !module.is_supported => wrong.push(format!("{name} is closed to the API")),
            FoundModule::Exact(_) if is_undeclared => declare.push(name.clone()),
            FoundModule::Exact(_) => {}
            FoundModule::Label(names) => {
                wrong.push(format!("{name} is the label of {}", names.join(" and of ")));
                renames.extend(names.into_iter().map(|api_name| (name.clone(), api_name.to_owned())));
            }
            FoundModule::None => wrong.push(format!("there is no module {name}")),
        }
    }
    if wrong.is_empty() && declare.is_empty() {
        return DoctorFinding::new(check, CheckStatus::Ok, format!("{} exist", known.modules.join(", ")));
    }
    wrong.extend(declare.iter().map(|name| format!("{name} exists and was not declared")));
    let finding = DoctorFinding::new(check, CheckStatus::Fail, wrong.join("; "));
    match renames.is_empty() && declare.is_empty() {
        true => finding,
        false => finding.with(DoctorAdvice::NameModules { renames, declare }),
    }
}

const MODULES: &str = "ZohoCRM.settings.modules.READ";

/// What a name in a manifest is to the service.
enum FoundModule<'l> {
    /// The API name of this one.
    Exact(&'l ServiceModule),
    /// What people call these.
    Label(Vec<&'l str>),
    None,
}

fn find_module<'l>(list: &'l [ServiceModule], name: &str) -> FoundModule<'l> {
    if let Some(module) = list.iter().find(|module| module.api_name == name) {
        return FoundModule::Exact(module);
    }
    let is_called = |module: &&ServiceModule| {
        let all = module.labels.iter().chain([&module.api_name]);
        all.into_iter().any(|label| label.to_lowercase() == name.to_lowercase())
    };
    let named: Vec<&str> = list.iter().filter(is_called).map(|module| module.api_name.as_str()).collect();
    if named.is_empty() { FoundModule::None } else { FoundModule::Label(named) }
}

pub(super) fn attachments(case: &DoctorCase<'_>, known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::Attachments;
    let with = |status: AttachmentList| {
        let names = answers(case, known).filter(|(_, one)| one.attachments == Learnt::Known(status));
        names.map(|(name, _)| name).collect::<Vec<&str>>().join(", ")
    };
    let (missing, leaving, hidden) =
        (with(AttachmentList::Missing), with(AttachmentList::Leaving), with(AttachmentList::Hidden));
    if !missing.is_empty() {
        let detail = format!("{missing} has no list of attachments");
        return DoctorFinding::new(check, CheckStatus::Fail, detail).with(DoctorAdvice::ShowAttachments);
    }
    let asked = AskedOfModules::of(answers(case, known).map(|(_, one)| &one.attachments));
    let wanted = ("the related lists", "ZohoCRM.settings.related_lists.READ");
    if let Some(gap) = asked.gap(check, case, known.modules.len(), wanted) {
        return gap;
    }
    let wrong: Vec<String> = [(leaving, "is going to lose its list of attachments"), (hidden, "hides its attachments")]
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("{names} {what}"))
        .collect();
    match wrong.is_empty() {
        true => DoctorFinding::new(check, CheckStatus::Ok, format!("{} have them", known.modules.join(", "))),
        false => DoctorFinding::new(check, CheckStatus::Warn, wrong.join("; ")).with(DoctorAdvice::ShowAttachments),
    }
}

pub(super) fn writing(case: &DoctorCase<'_>, known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::Writing;
    let list = match &case.facts.modules {
        Learnt::Known(list) => list,
        Learnt::NoScope => return DoctorFinding::needs(check, "its modules", &[MODULES]),
        Learnt::Refused(_) | Learnt::Nothing => return case.ended(check),
    };
    let ours: Vec<&ServiceModule> = list.iter().filter(|module| known.modules.contains(&module.api_name)).collect();
    if ours.is_empty() {
        return DoctorFinding::new(check, CheckStatus::NotAsked, "none of the modules is known");
    }
    let names = |is: fn(&ServiceModule) -> bool| {
        let names = ours.iter().filter(|module| is(module)).map(|module| module.api_name.as_str());
        names.collect::<Vec<&str>>().join(", ")
    };
    let (read_only, hidden) = (names(|module| !module.is_editable), names(|module| !module.is_visible));
    let wrong: Vec<String> = [(read_only, "may only be read by this user"), (hidden, "is hidden in this organisation")]
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("{names} {what}"))
        .collect();
    match wrong.is_empty() {
        true => {
            let detail = format!("this user may edit {}", names(|module| module.is_editable));
            DoctorFinding::new(check, CheckStatus::Ok, detail)
        }
        false => DoctorFinding::new(check, CheckStatus::Warn, wrong.join("; ")).with(DoctorAdvice::OtherUser),
    }
}

pub(super) fn records(case: &DoctorCase<'_>, known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::Records;
    match case.not_searched {
        Some(NotSearched::Declined) => return DoctorFinding::new(check, CheckStatus::NotAsked, "you said no"),
        Some(NotSearched::OverBudget(credits)) => {
            let detail = format!("it takes {} at least", counted(credits, "API credit"));
            let finding = DoctorFinding::new(check, CheckStatus::NotAsked, detail);
            return finding.with(DoctorAdvice::RaiseBudget(credits));
        }
        None => {}
    }
    let Some(search) = case.search.filter(|search| !search.modules.is_empty()) else { return case.ended(check) };
    let mut open = Vec::new();
    let (mut there, mut missing, mut scopes) = (0, 0, Vec::new());
    for module in &search.modules {
        match (module.missing(), module.failure()) {
            (Some(gone), _) => {
                there += module.wanted.len() - gone.len();
                missing += gone.len();
            }
            (None, Some(why)) => {
                match why {
                    SearchFailure::NoScope { of_bulk: true } => scopes.push("ZohoCRM.bulk.READ".to_owned()),
                    SearchFailure::NoScope { of_bulk: false } => scopes.push(read_scope(&module.name)),
                    _ => {}
                }
                open.push(format!("{} not known: {why}", module.name));
            }
            (None, None) => open.push(format!("{} not asked to the end", module.name)),
        }
    }
    let total = there + missing;
    if missing > 0 {
        let verb = if missing == 1 { "does" } else { "do" };
        let mut detail = format!(
            "{} of {} {verb} not exist, named by {}",
            count(missing),
            counted(total, "record"),
            counted(case.rows_without_record, "row")
        );
        for one in &open {
            detail += &format!("; {one}");
        }
        return DoctorFinding::new(check, CheckStatus::Fail, detail).with(DoctorAdvice::MendRecords);
    }
    if !open.is_empty() {
        let finding = DoctorFinding::new(check, CheckStatus::NotAsked, open.join("; "));
        return if scopes.is_empty() { finding } else { finding.with(DoctorAdvice::GrantScopes(scopes)) };
    }
    let by_key = if known.has_keys { ", those of keys by the crosswalk" } else { "" };
    let detail = format!("{} of {}, all there{by_key}", counted(total, "record"), known.modules.join(", "));
    DoctorFinding::new(check, CheckStatus::Ok, detail)
}

pub(super) fn crosswalk(case: &DoctorCase<'_>, known: &DoctorManifest) -> DoctorFinding {
    let check = DoctorCheck::Crosswalk;
    let Some(theirs) = &known.crosswalk_organisation else {
        let detail = "the crosswalk does not say of which organisation it is";
        return DoctorFinding::new(check, CheckStatus::NotAsked, detail);
    };
    match &case.facts.organisation {
        Learnt::Known(ours) if ours.id == *theirs => {
            DoctorFinding::new(check, CheckStatus::Ok, format!("it is of this organisation ({theirs})"))
        }
        Learnt::Known(ours) => {
            let detail = format!("it is of the organisation {theirs}, and this one is {} ({})", ours.name, ours.id);
            DoctorFinding::new(check, CheckStatus::Fail, detail).with(DoctorAdvice::NewCrosswalk)
        }
        Learnt::NoScope => DoctorFinding::needs(check, "its organisation", &["ZohoCRM.org.READ"]),
        Learnt::Refused(_) | Learnt::Nothing => case.ended(check),
    }
}
