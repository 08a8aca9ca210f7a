//! Asks the service, before a long run, what no check on this machine can know: whose CRM it is, what the token may do, what
//! a day allows, and whether every record of a manifest exists. It sends nothing that changes anything.
//!
//! | to change | open |
//! | --- | --- |
//! | which checks there are | `explain/doctor_checks.rs` |
//! | what is asked, at which address, for how many credits | `jobs.rs` |
//! | how answers are read | `answers.rs` |
//! | what is asked first, and what was learnt | `inquiry.rs` |
//! | which records exist, who deleted the others | `search.rs` |
//! | which rows that concerns | `rows.rs` |
//! | what follows from what was learnt | `findings/` |
//!
//! What is found is data; words that name options are the command line's.

pub(crate) mod answers;
pub(crate) mod findings;
pub(crate) mod inquiry;
pub(crate) mod jobs;
pub(crate) mod rows;
pub(crate) mod search;
