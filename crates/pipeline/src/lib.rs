//! The steps in order: capture, diagnose, fix, verify. Each call takes the former's noun and gives the next.
//!
//! The program and the service are two thin faces of this crate. Reading and changing the user's tree is `project`'s work
//! and is done by the caller, before and after.

mod check;
mod explain;
mod mend;
mod prove;
mod symptoms;
mod watch;

pub use check::{Checked, check};
pub use explain::{ExplainedIncident, Explanation, explain, explain_incidents};
pub use mend::{FixOptions, Mended, Told, fix, fix_incidents, fix_told};
pub use prove::{Captured, Made, Proved, prove, prove_made};
pub use watch::{ear, is_lifecycle};
