//! The command line of a confined run: groups joined, bubblewrap with its view, a lowered user, limits, and then the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::cgroup::Groups;
use super::confined::Confined;
use super::family::Depth;
use super::gateway;
use super::hold::Sockets;
use super::user::{HOME, NAME};
use super::view::{self, InMemory, View};
use crate::place::Layout;
use crate::run::{Command, Limits};

/// Variables of the user that a run keeps.
fn is_allowed(name: &str) -> bool {
    matches!(name, "LANG" | "LANGUAGE" | "TZ") || name.starts_with("LC_")
}

impl Confined {
    /// Bubblewrap and what it runs, up to the program; and how many processes lead to that.
    pub(crate) fn words(
        &self,
        layout: &Layout,
        command: &Command,
        folder: &Path,
        sockets: Option<&Sockets>,
    ) -> (Vec<OsString>, Depth) {
        let place = &self.place;
        let limits = &command.limits;
        let small = (limits.memory / 4).min(limits.disk);
        let sizes = InMemory { tmp: small, shared: small, home: small.min(64 << 20) };
        let mut view = View::system(sizes, place.bubblewrap.sizes_memory());
        for name in ["passwd", "group", "hosts"] {
            let at = Path::new("/etc").join(name);
            if at.exists() {
                view.show(&layout.base.join("etc").join(name), &at);
            }
        }
        let mut readable = place.readable.clone();
        readable
            .extend(place.environment.iter().flat_map(|environment| environment.readable.iter().cloned()));
        for (at, says) in place.environment.iter().flat_map(|environment| &environment.links) {
            view.link(at, says, &readable);
        }
        view.tree(layout, &readable);
        for path in &place.writable {
            view.lend(path, path);
        }
        if let (Some(sockets), Some(program)) = (sockets, &place.program) {
            view.show(sockets.folder(), Path::new(view::SERVICES));
            view.show(program, Path::new(view::PROGRAM));
        }

        let mut words: Vec<OsString> = vec![place.bubblewrap.path.clone().into()];
        words.extend(
            ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
                .map(OsString::from),
        );
        words.extend(["--hostname", NAME, "--die-with-parent", "--new-session"].map(OsString::from));
        let closing: &[&str] =
            if place.bubblewrap.disables_namespaces() { &["--disable-userns"] } else { &[] };
        if !self.user.lowered {
            // Also where the machine would not ask for it: it is what takes all privileges away.
            words.push("--unshare-user".into());
            words.extend(closing.iter().map(OsString::from));
        }
        words.extend(view.finish());
        words.extend(["--chdir".into(), folder.as_os_str().to_owned(), "--".into()]);
        let mut depth = 2;
        if self.user.lowered {
            let id = self.user.id.to_string();
            words.push(place.bubblewrap.setpriv.clone().into());
            words.extend(
                ["--reuid", &id, "--regid", &id, "--clear-groups", "--no-new-privs"].map(OsString::from),
            );
            words.extend(["--inh-caps", "-all", "--bounding-set", "-all", "--"].map(OsString::from));
            if !closing.is_empty() {
                words.push(place.bubblewrap.path.clone().into());
                words.extend(
                    ["--unshare-user", "--die-with-parent", "--dev-bind", "/", "/"].map(OsString::from),
                );
                words.extend(closing.iter().map(OsString::from));
                words.push("--".into());
                depth += 1;
            }
        }
        // A session of its own, so that a program that signals its group does not end its sandbox.
        words.extend(["setsid".into(), place.bubblewrap.prlimit.clone().into()]);
        words.extend(resource_limits(limits));
        depth += usize::from(sockets.is_some());
        (words, Depth(depth))
    }

    pub(crate) fn path(&self) -> Vec<PathBuf> {
        let mut path: Vec<PathBuf> =
            self.place.environment.iter().flat_map(|environment| environment.path.iter().cloned()).collect();
        path.extend(
            ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
                .map(PathBuf::from),
        );
        path
    }

    pub(crate) fn variables(&self, path: &[PathBuf]) -> Vec<(OsString, OsString)> {
        let mut variables: Vec<(OsString, OsString)> =
            std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_allowed)).collect();
        let mut set = |name: &str, value: OsString| variables.push((name.into(), value));
        set("PATH", std::env::join_paths(path).unwrap_or_else(|_| "/usr/bin:/bin".into()));
        set("HOME", HOME.into());
        set("USER", NAME.into());
        set("LOGNAME", NAME.into());
        set("SHELL", "/bin/sh".into());
        set("TMPDIR", "/tmp".into());
        for (name, value) in self.place.environment.iter().flat_map(|environment| &environment.variables) {
            set(name, value.clone().into());
        }
        if self.place.gateway {
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
                let value = format!("http://127.0.0.1:{}", gateway::PORT);
                set(&name.to_ascii_lowercase(), value.clone().into());
                set(name, value.into());
            }
        }
        for (name, value) in &self.place.variables {
            set(name, value.into());
        }
        variables
    }
}

/// The limits that the system holds every process to.
fn resource_limits(limits: &Limits) -> Vec<OsString> {
    vec![
        format!("--nproc={}", limits.processes).into(),
        format!("--fsize={}", limits.file).into(),
        format!("--data={}", limits.memory).into(),
        "--core=0".into(),
        "--".into(),
    ]
}

/// The system's command, which joins the groups before it becomes the first of these words.
pub(crate) fn joining(groups: &Groups, words: Vec<OsString>) -> std::process::Command {
    let mut joins = groups.joins().peekable();
    let mut words = words.into_iter();
    if joins.peek().is_none() {
        let mut command = std::process::Command::new(words.next().unwrap_or_default());
        command.args(words);
        return command;
    }
    let mut script = String::new();
    let mut command = std::process::Command::new("/bin/sh");
    let files: Vec<PathBuf> = joins.collect();
    for index in 1..=files.len() {
        script.push_str(&format!("echo $$ > \"${index}\" || exit 1; "));
    }
    script.push_str(&format!("shift {}; exec \"$@\"", files.len()));
    command.arg("-c").arg(script).arg("sh").args(files).args(words);
    command
}
