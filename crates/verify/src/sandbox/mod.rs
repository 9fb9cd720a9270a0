//! The places: what confines a run, and the copy that it runs in.
//!
//! Start with [`copy`] (what of a tree is copied) and [`Unconfined`] (the place that hides nothing and says so).

pub(crate) mod beneath;
pub mod copy;
mod unconfined;
mod workshop;

pub use unconfined::Unconfined;
