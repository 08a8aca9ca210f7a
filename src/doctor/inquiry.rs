//! The first questions: what the service tells of itself, of the organisation and of the modules of a manifest.

use std::collections::BTreeMap;

use super::answers::{self, AttachmentList, ServiceModule, UploadCall};
use super::jobs::{DoctorAnswer, DoctorJob};
use crate::engine::Elapsed;
use crate::engine::requests::{RequestEngine, RequestFailure, RequestHandler, RequestJob as _, RequestStop};
use crate::reply::StopBecause;
use crate::upload::RecordId;
use crate::zoho::{Organisation, User};

/// What came of one question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Learnt<T> {
    /// Nobody has asked, or everything ended before an answer came.
    Nothing,
    /// The answer.
    Known(T),
    /// The token lacks the scope.
    NoScope,
    /// The service refuses, does not come to an answer, or its answer cannot be understood; with its words.
    Refused(String),
}

impl<T> Learnt<T> {
    /// The answer, where there is one.
    pub(crate) fn known(&self) -> Option<&T> {
        match self {
            Learnt::Known(answer) => Some(answer),
            _ => None,
        }
    }

    fn of_failure(failure: &RequestFailure) -> Learnt<T> {
        match failure {
            RequestFailure::Tolerated { because: StopBecause::Scope, .. } => Learnt::NoScope,
            other => Learnt::Refused(other.reply().answer_text()),
        }
    }
}

/// What was learnt of one module of the manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ModuleAnswers {
    /// Whether it has attachments.
    pub(crate) attachments: Learnt<AttachmentList>,
    /// What an upload costs; inside `None` where this version has no such call.
    pub(crate) upload: Learnt<Option<UploadCall>>,
    /// Whether the attachments of a record may be listed.
    pub(crate) list: Learnt<()>,
}

/// What was learnt by the first questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DoctorFacts {
    /// The organisation that the token belongs to.
    pub(crate) organisation: Learnt<Organisation>,
    /// The user that it acts as.
    pub(crate) user: Learnt<User>,
    /// Licences bought.
    pub(crate) licences: Learnt<u64>,
    /// The modules of the organisation.
    pub(crate) modules: Learnt<Vec<ServiceModule>>,
    /// By API name, the modules of the manifest.
    pub(crate) by_module: BTreeMap<String, ModuleAnswers>,
    /// Whether Bulk Read jobs may be asked about.
    pub(crate) bulk: Learnt<()>,
}

/// What is to be asked first.
#[derive(Clone, Default, Debug)]
pub(crate) struct FirstQuestions<'m> {
    /// The modules of the manifest, each with one of its records.
    pub(crate) modules: Vec<(&'m str, Option<RecordId>)>,
    /// Names of modules in the manifest that are none as far as is known here.
    pub(crate) has_unknown_modules: bool,
    /// Whether the token does not say itself what it may do.
    pub(crate) probes_scopes: bool,
    /// Whether reading a whole module could pay.
    pub(crate) probes_bulk: bool,
}

impl FirstQuestions<'_> {
    /// The jobs, the one that shows most first.
    pub(crate) fn jobs(&self) -> Vec<DoctorJob> {
        let mut jobs = vec![DoctorJob::Organisation, DoctorJob::User, DoctorJob::Licences];
        if !self.modules.is_empty() || self.has_unknown_modules {
            jobs.push(DoctorJob::Modules);
        }
        for (module, record) in &self.modules {
            jobs.push(DoctorJob::RelatedLists((*module).to_owned()));
            jobs.push(DoctorJob::UploadCall((*module).to_owned()));
            let probed = record.filter(|_| self.probes_scopes);
            jobs.extend(probed.map(|record| DoctorJob::List((*module).to_owned(), record)));
        }
        if self.probes_bulk {
            jobs.push(DoctorJob::BulkAllowed);
        }
        jobs
    }

    /// What they cost.
    pub(crate) fn credits(&self) -> u64 {
        self.jobs().iter().map(DoctorJob::credits).sum()
    }
}

/// Hears the answers to the first questions.
pub(crate) struct DoctorInquiry {
    /// What has been learnt.
    pub(crate) facts: DoctorFacts,
}

impl DoctorInquiry {
    /// Nothing is known yet.
    pub(crate) fn new() -> DoctorInquiry {
        DoctorInquiry {
            facts: DoctorFacts {
                organisation: Learnt::Nothing,
                user: Learnt::Nothing,
                licences: Learnt::Nothing,
                modules: Learnt::Nothing,
                by_module: BTreeMap::new(),
                bulk: Learnt::Nothing,
            },
        }
    }

