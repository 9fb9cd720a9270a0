//! The sandbox: bubblewrap around every run, as a place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loopmend_model::Patch;

use super::bubblewrap::{Bubblewrap, Unavailable};
use super::cgroup::{Grounds, Groups};
use super::copy::Cap;
use super::disk::Watch;
use super::family::Depth;
use super::find::{Search, found};
use super::gateway;
use super::hold::{Hold, Sockets};
use super::service::Service;
use super::user::{self, HOME, NAME, User};
use super::view::{self, InMemory, View};
use super::{repository, workshop};
use crate::environment::Environment;
use crate::place::{Launcher, Layout, Place, PrepareError, Setting, Workspace};
use crate::run::{Command, Launch, Limits, RunError};

/// Runs commands where they see a copy of the tree, the system read-only, and nothing else.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// How large the tree may be.
    pub cap: Cap,
    /// The Python that runs.
    pub environment: Option<Environment>,
    /// Services of the host that runs may reach.
    pub services: Vec<Service>,
    /// Files and folders besides that may be read, at their own paths.
    pub readable: Vec<PathBuf>,
    /// Variables that every run has besides the allowed ones.
    pub variables: Vec<(String, String)>,
    /// The program that stands in for services inside: it must call [`inside`](super::inside()).
    pub program: Option<PathBuf>,
    /// Folders outside the copy that may be written to, at their own paths; they belong to [`Sandbox::builder`].
    pub(crate) writable: Vec<PathBuf>,
    /// Other machines are reached, through a proxy that never leads to this one.
    pub(crate) gateway: bool,
    /// Runs are those of one user, the same every time, that owns what is made for keeps.
    pub(crate) builder: bool,
    bubblewrap: Bubblewrap,
    grounds: Grounds,
}

/// Variables of the user that a run keeps.
fn is_allowed(name: &str) -> bool {
    matches!(name, "LANG" | "LANGUAGE" | "TZ") || name.starts_with("LC_")
}

impl Sandbox {
    /// The sandbox of this machine, without services; this program stands in for them once there are some.
    pub fn new() -> Result<Self, Unavailable> {
        Ok(Self {
            cap: Cap::default(),
            environment: None,
            services: Vec::new(),
            readable: Vec::new(),
            variables: Vec::new(),
            program: std::env::current_exe().ok(),
            writable: Vec::new(),
            gateway: false,
            builder: false,
            bubblewrap: Bubblewrap::find()?,
            grounds: Grounds::find(),
        })
    }
}

impl Sandbox {
    /// What no control group limits here, in words; it is limited by other means then.
    pub fn without_groups(&self) -> Vec<&'static str> {
        let limited =
            [(self.grounds.limits_memory(), "memory"), (self.grounds.limits_processes(), "processes")];
        limited.iter().filter(|(limited, _)| !limited).map(|(_, name)| *name).collect()
    }
}

impl Place for Sandbox {
    fn prepare(&self, tree: &Path, patch: Option<&Patch>) -> Result<Workspace, PrepareError> {
        let user = if self.builder { User::builder() } else { User::new() };
        let (base, layout, left_out) = workshop::prepare(tree, patch, self.cap, user.owner())?;
        if layout.tree.join(".git").exists() && repository::make(&layout.copy) {
            workshop::give(&layout.copy.join(".git"), user.owner()).map_err(PrepareError::Folder)?;
        }
        user::write_names(&layout.base.join("etc"), user, &self.services).map_err(PrepareError::Folder)?;
        let launcher = Confined { place: self.clone(), user };
        Ok(Workspace::new(base, layout, left_out, Arc::new(launcher)))
    }

