//! What slows a run down or stops it: how many requests a second and at once, when everybody waits, when a module or
//! the run is given up, what the budget of API credits allows. Each is a small state machine; time is passed in.

pub mod circuit_breaker;
pub mod concurrency;
pub mod credits;
pub mod failure_streaks;
pub mod rate;
