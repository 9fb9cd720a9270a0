//! Python source as facts, and the life of the event loop built from them.
//!
//! Pure: text in, facts out; nothing is executed, imported, read from disk, and broken Python gives what could be
//! read. Start with [`facts`] (one file, a compact tree), then [`lifecycle`] (all files linked: what a name means,
//! what a value is, where it flows, under which loop a function runs, on which ways an object is closed).
//! [`catalogue`] is what is known of libraries.

pub mod catalogue;
pub mod edit;
pub mod facts;
pub mod lifecycle;
