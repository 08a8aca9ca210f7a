//! Who a token belongs to, and what the organisation's edition allows.

use serde_json::Value;

use super::client::Client;
use crate::reply::Reply;
use crate::text::strip_for_terminal;

/// An organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its edition, in the service's word: `free`, `professional`, `zohooneenterprise`.
    pub edition: String,
    /// Licences bought.
    pub users: u64,
}

/// The user a token was made by; attachments belong to this user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Full name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Id, as it stands in `created_by`.
    pub id: String,
}

/// What an edition allows all programs of the organisation together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// API credits in any 24 hours; `None`: without limit.
    pub credits_per_day: Option<u64>,
    /// Requests under way at once.
    pub concurrency: u32,
}

impl Organisation {
    /// What its edition allows, if it is one we know.
    pub fn allowance(&self) -> Option<Allowance> {
        // A base for all, so many more for each user, up to a cap. Where sources differ, the smaller figure stands.
        let (each_user, cap, concurrency) = match self.edition.as_str() {
            "free" => return Some(Allowance { credits_per_day: Some(5_000), concurrency: 5 }),
            "standard" | "starter" | "zohoonestandard" | "crmplusstarter" => (250, Some(100_000), 10),
            "professional" => (500, Some(3_000_000), 15),
            "enterprise" | "zohooneenterprise" => (1_000, Some(5_000_000), 20),
            "crmplus" => (2_000, None, 20),
            "ultimate" => (2_000, None, 25),
            _ => return None,
        };
        let credits = 50_000 + self.users.saturating_mul(each_user);
        Some(Allowance { credits_per_day: Some(cap.map_or(credits, |cap| credits.min(cap))), concurrency })
    }
}

impl Client {
    /// The organisation that the token belongs to.
    ///
    /// # Errors
    ///
    /// The reply that came instead; it takes the scope `ZohoCRM.org.READ`.
    pub fn organisation(&self) -> Result<Organisation, Box<Reply>> {
        let answer = self.get("org")?;
        let org = &answer["org"][0];
        let license = &org["license_details"];
        Ok(Organisation {
            name: text(&org["company_name"]),
            id: text(&org["zgid"]),
            edition: text(&license["paid_type"]),
            users: license["users_license_purchased"].as_u64().unwrap_or(0),
        })
    }

    /// The user that the token was made by.
    ///
    /// # Errors
    ///
    /// The reply that came instead; it takes the scope `ZohoCRM.users.READ`.
    pub fn user(&self) -> Result<User, Box<Reply>> {
        let answer = self.get("users?type=CurrentUser")?;
        let user = &answer["users"][0];
        Ok(User { name: text(&user["full_name"]), email: text(&user["email"]), id: text(&user["id"]) })
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => strip_for_terminal(text, 200),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_allows_credits_and_requests_at_once() {
        let allowed = |edition: &str, users| {
            let organisation =
                Organisation { name: String::new(), id: String::new(), edition: edition.to_owned(), users };
            organisation.allowance().map(|allowance| (allowance.credits_per_day, allowance.concurrency))
        };
        assert_eq!(allowed("free", 3), Some((Some(5_000), 5)));
        assert_eq!(allowed("standard", 1_000), Some((Some(100_000), 10)));
        assert_eq!(allowed("professional", 10), Some((Some(55_000), 15)));
        assert_eq!(allowed("enterprise", 100), Some((Some(150_000), 20)));
        assert_eq!(allowed("ultimate", 10), Some((Some(70_000), 25)));
        assert_eq!(allowed("something new", 10), None);
    }
}
