//! `attache explain`: what codes and exit statuses mean.

use std::io::Write;

use super::args::ExplainArgs;
use super::stdio;
use crate::exit::Exit;
use crate::explain::{NoSuchCode, contents, find, page};

/// Prints the page of a code, or what pages there are.
pub fn run(args: &ExplainArgs) -> Exit {
    let Some(code) = &args.code else { return stdio::print(&contents()) };
    match find(code) {
        Ok(found) => stdio::print(&page(found)),
        Err(NoSuchCode { nearest }) => {
            let hint = match nearest.split_last() {
                None => String::new(),
                Some((only, [])) => format!(" Did you mean {only}?"),
                Some((last, others)) => format!(" Did you mean {} or {last}?", others.join(", ")),
            };
            let _ = writeln!(
                std::io::stderr(),
                "error: there is no code `{}`.{hint} attache explain lists all of them",
                crate::text::escape_for_terminal(code)
            );
            Exit::Usage
        }
    }
}
