//! Which modules take attachments, and what they are called elsewhere.

/// The API names of the modules that take attachments in every version. API reference, "Upload an attachment".
pub(crate) const MODULES: [&str; 17] = [
    "Leads",
    "Accounts",
    "Contacts",
    "Deals",
    "Campaigns",
    "Tasks",
    "Cases",
    "Events",
    "Solutions",
    "Products",
    "Vendors",
    "Price_Books",
    "Quotes",
    "Sales_Orders",
    "Purchase_Orders",
    "Invoices",
    "Notes",
];

/// Those that do so from some version on, and that version. API reference of versions 2.1, 3 and 7, "Get attachments".
pub(crate) const LATER_MODULES: [(&str, &str); 3] =
    [("Calls", "v2.1"), ("Appointments__s", "v3"), ("Services__s", "v3")];

/// Those for which the API has no attachments: none of its versions lists them.
pub(crate) const UNSUPPORTED: [&str; 2] = ["Documents", "Projects"];

/// Labels that cannot be told from the API name, in small letters: those of the screen, and those of old versions. Seen in
/// exports and on screens.
pub(crate) const LABELS: [(&str, &str); 7] = [
    ("potentials", "Deals"),
    ("opportunities", "Deals"),
    ("meetings", "Events"),
    ("companies", "Accounts"),
    ("appointments", "Appointments__s"),
    ("services", "Services__s"),
    ("tickets", "Cases"),
];

/// No API name is longer. OpenAPI: the module in a path has at most 64 characters.
pub(crate) const API_NAME_BYTES: usize = 64;

/// Whether every organisation has this module, so that nobody need declare it.
pub(crate) fn is_standard(name: &str) -> bool {
    MODULES.contains(&name) || LATER_MODULES.iter().any(|(known, _)| *known == name)
}
