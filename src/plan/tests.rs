//! Plans made from real manifests and results, as the command line makes them.

use std::fs;

use jiff::Timestamp;
use tempfile::TempDir;

use super::facts::Facts;
use super::selection::Selection;
use super::*;
use crate::check::Checkup;
use crate::engine::policy::IfExists;
use crate::manifest;
use crate::outcome::Status;
use crate::results::{Layout, Line, RealDisk, look};
use crate::upload::{RowKey, ServiceId};

const LEAD: &str = "738964000000291009";
const DEAL: &str = "738964000000291010";

/// A folder with files, a manifest and, perhaps, results.
struct Desk {
    folder: TempDir,
    settings: PlanOptions,
    resend: ResendRules,
    skip_invalid: bool,
}

impl Desk {
    fn with(manifest: &str) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m.csv"), manifest).unwrap();
        for (name, bytes) in [("a.pdf", 1_000), ("b.pdf", 2_500), ("c \u{e9}.pdf", 10)] {
            fs::write(folder.path().join(name), vec![b'x'; bytes]).unwrap();
        }
        let settings = PlanOptions {
            results: "m.results.csv".into(),
            target: None,
            engine: engine::Policy::default(),
            bandwidth: None,
            credits_per_day: None,
            flags: Vec::new(),
            crosswalk: None,
            changed_files: ChangedFiles::default(),
            warnings: Vec::new(),
        };
        Desk { folder, settings, resend: ResendRules::default(), skip_invalid: false }
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("m.results.csv")
    }

    /// Writes results that say this of these rows.
    fn earlier(&self, lines: &[Line]) {
        let layout = Layout::new([] as [&str; 0]);
        let mut file = layout.columns().collect::<Vec<_>>().join(",").into_bytes();
        file.push(b'\n');
        for line in lines {
            line.encode(&layout, &mut file);
        }
        fs::write(self.results(), file).unwrap();
    }

    fn check(&self) -> Checkup {
        let input = manifest::Input::Path(self.folder.path().join("m.csv"));
        let manifest = manifest::open(&input, &manifest::ReadOptions::default()).unwrap();
        let settings =
            crate::check::CheckOptions { skip_invalid: self.skip_invalid, ..crate::check::CheckOptions::default() };
        crate::check::check(manifest, &settings, &|_| false)
    }

    fn plan(&self) -> Plan {
        let Checkup { manifest, checked, problems, .. } = self.check();
        let checked = checked.unwrap_or_else(|| panic!("not sound: {problems:?}"));
        let seen = look(RealDisk, &self.results(), &crate::results::ResultsOptions::default()).unwrap();
        plan(&manifest, checked, &seen, &self.resend, &self.settings).unwrap()
    }

    fn facts(&self) -> Facts {
        self.plan().facts().clone()
    }
}

fn line(module: &str, record: &str, file: &str, status: Status, code: &str) -> Line {
    let upload = Upload {
        line: 2,
        module,
        record: RecordId::new(record.parse().unwrap()).unwrap(),
        kind: SourceKind::File,
        source: file,
        name: file,
        key: RowKey::of(module, record, SourceKind::File, file, file, 1),
    };
    let mut line = Line::of(&upload, Some(1_000), "www.zohoapis.eu", "run");
    (line.status, line.code) = (status, code.to_owned());
    line.sent_at = Some(Timestamp::from_second(1_700_000_000).unwrap());
    line.attachment_id = (status == Status::Uploaded).then(|| ServiceId::new(7));
    line
}

fn three_rows() -> Desk {
    Desk::with(&format!(
        "module,record,file,url\nLeads,{LEAD},a.pdf,\nLeads,{LEAD},b.pdf,\nDeals,{DEAL},,https://example.com/x\n"
    ))
}

#[test]
fn a_first_plan_sends_everything_and_counts_it_by_module() {
    let facts = three_rows().facts();
    assert_eq!((facts.rows.total, facts.rows.to_send, facts.files, facts.links, facts.bytes), (3, 3, 2, 1, 3_500));
    let modules: Vec<_> = facts.modules.iter().map(|m| (m.module.as_str(), m.to_send, m.records, m.bytes)).collect();
    assert_eq!(modules, [("Leads", 2, 1, 3_500), ("Deals", 1, 1, 0)]);
    assert_eq!(facts.largest.map(|largest| (largest.line, largest.file)), Some((3, "b.pdf".to_owned())));
    assert_eq!((facts.credits.needed, facts.credits.uploads, facts.credits.lists), (4, 3, 1));
    assert!(facts.time.is_some());
    let codes: Vec<_> = facts.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["storage", "owner-and-date"]);
}

