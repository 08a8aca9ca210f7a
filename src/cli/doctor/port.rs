//! Makes the requests of the doctor. All but one are GET; the order of a Bulk Read job is a POST that changes nothing.

use serde_json::Value;

use crate::crosswalk::bulk;
use crate::doctor::jobs::{DoctorAnswer, DoctorJob};
use crate::engine::requests::RequestPort;
use crate::reply::Reply;
use crate::text::system_words;
use crate::zoho::{ApiRoot, Client};

/// The service, as far as the doctor goes.
pub(super) struct ClientExaminer<'c>(pub(super) &'c Client);

impl ClientExaminer<'_> {
    /// Downloads a result into a file that nobody else sees and that is gone with the process.
    fn fetch(&self, root: ApiRoot, path: &str) -> Result<DoctorAnswer, Box<Reply>> {
        let mut file = match tempfile::tempfile() {
            Ok(file) => file,
            Err(error) => {
                return Ok(DoctorAnswer::Ids(Err(format!("no temporary file can be made: {}", system_words(&error)))));
            }
        };
        self.0.get_file(root, path, &mut file)?;
        let ids = bulk::read_result(&file, "id").map(|rows| rows.into_iter().map(|(_, id)| id).collect());
        Ok(DoctorAnswer::Ids(ids.map_err(|flaw| flaw.to_string())))
    }
}

impl RequestPort for ClientExaminer<'_> {
    type Job = DoctorJob;
    type Answer = DoctorAnswer;

    fn request(&self, job: &mut DoctorJob) -> Result<DoctorAnswer, Box<Reply>> {
        let client = self.0;
        let json = |answer: Option<Value>| Ok(DoctorAnswer::Json(answer));
        match (&*job, job.address()) {
            (DoctorJob::Organisation, _) => client.organisation().map(DoctorAnswer::Organisation),
            (DoctorJob::User, _) => client.user().map(DoctorAnswer::User),
            (DoctorJob::Order(_, module, page), _) => {
                json(client.post_json(ApiRoot::Bulk, "read", &bulk::order(module, "id", page))?)
            }
            (DoctorJob::Fetch(..), Some((root, path))) => self.fetch(root, &path),
            (_, Some((root, path))) => json(client.get_json(root, &path)?),
            // Only the order of a job has no address of its own, and is above.
            (_, None) => json(None),
        }
    }

    fn credits_left(&self) -> Option<u64> {
        self.0.credits_left()
    }

    fn cut(&self) {
        self.0.cut();
    }
}
