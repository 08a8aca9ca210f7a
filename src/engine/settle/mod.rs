//! Rows in doubt: which there are and when their records are listed ([`queue`]), what a list says about them ([`compare`]),
//! and what follows from that for a row ([`decide`]). Pure, all three; the machine asks for the lists and applies what is
//! decided.

pub mod compare;
pub mod decide;
pub mod queue;