#[test]
fn jobs_stand_in_manifest_order_and_share_records() {
    let plan = three_rows().plan();
    let [first, second, third] = plan.jobs() else { panic!("{:?}", plan.jobs()) };
    assert_eq!(first.record, second.record);
    assert_ne!(first.record, third.record);
    assert_ne!(first.ambiguity_group, second.ambiguity_group);
    assert_eq!(
        (plan.modules()[first.module as usize].as_str(), plan.modules()[third.module as usize].as_str()),
        ("Leads", "Deals")
    );
    assert_eq!(plan.descriptor(JobId(2)).link.as_deref(), Some("https://example.com/x"));
    assert_eq!((plan.descriptor(JobId(1)).name, plan.descriptor(JobId(1)).size), (Cow::Borrowed("b.pdf"), Some(2_500)));
    assert_eq!(plan.record(JobId(2)).map(|(module, id)| (module, id.to_string())), Some(("Deals", DEAL.to_owned())));
}

#[test]
fn what_earlier_runs_settled_is_left_alone_and_what_they_left_goes_again() {
    let desk = three_rows();
    desk.earlier(&[
        line("Leads", LEAD, "a.pdf", Status::Uploaded, ""),
        line("Leads", LEAD, "b.pdf", Status::Failed, "not-connected"),
    ]);
    let facts = desk.facts();
    assert_eq!((facts.rows.done, facts.rows.to_send, facts.rows.again), (1, 2, 1));
    assert_eq!(facts.modules.iter().map(|module| (module.rows, module.to_send)).collect::<Vec<_>>(), [(2, 1), (1, 1)]);
}

#[test]
fn failures_for_good_go_again_only_when_asked() {
    let mut desk = three_rows();
    desk.earlier(&[line("Leads", LEAD, "a.pdf", Status::Failed, "NO_PERMISSION")]);
    let facts = desk.facts();
    assert_eq!((facts.rows.failed, facts.rows.to_send, facts.rows.asked_again), (1, 2, 0));
    desk.resend.codes.push("NO_PERMISSION".to_owned());
    let facts = desk.facts();
    assert_eq!((facts.rows.failed, facts.rows.to_send, facts.rows.asked_again), (0, 3, 1));
}

#[test]
fn a_row_in_doubt_is_looked_up_first_with_the_size_that_was_sent() {
    let desk = three_rows();
    desk.earlier(&[line("Leads", LEAD, "b.pdf", Status::Sending, "")]);
    let plan = desk.plan();
    let facts = plan.facts();
    assert_eq!((facts.rows.in_doubt, facts.rows.to_send), (1, 2));
    assert_eq!((facts.credits.needed, facts.credits.lists), (5, 3));
    let [(job, prior)] = plan.prior_attempts() else { panic!("{:?}", plan.prior_attempts()) };
    assert_eq!(
        (job.0, prior.sent_at.as_second(), prior.size, prior.if_absent),
        (1, 1_700_000_000, Some(1_000), IfAbsent::SendAgain)
    );
    assert_eq!(prior.was, PriorDoubt::InDoubt);
}

#[test]
fn a_row_in_doubt_that_was_taken_out_is_looked_up_but_never_sent_and_keeps_its_twins_apart() {
    let desk = three_rows();
    let mut moved = line("Leads", LEAD, "old/a.pdf", Status::InDoubt, "answer-lost");
    moved.name = "a.pdf".to_owned();
    let elsewhere = line("Contacts", DEAL, "x.pdf", Status::InDoubt, "answer-lost");
    desk.earlier(&[moved, elsewhere, line("Deals", DEAL, "gone.pdf", Status::Uploaded, "")]);
    let plan = desk.plan();
    let facts = plan.facts();
    assert_eq!((facts.rows.in_doubt, facts.rows.in_doubt_not_in_manifest, facts.rows.not_in_manifest), (0, 2, 3));
    let [first, _, _, moved, elsewhere] = plan.jobs() else { panic!("{:?}", plan.jobs()) };
    assert_eq!((moved.record, moved.ambiguity_group), (first.record, first.ambiguity_group));
    assert!(plan.jobs().iter().filter(|job| job.ambiguity_group == elsewhere.ambiguity_group).count() == 1);
    assert_eq!(plan.modules()[elsewhere.module as usize], "Contacts");
    assert!(plan.prior_attempts().iter().all(|(_, prior)| prior.if_absent == IfAbsent::NotInManifest));
    assert_eq!(plan.upload(JobId(3)), None);
    assert_eq!(plan.record(JobId(4)).map(|(module, _)| module), Some("Contacts"));
    assert_eq!(plan.descriptor(JobId(3)).name, "a.pdf");
}

