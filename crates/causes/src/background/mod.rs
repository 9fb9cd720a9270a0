//! What the causes about tasks share: how code names a task, which resources it works with, where its life should end, and
//! the lines that end it.

mod holder;
mod stop;

pub use holder::{Holder, free_local, hold};
pub use stop::{Stop, attribute, logger};
