//! The real program on small projects: one test for each format and for each way to stop.

mod check;
mod explain;
mod fix;
mod formats;
mod project;
mod stopping;
mod verify;
mod watch;
