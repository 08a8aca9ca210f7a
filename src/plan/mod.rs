//! Decides what a run is going to do; one value that the dry run prints and the run executes.
