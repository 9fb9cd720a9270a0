//! The user's tree: the only crate that walks folders, decodes files, reads configuration and lock files, finds
//! installed versions, and applies a patch.
//!
//! It never runs the user's code and never judges it: it gives a [`Tree`](loopmend_model::Tree) of text and
//! takes a [`Patch`](loopmend_model::Patch). Start with [`read_tree`]
//! for the way in, with [`apply()`] for the way out.

mod apply;
mod change;
mod ci;
#[cfg(test)]
mod crash_tests;
mod decode;
mod dirty;
mod distribution;
mod ini;
mod installed;
mod journal;
mod keep;
mod locks;
mod own_settings;
mod pins;
mod place;
mod pyproject;
mod pytest;
mod python_range;
mod read;
mod recover;
mod replace;
mod root;
mod settings;
mod state;
mod undo;
mod walk;

pub use apply::{Applied, ApplyError, ApplyOptions, apply};
pub use change::{commit, last_fix, uncommitted_change};
pub use ci::{TestRun, test_runs};
pub use decode::{DecodeError, Encoded, decode_config, decode_source};
pub use dirty::DirtyError;
pub use keep::keep;
pub use own_settings::OwnSettingsError;
pub use read::{ReadOptions, ReadTreeError, read_tree};
pub use recover::{RecoverError, RecoverOutcome, Recovered, recover};
pub use root::find_root;
pub use settings::settings_after;
pub use state::StateError;
pub use undo::{UndoError, Undone, undo};
