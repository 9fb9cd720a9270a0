//! Limits on memory and processes by control groups, where there is one that may be divided.
//!
//! Ours to divide is the group that this process is in when it is the root of what we see (a container, a machine), or a group
//! above it that belongs to this user and hands its controllers down (a desktop's session). A group that some supervisor made
//! for us is left as it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::run::Limits;

/// The places in which groups may be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grounds {
    /// Version 2, with both controllers.
    pub unified: Option<PathBuf>,
    /// Version 1.
    pub memory: Option<PathBuf>,
    /// Version 1.
    pub processes: Option<PathBuf>,
}

/// A mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The part of the hierarchy that is seen.
    root: String,
    at: PathBuf,
    /// Controllers of version 1; `None` for version 2.
    controllers: Option<Vec<String>>,
}

impl Grounds {
    /// Looks at this machine.
    pub fn find() -> Self {
        let (Ok(mounts), Ok(own)) =
            (fs::read_to_string("/proc/self/mountinfo"), fs::read_to_string("/proc/self/cgroup"))
        else {
            return Self::default();
        };
        let mounts = mounts_of(&mounts);
        let v1 = |controller: &str| {
            let mount = mounts.iter().find(|mount| {
                mount.controllers.as_ref().is_some_and(|names| names.iter().any(|name| name == controller))
            })?;
            let path = own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let names = parts.next()?;
                names.split(',').any(|name| name == controller).then(|| parts.next()).flatten()
            })?;
            let ours = path == mount.root || path == "/";
            (ours && may_make(&mount.at)).then(|| mount.at.clone())
        };
        let unified = mounts.iter().find(|mount| mount.controllers.is_none()).and_then(|mount| {
            let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
            unified(mount, path)
        });
        Self { unified, memory: v1("memory"), processes: v1("pids") }
    }

    /// Whether memory can be limited.
    pub fn limits_memory(&self) -> bool {
        self.unified.is_some() || self.memory.is_some()
    }

    /// Whether processes can be limited.
    pub fn limits_processes(&self) -> bool {
        self.unified.is_some() || self.processes.is_some()
    }
}

/// The nearest group, ours or above it, that hands down both controllers and in which this user may make groups.
fn unified(mount: &Mount, own: &str) -> Option<PathBuf> {
    let below = own.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or(own).trim_start_matches('/');
    let start = mount.at.join(below);
    let candidates = start.ancestors().take_while(|path| path.starts_with(&mount.at));
    for path in candidates {
        let handed = fs::read_to_string(path.join("cgroup.subtree_control")).unwrap_or_default();
        let hands = |name: &str| handed.split_ascii_whitespace().any(|word| word == name);
        let root_here = below.is_empty() && path == mount.at;
        // Root may write anywhere, so for it only a group that is its own whole view, or handed over, counts.
        let ours = root_here || !rustix::process::geteuid().is_root() || is_delegated(path);
        if ours && hands("memory") && hands("pids") && may_make(path) {
            return Some(path.to_path_buf());
        }
    }
    None
}

/// Whether a supervisor said that this group is its user's to divide.
fn is_delegated(path: &Path) -> bool {
    let mut value = [0; 4];
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        rustix::fs::getxattr(path, *name, &mut value).is_ok_and(|length| value[..length] == *b"1")
    })
}

fn may_make(folder: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let writes = |path: &Path| accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    writes(folder) && writes(&folder.join("cgroup.procs"))
}

fn mounts_of(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut left = left.split(' ').skip(3);
            let (root, at) = (left.next()?.to_owned(), PathBuf::from(left.next()?));
            let mut right = right.split(' ');
            let controllers = match right.next()? {
                "cgroup2" => None,
                "cgroup" => Some(right.nth(1)?.split(',').map(str::to_owned).collect()),
                _ => return None,
            };
            Some(Mount { root, at, controllers })
        })
        .collect()
}

/// Groups made for one run, removed with it.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    folders: Vec<PathBuf>,
}

