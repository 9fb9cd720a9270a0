//! What the causes of tests share: where fixtures and tests run on different loops, and how both come to the same.

mod align;
mod mismatch;
mod options;
mod rewrite;

pub(crate) use align::{Preference, align, relying, settle_default};
pub(crate) use mismatch::{Mismatch, MismatchKind, Uses, asks_for_backend, mismatches};
pub(crate) use options::{option_spot, set_option};
pub(crate) use rewrite::{Named, Rewrite, range_of};