#[test]
fn rows_of_the_results_that_the_manifest_no_longer_has_are_told() {
    let desk = Desk::with(&format!("module,record,file\nLeads,{LEAD},a.pdf\n"));
    desk.earlier(&[line("Leads", LEAD, "old.pdf", Status::Uploaded, "")]);
    let codes: Vec<_> = desk.facts().warnings.into_iter().map(|warning| warning.code).collect();
    assert_eq!(codes[0], "rows-not-in-manifest");
}

#[test]
fn limits_are_planned_for() {
    let mut desk = three_rows();
    desk.settings.engine.limit = Some(1);
    desk.settings.engine.max_credits = Some(1);
    desk.settings.engine.if_exists = IfExists::Skip;
    let facts = desk.facts();
    assert_eq!((facts.rows.to_send, facts.rows.beyond_limit, facts.files, facts.bytes), (1, 2, 1, 1_000));
    assert_eq!((facts.credits.needed, facts.credits.suffice()), (3, false));
    assert!(facts.warnings.iter().any(|warning| warning.code == "max-credits"));
}

#[test]
fn rows_left_out_are_counted_and_not_planned() {
    let mut desk = Desk::with(&format!("module,record,file\nLeads,{LEAD},a.pdf\nLeads,{LEAD},missing.pdf\n"));
    desk.skip_invalid = true;
    let facts = desk.facts();
    assert_eq!((facts.rows.total, facts.rows.left_out, facts.rows.to_send), (2, 1, 1));
}

#[test]
fn nothing_left_to_do_costs_nothing() {
    let desk = Desk::with(&format!("module,record,file\nLeads,{LEAD},a.pdf\n"));
    desk.earlier(&[line("Leads", LEAD, "a.pdf", Status::Uploaded, "")]);
    let plan = desk.plan();
    assert!(plan.is_empty());
    assert_eq!((plan.facts().credits.needed, plan.facts().time, plan.facts().warnings.len()), (0, None, 0));
}

#[test]
fn a_selection_leaves_the_rest_as_it_is() {
    let desk = three_rows();
    desk.earlier(&[line("Leads", LEAD, "b.pdf", Status::InDoubt, "answer-lost")]);
    let select = |modules: &[&str]| {
        let Checkup { manifest, checked, .. } = desk.check();
        let checked = checked.expect("sound");
        let selection =
            Selection { modules: modules.iter().map(|m| (*m).to_owned()).collect(), ..Selection::default() };
        let selected = selection.select(&checked).expect("rows");
        let seen = look(RealDisk, &desk.results(), &crate::results::ResultsOptions::default()).unwrap();
        plan_selected(&manifest, checked, &seen, &desk.resend, &desk.settings, selected).unwrap()
    };
    // Nothing goes to the record that has a row in doubt.
    let deals = select(&["Deals"]);
    assert_eq!((deals.jobs().len(), deals.prior_attempts().len()), (1, 0));
    let rows = deals.facts().rows;
    assert_eq!((rows.to_send, rows.not_selected, rows.in_doubt), (1, 2, 0));
    let leads = select(&["Leads"]);
    assert_eq!((leads.jobs().len(), leads.facts().rows.in_doubt, leads.facts().rows.not_selected), (2, 1, 1));
    assert_eq!(select(&[]).facts().selection, None);
}

/// The plan of a manifest with two files and a link, and the folder that it lives in.
pub(super) fn tests_plan() -> (impl Sized, Plan) {
    let desk = three_rows();
    let plan = desk.plan();
    (desk, plan)
}
