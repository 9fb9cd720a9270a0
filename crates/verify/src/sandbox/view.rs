//! What a program sees of the machine: the system read-only, the copy in the tree's place, and nothing else of the user's.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::user::HOME;
use crate::place::Layout;

/// Folders of the system, as far as a machine has them.
const SYSTEM: [&str; 10] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/opt",
    "/nix/store",
    "/home/linuxbrew/.linuxbrew",
];

/// Where the folders beside the copy are seen.
pub(crate) const LENT: &str = "/run/loopmend/lent";
pub(crate) const LEFT: &str = "/run/loopmend/left";
pub(crate) const SERVICES: &str = "/run/loopmend/services";
pub(crate) const PROGRAM: &str = "/run/loopmend/loopmend";

/// The arguments of bubblewrap that make a view, in the order in which it takes them.
#[derive(Debug, Default)]
pub(crate) struct View {
    words: Vec<OsString>,
    made: Vec<PathBuf>,
    /// Whether folders in memory can be kept small.
    sized: bool,
}

/// How much memory the folders in memory may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InMemory {
    pub tmp: u64,
    pub shared: u64,
    pub home: u64,
}

impl View {
    /// The system, and private folders in memory.
    pub fn system(sizes: InMemory, sized: bool) -> Self {
        let mut view = Self { sized, ..Self::default() };
        for folder in SYSTEM {
            let path = Path::new(folder);
            if let Ok(target) = std::fs::read_link(path) {
                view.say([OsStr::new("--symlink"), target.as_os_str(), path.as_os_str()]);
            } else if path.is_dir() {
                view.show(path, path);
            }
        }
        view.say(["--proc", "/proc", "--dev", "/dev"]);
        view.in_memory("/dev/shm", "1777", sizes.shared);
        view.in_memory("/tmp", "1777", sizes.tmp);
        view.folder(Path::new("/var/x"));
        view.say(["--symlink", "../tmp", "/var/tmp", "--symlink", "../run", "/var/run"]);
        view.folder(Path::new("/run/loopmend/x"));
        // How many processors there are.
        let processors = Path::new("/sys/devices/system/cpu");
        if processors.is_dir() {
            view.show(processors, processors);
        }
        view.folder(Path::new(HOME));
        view.in_memory(HOME, "0777", sizes.home);
        view
    }

    /// The copy in the tree's place, and what is read beside it.
    pub fn tree(&mut self, layout: &Layout, readable: &[PathBuf]) {
        let (within, beside): (Vec<&PathBuf>, Vec<&PathBuf>) =
            readable.iter().partition(|path| path.starts_with(&layout.tree) && **path != layout.tree);
        for path in beside {
            // The system is there already, and the tree itself never.
            if !SYSTEM.iter().any(|folder| path.starts_with(folder)) && *path != layout.tree {
                self.show(path, path);
            }
        }
        self.lend(&layout.copy, &layout.tree);
        for path in within {
            self.show(path, path);
        }
        self.show(&layout.lent, Path::new(LENT));
        self.lend(&layout.left, Path::new(LEFT));
    }

    /// Makes a link, unless it is in what is shown already.
    pub fn link(&mut self, at: &Path, says: &Path, shown: &[PathBuf]) {
        if SYSTEM.iter().any(|folder| at.starts_with(folder))
            || shown.iter().any(|folder| at.starts_with(folder))
        {
            return;
        }
        self.folder(at);
        self.say([OsStr::new("--symlink"), says.as_os_str(), at.as_os_str()]);
    }

    /// Shows a file or folder, to be read only.
    pub fn show(&mut self, from: &Path, at: &Path) {
        self.folder(at);
        self.say([OsStr::new("--ro-bind"), from.as_os_str(), at.as_os_str()]);
    }

    /// Shows a folder that may be written to.
    pub fn lend(&mut self, from: &Path, at: &Path) {
        self.folder(at);
        self.say([OsStr::new("--bind"), from.as_os_str(), at.as_os_str()]);
    }

    /// Makes all that was made to hold the rest unwritable, and gives the arguments.
    pub fn finish(mut self) -> Vec<OsString> {
        self.say(["--remount-ro", "/dev", "--remount-ro", "/"]);
        self.words
    }

    fn in_memory(&mut self, at: &str, mode: &str, size: u64) {
        if self.sized {
            self.say(["--size", &size.to_string()]);
        }
        self.say(["--perms", mode, "--tmpfs", at]);
    }

    /// Makes the folders above a path, open to everybody: by itself bubblewrap makes them for root alone.
    fn folder(&mut self, at: &Path) {
        let mut above: Vec<&Path> = at.ancestors().skip(1).filter(|path| path.parent().is_some()).collect();
        above.reverse();
        for path in above {
            if self.made.iter().any(|made| made == path)
                || SYSTEM.iter().any(|folder| path.starts_with(folder))
            {
                continue;
            }
            if path == Path::new("/tmp") || path.starts_with("/dev") {
                continue;
            }
            self.made.push(path.to_path_buf());
            self.say([OsStr::new("--perms"), OsStr::new("0755"), OsStr::new("--dir"), path.as_os_str()]);
        }
    }

    fn say<S: AsRef<OsStr>>(&mut self, words: impl IntoIterator<Item = S>) {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_os_string()));
    }
}
