//! What the program's own tests and benches use of its parts. No interface for anybody else: it changes without notice.

pub mod check {
    //! Judging a manifest.
    pub use crate::check::{CheckOptions, Checkup, check};
}

pub mod content {
    //! What was sent, told by its content.
    pub use crate::content::{Fingerprint, FingerprintKind};
}

pub mod engine {
    //! The run as a state machine.
    pub use crate::engine::{
        Clock, Descriptor, Descriptors, Engine, Job, JobId, ListResult, Next, Policy, RecordClaims, RecordIx,
        UploadResult,
    };
}

pub mod explain {
    //! Pages of `attache explain`.
    pub use crate::explain::reasons::PAGES as LEFT_OUT;
}

pub mod fuzz;

pub mod problem {
    //! Codes of problems.
    pub use crate::problem::ProblemCode;
}

pub mod listing {
    //! Reading a record's list page by page.
    pub use crate::listing::ListPage;
}

pub mod manifest {
    //! Reading a manifest.
    pub use crate::manifest::{Input, ManifestFormat, ReadOptions, open};
}

pub mod outcome {
    //! What became of a row.
    pub use crate::outcome::{Outcome, Status};
}

pub mod plan {
    //! Deciding what a run does.
    pub use crate::plan::{PlanOptions, plan};
}

pub mod reply {
    //! What a request came to.
    pub use crate::reply::{
        Created, DoubtBecause, FailedBy, ListReply, Listed, PageReply, Reply, RetryBecause, StopBecause, Verdict,
    };
}

pub mod results {
    //! The results file.
    pub use crate::results::{
        Disk, GroupLog, Layout, Line, RealDisk, ResendRules, ResultsError, ResultsLog, ResultsOptions, ResultsRows,
        SharedLog, Standing, Why, hold, look, read,
    };
}

#[cfg(feature = "sandbox")]
pub mod sandbox {
    //! The server to rehearse against.
    pub use crate::sandbox::{
        DateHeader, Dialect, FaultKind, Keep, ListOrder, Rename, SandboxCredentials, SandboxModules, SandboxOptions,
        SandboxServer, SandboxUser, SizeAs, Stats, Switches, read_records,
    };
}

pub mod units {
    //! Rates.
    pub use crate::units::Rate;
}

pub mod upload {
    //! Ids and keys.
    pub use crate::upload::{FileFacts, FileSource, RecordId, RowKey, ServiceId, SourceKind, Upload};
}

pub mod zoho {
    //! The client of the service.
    pub use crate::zoho::{ApiVersion, Client, Credentials, HttpOptions, Renewal, Secret, Target, TokenOptions};
}
