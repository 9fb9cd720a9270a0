//! Web applications and their life: where they are made, which code runs when they start and when they stop, in which order.
//!
//! Shared by the causes about start-up and shutdown. Start with [`apps`]: every application and router of the tree
//! ([`App`]) with its handlers ([`Handler`], in order of registration) and the lifespan it is given ([`Lifespan`]).
//! Nothing here decides what is wrong.

mod app;
mod handler;
mod made;
mod order;
mod registered;

pub(crate) use app::{App, Framework, Lifespan, LifespanKind};
pub(crate) use handler::{Handler, Phase, Registration};
pub(crate) use made::apps;

#[cfg(test)]
mod tests;
