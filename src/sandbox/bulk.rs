//! Bulk Read: jobs that take their time, and their results as ZIP files that live for a while.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::time::{Duration, Instant};

use rawzip::{CompressionMethod, ZipArchiveWriter};
use serde_json::{Map, Value, json};

use super::answer::{self, SandboxRefusal};
use super::bulk_criteria::BulkCriteria;
use super::options::{SandboxUser, Version};
use super::records::{ModuleRecords, Records};
use super::store::rfc3339;
use super::switches::Switches;

/// The time in which only so many results can be downloaded.
const DOWNLOAD_WINDOW: Duration = Duration::from_secs(60);

/// All jobs, and when results were downloaded lately.
#[derive(Default, Debug)]
pub(super) struct BulkJobs {
    jobs: HashMap<String, BulkJob>,
    /// How many were ever made.
    made: u32,
    downloads: VecDeque<Instant>,
}

#[derive(Clone, Debug)]
struct BulkJob {
    request: BulkRequest,
    created: Instant,
    created_at: i64,
    fails: bool,
}

/// What a job is to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BulkRequest {
    pub(super) module: String,
    fields: Vec<String>,
    /// From 0.
    page: usize,
    /// Which records, understood and as asked for; `None`: all.
    criteria: Option<(BulkCriteria, Value)>,
}

impl BulkRequest {
    /// Reads the body of the request that makes a job.
    pub(super) fn parse(body: &[u8]) -> Result<BulkRequest, SandboxRefusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_| SandboxRefusal::bad_body())?;
        let query = &body["query"];
        if body.get("callback").is_some_and(|callback| !callback.is_null()) {
            return Err(SandboxRefusal::bulk_not_imitated());
        }
        if let Some(token) = query["page_token"].as_str() {
            return BulkRequest::of_token(token).ok_or_else(|| SandboxRefusal::bad_param("page_token"));
        }
        let module = query["module"]["api_name"].as_str().ok_or_else(|| SandboxRefusal::bad_param("api_name"))?;
        let fields = query["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let page = query["page"].as_u64().unwrap_or(1);
        let page = usize::try_from(page).ok().and_then(|page| page.checked_sub(1));
        let criteria = query.get("criteria").filter(|criteria| !criteria.is_null()).map(understood);
        Ok(BulkRequest {
            criteria: criteria.transpose()?,
            module: module.to_owned(),
            fields: fields.collect(),
            page: page.ok_or_else(|| SandboxRefusal::bad_param("page"))?,
        })
    }

    /// All that the job for a later page needs to know.
    fn token(&self, page: usize) -> String {
        let criteria = self.criteria.as_ref().map(|(_, asked)| asked.to_string()).unwrap_or_default();
        format!("{}~{page}~{}~{criteria}", self.module, self.fields.join(","))
    }

    fn of_token(token: &str) -> Option<BulkRequest> {
        let parts: Vec<&str> = token.splitn(4, '~').collect();
        let [module, page, fields, criteria] = parts[..] else { return None };
        let criteria = match criteria {
            "" => None,
            text => Some(understood(&serde_json::from_str(text).ok()?).ok()?),
        };
        Some(BulkRequest { module: module.to_owned(), fields: names(fields), page: page.parse().ok()?, criteria })
    }

    /// The records of the module that are wanted, of all pages.
    fn wanted<'r>(
        &'r self,
        records: &'r Records,
        module: &'r ModuleRecords,
        switches: &Switches,
    ) -> impl Iterator<Item = (&'r u64, &'r Vec<Box<str>>)> {
        module.readable(switches.shows_converted).filter(|(id, cells)| {
            let cell = |field: &str| records.cell(module, field, **id, cells).unwrap_or_default();
            self.criteria.as_ref().is_none_or(|(criteria, _)| criteria.holds(&cell))
        })
    }

    /// The columns of the result: `id` is always one of them.
    fn columns(&self) -> impl Iterator<Item = &str> {
        std::iter::once("id").chain(self.fields.iter().map(String::as_str).filter(|field| *field != "id"))
    }
}

fn understood(criteria: &Value) -> Result<(BulkCriteria, Value), SandboxRefusal> {
    Ok((BulkCriteria::parse(criteria)?, criteria.clone()))
}

