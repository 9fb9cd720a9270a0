//! The sandbox: bubblewrap around every run, as a place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use loopmend_model::Patch;

use super::bubblewrap::{Bubblewrap, Unavailable};
use super::cgroup::{Grounds, Groups};
use super::copy::Cap;
use super::disk::{self, Size, Watch};
use super::find::{Search, found};
use super::hold::{Hold, Sockets};
use super::line::joining;
use super::service::Service;
use super::user::{self, User};
use super::view;
use super::{repository, workshop};
use crate::environment::Environment;
use crate::place::{Launcher, Layout, Place, PrepareError, Setting, Workspace};
use crate::run::{Command, Launch, RunError};

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
    pub(crate) bubblewrap: Bubblewrap,
    grounds: Grounds,
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
        let launcher = Confined { place: self.clone(), user, before: OnceLock::new() };
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
pub(crate) struct Confined {
    pub(crate) place: Sandbox,
    pub(crate) user: User,
    /// What the copy held before anything ran in it.
    before: OnceLock<Size>,
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
        let folders = vec![layout.copy.clone(), layout.left.clone()];
        let before = *self.before.get_or_init(|| disk::size(&folders));
        let watch = Watch::new(folders, before, command.limits.disk);
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
