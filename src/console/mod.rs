//! Shows: problems, plan, progress and summary, for people or as JSON.
