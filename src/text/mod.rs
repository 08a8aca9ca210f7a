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
//! | tell whether two names are one, however their accents are written | `same_name.rs` |
//! | say why the system refused something, and whether that passes | `system_words.rs` |

mod hex;
mod mask;
mod nearest;
mod same_name;
mod system_words;
mod terminal;
mod wrap;

pub(crate) use self::hex::hex;
pub(crate) use self::mask::{mask_secrets, masked_excerpt, with_passwords_starred};
pub(crate) use self::nearest::nearest;
pub(crate) use self::same_name::same_name;
pub(crate) use self::system_words::{is_held_by_another, is_shortage, system_words};
pub(crate) use self::terminal::{
    escape_for_terminal, escape_lines_for_terminal, is_unsafe, shorten_for_terminal, strip_for_terminal,
};
pub(crate) use self::wrap::{wrap, wrap_lines};
