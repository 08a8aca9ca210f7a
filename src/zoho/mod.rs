//! Speaks HTTP to the CRM; the only room that does.
