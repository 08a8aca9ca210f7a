//! The command line: every option, what it takes, and its help. What follows from an option is decided elsewhere.
//!
//! Options that a settings file may set as well are `Option`s without a default here; the default stands in their help
//! and in the options of the module that they belong to. Every option can also be given as an environment variable, see
//! `variable` below.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};

use super::auth::{AuthArgs, AuthCommand};
use super::misuse::{about_secrets, about_variables};
use super::report::ReportArgs;
use super::show_config::{self, ConfigArgs};
use super::undo::{self, UndoArgs};
use super::values::{
    CodeParser, ColorWhen, OnlyChoice, Output, ProgressMode, ResendChoice, SandboxProfile, SchemaName, Shell,
    VerifyOutput, backoff, max_failures, only, resend, sample_size,
};
use crate::collect::recipe_names;
use crate::engine::policy::{Assume, Backoff, IfExists, MaxFailures};
use crate::manifest::{HeadingRule, HeadingRules, ManifestFormat, ReadOptions};
use crate::plan::recognise::RenamedRule;
use crate::units::{Rate, parse_bandwidth, parse_duration, parse_size};
use crate::verify::sample::SampleSize;
use crate::zoho::{ApiVersion, DataCentre};

/// Examples stand above the options: most people need no more than one of them.
const HELP: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Attach files and links to Zoho CRM records in bulk, from a manifest, never twice
#[derive(Parser, Clone, PartialEq, Debug)]
#[command(
    name = "attache",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    help_template = HELP,
    max_term_width = 100,
    disable_help_subcommand = true,
    args_override_self = true,
    before_help = "\
Examples:
  attache run uploads.csv --dry-run     check everything, show the plan, send nothing
  attache run uploads.csv --sandbox     rehearse it against a server on this machine
  attache run uploads.csv --dc eu       do it; the same command again goes on
  attache report uploads.results.csv    the page for the sign-off",
    after_help = "\
Exit status: 0 all done, 1 some rows failed, 2 usage, 3 manifest not sound, 4 stopped early,
5 rows not settled, 6 results file or disk, 130 or 143 by a signal. More: attache explain"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What every command takes.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct CommonArgs {
    /// Say only what went wrong
    #[arg(short, long, global = true, display_order = 900)]
    pub quiet: bool,
    /// Say every problem, and what becomes of each row; -vv: every request, too
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 901)]
    pub verbose: u8,
    /// Add all of that to this file, with the time, whatever the screen shows
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    pub log_file: Option<PathBuf>,
    /// Colour: auto (a terminal without NO_COLOR), always, never
    // Values with explanations of their own would stretch the help of every command over a screen.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        display_order = 902,
        hide_possible_values = true
    )]
    pub color: ColorWhen,
}

impl CommonArgs {
    /// Of two words against each other the later one holds, and what is typed over what the environment says.
    fn settle(&mut self, matches: &ArgMatches) {
        if self.quiet && self.verbose > 0 {
            let typed_at = |word| match matches.value_source(word) {
                Some(ValueSource::CommandLine) => matches.indices_of(word).and_then(Iterator::last),
                _ => None,
            };
            match typed_at("verbose") > typed_at("quiet") {
                true => self.quiet = false,
                false => self.verbose = 0,
            }
        }
    }
}

