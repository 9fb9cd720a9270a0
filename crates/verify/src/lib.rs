//! Step 4 of 5: runs of the user's program before and after a patch, and what they prove.
//!
//! The only crate that starts the user's code. It never changes the user's tree: a [`Place`] makes a copy, runs it there
//! and throws it away. Nothing in here knows a command line or a forge. Start with [`place`] (where a command runs), then
//! [`run`] (how it is started, bounded and ended).

pub mod environment;
pub mod gate;
pub mod place;
pub mod run;
pub mod sandbox;
pub mod watch;

pub use environment::{
    Builds, Environment, Interpreter, MakeError, Maker, OwnError, ProbeError, own, suite_needs,
};
pub use place::{Place, PrepareError, Recogniser, Setting, Workspace};
pub use run::{Command, Exit, Limits, Link, Ran, RunError, Running, Signal};
pub use sandbox::{Bubblewrap, INSIDE, Sandbox, Service, ServiceError, Unavailable, Unconfined, inside};
