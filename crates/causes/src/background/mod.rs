//! What the causes about tasks share: how code names a task, which objects it works with, where its life should end, and
//! the lines that end it. Start with [`Plan`].

mod elsewhere;
mod ending;
mod handle;
mod holder;
mod link;
mod plan;
mod stop;

pub(crate) use elsewhere::{Elsewhere, closed_elsewhere};
pub(crate) use ending::Ending;
pub(crate) use handle::Handle;
pub(crate) use holder::{Holder, free_local, hold, is_no_name, tasks_made};
pub(crate) use link::{Link, closings};
pub(crate) use plan::{Plan, ends_all, import, may_go_on};
pub(crate) use stop::{Stop, Wait, attribute, logger};
