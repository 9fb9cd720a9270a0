//! The place that hides nothing: a copy of the tree, and otherwise the user's machine as it is.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loopmend_model::Patch;
use rustix::process::{Pid, kill_process, kill_process_group};

use super::copy::Cap;
use super::find::{Search, found};
use super::workshop;
use crate::environment::Environment;
use crate::place::{Launcher, Layout, Place, PrepareError, Setting, Workspace};
use crate::run::{Breach, Command, Launch, Link, MARK, Reach, RunError, Signal, signal_marked};

/// Runs commands as the user, in a copy of the tree; time and output are limited, nothing is hidden.
#[derive(Clone, Debug, Default)]
pub struct Unconfined {
    /// How large the tree may be.
    pub cap: Cap,
    /// The Python that runs.
    pub environment: Option<Environment>,
}

impl Place for Unconfined {
    fn prepare(&self, tree: &Path, patch: Option<&Patch>) -> Result<Workspace, PrepareError> {
        let (base, layout, left_out) = workshop::prepare(tree, patch, self.cap, None)?;
        Ok(Workspace::new(base, layout, left_out, Arc::new(self.clone())))
    }

    fn describe(&self) -> Setting {
        Setting {
            confined_by: None,
            limited_by: vec!["time and output, from outside".to_owned()],
            open: vec![
                "the user's files and secrets, the network and all services of the host".to_owned(),
                "memory, processes and disk are not limited".to_owned(),
            ],
            services: Vec::new(),
            python: self.environment.as_ref().map(|environment| environment.python.clone()),
        }
    }
}

impl Launcher for Unconfined {
    fn launch(&self, layout: &Layout, command: &Command, _attended: bool) -> Result<Launch, RunError> {
        let shown = command.shown();
        let folder = layout.copy.join(&command.folder);
        if !folder.is_dir() {
            return Err(RunError::NoFolder { command: shown, folder: command.folder.clone() });
        }
        let mut search: Vec<PathBuf> =
            self.environment.iter().flat_map(|environment| environment.path.iter().cloned()).collect();
        search.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let program = command.argv.first().map(PathBuf::from).unwrap_or_default();
        let looked = Search { copy: &layout.copy, tree: &layout.copy, folder: &folder, path: &search };
        let Some(found) = found(&program, &looked) else {
            return Err(RunError::NoProgram { command: shown, program: program.display().to_string() });
        };
        let mark = mark();
        let mut system = std::process::Command::new(found);
        system.args(command.argv.iter().skip(1)).current_dir(folder);
        if let Ok(joined) = std::env::join_paths(&search) {
            system.env("PATH", joined);
        }
        if let Some(environment) = &self.environment {
            system.envs(environment.variables.iter().map(|(name, value)| (name, value)));
            if let Some(found_first) = found_first(environment, layout) {
                system.env("PYTHONPATH", found_first);
            }
        }
        system.env(MARK, &mark).envs(command.env.iter().map(|(name, value)| (name, value)));
        Ok(Launch { command: system, reach: Arc::new(Group { mark }) })
    }

    fn inside(&self, _: &Layout, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

/// The path on which modules are found first: where the environment links to the tree, the copy must be met before it.
fn found_first(environment: &Environment, layout: &Layout) -> Option<OsString> {
    let in_tree = environment.linked.iter().filter_map(|path| path.strip_prefix(&layout.tree).ok());
    let mut path: Vec<PathBuf> = in_tree.map(|below| layout.copy.join(below)).collect();
    if path.is_empty() {
        return None;
    }
    path.extend(std::env::var_os("PYTHONPATH").iter().flat_map(std::env::split_paths));
    std::env::join_paths(path).ok()
}

/// A word that no other run of this machine carries at the same time.
fn mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed), started.as_nanos())
}

/// A process group on the host, and what left it.
struct Group {
    mark: String,
}

impl Reach for Group {
    fn signal(&self, leader: u32, signal: Signal) -> io::Result<()> {
        Ok(kill_process(pid(leader)?, signal.raw())?)
    }

    fn signal_all(&self, leader: u32, signal: Signal) -> io::Result<()> {
        kill_process_group(pid(leader)?, signal.raw())?;
        if signal == Signal::Kill {
            signal_marked(&self.mark, signal);
        }
        Ok(())
    }

    fn connect(&self, port: u16) -> io::Result<Link> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).map(Link::Tcp)
    }

    fn breach(&self, _: u32) -> Option<Breach> {
        None
    }

    fn clear(&self) {
        signal_marked(&self.mark, Signal::Kill);
    }
}

fn pid(leader: u32) -> io::Result<Pid> {
    Pid::from_raw(leader.cast_signed()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
