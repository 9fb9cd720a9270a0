//! Objects carried past the end of the loop that they live on: made under one run of a loop, or outside any, kept by an
//! owner that outlives the run, and used under another.
//!
//! [`carried`] is the question that `second-run` and `mixed-run-styles` ask. It never looks at tests' own runs (another
//! cause's), at servers' loops, or at runs in threads of their own (two loops at one time are another cause too).

mod group;
mod lifespan;
mod object;
mod process;
mod runs;

pub use group::{Group, carried};
pub use lifespan::{Owner, Repetition, repetition};
pub use object::{Object, breaks};
pub use process::{in_tests, is_command};
pub use runs::steps_in;
