//! The built program, driven as a user drives it, against the sandbox.

mod auth;
mod case;
mod exits;
mod faults;
mod first;
mod interface;
mod resume;
mod secrets;
#[expect(dead_code, reason = "other test binaries use more of it")]
mod service;
