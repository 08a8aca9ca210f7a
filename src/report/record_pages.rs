//! Addresses of records in the CRM itself, so that whoever reads a report gets to a record by one click.
//!
//! The pattern is the one that Zoho's own pages show in a browser: `https://crm.zoho.eu/crm/org123/tab/Leads/456`. The
//! tab of a custom module has a number that nothing here knows, so only records of Zoho's own modules are linked.

use crate::owner::CrmOwner;

/// Where the CRM lives for people, by where it lives for programs.
const SITES: [(&str, &str); 9] = [
    ("www.zohoapis.com", "crm.zoho.com"),
    ("www.zohoapis.eu", "crm.zoho.eu"),
    ("www.zohoapis.in", "crm.zoho.in"),
    ("www.zohoapis.com.au", "crm.zoho.com.au"),
    ("www.zohoapis.jp", "crm.zoho.jp"),
    ("www.zohoapis.com.cn", "crm.zoho.com.cn"),
    ("www.zohoapis.ca", "crm.zohocloud.ca"),
    ("www.zohoapis.sa", "crm.zoho.sa"),
    ("www.zohoapis.uk", "crm.zoho.uk"),
];

/// Tabs that are called otherwise than their module's API name.
const RENAMED_TABS: [(&str, &str); 4] = [
    ("Deals", "Potentials"),
    ("Price_Books", "PriceBooks"),
    ("Sales_Orders", "SalesOrders"),
    ("Purchase_Orders", "PurchaseOrders"),
];

/// Tabs that are called like their module.
const SAME_TABS: [&str; 13] = [
    "Leads",
    "Accounts",
    "Contacts",
    "Campaigns",
    "Tasks",
    "Cases",
    "Solutions",
    "Products",
    "Vendors",
    "Quotes",
    "Invoices",
    "Events",
    "Calls",
];

/// The address of a record's page; `None` where the rows did not go to a host of Zoho's, or the module is not one of
/// its own, or the record is not an id.
pub(super) fn record_page(target: &str, org: Option<CrmOwner>, module: &str, record: &str) -> Option<String> {
    let (_, site) = SITES.iter().find(|(host, _)| *host == target)?;
    let renamed = RENAMED_TABS.iter().find(|(name, _)| *name == module).map(|(_, tab)| *tab);
    let tab = renamed.or_else(|| SAME_TABS.into_iter().find(|name| *name == module))?;
    if record.is_empty() || !record.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Without the organisation the CRM takes the one that the reader last used.
    let org = match org {
        Some(CrmOwner::Organisation(id)) => format!("org{id}/"),
        Some(CrmOwner::Client(_)) | None => String::new(),
    };
    Some(format!("https://{site}/crm/{org}tab/{tab}/{record}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::ServiceId;

    #[test]
    fn a_record_of_a_module_of_zohos_has_its_page_in_its_data_centre() {
        let org = Some(CrmOwner::Organisation(ServiceId::new(10_234_695)));
        for (target, org, module, page) in [
            ("www.zohoapis.eu", org, "Leads", "https://crm.zoho.eu/crm/org10234695/tab/Leads/738964000000291009"),
            ("www.zohoapis.com", None, "Deals", "https://crm.zoho.com/crm/tab/Potentials/738964000000291009"),
            (
                "www.zohoapis.ca",
                None,
                "Sales_Orders",
                "https://crm.zohocloud.ca/crm/tab/SalesOrders/738964000000291009",
            ),
        ] {
            assert_eq!(record_page(target, org, module, "738964000000291009").as_deref(), Some(page));
        }
    }

    #[test]
    fn nothing_is_linked_that_is_not_known_to_lead_to_the_record() {
        for (target, module, record) in [
            ("sandbox", "Leads", "738964000000291009"),
            ("127.0.0.1:4711", "Leads", "738964000000291009"),
            ("www.zohoapis.eu", "Site_Visits", "738964000000291009"),
            ("www.zohoapis.eu", "Leads", "7.38964E+17"),
            ("www.zohoapis.eu", "Leads", ""),
        ] {
            assert_eq!(record_page(target, None, module, record), None, "{target} {module} {record}");
        }
    }
}
