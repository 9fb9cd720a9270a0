//! The program that confines runs: where it is, what it can do, and what to do where it can't.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use thiserror::Error;

/// Bubblewrap, as this machine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bubblewrap {
    /// The program.
    pub path: PathBuf,
    /// What it calls itself, such as `bubblewrap 0.8.0`.
    pub version: String,
    /// Major and minor version.
    number: (u32, u32),
    /// Gives the program a user that is not root, and sets its limits.
    pub(crate) setpriv: PathBuf,
    pub(crate) prlimit: PathBuf,
}

/// Why nothing can be confined here.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unavailable {
    /// A program is not installed.
    #[error("confine runs: `{program}` is not installed")]
    NoProgram {
        /// The program that is missing.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// Bubblewrap lacks what is needed.
    #[error("confine runs: {0} is older than 0.5")]
    TooOld(String),
    /// The program is there, but the system does not let it work.
    #[error("confine runs: bubblewrap can't make namespaces here: {0}")]
    NoNamespaces(String),
}

impl Unavailable {
    /// The package to install, where that is the remedy.
    pub fn package(&self) -> Option<&'static str> {
        match self {
            Self::NoProgram { package, .. } => Some(package),
            Self::TooOld(_) | Self::NoNamespaces(_) => None,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::NoProgram { package, .. } => {
                format!(
                    "install it (`sudo apt-get install {package}`), or use --no-sandbox, which the proof will say"
                )
            }
            Self::TooOld(_) => {
                "install bubblewrap 0.8, or use --no-sandbox, which the proof will say".to_owned()
            }
            Self::NoNamespaces(_) => format!("{}, or use --no-sandbox, which the proof will say", remedy()),
        }
    }
}

/// What lets namespaces be made, by what forbids them.
fn remedy() -> &'static str {
    let is = |path: &str, value: &str| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "allow user namespaces (`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`)"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "allow user namespaces (`sudo sysctl -w kernel.unprivileged_userns_clone=1`)"
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "allow user namespaces (`sudo sysctl -w user.max_user_namespaces=15000`)"
    } else if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        "start the container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined --cap-add SYS_ADMIN`"
    } else {
        "allow user namespaces for this user"
    }
}

impl Bubblewrap {
    /// Finds it and tries it; the answer is kept for the life of this process.
    pub fn find() -> Result<Self, Unavailable> {
        static FOUND: OnceLock<Result<Bubblewrap, Unavailable>> = OnceLock::new();
        FOUND.get_or_init(look).clone()
    }

    /// Whether folders in memory can be kept small.
    pub(crate) fn sizes_memory(&self) -> bool {
        self.number >= (0, 7)
    }

    /// Whether what runs inside can be kept from making user namespaces of its own.
    pub(crate) fn disables_namespaces(&self) -> bool {
        self.number >= (0, 8)
    }
}

fn look() -> Result<Bubblewrap, Unavailable> {
    let program = |program: &'static str, package: &'static str| {
        in_path(program).ok_or(Unavailable::NoProgram { program, package })
    };
    let path = program("bwrap", "bubblewrap")?;
    let setpriv = program("setpriv", "util-linux")?;
    let prlimit = program("prlimit", "util-linux")?;
    let version = said(Command::new(&path).arg("--version")).unwrap_or_default();
    let mut numbers =
        version.rsplit(' ').next().unwrap_or_default().split('.').map_while(|part| part.parse().ok());
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if number < (0, 5) {
        return Err(Unavailable::TooOld(version));
    }
    let trial = [
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "true",
    ];
    said(Command::new(&path).args(trial)).map_err(Unavailable::NoNamespaces)?;
    Ok(Bubblewrap { path, version, number, setpriv, prlimit })
}

/// What a program prints; else the last line of its complaint.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(complaint.trim().lines().last().unwrap_or("it failed without a word").to_owned())
}

/// A program of the user's path.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}