/// The commands.
#[derive(Subcommand, Clone, PartialEq, Debug)]
pub enum Command {
    /// Check a manifest, show the plan, upload what it says
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache run uploads.csv --dry-run            check everything, show the plan, send nothing
  attache run uploads.csv --sandbox            rehearse it against a server on this machine
  attache run uploads.csv --dc eu              do it; the same command again goes on
  attache run uploads.csv --dc eu --limit 20   begin with twenty rows
  attache run uploads.csv --dry-run --problems wrong.xlsx
                                               the rows to mend, as a file for a spreadsheet",
        after_help = "\
Every option can be an environment variable: --max-size is ATTACHE_MAX_SIZE.
Credentials have no option: set ZOHO_ACCESS_TOKEN, or ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET and
ZOHO_REFRESH_TOKEN, or store them with attache auth login."
    )]
    Run(Box<RunArgs>),
    /// Ask the service whether every uploaded row is there, and only once
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache verify uploads.results.csv                         ask the service that the results name
  attache verify uploads.results.csv --contents 50           and compare the bytes of 50 files
  attache verify uploads.results.csv --output csv > seen.csv"
    )]
    Verify(VerifyArgs),
    /// Take back what a run attached: delete its attachments, and no others
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache undo uploads.results.csv                  list what would go; nothing is asked or deleted
  attache undo uploads.results.csv --delete         do it, after a question
  attache undo uploads.results.csv --lines 10-20    only these lines of the manifest
  attache undo uploads.results.csv --run 20260310T091459Z-4f2a --module Leads",
        after_help = "\
Only attachments go that the results call uploaded, each after its record was listed and its name and
size compared. It takes the scope ZohoCRM.modules.attachments.DELETE. Cut off, the same command goes on.
Exit status: 0 all gone, 1 some left alone, 4 refused or stopped, 5 some in doubt, 6 results file.
What decides what goes (--delete, --yes, --run, --lines, --module, --include-settled) has no environment
variable; the other options have theirs: --rate is ATTACHE_RATE."
    )]
    Undo(Box<UndoArgs>),
    /// Make a manifest from an old system's export, as it lies on the disk
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache collect salesforce WE_00D.zip -o export.csv
  attache collect zoho-backup backup/               Data_001.zip, Attachments_001.zip and so on
  attache collect folder scans --module Contacts --pattern '{key}_{name}'
  attache collect table old.xlsx files/ --module Leads --columns 'key=Old Id,file=Path'",
        after_help = "\
Every line and every file that is not in the manifest stands in the list of what was left out, with a reason.
Exit status: 0 all taken, 1 some left out, 2 not laid out as the recipe needs it, 6 disk.
Every option can be an environment variable: --map is ATTACHE_COLLECT_MAP."
    )]
    Collect(CollectArgs),
    /// Find out which record each key of an old system stands for
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache crosswalk Contacts=Legacy_Id --for uploads.csv --dc eu
                                               the keys of this manifest, asked of the CRM
  attache crosswalk Contacts=Legacy_Id Accounts=\"Old account number\" --dc eu
                                               every key of two modules
  attache crosswalk --table contacts.csv --module Contacts --key \"Legacy ID\" --record \"Record Id\"
                                               from an export that has both"
    )]
    Crosswalk(Box<CrosswalkArgs>),
    /// Ask the service, before a long run, what no check on this machine can know
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache doctor --dc eu                       whose CRM, what a day allows, which pace fits
  attache doctor uploads.csv --dc eu           and whether every record of the manifest exists
  attache doctor uploads.csv --crosswalk crosswalk.csv --dc eu --problems gone.csv
                                               the rows whose record does not, as a file to mend",
        after_help = "\
It reads only: nothing that it sends changes anything. What the token may not ask is a check less.
Exit status: 0 all in order, 1 something to know before, 2 usage, 3 rows are wrong, 4 something else is."
    )]
    Doctor(Box<DoctorArgs>),
    /// Make the page or workbook that a client signs, of results or of a saved plan
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache report uploads.results.csv                       uploads.report.html beside it
  attache report uploads.results.csv -o uploads.xlsx       a workbook with every row
  attache report uploads.results.csv --output markdown     text, to standard output
  attache report uploads.results.csv mended.results.csv --client \"Miller Ltd\"
                                                           mended rows counted once, for the client
  attache report --plan plan.json                          plan.html: what a saved plan will do"
    )]
    Report(ReportArgs),
    /// Serve an imitation of the service on this machine, to rehearse against
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache sandbox                                    a free port; prints its address and token
  attache sandbox --fault 429,every=10               every tenth upload is throttled
  attache sandbox --fault cut-stored,p=0.01,seed=7   one answer in a hundred is lost after storing
  attache sandbox --records ids.csv --data kept      knows these records only, keeps the bytes",
        after_help = "\
A fault is KIND[,key=value...].
Kinds: 429, 500-before, 500-after, cut-before, cut-inside, cut-after, cut-stored, truncated,
garbage, html, slow, early-401, early-413, redirect, no-permission, not-authorized.
The attachment is stored with 500-after, cut-stored, truncated, garbage and slow only.
Keys: on=upload|list|token|query|delete, module, record, nth, every, p, times, seed, retry-after, delay.
Every option can be an environment variable: --page-size is ATTACHE_SANDBOX_PAGE_SIZE."
    )]
    Sandbox(SandboxArgs),
    /// Print the JSON Schema of a file that attache reads or writes
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache schema manifest > manifest.schema.json   for an editor that checks YAML"
    )]
    Schema(SchemaArgs),
    /// Say what a code or an exit status means and what to do about it
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache explain                every code, in a line each
  attache explain file-missing   one code
  attache explain 4              an exit status"
    )]
    Explain(ExplainArgs),
    /// Show which settings hold for a run, and where each comes from
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache config                       in this folder
  attache config uploads.csv           for this manifest, with what its folder says
  attache config --profile acme        with a profile
  attache config --output json         for a program",
        after_help = "\
Settings stand in attache.toml: your own, and one beside the manifest that may make a run only slower,
smaller or stricter. The command line goes before the environment, before the file beside the manifest,
before your own. Secrets are never shown. All keys: attache man config"
    )]
    Config(Box<ConfigArgs>),
    /// Store, show or remove credentials
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache auth login --dc eu          asks for client id, client secret and grant code
  attache auth login --dc us --profile acme    the same for another client
  attache auth list                   which profiles are stored
  attache auth status                 who, where, which scopes, how long
  attache auth status uploads.csv     and whether they suffice for this manifest"
    )]
    Auth(AuthArgs),
    /// Print completions for a shell
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache completions bash > ~/.local/share/bash-completion/completions/attache
  attache completions zsh > ~/.zfunc/_attache
  attache completions fish > ~/.config/fish/completions/attache.fish
  attache completions powershell >> $PROFILE",
        after_help = "\
The folder must exist. zsh reads ~/.zfunc only with these two lines in ~/.zshrc:
  fpath+=~/.zfunc
  autoload -U compinit && compinit
