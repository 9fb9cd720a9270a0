//! Environments that were made, kept by what they were made from.
//!
//! Each is a folder named by its key, with a lock beside it: held by one while it is made, by all who use it. A folder without
//! its mark is half-made, and never used.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

/// What was not used for so long is thrown away.
const OLD: Duration = Duration::from_hours(24 * 30);
/// The file in a folder that says it is whole.
const MARK: &str = "complete";

/// The folder of all environments.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// A place in the store, locked.
#[derive(Debug)]
pub(crate) struct Kept {
    pub folder: PathBuf,
    /// The system lets go of it when the last user ends.
    pub lock: Arc<File>,
}

/// A key, from everything that decides what an environment becomes.
#[derive(Default)]
pub(crate) struct Key(Sha256);

impl Key {
    pub fn add(mut self, name: &str, content: &[u8]) -> Self {
        // Lengths keep one part from running into the next.
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
        self
    }

    pub fn finish(self) -> String {
        self.0.finalize()[..16].iter().fold(String::new(), |key, byte| format!("{key}{byte:02x}"))
    }
}

impl Store {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The environment of this key, made where it is not there; only one makes it, the others wait.
    pub fn get<E: From<io::Error>>(
        &self,
        key: &str,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Kept, E> {
        fs::create_dir_all(&self.root)?;
        let folder = self.root.join(key);
        let mark = folder.join(MARK);
        let lock = open(&self.root.join(format!("{key}.lock")))?;
        lock.lock_shared()?;
        if !mark.is_file() {
            lock.unlock()?;
            lock.lock()?;
            if !mark.is_file() {
                self.clean(key);
                remove(&folder)?;
                fs::create_dir(&folder)?;
                if let Err(error) = make(&folder) {
                    // It is not used without its mark; the room is given back at once all the same.
                    let _ = remove(&folder);
                    return Err(error);
                }
                fs::write(&mark, "")?;
            }
            lock.lock_shared()?;
        }
        touch(&mark);
        Ok(Kept { folder, lock: Arc::new(lock) })
    }

    /// Whether the environment of this key is there, whole.
    #[cfg(test)]
    pub fn has(&self, key: &str) -> bool {
        self.root.join(key).join(MARK).is_file()
    }

    /// Throws away what is old or half-made, unless somebody holds it.
    fn clean(&self, but: &str) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let folder = entry.path();
            let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            if name == but || !folder.is_dir() {
                continue;
            }
            let used = fs::metadata(folder.join(MARK)).and_then(|meta| meta.modified());
            let fresh =
                used.is_ok_and(|used| SystemTime::now().duration_since(used).unwrap_or_default() < OLD);
            if fresh {
                continue;
            }
            let path = self.root.join(format!("{name}.lock"));
            let Ok(lock) = open(&path) else { continue };
            if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
                continue;
            }
            // The lock's file stays: one who waits for it must not be left with a file that has no name.
            let _ = remove(&folder);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).read(true).write(true).open(path)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Notes that it was used now.
fn touch(mark: &Path) {
    if let Ok(file) = File::options().write(true).open(mark) {
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn it_is_made_once_whoever_asks() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path().to_path_buf());
        let made = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let kept = store.get::<io::Error>("key", |folder| {
                        made.fetch_add(1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(50));
                        fs::write(folder.join("content"), "whole")
                    });
                    let folder = kept.unwrap().folder;
                    assert_eq!(fs::read_to_string(folder.join("content")).unwrap(), "whole");
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_is_half_made_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path().to_path_buf());
        let failed = store.get::<io::Error>("key", |folder| {
            fs::write(folder.join("half"), "")?;
            Err(io::Error::other("no network"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no network");
        assert!(!store.has("key"));
        // As one that was killed leaves it.
        fs::create_dir_all(root.path().join("key/half")).unwrap();
        let kept = store.get::<io::Error>("key", |folder| fs::write(folder.join("content"), "")).unwrap();
        assert!(kept.folder.join("content").exists() && !kept.folder.join("half").exists());
    }

    #[test]
    fn old_ones_go_unless_they_are_in_use() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path().to_path_buf());
        let make = |_: &Path| Ok::<(), io::Error>(());
        let used = store.get("used", make).unwrap();
        drop(store.get("old", make).unwrap());
        drop(store.get("fresh", make).unwrap());
        for name in ["used", "old"] {
            let mark = File::options().write(true).open(root.path().join(name).join(MARK)).unwrap();
            mark.set_modified(SystemTime::now() - OLD * 2).unwrap();
        }
        store.get("another", make).unwrap();
        assert!(store.has("used") && store.has("fresh") && !store.has("old"));
        drop(used);
    }

    #[test]
    fn a_key_tells_all_parts_apart() {
        let key = |parts: &[(&str, &str)]| {
            parts
                .iter()
                .fold(Key::default(), |key, (name, content)| key.add(name, content.as_bytes()))
                .finish()
        };
        let keys = [key(&[("a", "bc")]), key(&[("ab", "c")]), key(&[("a", "b"), ("", "c")]), key(&[])];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys[index + 1..].iter().all(|other| other != one));
        }
    }
}
