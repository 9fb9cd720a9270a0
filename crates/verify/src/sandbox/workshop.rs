//! The folders of a workspace, made the same way for every place.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use loopmend_model::Patch;
use loopmend_project::{ApplyOptions, apply};
use walkdir::WalkDir;

use super::base::Base;
use super::copy::{Cap, LeftOut, copy};
use super::user::User;
use crate::place::{Layout, PrepareError};

/// Makes the folders, copies the tree and applies the patch.
pub(crate) fn prepare(
    tree: &Path,
    patch: Option<&Patch>,
    cap: Cap,
    owner: Option<u32>,
) -> Result<(Base, Layout, Vec<LeftOut>), PrepareError> {
    let base = Base::new().map_err(PrepareError::Folder)?;
    let tree = tree.canonicalize().map_err(PrepareError::Folder)?;
    let root = base.path().to_path_buf();
    let layout = Layout {
        copy: root.join("copy"),
        lent: root.join("lent"),
        left: root.join("left"),
        tree,
        base: root,
    };
    for folder in [&layout.copy, &layout.lent, &layout.left] {
        fs::create_dir(folder).map_err(PrepareError::Folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(PrepareError::Folder)?;
    }
    let left_out = copy(&layout.tree, &layout.copy, cap, owner)?;
    if let Some(patch) = patch {
        let options = ApplyOptions {
            allow_dirty: true,
            inside_only: true,
            state_home: Some(layout.base.join("state")),
        };
        apply(&layout.copy, patch, &options).map_err(|error| PrepareError::Patch(error.to_string()))?;
    }
    if let Some(owner) = owner {
        for folder in [&layout.copy, &layout.left] {
            lchown(folder, Some(owner), Some(owner)).map_err(PrepareError::Folder)?;
        }
        for file in patch.into_iter().flat_map(|patch| &patch.files) {
            lchown(layout.copy.join(&file.path), Some(owner), Some(owner)).map_err(PrepareError::Folder)?;
        }
    }
    Ok((base, layout, left_out))
}

/// Gives a folder and all in it to a user.
pub(crate) fn give(folder: &Path, owner: Option<u32>) -> io::Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    for entry in WalkDir::new(folder) {
        lchown(entry?.path(), Some(owner), Some(owner))?;
    }
    Ok(())
}

/// Gives a folder to the user that makes environments; with `all`, what is in it too.
pub(crate) fn give_to_builder(folder: &Path, all: bool) -> io::Result<()> {
    let owner = User::builder().owner();
    if all {
        return give(folder, owner);
    }
    owner.map_or(Ok(()), |owner| lchown(folder, Some(owner), Some(owner)))
}

/// Takes a folder back, so that no run can change it; what else has the same content keeps its owner.
pub(crate) fn take_back(folder: &Path) -> io::Result<()> {
    let owner = User::builder().owner().map(|_| 0);
    owner.map_or(Ok(()), |owner| lchown(folder, Some(owner), Some(owner)))
}