They take effect in the next shell that is opened. Behind --profile the shells but PowerShell complete the
stored profiles; in PowerShell attache auth list shows them. To be allowed to read $PROFILE, PowerShell on
Windows may need: Set-ExecutionPolicy -Scope CurrentUser RemoteSigned"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(
        help_template = HELP,
        before_help = "\
Examples:
  attache man | man -l -
  attache man auth login | man -l -
  attache man --dir share/man/man1   every page, for a package"
    )]
    Man(ManArgs),
}

/// `attache run`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct RunArgs {
    /// The CSV, .xlsx or YAML file that says what goes where, or - for standard input (dry run only)
    pub manifest: PathBuf,
    /// Check and show the plan; send nothing, write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Send without asking first (it asks on a terminal, unless the target is this machine)
    #[arg(short, long)]
    pub yes: bool,
    /// Rehearse against a server that this program starts on this machine
    #[arg(long)]
    pub sandbox: bool,
    /// A fault of that server, as in attache sandbox --help; repeatable
    #[arg(long, value_name = "SPEC", value_delimiter = ';')]
    pub sandbox_fault: Vec<String>,
    /// Where to.
    #[command(flatten, next_help_heading = "Where to")]
    pub target: TargetArgs,
    /// How to read the manifest.
    #[command(flatten, next_help_heading = "Reading the manifest")]
    pub read: ReadArgs,
    /// Which of its rows.
    #[command(flatten, next_help_heading = "Part of the manifest (all of it is checked)")]
    pub select: SelectArgs,
    /// Plans that are approved first.
    #[command(flatten, next_help_heading = "A plan that is approved first")]
    pub approved: ApprovedArgs,
    /// What to let pass.
    #[command(flatten, next_help_heading = "Checks")]
    pub checks: CheckArgs,
    /// How fast.
    #[command(flatten, next_help_heading = "Pace and credits")]
    pub pace: PaceArgs,
    /// How fast, in what only a run needs.
    #[command(flatten)]
    pub run_pace: RunPaceArgs,
    /// When to try again, when to stop.
    #[command(flatten, next_help_heading = "Trying again and stopping")]
    pub again: AgainArgs,
    /// What is already there.
    #[command(flatten, next_help_heading = "What is already there")]
    pub existing: ExistingArgs,
    /// Where the output goes.
    #[command(flatten, next_help_heading = "Output")]
    pub out: OutArgs,
}

/// Which service, as whom, over which way.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct TargetArgs {
    /// Data centre of the organisation
    #[arg(long, value_name = "DC", value_parser = data_centre())]
    pub dc: Option<DataCentre>,
    /// Address of the API instead, such as https://crm.example.zohoplatform.com
    #[allow(rustdoc::bare_urls, reason = "the help shows the address as it is typed")]
    #[arg(long, value_name = "URL")]
    pub api_domain: Option<String>,
    /// Address that gives out tokens [default: the one that belongs to the data centre]
    #[arg(long, value_name = "URL")]
    pub accounts_url: Option<String>,
    /// Version of the API, v2 to v8 [default: v2]
    #[arg(long, value_name = "VERSION")]
    pub api_version: Option<ApiVersion>,
    /// Credentials stored by attache auth login [default: default]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Trust only the certificates in this PEM file
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Ignore the proxies that the environment names
    #[arg(long)]
    pub no_proxy: bool,
}

/// How a manifest is read.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct ReadArgs {
    /// How it is written [default: by the file's extension]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ManifestFormat>,
    /// Its encoding, such as windows-1252 [default: UTF-8, or what its byte order mark says]
    #[arg(long, value_name = "LABEL", value_parser = encoding)]
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// Folder that its paths are relative to and may not leave [default: the manifest's]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Sheet of a workbook to read [default: the first one that is not hidden]
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// Heading of the file that is to be read as a column, such as record="Record Id"; repeatable
    #[arg(long, value_name = "COLUMN=HEADING", value_delimiter = ';')]
    pub column: Vec<HeadingRule>,
    /// Pass over columns that have no meaning here, instead of refusing the file
    #[arg(long)]
    pub ignore_columns: bool,
    /// API name of a custom module; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub custom_module: Vec<String>,
    /// File that says which record each key stands for, made by attache crosswalk; repeatable
    #[arg(long, value_name = "FILE")]
    pub crosswalk: Vec<PathBuf>,
    /// Let paths leave that folder
    #[arg(long)]
    pub allow_outside: bool,
}

impl ReadArgs {
    /// Adds what a settings file says of headings, as far as the command line says nothing of the same columns.
    pub fn add_columns(&mut self, rules: Vec<HeadingRule>) {
        for rule in rules {
            if self.column.iter().all(|own| own.column() != rule.column()) {
                self.column.push(rule);
            }
        }
    }

    /// What they say of how to read the manifest.
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            format: self.format,
            encoding: self.encoding,
            root: self.root.clone(),
            sheet: self.sheet.clone(),
            headings: HeadingRules { rules: self.column.clone(), ignore_unknown: self.ignore_columns },
        }
    }
}

