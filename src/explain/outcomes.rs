//! The codes that stand in the `code` column of the results: the service's own and ours.

use super::Page;

/// Their pages.
pub const PAGES: &[Page] = &[];
