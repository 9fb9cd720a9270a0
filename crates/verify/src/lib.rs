//! Step 4 of 5: runs of the user's program before and after a patch, and what they prove.
//!
//! The only crate that starts the user's code. It never changes the user's tree: a [`Place`] makes a copy, runs it there
//! and throws it away. Nothing in here knows a command line or a forge. Start with [`reproduce`] (the error is made to happen) and
//! [`judge`] (the patch, before and after), then [`place`] (where a command runs) and [`run`] (how it is started, bounded and
//! ended).

pub mod bundle;
mod case;
mod earlier;
pub mod environment;
pub mod gate;
pub mod judge;
mod notes;
pub mod place;
mod prelude;
mod regression;
pub mod reproduce;
pub mod run;
pub mod sandbox;
mod trial;
mod verify_error;
pub mod watch;

pub use bundle::{Bundle, BundleError};
pub use case::{Case, ProveOptions};
pub use earlier::{Earlier, EarlierError};
pub use environment::{
    Builds, Environment, Interpreter, MakeError, Maker, OwnError, ProbeError, needs, own, suite_needs,
};
pub use judge::judge;

pub use place::{Place, PrepareError, Recogniser, Setting, Workspace};
pub use regression::regression_test;
pub use reproduce::{Reproduced, reproduce};
pub use run::{Command, Exit, Limits, Link, Ran, RunError, Running, Signal};
pub use sandbox::{Bubblewrap, INSIDE, Sandbox, Service, ServiceError, Unavailable, Unconfined, inside};
pub use verify_error::VerifyError;