/// Which rows a run is about.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct SelectArgs {
    /// Send only these rows: module=NAME, record=ID or key=KEY; repeatable
    #[arg(long, value_name = "WHAT", value_parser = only)]
    pub only: Vec<OnlyChoice>,
    /// Send only the rows on these lines: 10-200, 3,17,40- or a CSV with a column line
    #[arg(long, value_name = "LINES|FILE")]
    pub lines: Option<String>,
    /// Send only so many rows of each module, always the same ones
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub sample: Option<u32>,
    /// With --sample: a number that chooses other rows [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Plans that somebody approves before they are carried out.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct ApprovedArgs {
    /// With --dry-run: keep the plan in this file; with --sha256 the content of every file too
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub save_plan: Option<PathBuf>,
    /// Do what this saved plan says and nothing else; if anything differs, send nothing
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// What the check lets pass.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct CheckArgs {
    /// Leave rows with problems out and send the others
    #[arg(long)]
    pub skip_invalid: bool,
    /// Take warnings about rows as problems
    #[arg(long)]
    pub strict: bool,
    /// Let empty files pass
    #[arg(long)]
    pub allow_empty: bool,
    /// Let the same file pass twice on one record
    #[arg(long)]
    pub allow_identical: bool,
    /// Let record ids pass that look rounded by a spreadsheet
    #[arg(long)]
    pub allow_rounded_ids: bool,
    /// Largest request body [default: 104857600, the service's own limit]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub max_size: Option<u64>,
}

/// How gently the service is treated.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct PaceArgs {
    /// Most requests under way at once, up to 25 [default: 4]
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=25))]
    pub concurrency: Option<u8>,
    /// Most requests in a time: N/s, N/min or none [default: 10/s]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// Stop before more API credits than this are used
    #[arg(long, value_name = "N")]
    pub max_credits: Option<u64>,
    /// Stop when the organisation has only this many credits left [default: 500]
    #[arg(long, value_name = "N")]
    pub keep_credits: Option<u64>,
}

/// What only a run can be told about its pace.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct RunPaceArgs {
    /// Sleep until credits come back instead of stopping
    #[arg(long)]
    pub wait_for_credits: bool,
    /// What the organisation gets in 24 hours, for the plan's estimate of time [default: 50000]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub credits_per_day: Option<u64>,
    /// Most bytes sent in a second, such as 5MB/s [default: no limit]
    #[arg(long, value_name = "BYTES/s", value_parser = parse_bandwidth)]
    pub bandwidth: Option<u64>,
}

/// When a row is tried again, when a run stops.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct AgainArgs {
    /// Tries after the first, for a row that surely was not created [default: 5]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(..=100))]
    pub retries: Option<u32>,
    /// Shortest and longest wait before them [default: 500ms..30s]
    #[arg(long, value_name = "MIN..MAX", value_parser = backoff)]
    pub backoff: Option<Backoff>,
    /// Wait before a lost answer is looked up in the record [default: 60s, with --sandbox 0]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub settle_time: Option<Duration>,
    /// Stop after this many rows of this run
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Stop after this many failed rows, or this share of them [default: 90% of the first 100]
    #[arg(long, value_name = "N|N%", value_parser = max_failures)]
    pub max_failures: Option<MaxFailures>,
    /// Stop after this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_duration: Option<Duration>,
}

/// What to do about what records and results already hold.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct ExistingArgs {
    /// When the record already has an attachment of that name [default: upload]
    #[arg(long, value_name = "WHAT")]
    pub if_exists: Option<IfExists>,
    /// Send settled rows again: failed, unknown, missing, changed, deleted or code=CODE; repeatable
    #[arg(long, value_name = "WHICH", value_parser = resend, value_delimiter = ',')]
    pub resend: Vec<ResendChoice>,
    /// With --resend unknown: what to take a row for that still cannot be told
    #[arg(long, value_name = "WHAT")]
    pub assume: Option<Assume>,
    /// Rows that may have been sent from another path: same, new, or a CSV with line and moved
    #[arg(long, value_name = "same|new|FILE")]
    pub moved: Option<PathBuf>,
    /// Rows whose file was sent under another name [default: a problem]
    #[arg(long, value_name = "WHAT")]
    pub renamed: Option<RenamedRule>,
    /// Go on with results of another client of the same organisation
    #[arg(long)]
    pub same_organisation: bool,
    /// Go on with a results file that was edited or saved by a spreadsheet
    #[arg(long)]
    pub accept_edited_results: bool,
    /// Begin anew where the results are gone, and send what only other results know
    #[arg(long)]
    pub new_results: bool,
}

/// Where the output goes.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct OutArgs {
    /// The results file [default: beside the manifest, named NAME.results.csv]
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Who reads the plan and the summary
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
    /// How to say how far the run is
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub progress: ProgressMode,
    /// Write the rows to mend, and after a run those that failed, to this .csv or .xlsx; mended, it is a manifest
    #[arg(long, value_name = "FILE")]
    pub problems: Option<PathBuf>,
    /// Make the fingerprints in the results with SHA-256 instead of XXH3
    #[arg(long)]
    pub sha256: bool,
}

