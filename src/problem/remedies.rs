//! What helps with a problem of a manifest, where an option of the command line does: the hints that name options, beside
//! the pages of their codes. The checks say what is wrong and take their hints from here.

use std::path::Path;

pub(crate) const ALLOW_IDENTICAL: &str = "remove one of the rows, or add --allow-identical if it is meant so";
pub(crate) const ALLOW_ROUNDED: &str = "compare it with the export; --allow-rounded-ids if it is right";
pub(crate) const ALLOW_EMPTY: &str = "replace it, leave the row out, or add --allow-empty";
pub(crate) const ALLOW_OUTSIDE: &str =
    "name the folder that holds all files with --root DIR, or add --allow-outside if you trust the rows";
pub(crate) const MAP_SHARE: &str =
    "take one separator off; a share is mapped to a drive or mounted, and named with --root";
pub(crate) const NAME_ROOT: &str = "name a folder below the manifest's own, or any folder with --root DIR";
pub(crate) const LINK_TITLES: &str = "choose a version from v5 on with --api-version, or leave the name empty";
pub(crate) const NAME_CROSSWALK: &str = "name a file in the folder of the manifest, or any with --crosswalk FILE";
pub(crate) const MAKE_CROSSWALK: &str =
    "make one with attache crosswalk MODULE=FIELD --for MANIFEST, and name it with --crosswalk FILE";
pub(crate) const SAY_ENCODING: &str = "save the file as UTF-8, or say its encoding: --encoding windows-1252";
pub(crate) const TRUE_ENCODING: &str = "save the file as UTF-8, or say its true encoding with --encoding";
pub(crate) const SAY_UTF_16: &str = "remove it; if the whole file looks so, it is UTF-16: --encoding utf-16le";
pub(crate) const RUN_MANIFEST_AGAIN: &str =
    "run the manifest itself again: finished rows are skipped, and --resend failed sends refused ones again";

pub(crate) const COMPARE_THE_TWO: &str =
    "compare the two: --moved same if they are one, --moved new if not, --moved FILE to say it for each row";
pub(crate) const SAY_FOR_EACH_ROW: &str = "say for each row whether it was sent: --moved FILE";
pub(crate) const KEEP_OR_SEND_RENAMED: &str =
    "an attachment cannot be renamed: --renamed keep leaves what is there, --renamed send attaches it again";
pub(crate) const MERGED_OR_WRONG_RECORD: &str = "if the two records were merged, --moved same leaves it there; if the key led \
     to the wrong one, --moved new attaches it here, too; --moved FILE says it for each row";
pub(crate) const LEAVE_OUT_OR_SEND_AGAIN: &str =
    "leave such rows out: --skip-invalid; or attach all such rows again: --new-results";
pub(crate) const WITHOUT_A_LOOK: &str =
    "To go on without a look at it, move it to another folder, or add --new-results";

/// Rows that other results know, while those of this run know none yet.
pub(crate) fn go_on_with(results: &str) -> String {
    format!("go on with those results: --results {results}; or attach all such rows again: --new-results")
}

/// A module that takes attachments only from this version on.
pub(crate) fn choose_version(since: &str) -> String {
    format!("run with --api-version {since}")
}

/// A module that is not known; `near` is what it most likely was meant to be.
pub(crate) fn declare_module(named: &str, near: Option<&str>, is_api_name: bool) -> String {
    match near {
        Some(name) => format!("did you mean {name}? A custom module is declared with --custom-module NAME"),
        None if is_api_name => format!("if it is a custom module of yours, declare it: --custom-module {named}"),
        None => "use the API name; a custom module is declared with --custom-module NAME".to_owned(),
    }
}

/// A path that leads nowhere from this folder.
pub(crate) fn relative_to(base: &Path) -> String {
    format!("paths are relative to {}; --root names another folder", base.display())
}