impl Groups {
    /// Makes the groups; those that could not be made are not there, which [`Groups::joins`] tells.
    pub fn make(grounds: &Grounds, limits: &Limits) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("loopmend-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut groups = Self::default();
        for ground in [&grounds.unified, &grounds.memory, &grounds.processes].into_iter().flatten() {
            Self::sweep(ground);
        }
        let (memory, processes) = (limits.memory.to_string(), limits.processes.to_string());
        if let Some(ground) = &grounds.unified {
            let settings: &[(&str, &str)] = &[
                ("memory.max", &memory),
                ("pids.max", &processes),
                ("memory.swap.max", "0"),
                ("memory.oom.group", "1"),
            ];
            groups.add(ground.join(&name), &settings[..2], &settings[2..]);
            return groups;
        }
        if let Some(ground) = &grounds.memory {
            let (needed, wanted) = (
                [("memory.limit_in_bytes", memory.as_str())],
                [("memory.memsw.limit_in_bytes", memory.as_str())],
            );
            groups.add(ground.join(&name), &needed, &wanted);
        }
        if let Some(ground) = &grounds.processes {
            groups.add(ground.join(&name), &[("pids.max", processes.as_str())], &[]);
        }
        groups
    }

    /// Removes the groups of processes that were killed before they could.
    fn sweep(ground: &Path) {
        for entry in fs::read_dir(ground).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| name.strip_prefix("loopmend-")?.split('-').next());
            if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
                // One that still has processes is not removed by this.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }

    fn add(&mut self, folder: PathBuf, needed: &[(&str, &str)], wanted: &[(&str, &str)]) {
        let set = |(file, value): &(&str, &str)| fs::write(folder.join(file), value);
        if fs::create_dir(&folder).is_err() {
            return;
        }
        if needed.iter().try_for_each(set).is_err() {
            let _ = fs::remove_dir(&folder);
            return;
        }
        // Swap may not be accounted for; the limit on memory holds all the same.
        for setting in wanted {
            let _ = set(setting);
        }
        self.folders.push(folder);
    }

    /// The files to which a process writes itself to join.
    pub fn joins(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.folders.iter().map(|folder| folder.join("cgroup.procs"))
    }

    /// Whether the system ended a process in them for want of memory.
    pub fn ran_out(&self) -> bool {
        self.folders.iter().any(|folder| {
            let text = ["memory.events", "memory.oom_control"]
                .iter()
                .find_map(|file| fs::read_to_string(folder.join(file)).ok());
            text.is_some_and(|text| {
                text.lines()
                    .any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
            })
        })
    }

    /// Kills what is in them, and removes them.
    pub fn clear(&self) -> io::Result<()> {
        for folder in &self.folders {
            remove(folder)?;
        }
        Ok(())
    }
}

/// Removes a group, once the system has let go of its last process.
fn remove(folder: &Path) -> io::Result<()> {
    for attempt in 0..50 {
        match fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) => {}
        }
        if attempt > 0 {
            kill_all(folder);
        }
        std::thread::sleep(std::time::Duration::from_millis(2 + attempt));
    }
    fs::remove_dir(folder)
}

fn kill_all(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let processes: Vec<u32> = processes.lines().filter_map(|line| line.parse().ok()).collect();
    super::family::signal(&processes, crate::run::Signal::Kill);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_both_versions_are_read() {
        let text = "\
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 /docker/1 /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:39 / /proc rw - proc proc rw";
        let mount = |root: &str, at: &str, names: Option<&[&str]>| Mount {
            root: root.to_owned(),
            at: at.into(),
            controllers: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let expected = vec![
            mount("/", "/sys/fs/cgroup/memory", Some(&["rw", "memory"])),
            mount("/docker/1", "/sys/fs/cgroup/cpu,cpuacct", Some(&["rw", "cpu", "cpuacct"])),
            mount("/", "/sys/fs/cgroup/unified", None),
        ];
        assert_eq!(mounts_of(text), expected);
    }

    #[test]
    fn the_nearest_group_that_hands_down_both_controllers_is_divided() {
        let root = tempfile::tempdir().unwrap();
        let mount = Mount { root: "/".to_owned(), at: root.path().to_path_buf(), controllers: None };
        let make = |path: &str, handed: &str| {
            let folder = root.path().join(path);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("cgroup.subtree_control"), handed).unwrap();
            fs::write(folder.join("cgroup.procs"), "").unwrap();
        };
        make("", "cpu memory pids");
        make("user/app", "memory pids");
        make("user/app/terminal", "");
        let expected =
            if rustix::process::geteuid().is_root() { None } else { Some(root.path().join("user/app")) };
        // Root may write everywhere, so only what was handed over to it counts.
        assert_eq!(unified(&mount, "/user/app/terminal"), expected);
        assert_eq!(unified(&mount, "/"), Some(root.path().to_path_buf()));
    }
}
