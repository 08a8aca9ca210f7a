//! Which modules take attachments, and what a wrong name was meant to be.

use std::collections::HashMap;

use super::CheckFinding;
use crate::crm::ApiVersion;
use crate::crm::modules::{API_NAME_BYTES, LABELS, LATER_MODULES, MODULES, UNSUPPORTED, is_standard};
use crate::problem::ProblemCode;
use crate::problem::remedies;

/// The API name of the module that a word for it means: a standard module in any spelling, or what may be a custom module's
/// own. `None` where no module that takes attachments can be called so.
pub(crate) fn meant_module(text: &str) -> Option<&str> {
    if is_standard(text) {
        return Some(text);
    }
    let wanted = plain(text);
    if UNSUPPORTED.iter().any(|name| plain(name) == wanted) {
        return None;
    }
    let standard = MODULES.into_iter().chain(LATER_MODULES.iter().map(|(name, _)| *name));
    let standard = standard.filter(|name| plain(name) == wanted).chain(label(&wanted)).next();
    standard.or_else(|| is_api_name(text).then_some(text))
}

/// The modules that rows of one manifest may name.
pub(super) struct KnownModules {
    version: ApiVersion,
    custom: Vec<String>,
    /// What came of the names that rows have used so far, good ones only: their number is small.
    known: HashMap<Box<str>, u16>,
    /// The one found last: rows of one module mostly stand together.
    last: u16,
    /// Those in use, in the order of their first appearance.
    pub(super) used: Vec<Box<str>>,
}

impl KnownModules {
    pub(super) fn new(version: ApiVersion) -> KnownModules {
        KnownModules { version, custom: Vec::new(), known: HashMap::new(), last: 0, used: Vec::new() }
    }

    /// Declares a custom module.
    pub(super) fn declare(&mut self, name: &str) -> Result<(), CheckFinding> {
        if UNSUPPORTED.iter().any(|unsupported| unsupported.eq_ignore_ascii_case(name)) {
            return Err(CheckFinding::new(
                ProblemCode::CustomModule,
                format!("{name} cannot be declared: the API attaches nothing to it"),
                "attach to the records it belongs to",
            ));
        }
        if !is_api_name(name) {
            return Err(CheckFinding::new(
                ProblemCode::CustomModule,
                format!("\"{}\" cannot be the API name of a module", crate::text::masked_excerpt(name)),
                "an API name has letters, digits and underscores only; find it under Setup, Developer Hub, APIs & SDKs",
            ));
        }
        if self.custom.iter().any(|known| known == name) {
            return Ok(());
        }
        if self.custom.len() == MAX_CUSTOM {
            return Err(CheckFinding::new(
                ProblemCode::CustomModule,
                format!("more than {MAX_CUSTOM} custom modules are declared"),
                "declare those that the rows name",
            ));
        }
        self.custom.push(name.to_owned());
        Ok(())
    }

    /// The number of a module, given what stands in a row.
    pub(super) fn find(&mut self, text: &str) -> Result<u16, CheckFinding> {
        if self.used.get(usize::from(self.last)).is_some_and(|last| &**last == text) {
            return Ok(self.last);
        }
        if let Some(ix) = self.known.get(text) {
            self.last = *ix;
            return Ok(*ix);
        }
        self.judge(text)?;
        let Ok(ix) = u16::try_from(self.used.len()) else {
            return Err(CheckFinding::new(
                ProblemCode::ModuleUnknown,
                "more than 65,536 different modules in one manifest",
                "split the manifest",
            ));
        };
        self.used.push(text.into());
        self.known.insert(text.into(), ix);
        Ok(ix)
    }

    /// Whether rows may name this module.
    pub(super) fn judge(&self, text: &str) -> Result<(), CheckFinding> {
        if MODULES.contains(&text) || self.custom.iter().any(|name| name == text) {
            return Ok(());
        }
        if let Some((name, since)) = LATER_MODULES.iter().find(|(name, _)| *name == text) {
            let there = if *since == "v3" { self.version.has_appointments() } else { self.version.has_calls() };
            return if there {
                Ok(())
            } else {
                Err(CheckFinding::new(
                    ProblemCode::ModuleVersion,
                    format!(
                        "{name} takes attachments only from API version {since} on, and this run uses {}",
                        self.version
                    ),
                    remedies::choose_version(since),
                ))
            };
        }
        Err(self.unknown(text))
    }

