//! One command: started as a process group, captured, bounded, and ended with all that it left behind.
//!
//! A run knows nothing of sandboxes: a place hands over a [`Launch`], the system's command and what goes with it. Start
//! with [`Running`].

mod command;
mod launch;
mod pump;
mod ran;
mod running;
mod stray;
#[cfg(test)]
mod tests;

pub use command::{Command, Limits};
pub use launch::{Breach, Launch, Link, Reach};
pub use ran::{Exit, Ran};
pub use running::{RunError, Running, Signal};
pub(crate) use stray::{MARK, signal_marked};