    fn module(&mut self, name: String) -> &mut ModuleAnswers {
        self.facts.by_module.entry(name).or_insert(ModuleAnswers {
            attachments: Learnt::Nothing,
            upload: Learnt::Nothing,
            list: Learnt::Nothing,
        })
    }

    fn answered(&mut self, job: DoctorJob, answer: DoctorAnswer) {
        match (job, answer) {
            (DoctorJob::Organisation, DoctorAnswer::Organisation(organisation)) => {
                self.facts.organisation = Learnt::Known(organisation);
            }
            (DoctorJob::User, DoctorAnswer::User(user)) => self.facts.user = Learnt::Known(user),
            (DoctorJob::Licences, DoctorAnswer::Json(json)) => {
                self.facts.licences = understood(answers::licences(json.as_ref()));
            }
            (DoctorJob::Modules, DoctorAnswer::Json(json)) => {
                self.facts.modules = understood(answers::modules(json.as_ref()));
            }
            (DoctorJob::RelatedLists(module), DoctorAnswer::Json(json)) => {
                self.module(module).attachments = understood(answers::attachment_list(json.as_ref()));
            }
            (DoctorJob::UploadCall(module), DoctorAnswer::Json(json)) => {
                let call = understood(answers::upload_call(json.as_ref(), &module));
                self.module(module).upload = call;
            }
            (DoctorJob::List(module, _), DoctorAnswer::Json(_)) => self.module(module).list = Learnt::Known(()),
            // Such a job can hardly be there; if one is, it may be asked about as well.
            (DoctorJob::BulkAllowed, _) => self.facts.bulk = Learnt::Known(()),
            // No other job is asked first, and no other answer belongs to these.
            _ => {}
        }
    }

    fn refused(&mut self, job: DoctorJob, failure: &RequestFailure) {
        match job {
            DoctorJob::Organisation => self.facts.organisation = Learnt::of_failure(failure),
            DoctorJob::User => self.facts.user = Learnt::of_failure(failure),
            DoctorJob::Licences => self.facts.licences = Learnt::of_failure(failure),
            DoctorJob::Modules => self.facts.modules = Learnt::of_failure(failure),
            DoctorJob::RelatedLists(module) => self.module(module).attachments = Learnt::of_failure(failure),
            DoctorJob::UploadCall(module) => self.module(module).upload = Learnt::of_failure(failure),
            DoctorJob::List(module, _) => {
                // Whoever is told that there is no such record was allowed to ask.
                let is_about_record = failure.reply().code == "INVALID_DATA";
                self.module(module).list =
                    if is_about_record { Learnt::Known(()) } else { Learnt::of_failure(failure) };
            }
            DoctorJob::BulkAllowed => {
                let is_gone = failure.reply().code == "RESOURCE_NOT_FOUND";
                self.facts.bulk = if is_gone { Learnt::Known(()) } else { Learnt::of_failure(failure) };
            }
            _ => {}
        }
    }
}

fn understood<T>(answer: Option<T>) -> Learnt<T> {
    answer.map_or_else(|| Learnt::Refused("the answer cannot be understood".to_owned()), Learnt::Known)
}

/// Whether it was not the question that was refused: whoever else answers here, no further question gets to the service.
pub(super) fn is_in_the_way(failure: &RequestFailure) -> Option<RequestStop> {
    let RequestFailure::Tolerated { because: because @ StopBecause::Target, reply } = failure else { return None };
    let is_elsewhere = matches!(reply.http_status, None | Some(300..=399 | 407)) || reply.code == "INVALID_HOST";
    is_elsewhere.then(|| RequestStop::Service { because: *because, reply: reply.clone() })
}

impl RequestHandler<DoctorJob, DoctorAnswer> for DoctorInquiry {
    fn handle(
        &mut self,
        engine: &mut RequestEngine<DoctorJob>,
        _now: Elapsed,
        job: DoctorJob,
        outcome: Result<DoctorAnswer, RequestFailure>,
    ) {
        match outcome {
            Ok(answer) => self.answered(job, answer),
            Err(failure) => {
                if let Some(stop) = is_in_the_way(&failure) {
                    return engine.stop(stop);
                }
                self.refused(job, &failure);
            }
        }
    }
}
