//! The token is in this process's memory: a crash must not write it to a file that the next one sends to somebody.

/// Switches dumps of memory off for this process, as far as the system lets it.
#[cfg(unix)]
pub fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Where it is refused, dumps are as the system's owner wants them.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Linux hands a dump to a program, such as systemd's, whatever the limit is.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Windows leaves it to its own error reporting, which the user's profile protects.
#[cfg(not(unix))]
pub fn forbid_core_dumps() {}
