//! The rules themselves, and the few exceptions with their reasons.

/// The modules from the ground up: each may import those before it.
pub const LEVELS: &[&str] = &[
    "sync",
    "text",
    "units",
    "line_set",
    "crm",
    "atomic_file",
    "path_text",
    "file_id",
    "archive",
    "checksum",
    "upload",
    "content",
    "owner",
    "open_file",
    "exit",
    "outcome",
    "listing",
    "reply",
    "problem",
    "manifest",
    "explain",
    "results",
    "zoho",
    "engine",
    "crosswalk",
    "check",
    "plan",
    "doctor",
    "console",
    "verify",
    "undo",
    "report",
    "collect",
    "cli",
];

/// Modules beside that order: the way in, what tests are given, the worlds of the simulator, and the sandbox, whose own
/// rule is stricter.
pub const BESIDE: &[&str] = &["lib", "main", "internals", "simulation", "sandbox"];

/// Outside libraries and where they may stand. Those that many modules rightly share are not listed: serde, serde_json,
/// schemars, jiff, memchr, hashbrown, log.
pub const LIBRARIES: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["console/problems.rs"]),
    ("anstream", &["cli/screen.rs"]),
    ("anstyle", &["console/"]),
    ("anyhow", &["cli/"]),
    ("axum", &["sandbox/"]),
    ("calamine", &["manifest/xlsx/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/completions.rs"]),
    ("clap_mangen", &["cli/man.rs"]),
    ("ctrlc", &["cli/"]),
    ("etcetera", &["cli/config/folders.rs"]),
    ("futures_core", &["sandbox/"]),
    ("governor", &["engine/brakes/rate.rs"]),
    ("indicatif", &["console/"]),
    ("quick_xml", &["manifest/xlsx/hidden.rs"]),
    ("rawzip", &["archive.rs", "crosswalk/bulk.rs", "sandbox/bulk.rs"]),
    ("roff", &["cli/man.rs"]),
    ("rpassword", &["cli/auth/"]),
    ("rust_xlsxwriter", &["console/mend/workbook.rs", "report/"]),
    ("saphyr_parser", &["manifest/"]),
    ("serde_yaml", &["manifest/yaml/document.rs"]),
    ("signal_hook", &["cli/"]),
    ("strsim", &["text/nearest.rs", "check/module.rs", "sandbox/"]),
    ("terminal_size", &["console/"]),
    ("tokio", &["sandbox/"]),
    ("toml_edit", &["cli/config/"]),
    ("twox_hash", &["content.rs"]),
    ("ureq", &["zoho/"]),
    ("winapi_util", &["file_id.rs"]),
];

/// Most lines of a file before its unit tests.
pub const LINES: usize = 450;

/// Longer ones. Tables of texts and the command line are long and clear; the others wait to be split.
pub const LONG_FILES: &[(&str, usize)] = &[
    ("src/manifest/yaml/events.rs", 480),
    ("src/check/checker.rs", 540),
    ("src/cli/args.rs", 1000),
    ("src/cli/run/prepare.rs", 545),
    ("src/collect/export.rs", 500),
    ("src/engine/machine/mod.rs", 680),
    ("src/explain/outcomes.rs", 580),
    ("src/manifest/yaml/document.rs", 810),
    ("src/problem/codes.rs", 1100),
    ("src/report/model.rs", 540),
    ("src/cli/undo/mod.rs", 460),
    ("src/verify/lookup.rs", 640),
    ("src/verify/show.rs", 600),
    ("src/zoho/client.rs", 740),
    ("src/zoho/hosts.rs", 580),
];

/// Where flags are known: the command line, and the texts that users look up.
pub const FLAGS_BELONG_TO: &[&str] = &["src/cli/", "src/explain/", "src/problem/codes.rs", "src/problem/remedies.rs"];

/// Files that still word their advice themselves, flags and all. None may join them.
pub const FLAGS_STILL_IN: &[&str] = &["src/console/plan.rs", "src/console/problems.rs"];

/// Files that name options which are not ours: those of another program, and those that the command line knows only to say
/// what to use instead.
pub const OTHER_OPTIONS: &[&str] = &["src/report/browser.rs", "src/cli/args.rs", "src/cli/misuse.rs"];

/// Options of commands that are being built.
pub const COMING: &[&str] = &[];

/// Files that define the same types twice, since only one of them is built: the locks and threads of the system, and those
/// that a test runs in an order of its own.
pub const EITHER_OR: &[&str] = &["src/sync/system.rs", "src/sync/simulated.rs"];
