//! The user's own program that prints a token (`token_command` of a profile).

use std::process::{Command, Stdio};
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::TokenError;
use super::held_token::NewToken;
use super::secret::Secret;
use crate::text::system_words;

/// The first line that the user's program prints.
pub(crate) fn token_from_command(content: &[String]) -> Result<NewToken, TokenError> {
    let failure = |why: String| TokenError::credentials(format!("token_command {why}"));
    let (program, arguments) = content.split_first().ok_or_else(|| failure("is empty".to_owned()))?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failure(format!("`{program}` cannot be started: {}", system_words(&error))))?;
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failure(format!("`{program}` failed ({})", output.status)));
    }
    let line = printed.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let token = std::str::from_utf8(line).ok().and_then(|line| Secret::new(line).ok());
    let token = token.ok_or_else(|| failure(format!("`{program}` printed no token on its first line")))?;
    Ok(NewToken { token, age: Duration::ZERO, life: None, api_domain: None, scope: None })
}