/// `attache crosswalk`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct CrosswalkArgs {
    /// Module and field to look into, the field by API name or label, such as Contacts=Legacy_Id
    #[arg(value_name = "MODULE=FIELD", conflicts_with = "table")]
    pub fields: Vec<String>,
    /// Ask only for the keys that this manifest names
    #[arg(long = "for", value_name = "MANIFEST")]
    pub for_manifest: Option<PathBuf>,
    /// The file to write [default: crosswalk.csv]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Ask without showing the cost first (it asks on a terminal only)
    #[arg(short, long)]
    pub yes: bool,
    /// API name of a custom module; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub custom_module: Vec<String>,
    /// Encoding of the manifest, such as windows-1252
    #[arg(long, value_name = "LABEL", value_parser = encoding)]
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// Read this CSV or .xlsx instead of asking the service
    #[arg(long, value_name = "FILE", requires_all = ["module", "key", "record"], help_heading = "From a table")]
    pub table: Option<PathBuf>,
    /// Sheet of a workbook to read, of the table or of the manifest [default: the first one that is not hidden]
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// Heading of the manifest that is to be read as a column, such as key="Old Id"; repeatable
    #[arg(long, value_name = "COLUMN=HEADING", value_delimiter = ';', conflicts_with = "table")]
    pub column: Vec<HeadingRule>,
    /// Module of its records
    #[arg(long, value_name = "MODULE", requires = "table", help_heading = "From a table")]
    pub module: Option<String>,
    /// Heading of its column with the keys
    #[arg(long, value_name = "HEADING", requires = "table", help_heading = "From a table")]
    pub key: Option<String>,
    /// Heading of its column with the record ids
    #[arg(long, value_name = "HEADING", requires = "table", help_heading = "From a table")]
    pub record: Option<String>,
    /// Where to.
    #[command(flatten, next_help_heading = "Where to")]
    pub target: TargetArgs,
    /// How fast.
    #[command(flatten, next_help_heading = "Pace and credits")]
    pub pace: PaceArgs,
    /// Give up after this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_duration: Option<Duration>,
    /// Who reads the result
    #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
    pub output: Output,
}

/// `attache doctor`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct DoctorArgs {
    /// The manifest whose modules and records are asked about
    pub manifest: Option<PathBuf>,
    /// Ask about records without showing the cost first (it asks on a terminal only)
    #[arg(short, long)]
    pub yes: bool,
    /// Where to.
    #[command(flatten, next_help_heading = "Where to")]
    pub target: TargetArgs,
    /// How to read the manifest.
    #[command(flatten, next_help_heading = "Reading the manifest")]
    pub read: ReadArgs,
    /// How fast.
    #[command(flatten, next_help_heading = "Pace and credits")]
    pub pace: PaceArgs,
    /// Give up on Bulk Read jobs after this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_duration: Option<Duration>,
    /// Who reads the result
    #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
    pub output: Output,
    /// Write the rows with problems to this CSV; mended, it is a manifest
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub problems: Option<PathBuf>,
}

/// `attache verify`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct VerifyArgs {
    /// The results of a run
    pub results: PathBuf,
    /// What is looked at.
    #[command(flatten, next_help_heading = "What is looked at")]
    pub scope: VerifyScopeArgs,
    /// Where to.
    #[command(flatten, next_help_heading = "Where to")]
    pub target: TargetArgs,
    /// How fast.
    #[command(flatten, next_help_heading = "Pace and credits")]
    pub pace: PaceArgs,
    /// Who reads the result
    #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
    pub output: VerifyOutput,
    /// How to say how far it is
    #[arg(long, value_name = "FORM", default_value = "auto", help_heading = "Output")]
    pub progress: ProgressMode,
}

/// What `attache verify` looks at.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct VerifyScopeArgs {
    /// Download so many of the files, or this share, and compare their bytes: N, N% or all
    #[arg(long, value_name = "N|N%|all", value_parser = sample_size)]
    pub contents: Option<SampleSize>,
    /// What the choice of those files is made by, to make it again [default: a new one, which is shown]
    #[arg(long, value_name = "N", requires = "contents")]
    pub seed: Option<u64>,
    /// Where the paths of the results start, to compare bytes with the files here [default: folder of the results]
    #[arg(long, value_name = "DIR", requires = "contents")]
    pub root: Option<PathBuf>,
    /// List every record itself, without the census of all attachments
    #[arg(long)]
    pub no_census: bool,
}

/// `attache collect`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct CollectArgs {
    /// What the export comes from
    #[arg(value_parser = PossibleValuesParser::new(recipe_names()))]
    pub recipe: String,
    /// Folders and zips of the export; zips are read where they lie
    #[arg(value_name = "PATH", required = true)]
    pub places: Vec<PathBuf>,
    /// The manifest to write
    #[arg(short = 'o', long, value_name = "FILE", default_value = "manifest.csv")]
    pub to: PathBuf,
    /// The list of what was left out, with reasons [default: left-out.csv beside
    /// manifest.csv, NAME.left-out.csv beside another]
    #[arg(long, value_name = "FILE")]
    pub left_out: Option<PathBuf>,
    /// API name of the module of records for which the export says none
    #[arg(long, value_name = "NAME")]
    pub module: Option<String>,
    /// CSV with the columns prefix,module: what the old system calls records, and their modules
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// For folder: how names are built, from {module}, {key}, {name} and {*}
    #[arg(long, value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// For table: which column is which, such as 'key=Old Id,file=Path'
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = super::collect::column)]
    pub columns: Vec<(String, String)>,
    /// For table: the sheet of a workbook [default: the first one]
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// For dynamics: the folder to put files into that the export holds as text
    #[arg(long, value_name = "DIR")]
    pub extract: Option<PathBuf>,
}