    fn describe(&self) -> Setting {
        let mut limited_by = vec![
            "time, output and disk, from outside".to_owned(),
            "file size and processes, by resource limits of an ordinary user".to_owned(),
        ];
        let mut open = Vec::new();
        match (self.grounds.limits_memory(), self.grounds.limits_processes()) {
            (true, true) => limited_by.push("memory and processes, by control groups".to_owned()),
            (true, false) => limited_by.push("memory, by a control group".to_owned()),
            (false, processes) => {
                if processes {
                    limited_by.push("processes, by a control group".to_owned());
                }
                limited_by.push("memory, by resource limits and by looking twenty times a second".to_owned());
            }
        }
        if !self.bubblewrap.sizes_memory() {
            open.push("folders in memory are limited with the rest of the memory only".to_owned());
        }
        if !self.bubblewrap.disables_namespaces() {
            open.push("programs may make user namespaces".to_owned());
        }
        Setting {
            confined_by: Some(self.bubblewrap.version.clone()),
            limited_by,
            open,
            services: self.services.iter().map(ToString::to_string).collect(),
            python: self.environment.as_ref().map(|environment| environment.python.clone()),
        }
    }
}

/// The sandbox's part of one workspace.
struct Confined {
    place: Sandbox,
    user: User,
}

impl Launcher for Confined {
    fn launch(&self, layout: &Layout, command: &Command, attended: bool) -> Result<Launch, RunError> {
        let shown = command.shown();
        let fails = |source| RunError::Io { command: shown.clone(), source };
        let host_folder = layout.copy.join(&command.folder);
        if !host_folder.is_dir() {
            return Err(RunError::NoFolder { command: shown, folder: command.folder.clone() });
        }
        let folder = match command.folder.as_str() {
            "" => layout.tree.clone(),
            below => layout.tree.join(below),
        };
        let path = self.path();
        let search = Search { copy: &layout.copy, tree: &layout.tree, folder: &folder, path: &path };
        let program = command.argv.first().map(PathBuf::from).unwrap_or_default();
        let Some(program) = found(&program, &search) else {
            return Err(RunError::NoProgram { command: shown, program: program.display().to_string() });
        };

        let sockets = Sockets::open(
            &layout.base,
            &self.place.services,
            self.place.gateway,
            attended && self.place.program.is_some(),
        )
        .map_err(fails)?;
        let errand = sockets.as_ref().map(|sockets| sockets.errand(&self.place.services));
        let groups = Groups::make(&self.place.grounds, &command.limits);
        let (words, depth) = self.words(layout, command, &folder, sockets.as_ref());
        let mut system = joining(&groups, words);
        if let Some(errand) = errand {
            system.arg(view::PROGRAM).args(errand.words());
        }
        system.arg(program).args(command.argv.iter().skip(1));
        system
            .env_clear()
            .envs(self.variables(&path))
            .envs(command.env.iter().map(|(name, value)| (name, value)));
        let watch = Watch::new(vec![layout.copy.clone(), layout.left.clone()], command.limits.disk);
        let reach = Hold::new(depth, command.limits.memory, watch, groups, sockets);
        Ok(Launch { command: system, reach: Arc::new(reach) })
    }

    fn inside(&self, layout: &Layout, path: &Path) -> PathBuf {
        let seen = [
            (&layout.copy, layout.tree.as_path()),
            (&layout.lent, Path::new(view::LENT)),
            (&layout.left, Path::new(view::LEFT)),
        ];
        for (from, at) in seen {
            if let Ok(rest) = path.strip_prefix(from) {
                return if rest.as_os_str().is_empty() { at.to_path_buf() } else { at.join(rest) };
            }
        }
        path.to_path_buf()
    }
}

impl Confined {
    /// Bubblewrap and what it runs, up to the program; and how many processes lead to that.
    fn words(
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

    fn path(&self) -> Vec<PathBuf> {
        let mut path: Vec<PathBuf> =
            self.place.environment.iter().flat_map(|environment| environment.path.iter().cloned()).collect();
        path.extend(
            ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
                .map(PathBuf::from),
        );
        path
    }

    fn variables(&self, path: &[PathBuf]) -> Vec<(OsString, OsString)> {
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
fn joining(groups: &Groups, words: Vec<OsString>) -> std::process::Command {
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
