//! `loopmend doctor`: what this machine lacks, and the line that installs it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::answer;
use crate::environment;
use crate::printable::printable_line;
use crate::program::Outcome;
use crate::style::{self, paint};
use crate::tree;

const EXAMPLES: &str = "\
Examples:
  loopmend doctor            this machine, and the project in this folder
  loopmend doctor ~/shop

Exit status 1 where something that is needed is lacking; what only some commands use does not count.";

/// Packages whose version decides what a log means.
const TELLING: [&str; 12] = [
    "pytest-asyncio",
    "anyio",
    "fastapi",
    "starlette",
    "uvicorn",
    "aiohttp",
    "httpx",
    "asyncpg",
    "redis",
    "sqlalchemy",
    "celery",
    "uvloop",
];

/// Say what this machine lacks, and how to install it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    /// The project's folder [default: this folder].
    path: Option<PathBuf>,
}

/// One thing that was looked for.
struct Finding {
    name: &'static str,
    found: Option<String>,
    needed: bool,
    purpose: &'static str,
    install: String,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let root = self.path.as_deref().unwrap_or(Path::new("."));
        tree::check_folder(root)?;
        let findings = machine();
        let mut out =
            format!("loopmend {}\n\n{}\n", env!("CARGO_PKG_VERSION"), paint(style::HEADING, "This machine"));
        for finding in &findings {
            line(&mut out, finding);
        }
        let _ = writeln!(out, "\n{}", paint(style::HEADING, "The project"));
        project(&mut out, root);
        answer::text(&out)?;
        let lacking = findings.iter().any(|finding| finding.needed && finding.found.is_none());
        Ok(if lacking { Outcome::Left } else { Outcome::Done })
    }
}

fn machine() -> Vec<Finding> {
    let mut findings = vec![
        Finding {
            name: "Python 3",
            found: environment::python()
                .and_then(|path| Some(format!("{} ({})", environment::version(&path)?, path.display()))),
            needed: true,
            purpose: "runs your project, and the demo",
            install: install("python3"),
        },
        program("git", true, "tells which files have uncommitted changes", install("git")),
        program(
            "uv",
            false,
            "makes environments (installed into loopmend's own cache when it is first needed)",
            "pip install uv".to_owned(),
        ),
    ];
    #[cfg(target_os = "linux")]
    findings.extend(sandbox());
    findings
}

/// What confines the user's code, and what it can limit on this machine.
#[cfg(target_os = "linux")]
fn sandbox() -> Vec<Finding> {
    use loopmend_verify::{Place as _, Sandbox};
    let purpose = "runs your code in a sandbox to prove a mend";
    let sandbox = match Sandbox::new() {
        Ok(sandbox) => sandbox,
        Err(error) => {
            let install = error.package().map_or_else(|| error.hint(), install);
            return vec![Finding { name: "sandbox", found: None, needed: false, purpose, install }];
        }
    };
    let version = sandbox.describe().confined_by.map(|version| format!("{version}; namespaces can be made"));
    let lacking = sandbox.without_groups();
    let groups = Finding {
        name: "control groups",
        found: lacking.is_empty().then(|| "limit memory and processes".to_owned()),
        needed: false,
        purpose: if lacking.contains(&"memory") {
            "limit memory sharply (else it is looked at twenty times a second)"
        } else {
            "limit processes (else the system counts those of a user)"
        },
        install: "systemd-run --user --scope loopmend …".to_owned(),
    };
    vec![Finding { name: "sandbox", found: version, needed: false, purpose, install: String::new() }, groups]
}

fn program(name: &'static str, needed: bool, purpose: &'static str, install: String) -> Finding {
    let found = environment::program(name)
        .and_then(|path| Some(format!("{} ({})", environment::version(&path)?, path.display())));
    Finding { name, found, needed, purpose, install }
}

/// The line that installs a package with what this machine has.
fn install(package: &str) -> String {
    let managers = [
        ("apt-get", "sudo apt-get install"),
        ("dnf", "sudo dnf install"),
        ("pacman", "sudo pacman -S"),
        ("apk", "sudo apk add"),
        ("zypper", "sudo zypper install"),
        ("brew", "brew install"),
        ("winget", "winget install"),
    ];
    let line =
        managers.iter().find(|(program, _)| environment::program(program).is_some()).map(|(_, line)| *line);
    let package = match (line, package) {
        (Some("sudo pacman -S"), "python3") => "python",
        (Some("sudo apt-get install"), "python3") => "python3 python3-venv",
        (Some("winget install"), "python3") => "Python.Python.3.13",
        (Some("winget install"), "git") => "Git.Git",
        (_, package) => package,
    };
    line.map_or_else(
        || format!("install {package} with your system's package manager"),
        |line| format!("{line} {package}"),
    )
}

fn line(out: &mut String, finding: &Finding) {
    let name = format!("{:<16}", finding.name);
    if let Some(found) = &finding.found {
        let _ = writeln!(out, "  {} {name} {}", paint(style::GOOD, "ok     "), printable_line(found));
        return;
    }
    let (style, word) = if finding.needed { (style::ERROR, "lacking") } else { (style::WARNING, "absent ") };
    let install = paint(style::NAME, &finding.install);
    let _ = writeln!(out, "  {} {name} {}: {install}", paint(style, word), finding.purpose);
}

fn project(out: &mut String, root: &Path) {
    let row = |out: &mut String, name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<24} {}", printable_line(value));
    };
    match tree::environment_of(root) {
        Some(path) => row(out, "environment", &path.display().to_string()),
        None => row(
            out,
            "environment",
            "none found: activate it, or make one in .venv; versions are read from it",
        ),
    }
    match tree::read(root, environment::activated().as_deref()) {
        Ok(tree) => {
            row(out, "Python files", &tree.files.len().to_string());
            if let Some((major, minor)) = tree.settings.python.min {
                row(out, "lowest Python", &format!("{major}.{minor}"));
            }
            for name in TELLING {
                if let Some(version) = tree.settings.version(name) {
                    row(out, name, &version.to_string());
                }
            }
            if let Some(file) = &tree.settings.pytest.file {
                row(out, "pytest reads", file);
            }
        }
        Err(error) => row(out, "could not be read", &format!("{error:#}")),
    }
}