/// `attache sandbox`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct SandboxArgs {
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Keep what is uploaded in this folder [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which description of the service to follow
    #[arg(long, default_value = "docs-v2")]
    pub profile: SandboxProfile,
    /// Something that goes wrong; repeatable
    #[arg(long, value_name = "SPEC", value_delimiter = ';')]
    pub fault: Vec<String>,
    /// The token to accept; for rehearsals only [default: a new one]
    #[arg(long)]
    pub token: Option<String>,
    /// Know only the records of this CSV: module,record and their fields [default: any well-formed id]
    #[arg(long, value_name = "FILE")]
    pub records: Option<PathBuf>,
    /// How long a new attachment is missing from lists
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub lag: Option<Duration>,
    /// What the list of all attachments does, such as on or on,hides=10% [default: off]
    #[arg(long, value_name = "WORDS")]
    pub census: Option<String>,
    /// What becomes of downloads: right, cut, redirected, compressed, altered or shortened [default: right]
    #[arg(long, value_name = "WORD")]
    pub downloads: Option<String>,
    /// Change the name of an attachment that the record already has
    #[arg(long)]
    pub rename: bool,
    /// Most attachments in one page of a list
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub page_size: Option<u32>,
    /// Refuse more requests under way than this
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_in_flight: Option<u32>,
    /// API credits until the limit is reached
    #[arg(long, value_name = "N")]
    pub credits: Option<u64>,
    /// How long a token lives
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub token_life: Option<Duration>,
    /// Scopes of the token, in the service's spelling
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// API names of the only modules to know; +NAME,+NAME adds to the standard ones
    #[arg(long, value_name = "LIST")]
    pub modules: Option<String>,
    /// What nobody knows of the service, decided otherwise, such as coql-case=blind; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ';')]
    pub switch: Vec<String>,
    /// How long the answer to an upload takes
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub latency: Option<Duration>,
}

/// `attache schema`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct SchemaArgs {
    /// Which one
    pub name: SchemaName,
}

/// `attache explain`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct ExplainArgs {
    /// A code of a problem or of a row of the results, or an exit status
    // Every code would fill the help; shells still complete them.
    #[arg(value_parser = CodeParser, hide_possible_values = true)]
    pub code: Option<String>,
}

/// `attache completions`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: Shell,
}

/// `attache man`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct ManArgs {
    /// Page of this command [default: of attache itself]
    pub command: Vec<String>,
    /// Write every page into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

fn data_centre() -> impl TypedValueParser<Value = DataCentre> {
    PossibleValuesParser::new(DataCentre::ALL.map(DataCentre::as_str)).try_map(|word| word.parse::<DataCentre>())
}

fn encoding(label: &str) -> Result<&'static encoding_rs::Encoding, &'static str> {
    encoding_rs::Encoding::for_label(label.as_bytes())
        .ok_or("not an encoding that is known here; spreadsheets on Windows often write windows-1252")
}

/// The whole command line, environment variables included: what is parsed, completed and put into manual pages.
pub fn command() -> clap::Command {
    with_variables(Cli::command(), "", &[])
}

/// The environment variable of an option: `--max-size` is `ATTACHE_MAX_SIZE`. The options of `sandbox`, `report`,
/// `collect` and `man`, some of which mean something else than those of `run` by the same word, have the command in between.
fn variable(prefix: &str, option: &str) -> String {
    format!("ATTACHE_{prefix}{option}").replace('-', "_").to_uppercase()
}

/// Gives every option its variable, those aside that must be said where they hold.
fn with_variables(command: clap::Command, prefix: &str, without: &[&str]) -> clap::Command {
    let command = command.mut_args(|arg| {
        let is_without = arg.get_long().is_some_and(|option| without.contains(&option));
        if is_without { arg } else { with_variable(arg, prefix) }
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let prefix = match name.as_str() {
            "sandbox" | "report" | "man" | "collect" => format!("{name}_"),
            _ => String::new(),
        };
        let without: &[&str] = if name == "undo" { &undo::WITHOUT_VARIABLE } else { &[] };
        command.mut_subcommand(name, |sub| with_variables(sub, &prefix, without))
    })
}

fn with_variable(arg: Arg, prefix: &str) -> Arg {
    let Some(option) = arg.get_long() else { return arg };
    let name = variable(prefix, option);
    // A variable that the surroundings set to nothing is one that nobody gave: no option takes an empty value, or blanks.
    if std::env::var_os(&name).is_some_and(|value| value.to_string_lossy().trim().is_empty()) {
        return arg;
    }
    // `1`, `yes` and `on` are what people put into a variable that switches something on.
    let arg =
        if matches!(arg.get_action(), ArgAction::SetTrue) { arg.value_parser(BoolishValueParser::new()) } else { arg };
    arg.env(name).hide_env(true)
}

