//! The options of `attache auth`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::{ReadArgs, TargetArgs};
use crate::cli::values::Output;

/// `attache auth`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct AuthArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuthCommand,
}

/// The commands of `attache auth`.
#[derive(Subcommand, Clone, PartialEq, Debug)]
pub enum AuthCommand {
    /// Exchange a grant code for credentials and store them
    Login {
        /// Where to.
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Say who, where, which scopes and credits, without showing a secret
    Status {
        /// Say whether the scopes suffice for this manifest
        manifest: Option<PathBuf>,
        /// Where to.
        #[command(flatten, next_help_heading = "Where to")]
        target: TargetArgs,
        /// How to read the manifest.
        #[command(flatten, next_help_heading = "Reading the manifest")]
        read: ReadArgs,
        /// Who reads the result
        #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
        output: Output,
    },
    /// List the stored profiles, without showing a secret
    List {
        /// Only their names, one a line, for a shell
        #[arg(long)]
        names: bool,
        /// Who reads the result
        #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
        output: Output,
    },
    /// Remove stored credentials
    Logout {
        /// Which [default: default]
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
}
