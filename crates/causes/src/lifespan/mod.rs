//! Web applications and their life: where they are made, which code runs when they start and when they stop, in which order.
//!
//! Shared by the causes about start-up and shutdown. Start with [`apps`]: every application and router of the tree
//! ([`App`]) with its handlers ([`Handler`], in order of registration) and the lifespan it is given ([`Lifespan`]).
//! Nothing here decides what is wrong.

mod app;
mod compose;
mod edits;
mod gather;
mod handler;
mod made;
mod modules;
mod names;
mod order;
mod reach;
mod registered;

pub(crate) use app::{App, Framework, Lifespan};
pub(crate) use compose::{Step, compose};
pub(crate) use edits::{elsewhere, source, spaced, unregister};
pub(crate) use gather::{Gathered, Home, gather, statement};
pub(crate) use handler::{Handler, Phase, Registration};
pub(crate) use made::apps;
pub(crate) use modules::{circular, imports, module_name};
pub(crate) use names::referenced;
pub(crate) use reach::{given_by, named_by};
pub(crate) use registered::with_routers;

#[cfg(test)]
mod tests;