fn names(list: &str) -> Vec<String> {
    list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl BulkJobs {
    /// Makes a job.
    pub(super) fn create(
        &mut self,
        request: BulkRequest,
        records: &Records,
        (now, clock): (Instant, i64),
        (user, switches): (&SandboxUser, &Switches),
    ) -> Result<Value, SandboxRefusal> {
        let none = ModuleRecords::default();
        let module = records.module(&request.module).unwrap_or(&none);
        let compared = request.criteria.iter().flat_map(|(criteria, _)| criteria.fields());
        for field in request.columns().chain(compared) {
            let own = field.split_once('.').map_or(field, |(own, _)| own);
            if own != "id" && !own.starts_with('$') && module.field(own).is_none() {
                return Err(SandboxRefusal::bulk_field(field));
            }
        }
        let id = (700_000_000_003_000_001 + u64::from(self.made)).to_string();
        let fails = self.made < switches.bulk_failures;
        self.made += 1;
        self.jobs.insert(id.clone(), BulkJob { request, created: now, created_at: clock, fails });
        Ok(json!({
            "data": [{
                "status": "success", "code": "ADDED_SUCCESSFULLY", "message": "Added successfully.",
                "details": {
                    "id": id, "operation": "read", "state": "ADDED", "created_by": answer::user(user),
                    "created_time": rfc3339(clock),
                },
            }],
            "info": {},
        }))
    }

    /// What has become of a job.
    pub(super) fn state(
        &self,
        id: &str,
        records: &Records,
        (now, version): (Instant, Version),
        (user, switches): (&SandboxUser, &Switches),
    ) -> Result<Value, SandboxRefusal> {
        let job = self.jobs.get(id).ok_or_else(SandboxRefusal::no_such_job)?;
        let state = job.state(now, switches);
        let mut entry = json!({
            "id": id, "operation": "read", "state": state, "created_by": answer::user(user),
            "created_time": rfc3339(job.created_at),
            "query": {"module": {"api_name": job.request.module}, "fields": job.request.fields, "page": job.request.page + 1},
            "file_type": "csv",
        });
        let fields = entry.as_object_mut().ok_or_else(SandboxRefusal::internal)?;
        match state {
            "COMPLETED" => fields.insert("result".to_owned(), job.result(id, records, version, switches)),
            "FAILURE" => fields.insert(
                "result".to_owned(),
                json!({"error_message": {"code": "INTERNAL_ERROR", "message": "the job could not be finished"}}),
            ),
            _ => None,
        };
        Ok(json!({"data": [entry]}))
    }

    /// The ZIP file of a job that is done.
    pub(super) fn download(
        &mut self,
        id: &str,
        records: &Records,
        now: Instant,
        switches: &Switches,
    ) -> Result<Vec<u8>, SandboxRefusal> {
        let job = self.jobs.get(id).ok_or_else(SandboxRefusal::no_such_job)?;
        if job.state(now, switches) != "COMPLETED" || now >= job.created + switches.bulk_delay + switches.bulk_life {
            return Err(SandboxRefusal::no_such_job());
        }
        self.downloads.retain(|at| now.duration_since(*at) < DOWNLOAD_WINDOW);
        if self.downloads.len() >= switches.bulk_downloads {
            return Err(SandboxRefusal::too_many_downloads());
        }
        self.downloads.push_back(now);
        job.zip(id, records, switches).map_err(|_| SandboxRefusal::internal())
    }
}

impl BulkJob {
    /// Three states share the time that a job takes.
    fn state(&self, now: Instant, switches: &Switches) -> &'static str {
        let (age, delay) = (now.duration_since(self.created), switches.bulk_delay);
        match (self.fails, age) {
            (false, age) if age >= delay => "COMPLETED",
            (true, age) if age >= delay => "FAILURE",
            (_, age) if age >= delay / 3 * 2 => "IN PROGRESS",
            (_, age) if age >= delay / 3 => "QUEUED",
            _ => "ADDED",
        }
    }

    fn result(&self, id: &str, records: &Records, version: Version, switches: &Switches) -> Value {
        let module = records.module(&self.request.module);
        let all = module.map_or(0, |module| self.request.wanted(records, module, switches).count());
        let rest = all.saturating_sub(self.request.page * switches.bulk_page);
        let has_more = rest > switches.bulk_page;
        let mut result = Map::from_iter([
            ("page".to_owned(), (self.request.page + 1).into()),
            ("per_page".to_owned(), switches.bulk_page.into()),
            ("count".to_owned(), rest.min(switches.bulk_page).into()),
            ("download_url".to_owned(), format!("/crm/bulk/{}/read/{id}/result", version.segment()).into()),
            ("more_records".to_owned(), has_more.into()),
        ]);
        if version >= Version::V7 {
            let token = has_more.then(|| self.request.token(self.request.page + 1));
            result.insert("next_page_token".to_owned(), token.into());
        }
        result.into()
    }

    fn zip(&self, id: &str, records: &Records, switches: &Switches) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut archive = ZipArchiveWriter::new(Vec::new());
        let (mut entry, config) =
            archive.new_file(format!("{id}.csv")).compression_method(CompressionMethod::DEFLATE).start()?;
        let packed = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
        let mut data = config.wrap(packed);
        self.write_csv(records, switches, &mut data)?;
        let (packed, descriptor) = data.finish()?;
        packed.finish()?;
        entry.finish(descriptor)?;
        Ok(archive.finish()?)
    }

    fn write_csv(&self, records: &Records, switches: &Switches, out: &mut impl Write) -> Result<(), csv::Error> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(self.request.columns())?;
        if let Some(module) = records.module(&self.request.module) {
            let page = self
                .request
                .wanted(records, module, switches)
                .skip(self.request.page * switches.bulk_page)
                .take(switches.bulk_page);
            for (id, cells) in page {
                let cell = |column| records.cell(module, column, *id, cells).unwrap_or_default();
                out.write_record(self.request.columns().map(cell))?;
            }
        }
        Ok(out.flush()?)
    }
}
