//! The places: what confines a run, and the copy that it runs in.
//!
//! Start with [`Sandbox`] (the place that hides all that is not the program's business), [`copy`] (what of a tree is copied) and
//! [`Unconfined`] (the place that hides nothing and says so).

pub(crate) mod base;
pub(crate) mod beneath;
mod bubblewrap;
mod cgroup;
mod confined;
pub mod copy;
mod disk;
mod family;
mod find;
mod gateway;
mod hold;
mod inside;
mod line;
mod relay;
mod repository;
mod service;
mod unconfined;
mod user;
mod view;
mod workshop;

pub(crate) use bubblewrap::in_path;
pub use bubblewrap::{Bubblewrap, Unavailable};
pub use confined::Sandbox;
pub use inside::{INSIDE, inside};
pub use service::{Service, ServiceError};
pub use unconfined::Unconfined;
pub(crate) use workshop::{give_to_builder, take_back};