/// Reads the arguments of the program, its name first.
///
/// # Errors
///
/// With what to print and how to exit, for mistakes as well as for `--help` and `--version`.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let matches = command.try_get_matches_from_mut(&args).map_err(|error| {
        let error = about_secrets(error, &mut command);
        about_variables(error, &args, &mut command)
    })?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let (name, matches) = matches.subcommand().unwrap_or(("", &matches));
    cli.common.settle(matches);
    match &mut cli.command {
        Command::Run(run) => {
            prefer_typed(&mut run.target, matches);
            run.contradiction(matches).map_or(Ok(()), |text| Err(usage(&mut command, name, text)))?;
        }
        Command::Verify(verify) => prefer_typed(&mut verify.target, matches),
        Command::Undo(undo) => prefer_typed(&mut undo.target, matches),
        Command::Crosswalk(crosswalk) => prefer_typed(&mut crosswalk.target, matches),
        Command::Doctor(doctor) => prefer_typed(&mut doctor.target, matches),
        Command::Config(config) => {
            prefer_typed(&mut config.target, matches);
            if let Some(described) = command.find_subcommand("config") {
                config.given = show_config::given(matches, described);
            }
        }
        Command::Auth(AuthArgs { command: AuthCommand::Login { target } | AuthCommand::Status { target, .. } }) => {
            let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
            prefer_typed(target, matches);
        }
        _ => {}
    }
    Ok(cli)
}

impl RunArgs {
    /// What two options say against each other, if they do.
    fn contradiction(&self, matches: &ArgMatches) -> Option<&'static str> {
        let typed = |option| matches.value_source(option) == Some(ValueSource::CommandLine);
        if !self.sandbox && typed("sandbox_fault") {
            return Some("--sandbox-fault says what goes wrong in a rehearsal: it needs --sandbox");
        }
        if self.select.sample.is_none() && typed("seed") {
            return Some("--seed says which rows --sample chooses: it needs --sample");
        }
        if self.approved.save_plan.is_some() && !self.dry_run {
            return Some("--save-plan keeps the plan of a dry run: it needs --dry-run");
        }
        if self.assume_without_unknown() {
            return Some("--assume says how to take rows that cannot be told: it needs --resend unknown");
        }
        if self.manifest.as_os_str() == "-" && !self.dry_run {
            return Some(
                "a manifest from standard input is for --dry-run only: a run must be repeatable, so save it to a file",
            );
        }
        None
    }

    fn assume_without_unknown(&self) -> bool {
        self.existing.assume.is_some() && !self.existing.resend.contains(&ResendChoice::Unknown)
    }
}

/// Takes a data centre out of the environment when the command line names an address, and the other way round. Where
/// both are named in one place, they may well agree; that is judged where targets are made.
fn prefer_typed(target: &mut TargetArgs, matches: &ArgMatches) {
    let typed = |option| matches.value_source(option) == Some(ValueSource::CommandLine);
    match (typed("dc"), typed("api_domain")) {
        (true, false) => target.api_domain = None,
        (false, true) => target.dc = None,
        _ => {}
    }
}

