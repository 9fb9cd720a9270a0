//! The user's tree: the only crate that walks folders, decodes files, reads configuration and lock files, finds
//! installed versions, and applies a patch.
//!
//! It never runs the user's code and never judges it: it gives a [`Tree`](loopmend_model::Tree) of text and
//! takes a [`Patch`](loopmend_model::Patch). Start with [`read_tree`].

mod decode;
mod distribution;
mod ini;
mod installed;
mod locks;
mod own_settings;
mod pins;
mod pyproject;
mod pytest;
mod python_range;
mod read;
mod root;
mod settings;
mod walk;

pub use decode::{DecodeError, Encoded, decode_config, decode_source};
pub use own_settings::OwnSettingsError;
pub use read::{ReadOptions, ReadTreeError, read_tree};
pub use root::find_root;
