//! Every question that is asked: where, for how many API credits, and which of them everything else goes on without.

use std::time::Duration;

use serde_json::Value;

use crate::crm::limits::BULK_READ_CREDITS;
use crate::crosswalk::bulk::BulkPage;
use crate::engine::requests::RequestJob;
use crate::reply::StopBecause;
use crate::upload::RecordId;
use crate::zoho::{ApiRoot, Organisation, User};

/// As many records are asked for at once: what every version takes.
pub(crate) const IDS: usize = 50;

/// A page of the list of deleted records costs so many API credits.
const DELETED_CREDITS: u64 = 2;

/// One question to the service. A number stands for one of the modules whose records are looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DoctorJob {
    /// Which organisation it is, and its edition.
    Organisation,
    /// Which user the token acts as.
    User,
    /// How many licences were bought.
    Licences,
    /// Which modules there are.
    Modules,
    /// Whether a module has attachments.
    RelatedLists(String),
    /// What attaching to a module costs, and whether this version can.
    UploadCall(String),
    /// The attachments of one record: shows whether they may be listed at all.
    List(String, RecordId),
    /// A Bulk Read job that cannot be: shows whether such jobs may be asked about.
    BulkAllowed,
    /// Which of some records exist.
    Exist(usize, String, Vec<RecordId>),
    /// To read all ids of a module, or what follows a page of them.
    Order(usize, String, BulkPage),
    /// How far such a job is, and how long to wait for the next look.
    Look(usize, String, BulkPage, Duration),
    /// The result of a job.
    Fetch(usize, String),
    /// A page of the records that were deleted.
    Deleted(usize, String, u32),
}

impl DoctorJob {
    /// Where it is asked by GET; `None` for the order of a Bulk Read job, which takes a body.
    pub(crate) fn address(&self) -> Option<(ApiRoot, String)> {
        let crm = |path: String| Some((ApiRoot::Crm, path));
        match self {
            DoctorJob::Organisation => crm("org".to_owned()),
            DoctorJob::User => crm("users?type=CurrentUser".to_owned()),
            DoctorJob::Licences => crm("__features/user_licenses".to_owned()),
            DoctorJob::Modules => crm("settings/modules".to_owned()),
            DoctorJob::RelatedLists(module) => crm(format!("settings/related_lists?module={module}")),
            // {"field":{"api_name":"module"},"comparator":"equals","value":MODULE}
            DoctorJob::UploadCall(module) => crm(format!(
                "__apis?filters=%7B%22field%22%3A%7B%22api_name%22%3A%22module%22%7D%2C%22comparator%22%3A%22equals%22%2C\
                 %22value%22%3A%22{module}%22%7D"
            )),
            DoctorJob::List(module, record) => crm(format!("{module}/{record}/Attachments?fields=id&per_page=1")),
            DoctorJob::BulkAllowed => Some((ApiRoot::Bulk, "read/1".to_owned())),
            DoctorJob::Exist(_, module, ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                // A lead that became a contact is a record still, but is left out unless asked for.
                let converted = if module == "Leads" { "&converted=both" } else { "" };
                crm(format!("{module}?ids={}&fields=id{converted}", ids.join(",")))
            }
            DoctorJob::Order(..) => None,
            DoctorJob::Look(_, job, ..) => Some((ApiRoot::Bulk, format!("read/{job}"))),
            DoctorJob::Fetch(_, job) => Some((ApiRoot::Bulk, format!("read/{job}/result"))),
            DoctorJob::Deleted(_, module, page) => crm(format!("{module}/deleted?type=all&per_page=200&page={page}")),
        }
    }

    /// Which of the modules it is about, where its records are looked for.
    pub(crate) fn module(&self) -> Option<usize> {
        match self {
            DoctorJob::Exist(module, ..) | DoctorJob::Order(module, ..) | DoctorJob::Look(module, ..) => Some(*module),
            DoctorJob::Fetch(module, _) | DoctorJob::Deleted(module, ..) => Some(*module),
            _ => None,
        }
    }
}

impl RequestJob for DoctorJob {
    fn credits(&self) -> u64 {
        match self {
            DoctorJob::Order(..) => BULK_READ_CREDITS,
            DoctorJob::Deleted(..) => DELETED_CREDITS,
            _ => 1,
        }
    }

    /// A question that may not be asked is a check less, and no more.
    fn tolerates(&self, because: StopBecause) -> bool {
        match because {
            StopBecause::Scope | StopBecause::Target | StopBecause::OurMistake => true,
            // The limit may be that of ids in one question, which can be made smaller.
            StopBecause::Limit => matches!(self, DoctorJob::Exist(..)),
            StopBecause::Credentials | StopBecause::Disk => false,
        }
    }
}

/// What an answer holds.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum DoctorAnswer {
    /// The organisation.
    Organisation(Organisation),
    /// The user.
    User(User),
    /// JSON; `None` where the service answers that there is nothing.
    Json(Option<Value>),
    /// The ids in a result, or why it cannot be read.
    Ids(Result<Vec<u64>, String>),
}
