//! The scopes that a manifest needs, in the service's own spelling. API reference, "Scopes" and "Upload an attachment".

use std::collections::BTreeSet;

use super::modules::is_standard;

/// What a token for any module may be given instead of a scope for each.
pub const FOR_ANY_MODULE: [&str; 2] = ["ZohoCRM.modules.ALL", "ZohoCRM.modules.attachments.ALL"];

/// Standard modules whose scope is not simply their name in small letters.
const SPELLED_OTHERWISE: [(&str, &str); 5] = [
    ("Price_Books", "pricebooks"),
    ("Sales_Orders", "salesorders"),
    ("Purchase_Orders", "purchaseorders"),
    ("Appointments__s", "appointments"),
    ("Services__s", "services"),
];

/// The scopes for attaching to records of these modules: CREATE to upload, READ to list what a record has, which is how
/// a lost answer is settled. The modules' own come first.
pub fn scopes<'a>(modules: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let words: BTreeSet<String> = modules.into_iter().map(word).collect();
    let owned = words.iter().map(String::as_str);
    owned
        .chain(["attachments"])
        .flat_map(|word| ["CREATE", "READ"].map(|operation| format!("ZohoCRM.modules.{word}.{operation}")))
        .collect()
}

/// Those that are needed and not covered by what was granted; `ALL` covers every operation.
pub fn lacking_scopes(needed: &[String], granted: &[String]) -> Vec<String> {
    let covers = |granted: &str, needed: &str| {
        let all = |scope: &str| scope.rsplit_once('.').map(|(group, _)| format!("{group}.ALL"));
        let is_attachments = needed.to_ascii_lowercase().contains(".attachments.");
        granted.eq_ignore_ascii_case(needed)
            || all(needed).is_some_and(|all| granted.eq_ignore_ascii_case(&all))
            || (!is_attachments && granted.eq_ignore_ascii_case("ZohoCRM.modules.ALL"))
    };
    needed.iter().filter(|needed| !granted.iter().any(|granted| covers(granted, needed))).cloned().collect()
}

/// The scope that lets records of a module be read.
pub fn read_scope(module: &str) -> String {
    format!("ZohoCRM.modules.{}.READ", word(module))
}

/// The word for a module: of a standard one its name in small letters, unless it is spelled otherwise; all custom ones share
/// one.
fn word(module: &str) -> String {
    if let Some((_, word)) = SPELLED_OTHERWISE.iter().find(|(name, _)| *name == module) {
        return (*word).to_owned();
    }
    if is_standard(module) { module.to_lowercase() } else { "custom".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_was_granted_is_held_against_what_is_needed() {
        let needed =
            words("ZohoCRM.modules.leads.CREATE ZohoCRM.modules.attachments.CREATE ZohoCRM.modules.attachments.READ");
        for (granted, missing) in [
            ("ZohoCRM.modules.leads.CREATE ZohoCRM.modules.attachments.ALL", ""),
            ("ZohoCRM.modules.ALL ZohoCRM.modules.Attachments.all", ""),
            ("ZohoCRM.modules.ALL", "ZohoCRM.modules.attachments.CREATE ZohoCRM.modules.attachments.READ"),
            ("ZohoCRM.modules.leads.ALL ZohoCRM.modules.attachments.CREATE", "ZohoCRM.modules.attachments.READ"),
        ] {
            assert_eq!(lacking_scopes(&needed, &words(granted)), words(missing), "{granted}");
        }
    }

    #[test]
    fn scopes_are_spelled_as_the_service_spells_them_and_custom_modules_share_one() {
        assert_eq!(
            scopes(["Sales_Orders", "Leads", "Machines", "Sites", "Leads"]),
            [
                "ZohoCRM.modules.custom.CREATE",
                "ZohoCRM.modules.custom.READ",
                "ZohoCRM.modules.leads.CREATE",
                "ZohoCRM.modules.leads.READ",
                "ZohoCRM.modules.salesorders.CREATE",
                "ZohoCRM.modules.salesorders.READ",
                "ZohoCRM.modules.attachments.CREATE",
                "ZohoCRM.modules.attachments.READ",
            ]
        );
    }

    #[test]
    fn every_standard_module_has_a_word_of_its_own() {
        let modules = super::super::modules::MODULES.into_iter().chain(["Calls", "Appointments__s", "Services__s"]);
        let all: Vec<String> = modules.map(word).collect();
        assert!(all.iter().all(|word| word != "custom" && word.chars().all(|c| c.is_ascii_lowercase())), "{all:?}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(word("Site_Visits"), "custom");
    }
}
