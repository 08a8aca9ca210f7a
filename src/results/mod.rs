//! Remembers: the results CSV, which is the log while a run goes on and the table when it is done.
