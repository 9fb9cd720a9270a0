//! Where a command runs: in a copy of the tree, thrown away afterwards.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loopmend_model::{Incident, Patch};
use thiserror::Error;

use crate::run::{Command, Launch, Ran, RunError, Running};
use crate::sandbox::base::Base;
use crate::sandbox::beneath;
use crate::sandbox::copy::{CopyError, LeftOut};

/// A place to run commands in.
pub trait Place: Send + Sync {
    /// Makes a copy of the tree, patched if told so. The tree itself is only read.
    fn prepare(&self, tree: &Path, patch: Option<&Patch>) -> Result<Workspace, PrepareError>;

    /// What the place is, for the proof.
    fn describe(&self) -> Setting;
}

/// Knows the symptoms in what a program says; the pipeline hands it in.
pub trait Recogniser: Sync {
    /// The incidents in this text, in its order.
    fn incidents(&self, text: &[u8]) -> Vec<Incident>;
}

/// What a place is: told in the proof, so that nobody takes it for more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The program that confines runs, with its version; `None` where nothing does.
    pub confined_by: Option<String>,
    /// What limits processes and memory, in words.
    pub limited_by: Vec<String>,
    /// What is not limited or hidden here, in words.
    pub open: Vec<String>,
    /// Services of the host that runs could reach, as `HOST:PORT`.
    pub services: Vec<String>,
    /// The Python that runs, as the program sees it.
    pub python: Option<PathBuf>,
}

/// Why there is no copy to run in.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The copy could not be made.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The patch is not for this tree.
    #[error("patch the copy: {0}")]
    Patch(String),
    /// A folder to work in could not be made.
    #[error("make a folder for the copy: {0}")]
    Folder(io::Error),
}

/// Makes what is to be started from a command; a place's own part of a workspace.
pub trait Launcher: Send + Sync {
    /// The system's command for this one, run in the copy.
    fn launch(&self, layout: &Layout, command: &Command, attended: bool) -> Result<Launch, RunError>;

    /// The path at which the program sees a path of the copy or of the folders beside it.
    fn inside(&self, layout: &Layout, path: &Path) -> PathBuf;
}

/// The folders of a workspace, on the host.
#[derive(Debug)]
pub struct Layout {
    /// The copy of the tree.
    pub copy: PathBuf,
    /// Files that we lend the program: it reads them only.
    pub lent: PathBuf,
    /// Files that the program leaves for us.
    pub left: PathBuf,
    /// The tree that was copied.
    pub tree: PathBuf,
    /// Everything that belongs to the workspace.
    pub base: PathBuf,
}

/// A copy of the tree to run commands in; thrown away when dropped.
pub struct Workspace {
    layout: Layout,
    left_out: Vec<LeftOut>,
    launcher: Arc<dyn Launcher>,
    _base: Base,
}

impl Workspace {
    pub(crate) fn new(
        base: Base,
        layout: Layout,
        left_out: Vec<LeftOut>,
        launcher: Arc<dyn Launcher>,
    ) -> Self {
        Self { layout, left_out, launcher, _base: base }
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &Command) -> Result<Ran, RunError> {
        self.begin(command, false)?.wait()
    }

    /// Starts a command that is to be watched, sent signals or connected to.
    pub fn start(&self, command: &Command) -> Result<Running, RunError> {
        self.begin(command, true)
    }

    fn begin(&self, command: &Command, attended: bool) -> Result<Running, RunError> {
        let launch = self.launcher.launch(&self.layout, command, attended)?;
        Running::start(launch, &command.limits, &command.shown())
    }

    /// The root of the tree as the program sees it.
    pub fn root(&self) -> PathBuf {
        self.launcher.inside(&self.layout, &self.layout.copy)
    }

    /// Files of the tree that are not in the copy, and why.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Lends the program a file outside the tree, to be read only; gives the path at which it sees it.
    pub fn lend(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        beneath::write(&self.layout.lent, name, content)?;
        Ok(self.launcher.inside(&self.layout, &self.layout.lent.join(name)))
    }

    /// The path, as the program sees it, at which it may leave a file of this name for us.
    pub fn leave(&self, name: &str) -> PathBuf {
        self.launcher.inside(&self.layout, &self.layout.left.join(name))
    }

    /// What the program left under this name; at most so many bytes, and never through a link.
    pub fn left(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        beneath::read(&self.layout.left, name, most)
    }

    /// Writes a file of the copy, whose path is relative to the tree's root; never through a link.
    pub fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        beneath::write(&self.layout.copy, path, content)
    }

    /// Reads a file of the copy, at most so many bytes; never through a link.
    pub fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        beneath::read(&self.layout.copy, path, most)
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("layout", &self.layout).finish_non_exhaustive()
    }
}