    fn unknown(&self, text: &str) -> CheckFinding {
        let shown = crate::text::masked_excerpt(text);
        let wanted = plain(text);
        if let Some(name) = UNSUPPORTED.iter().find(|name| plain(name) == wanted) {
            return CheckFinding::new(
                ProblemCode::ModuleUnsupported,
                format!("the API attaches nothing to {name}"),
                "attach to the record it belongs to, or leave the row out",
            );
        }
        if let Some(name) = self.all().find(|name| plain(name) == wanted).or_else(|| label(&wanted)) {
            return CheckFinding::new(
                ProblemCode::ModuleLabel,
                format!("\"{shown}\" is not the API name of the module"),
                format!("write {name}"),
            );
        }
        let distance = |name: &&str| strsim::damerau_levenshtein(&plain(name), &wanted);
        // What is longer than any API name is no slip of the pen, and comparing it would take its time.
        let names = self.all().filter(|_| text.len() <= 2 * API_NAME_BYTES);
        let near = names.min_by_key(distance).filter(|name| distance(name) <= 1 + wanted.chars().count() / 5);
        let hint = remedies::declare_module(text, near, is_api_name(text));
        CheckFinding::new(ProblemCode::ModuleUnknown, format!("there is no module \"{shown}\""), hint)
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let later = LATER_MODULES.iter().map(|(name, _)| *name);
        MODULES.into_iter().chain(later).chain(self.custom.iter().map(String::as_str))
    }
}

/// Twice as many as the largest edition of the service has.
const MAX_CUSTOM: usize = 1_000;

fn is_api_name(text: &str) -> bool {
    text.len() <= API_NAME_BYTES
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What is left of a name when spelling differences are taken away: case, blanks, underscores, the plural.
fn plain(name: &str) -> String {
    let name = name.strip_suffix("__s").unwrap_or(name);
    let mut plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if let Some(stem) = plain.strip_suffix("ies") {
        plain = format!("{stem}y");
    } else if plain.ends_with('s') && plain.len() > 1 {
        plain.pop();
    }
    plain
}

fn label(wanted: &str) -> Option<&'static str> {
    LABELS.iter().find(|(label, _)| plain(label) == wanted).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_module_means_a_standard_one_or_may_be_the_name_of_a_custom_one() {
        for (text, meant) in [
            ("Leads", Some("Leads")),
            ("sales orders", Some("Sales_Orders")),
            ("Opportunities", Some("Deals")),
            ("Vessels", Some("Vessels")),
            ("Meine Schiffe", None),
            ("2019", None),
            ("Documents", None),
            ("", None),
        ] {
            assert_eq!(meant_module(text), meant, "{text}");
        }
    }

    fn verdict(version: ApiVersion, custom: &[&str], text: &str) -> String {
        let mut modules = KnownModules::new(version);
        for name in custom {
            modules.declare(name).unwrap();
        }
        match modules.find(text) {
            Ok(_) => "ok".to_owned(),
            Err(finding) => format!("{}: {}", finding.code, finding.hint),
        }
    }

    #[test]
    fn a_wrong_name_gets_the_right_one() {
        let v2 = ApiVersion::default();
        for (text, wanted) in [
            ("Leads", "ok"),
            ("leads", "module-label: write Leads"),
            ("LEAD", "module-label: write Leads"),
            ("Sales Orders", "module-label: write Sales_Orders"),
            ("SalesOrders", "module-label: write Sales_Orders"),
            ("Potentials", "module-label: write Deals"),
            ("Opportunity", "module-label: write Deals"),
            ("Meetings", "module-label: write Events"),
            ("Services", "module-label: write Services__s"),
            ("site visits", "module-label: write Site_Visits"),
            ("Leeds", "module-unknown: did you mean Leads? A custom module is declared with --custom-module NAME"),
            ("Vehicles", "module-unknown: if it is a custom module of yours, declare it: --custom-module Vehicles"),
            ("Fahr zeug", "module-unknown: use the API name; a custom module is declared with --custom-module NAME"),
            ("documents", "module-unsupported: attach to the record it belongs to, or leave the row out"),
            ("Project", "module-unsupported: attach to the record it belongs to, or leave the row out"),
            ("Calls", "module-version: run with --api-version v2.1"),
            ("Appointments__s", "module-version: run with --api-version v3"),
            ("Site_Visits", "ok"),
        ] {
            assert_eq!(verdict(v2, &["Site_Visits"], text), wanted, "{text}");
        }
        let v3 = "v3".parse().unwrap();
        assert_eq!(verdict(v3, &[], "Calls"), "ok");
        assert_eq!(verdict(v3, &[], "Services__s"), "ok");
    }

    #[test]
    fn a_custom_module_needs_a_possible_name() {
        let mut modules = KnownModules::new(ApiVersion::default());
        assert!(modules.declare("CustomModule1").is_ok());
        for name in ["Site Visits", "1st", "", "Documents", "projects", "Größe"] {
            assert!(modules.declare(name).is_err(), "{name}");
        }
    }

    #[test]
    fn no_more_custom_modules_are_declared_than_anyone_has() {
        let mut modules = KnownModules::new(ApiVersion::default());
        let declared = (0..2_000).filter(|number| modules.declare(&format!("M{number}")).is_ok()).count();
        assert_eq!(declared, MAX_CUSTOM);
        assert!(modules.declare("M1").is_ok());
    }
}
