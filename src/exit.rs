//! The exit statuses, and which one speaks when several would.

/// How the program ends. The number is the exit status; the order of the variants is their precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Exit {
    /// Everything asked for is done.
    Done,
    /// Some rows failed or were left out.
    SomeFailed,
    /// Rows `unknown` or `in_doubt`: a person must look, or the run must go on.
    Unsettled,
    /// SIGINT or Ctrl-C.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
    /// Stopped early: credentials, credits, limits, service down. Run again to go on.
    Stopped,
    /// Trouble with the results file or the disk.
    Results,
    /// The manifest is not sound; nothing was sent.
    Unsound,
    /// Usage or configuration.
    Usage,
}

impl Exit {
    /// The exit status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::SomeFailed => 1,
            Exit::Usage => 2,
            Exit::Unsound => 3,
            Exit::Stopped => 4,
            Exit::Unsettled => 5,
            Exit::Results => 6,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_exit_statuses_the_more_urgent_one_speaks() {
        let spoken = |exits: &[Exit]| exits.iter().max().map(|exit| exit.code());
        assert_eq!(spoken(&[Exit::Usage, Exit::Unsound]), Some(2));
        assert_eq!(spoken(&[Exit::Unsound, Exit::Results]), Some(3));
        assert_eq!(spoken(&[Exit::Results, Exit::Stopped]), Some(6));
        assert_eq!(spoken(&[Exit::Stopped, Exit::Interrupted]), Some(4));
        assert_eq!(spoken(&[Exit::Interrupted, Exit::Unsettled]), Some(130));
        assert_eq!(spoken(&[Exit::Unsettled, Exit::SomeFailed]), Some(5));
        assert_eq!(spoken(&[Exit::SomeFailed, Exit::Done]), Some(1));
    }
}
