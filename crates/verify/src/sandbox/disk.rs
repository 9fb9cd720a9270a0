//! How much a run has written: a cheap look at the file system often, a walk through the copy where that says so.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use walkdir::WalkDir;

/// At the latest after this time, the copy is walked through.
const WALK: Duration = Duration::from_secs(5);
/// More new files than this are too much, whatever their size.
const FILES: u64 = 500_000;

/// Watches the folders that a run may write to.
pub(crate) struct Watch {
    folders: Vec<PathBuf>,
    /// Bytes by which they may grow.
    most: u64,
    state: Mutex<State>,
}

struct State {
    before: Size,
    free: Option<Size>,
    walked: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    bytes: u64,
    files: u64,
}

impl Watch {
    /// Watches from what they held before anything ran in them.
    pub fn new(folders: Vec<PathBuf>, before: Size, most: u64) -> Self {
        let free = folders.first().and_then(|folder| free(folder));
        Self { folders, most, state: Mutex::new(State { before, free, walked: Instant::now() }) }
    }

    /// Whether they grew beyond what they may.
    pub fn exceeded(&self) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        let lost = match (state.free, self.folders.first().and_then(|folder| free(folder))) {
            (Some(before), Some(now)) => Size {
                bytes: before.bytes.saturating_sub(now.bytes),
                files: before.files.saturating_sub(now.files),
            },
            _ => Size::default(),
        };
        let suspicious = lost.bytes > self.most || lost.files > FILES;
        // Where others fill the disk too, the suspicion never rests: the walks then must not take all the time.
        let rested = state.walked.elapsed() > Duration::from_millis(200);
        if !(suspicious && rested) && state.walked.elapsed() < WALK {
            return false;
        }
        let now = size(&self.folders);
        state.walked = Instant::now();
        now.bytes.saturating_sub(state.before.bytes) > self.most
            || now.files.saturating_sub(state.before.files) > FILES
    }
}

/// What is free on the file system of a folder.
fn free(folder: &Path) -> Option<Size> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(Size { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), files: stat.f_favail })
}

/// What the folders take, holes not counted.
pub(crate) fn size(folders: &[PathBuf]) -> Size {
    use std::os::unix::fs::MetadataExt;
    let entries = folders.iter().flat_map(|folder| WalkDir::new(folder).into_iter().flatten());
    entries.filter_map(|entry| entry.metadata().ok()).fold(Size::default(), |sum, meta| Size {
        bytes: sum.bytes + meta.blocks() * 512,
        files: sum.files + 1,
    })
}
