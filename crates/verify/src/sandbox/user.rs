//! Who the program is inside: an ordinary user, whoever started us.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::service::Service;

/// Where the program's home is, as it sees it: empty, in memory, gone with it.
pub(crate) const HOME: &str = "/home/loopmend";
/// The name it has.
pub(crate) const NAME: &str = "loopmend";

/// The user of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// Its number, user and group.
    pub id: u32,
    /// We are root, and it must not be.
    pub lowered: bool,
}

/// Numbers that systems keep free for users who come and go.
const PASSING: std::ops::Range<u32> = 61_184..65_520;

impl User {
    /// Ourselves; where we are root, a number that nobody else has at the moment.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = rustix::process::geteuid().as_raw();
        if own != 0 {
            return Self { id: own, lowered: false };
        }
        let width = PASSING.end - PASSING.start - 1;
        let step = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(251);
        Self {
            id: PASSING.start + std::process::id().wrapping_mul(7).wrapping_add(step) % width,
            lowered: true,
        }
    }

    /// Ourselves; where we are root, the one number that owns what is made for keeps.
    pub fn builder() -> Self {
        let own = Self::new();
        if own.lowered { Self { id: PASSING.end - 1, ..own } } else { own }
    }

    /// Who must own the files that it may write, where that is not us.
    pub fn owner(self) -> Option<u32> {
        self.lowered.then_some(self.id)
    }
}

/// Writes the files of `/etc` that name the user, and the hosts it knows.
pub(crate) fn write_names(folder: &Path, user: User, services: &[Service]) -> io::Result<()> {
    let id = user.id;
    fs::create_dir_all(folder)?;
    fs::write(
        folder.join("passwd"),
        format!(
            "root:x:0:0:root:/root:/bin/sh\n{NAME}:x:{id}:{id}:{NAME}:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
        ),
    )?;
    fs::write(folder.join("group"), format!("root:x:0:\n{NAME}:x:{id}:\nnogroup:x:65534:\n"))?;
    let mut hosts = "127.0.0.1 localhost loopmend\n::1 localhost\n".to_owned();
    for service in services {
        if let Some(address) = service.named_address() {
            hosts.push_str(&format!("{address} {}\n", service.host));
        }
    }
    fs::write(folder.join("hosts"), hosts)
}
