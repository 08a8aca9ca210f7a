//! Makes the requests of a look-up.

use crate::crosswalk::lookup::{LookupAnswer, LookupJob, LookupModule};
use crate::crosswalk::{bulk, coql};
use crate::engine::requests::RequestPort;
use crate::reply::Reply;
use crate::text::system_words;
use crate::zoho::{ApiRoot, Client};
use serde_json::{Value, json};

/// The service, as far as a look-up goes.
pub(super) struct ClientLookup<'c> {
    pub(super) client: &'c Client,
    /// The modules that jobs number.
    pub(super) modules: Vec<LookupModule>,
}

impl ClientLookup<'_> {
    fn module(&self, at: usize) -> &str {
        self.modules.get(at).map_or("", |module| &module.name)
    }

    /// The field whose keys are asked for; the command line's word where it is not known yet.
    fn field(&self, at: usize) -> &str {
        let module = self.modules.get(at);
        module.map_or("", |module| module.field.as_ref().map_or(&module.named, |field| &field.api_name))
    }

    /// Downloads the result into a file that nobody else sees and that is gone with the process.
    fn fetch(&self, module: usize, job: &str) -> Result<LookupAnswer, Box<Reply>> {
        let mut file = match tempfile::tempfile() {
            Ok(file) => file,
            Err(error) => {
                return Ok(LookupAnswer::Result(Err(format!(
                    "no temporary file can be made: {}",
                    system_words(&error)
                ))));
            }
        };
        self.client.get_file(ApiRoot::Bulk, &format!("read/{job}/result"), &mut file)?;
        Ok(LookupAnswer::Result(bulk::read_result(&file, self.field(module)).map_err(|flaw| flaw.to_string())))
    }
}

impl RequestPort for ClientLookup<'_> {
    type Job = LookupJob;
    type Answer = LookupAnswer;

    fn request(&self, job: &mut LookupJob) -> Result<LookupAnswer, Box<Reply>> {
        let client = self.client;
        Ok(match job {
            LookupJob::Organisation => LookupAnswer::Organisation(client.organisation()?.id),
            LookupJob::Fields(module) => {
                let path = format!("settings/fields?module={}", self.module(*module));
                LookupAnswer::Fields(client.get_json(ApiRoot::Crm, &path)?.unwrap_or(Value::Null))
            }
            LookupJob::Keys(_, query) => {
                let answer = client.post_json(ApiRoot::Crm, "coql", &json!({"select_query": query.text()}))?;
                LookupAnswer::Keys(coql::page(answer.as_ref(), &query.field))
            }
            LookupJob::Order(module, page) => {
                let order = bulk::order(self.module(*module), self.field(*module), page);
                let answer = client.post_json(ApiRoot::Bulk, "read", &order)?;
                LookupAnswer::Ordered(answer.as_ref().and_then(bulk::ordered))
            }
            LookupJob::Look(_, number, page, _) => {
                let answer = client.get_json(ApiRoot::Bulk, &format!("read/{number}"))?;
                LookupAnswer::State(bulk::state(answer.as_ref().unwrap_or(&Value::Null), page))
            }
            LookupJob::Fetch(module, number) => self.fetch(*module, number)?,
        })
    }

    fn credits_left(&self) -> Option<u64> {
        self.client.credits_left()
    }

    fn cut(&self) {
        self.client.cut();
    }
}
