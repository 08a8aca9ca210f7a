//! Texts: what must happen to one of unknown origin before it is shown, and how one is fitted to a width.
//!
//! | to | use |
//! | --- | --- |
//! | show a text on a terminal with everything in it | `terminal.rs`: `escape_for_terminal` |
//! | keep a text of the service without what a terminal acts on | `terminal.rs`: `strip_for_terminal` |
//! | repeat a user's value without passwords | `mask.rs` |
//! | break lines | `wrap.rs` |
//! | guess what a mistyped name stands for | `nearest.rs` |
//! | write bytes in hexadecimal | `hex.rs` |
//! | say why the system refused something | `system_words.rs` |

mod hex;
mod mask;
mod nearest;
mod system_words;
mod terminal;
mod wrap;

pub(crate) use self::hex::hex;
pub(crate) use self::mask::{mask_secrets, masked_excerpt, with_passwords_starred};
pub(crate) use self::nearest::nearest;
pub(crate) use self::system_words::system_words;
pub(crate) use self::terminal::{
    escape_for_terminal, escape_lines_for_terminal, is_unsafe, shorten_for_terminal, strip_for_terminal,
};
pub(crate) use self::wrap::{wrap, wrap_lines};
