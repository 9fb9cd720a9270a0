//! What a service opens as it starts, and what closes it again: shared by the causes about failing starts.
//!
//! [`opens`] lists what a function opens, in order; [`Phases`] tells which functions run as a service starts; [`Open`] knows
//! the places it is kept at and which statements close it; [`nest`], [`unwind`] and [`stacked`] write the unwinding.

mod closing;
mod edits;
mod initial;
mod open;
mod phase;
mod place;
mod risk;

pub(crate) use closing::{close_calls, close_calls_elsewhere, is_guarded};
pub(crate) use edits::{close_text, nest, nest_in_try, stacked, unwind};
pub(crate) use initial::{Initial, initial};
pub(crate) use open::{Open, opens};
pub(crate) use phase::{Phase, Phases, candidates};
pub(crate) use place::place_name;
pub(crate) use risk::{may_fail, protected, risks};
