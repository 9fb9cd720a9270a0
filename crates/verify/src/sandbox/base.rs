//! The folder of one workspace, thrown away with it; what a killed process left is thrown away by the next.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// The file that the owner of a folder holds.
const LOCK: &str = "lock";
/// How the name of a folder begins that is being removed.
const ASIDE: &str = "gone-";

/// The folder of a workspace.
#[derive(Debug)]
pub(crate) struct Base {
    path: PathBuf,
    /// The system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Base {
    /// Makes a folder beside the others of this user.
    pub fn new() -> io::Result<Self> {
        let cache = etcetera::choose_base_strategy().map(|places| places.cache_dir().join("loopmend/runs"));
        match cache.ok().filter(|root| fs::create_dir_all(root).is_ok()) {
            Some(root) => Self::among(&root),
            // A shared folder for temporary files is not swept: what lies there may be anybody's.
            None => Self::within(&std::env::temp_dir()),
        }
    }

    /// Makes one among those of this user, and throws away what nobody holds any more.
    fn among(root: &Path) -> io::Result<Self> {
        // While a folder is being made, nobody looks whether it is held.
        let turn = File::create(root.with_extension("lock"))?;
        turn.lock()?;
        let made = Self::within(root);
        let left = put_aside(root);
        turn.unlock()?;
        for folder in left {
            let _ = remove(&folder);
        }
        made
    }

    fn within(root: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("loopmend-").tempdir_in(root)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { path: folder.keep().canonicalize()?, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        // What can't be removed now is for the next sweep.
        let _ = remove(&self.path);
    }
}

/// Renames what nobody holds, so that it can be removed in peace; gives what is to be removed.
fn put_aside(root: &Path) -> Vec<PathBuf> {
    let mut aside = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let (folder, name) = (entry.path(), entry.file_name());
        if name.as_encoded_bytes().starts_with(ASIDE.as_bytes()) {
            // Another was killed while it removed this.
            aside.push(folder);
            continue;
        }
        let held = File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err());
        let mut renamed = std::ffi::OsString::from(ASIDE);
        renamed.push(&name);
        let renamed = root.join(renamed);
        if !held && fs::rename(&folder, &renamed).is_ok() {
            aside.push(renamed);
        }
    }
    aside
}

/// Removes a folder, also one in which a program took away its own rights.
fn remove(folder: &Path) -> io::Result<()> {
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    open_up(folder);
    fs::remove_dir_all(folder)
}

fn open_up(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // The kind is the entry's own: a link is not followed.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("runs");
        fs::create_dir(&root).unwrap();
        let held = Base::within(&root).unwrap();
        let left = root.join("loopmend-left");
        fs::create_dir_all(left.join("copy/closed")).unwrap();
        fs::write(left.join("lock"), "").unwrap();
        fs::set_permissions(left.join("copy/closed"), fs::Permissions::from_mode(0o000)).unwrap();
        let next = Base::among(&root).unwrap();
        assert!(held.path().exists() && next.path().exists());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2);
        let path = held.path().to_path_buf();
        drop(held);
        assert!(!path.exists());
    }
}