fn usage(command: &mut clap::Command, subcommand: &str, text: &str) -> clap::Error {
    match command.find_subcommand_mut(subcommand) {
        Some(command) => command.error(ErrorKind::ArgumentConflict, text),
        None => command.error(ErrorKind::ArgumentConflict, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<RunArgs, clap::Error> {
        let args = ["attache", "run"].iter().chain(args).copied();
        parse(args).map(|cli| match cli.command {
            Command::Run(run) => *run,
            other => panic!("parsed as {other:?}"),
        })
    }

    fn refusal(args: &[&str]) -> String {
        match parse(std::iter::once("attache").chain(args.iter().copied())) {
            Ok(cli) => panic!("accepted: {cli:?}"),
            Err(error) => {
                assert_eq!(error.exit_code(), 2);
                error.to_string()
            }
        }
    }

    /// What `--help` prints.
    fn help(path: &[&str]) -> String {
        let words = ["attache"].iter().chain(path).chain(&["--help"]);
        match command().term_width(100).try_get_matches_from(words) {
            Err(help) => help.render().to_string(),
            Ok(matches) => panic!("parsed as {matches:?}"),
        }
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_is_as_it_was_last_read() {
        insta::assert_snapshot!("help", help(&[]));
        for path in [
            &["run"] as &[&str],
            &["crosswalk"],
            &["doctor"],
            &["verify"],
            &["report"],
            &["collect"],
            &["sandbox"],
            &["schema"],
            &["explain"],
            &["config"],
            &["auth"],
            &["auth", "login"],
            &["auth", "status"],
            &["auth", "list"],
            &["auth", "logout"],
            &["completions"],
            &["man"],
        ] {
            insta::assert_snapshot!(format!("help-{}", path.join("-")), help(path));
        }
    }

    #[test]
    fn the_help_of_the_program_fits_a_screen() {
        let help = help(&[]);
        assert!(help.lines().count() <= 36, "{help}");
    }

    #[test]
    fn every_option_has_a_variable_and_no_two_meanings_share_one() {
        fn visit(command: &clap::Command, path: &str) {
            for arg in command.get_arguments() {
                let long = arg.get_long().unwrap_or("help");
                if path == "undo" && undo::WITHOUT_VARIABLE.contains(&long) {
                    assert!(arg.get_env().is_none(), "what decides what is deleted is said where it is done: {long}");
                    continue;
                }
                assert!(matches!(long, "help" | "version") || arg.get_env().is_some(), "{path} --{long}");
            }
            for sub in command.get_subcommands() {
                visit(sub, sub.get_name());
            }
        }
        visit(&command(), "");
        assert_eq!(variable("", "max-size"), "ATTACHE_MAX_SIZE");
        assert_eq!(variable("sandbox_", "fault"), variable("", "sandbox-fault"));
        assert_ne!(variable("sandbox_", "profile"), variable("", "profile"));
    }

    #[test]
    fn values_arrive_typed() {
        let args = [
            "m.csv",
            "--rate",
            "90/min",
            "--max-size=95MiB",
            "--backoff",
            "1s..2s",
            "--resend",
            "unknown,code=NO_PERMISSION",
            "--assume=absent",
            "--encoding",
            "latin1",
            "--dc",
            "eu",
            "--api-version",
            "v2.1",
        ];
        let run = run(&args).unwrap();
        assert_eq!(run.pace.rate.map(|rate| rate.to_string()).as_deref(), Some("90/min"));
        assert_eq!(run.checks.max_size, Some(99_614_720));
        assert_eq!(run.existing.resend, [ResendChoice::Unknown, ResendChoice::Code("NO_PERMISSION".to_owned())]);
        assert_eq!(run.read.encoding, Some(encoding_rs::WINDOWS_1252));
        assert_eq!(run.target.dc, Some(DataCentre::Eu));
        assert_eq!(run.target.api_version.map(|version| version.to_string()).as_deref(), Some("v2.1"));
        assert_eq!((run.out.output, run.out.progress), (Output::Human, ProgressMode::Auto));
    }

    #[test]
    fn wrong_values_are_refused_and_say_what_would_be_right() {
        for (args, wanted) in [
            (&["run", "m.csv", "--rate", "10"] as &[&str], "10/s"),
            (&["run", "m.csv", "--concurrency", "26"], "1..=25"),
            (&["run", "m.csv", "--max-failures", "101%"], "100%"),
            (&["run", "m.csv", "--limit", "0"], "0"),
            (&["run", "m.csv", "--dc", "mars"], "us, eu, in, au, jp, cn, ca, sa, uk"),
            (&["run", "m.csv", "--encoding", "klingon"], "windows-1252"),
            (&["run", "m.csv", "--concurency", "3"], "--concurrency"),
            (&["run", "-"], "--dry-run"),
            (&["run", "m.csv", "--assume", "absent"], "--resend unknown"),
            (&["run", "m.csv", "--sandbox-fault", "429"], "--sandbox"),
            (&["run"], "<MANIFEST>"),
            (&["sned"], "unrecognized subcommand"),
        ] {
            let text = refusal(args);
            assert!(text.contains(wanted), "{args:?}: {text}");
        }
    }

    #[test]
    fn a_later_option_overrides_an_earlier_one() {
        let run =
            run(&["m.csv", "--dc", "eu", "--rate", "5/s", "--dc=us", "--rate", "none", "-q", "--concurrency", "2"]);
        let run = run.unwrap();
        assert_eq!(run.target.dc, Some(DataCentre::Us));
        assert_eq!(run.pace.rate.map(|rate| rate.to_string()).as_deref(), Some("none"));
        let loud = |args: &[&str]| {
            let args = ["attache", "run", "m.csv"].iter().chain(args).copied();
            parse(args).map(|cli| (cli.common.quiet, cli.common.verbose)).unwrap()
        };
        assert_eq!(loud(&["-q", "-vv"]), (false, 2));
        assert_eq!(loud(&["-vv", "-q"]), (true, 0));
        assert_eq!(loud(&["-v", "-v"]), (false, 2));
        let repeated = self::run(&["m.csv", "--custom-module", "A", "--custom-module", "B"]).unwrap();
        assert_eq!(repeated.read.custom_module, ["A", "B"], "what is repeatable adds up");
    }

    #[test]
    fn an_option_for_a_secret_is_answered_with_where_secrets_go_and_its_value_is_not_repeated() {
        for args in [
            &["run", "m.csv", "--token", "1000.hush"] as &[&str],
            &["run", "m.csv", "--token=1000.hush"],
            &["auth", "login", "--client-secret=1000.hush"],
            &["verify", "r.csv", "--refresh-token", "1000.hush"],
        ] {
            let text = refusal(args);
            assert!(text.contains("ZOHO_CLIENT_SECRET") && text.contains("auth login"), "{text}");
            assert!(!text.contains("hush"), "{text}");
        }
    }
}
