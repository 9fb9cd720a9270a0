//! A loop that the program holds itself, and what takes its place: what the causes of such loops share.
//!
//! [`to_run`] puts `asyncio.run` in the place of all that is done with a handle, [`newly_carried`] tells whether runs that
//! shared one loop would then carry an object from one to the next. Nothing here finds anything wrong.

mod carried;
mod drain;
mod free_name;
mod keep_open;
mod make_current;
mod steps;
mod to_one;
mod to_run;

pub(crate) use carried::newly_carried;
pub(crate) use drain::drain;
pub(crate) use free_name::free_name;
pub(crate) use keep_open::keep_open;
pub(crate) use make_current::make_current;
pub(crate) use steps::Steps;
pub(crate) use to_one::{in_turn, to_one};
pub(crate) use to_run::{Instead, asyncio_in, await_run, instead, needs_brackets, to_run};
