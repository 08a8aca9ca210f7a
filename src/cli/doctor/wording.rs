//! What would help, in words of the command line.

use std::path::Path;

use crate::doctor::findings::DoctorAdvice;

/// One advice as a sentence or two.
pub(super) fn advice(advice: &DoctorAdvice, manifest: Option<&Path>) -> String {
    let manifest = manifest.map_or("MANIFEST".to_owned(), |path| path.display().to_string());
    match advice {
        DoctorAdvice::GrantScopes(scopes) if scopes.is_empty() => {
            "Look in the CRM under Setup, or ask an administrator.".to_owned()
        }
        DoctorAdvice::GrantScopes(scopes) => format!("It takes a token with {}.", scopes.join(", ")),
        DoctorAdvice::SignIn => {
            "Sign in anew: attache auth login. A token of another data centre (--dc) is refused in the \
                                 same words."
                .to_owned()
        }
        DoctorAdvice::CheckTarget => {
            "Check --dc or --api-domain, the proxy of the environment (--no-proxy) and the certificate (--ca-file)."
                .to_owned()
        }
        DoctorAdvice::SetClock => "Let the system set its clock from the network.".to_owned(),
        DoctorAdvice::Pace { concurrency, rate, credits_per_day, should_wait } => {
            let day = credits_per_day.map(|day| format!(" --credits-per-day {day}")).unwrap_or_default();
            let wait = if *should_wait { " --wait-for-credits" } else { "" };
            format!("This fits: --concurrency {concurrency} --rate {rate}/s{day}{wait}")
        }
        DoctorAdvice::OtherVersion => "Use another version: --api-version v8, for example.".to_owned(),
        DoctorAdvice::NameModules { renames, declare } => {
            let renamed = renames.iter().map(|(is, should)| format!("write {should} in place of {is}"));
            let declared = declare.iter().map(|name| format!("declare it with --custom-module {name}"));
            let all: Vec<String> = renamed.chain(declared).collect();
            format!("In the manifest, {}.", all.join("; "))
        }
        DoctorAdvice::ShowAttachments => {
            "Show the related list Attachments in the layout of the module, or attach to another one.".to_owned()
        }
        DoctorAdvice::OtherUser => "Use a user whose profile may edit these modules.".to_owned(),
        DoctorAdvice::MendRows => format!("They are named below, and by attache run {manifest} --dry-run."),
        DoctorAdvice::MendRecords => {
            "They are named below; --problems FILE writes the rows into a file, to be mended.".to_owned()
        }
        DoctorAdvice::RaiseBudget(credits) => {
            format!("--max-credits allows fewer; it takes {credits} more than what was used.")
        }
        DoctorAdvice::NewCrosswalk => "Make the crosswalk anew from this organisation: attache crosswalk.".to_owned(),
        DoctorAdvice::LookInSetup => "The CRM shows it under Setup, Data Administration, Storage.".to_owned(),
    }
}
