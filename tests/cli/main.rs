//! The built program, driven as a user drives it, against the sandbox.

#[expect(dead_code, reason = "other test binaries use more of it")]
mod case;
mod exits;
mod faults;
mod resume;
#[expect(dead_code, reason = "other test binaries use more of it")]
mod service;
