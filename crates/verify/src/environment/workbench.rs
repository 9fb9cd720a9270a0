//! Where an environment is made: a copy of the tree, the folder that becomes the environment, and uv.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Environment, MakeError, Maker};
use crate::place::{Place, Workspace};
use crate::run::{Command, Limits};
use crate::sandbox::{Unconfined, give_to_builder, take_back};

/// A step that did not end well.
#[derive(Debug)]
pub(crate) enum StepError {
    /// It said why.
    Failed { step: String, said: String },
    /// It was not run at all.
    NotRun { step: String, reason: String },
}

/// The workbench.
pub(crate) struct Bench<'a> {
    workspace: Workspace,
    /// Where code of others may run: as the first, without the cache that projects share.
    foreign: Option<Workspace>,
    /// Code of others may have run in the folder, and may again whenever its interpreter is asked for anything.
    tainted: Cell<bool>,
    /// The folder that the environment is made in.
    pub folder: PathBuf,
    /// The interpreter that it is made with.
    pub python: &'a Environment,
    pub uv: PathBuf,
    /// What other projects fetched too; nothing that runs foreign code may write to it.
    shared_cache: PathBuf,
    confined: bool,
}

/// Variables of the user's that say where packages come from; such as name a password stay out.
const SOURCES: [(&str, &str); 12] = [
    ("UV_DEFAULT_INDEX", "UV_DEFAULT_INDEX"),
    ("UV_INDEX", "UV_INDEX"),
    ("UV_INDEX_URL", "UV_INDEX_URL"),
    ("UV_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    ("UV_FIND_LINKS", "UV_FIND_LINKS"),
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    ("PIP_INDEX_URL", "PIP_INDEX_URL"),
    ("UV_NATIVE_TLS", "UV_NATIVE_TLS"),
    ("SSL_CERT_FILE", "SSL_CERT_FILE"),
    ("SSL_CERT_DIR", "SSL_CERT_DIR"),
    ("PIP_CERT", "PIP_CERT"),
];

impl<'a> Bench<'a> {
    /// Sets it up: the folder is the builder's until it is sealed.
    pub fn new(
        maker: &Maker<'_>,
        tree: &Path,
        folder: &Path,
        python: &'a Environment,
        uv: &Path,
    ) -> Result<Self, MakeError> {
        let shared_cache = maker.cache.join("uv");
        for folder in [&shared_cache, &folder.join("private")] {
            fs::create_dir_all(folder)?;
        }
        let (workspace, foreign) = match &maker.sandbox {
            Some(sandbox) => {
                give_to_builder(folder, true)?;
                give_to_builder(&shared_cache, false)?;
                let mut sandbox = sandbox.clone();
                sandbox.environment = Some(python.clone());
                sandbox.services.clear();
                sandbox.gateway = true;
                sandbox.builder = true;
                sandbox.readable.extend(uv.parent().map(Path::to_path_buf));
                sandbox.writable = vec![folder.to_path_buf()];
                let foreign = sandbox.prepare(tree, None)?;
                sandbox.writable.push(shared_cache.clone());
                (sandbox.prepare(tree, None)?, Some(foreign))
            }
            None => {
                let place = Unconfined { environment: Some(python.clone()), ..Unconfined::default() };
                (place.prepare(tree, None)?, None)
            }
        };
        Ok(Self {
            workspace,
            foreign,
            tainted: Cell::new(false),
            folder: folder.to_path_buf(),
            python,
            uv: uv.to_path_buf(),
            shared_cache,
            confined: maker.sandbox.is_some(),
        })
    }

    pub fn venv(&self) -> PathBuf {
        self.folder.join("venv")
    }

    /// Runs uv; `foreign` says that code of others may run, which then has a cache of its own.
    pub fn uv(&self, step: &str, arguments: &[&str], foreign: bool) -> Result<Vec<u8>, StepError> {
        let mut argv = vec![self.uv.clone().into_os_string()];
        argv.extend(arguments.iter().map(Into::into));
        let foreign = foreign || self.tainted.get();
        if arguments.first() != Some(&"venv") && arguments.get(1) != Some(&"compile") {
            // What is installed runs with the next start of the environment's interpreter, by a `.pth` file.
            self.tainted.set(true);
        }
        let cache = if foreign { self.folder.join("private/cache") } else { self.shared_cache.clone() };
        let mut command = Command::new(argv);
        let mut set = |name: &str, value: &str| command.env.push((name.to_owned(), value.to_owned()));
        set("UV_CACHE_DIR", &cache.to_string_lossy());
        set("UV_TOOL_DIR", &self.folder.join("private/tools").to_string_lossy());
        set("UV_PYTHON_DOWNLOADS", "never");
        if arguments.first() != Some(&"pip") {
            // It would be installed into.
            set("UV_PYTHON", &self.python.python.to_string_lossy());
        }
        set("UV_PROJECT_ENVIRONMENT", &self.venv().to_string_lossy());
        set("VIRTUAL_ENV", &self.venv().to_string_lossy());
        // No run may write to it, so none could keep what it compiles.
        set("UV_COMPILE_BYTECODE", "1");
        set("UV_NO_PROGRESS", "1");
        set("UV_HTTP_TIMEOUT", "180");
        set("NO_COLOR", "1");
        for (name, value) in sources() {
            set(&name, &value);
        }
        self.run_in(step, command, foreign)
    }

    /// Runs another command of the making.
    pub fn run(&self, step: &str, command: Command) -> Result<Vec<u8>, StepError> {
        self.run_in(step, command, true)
    }

    fn run_in(&self, step: &str, mut command: Command, foreign: bool) -> Result<Vec<u8>, StepError> {
        command.limits = Limits {
            time: Duration::from_mins(20),
            file: 8 << 30,
            disk: 16 << 30,
            output: 16 << 20,
            ..Limits::default()
        };
        let not_run = |reason: String| StepError::NotRun { step: step.to_owned(), reason };
        let workspace = self.foreign.as_ref().filter(|_| foreign).unwrap_or(&self.workspace);
        let ran = workspace.run(&command).map_err(|error| not_run(error.to_string()))?;
        if ran.exit.success() {
            return Ok(ran.stdout);
        }
        let said = String::from_utf8_lossy(&ran.output).trim().to_owned();
        let said = if said.is_empty() { ran.exit.to_string() } else { said };
        Err(StepError::Failed { step: step.to_owned(), said })
    }

    /// Lends the steps a file; gives the path at which they see it.
    pub fn lend(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        if let Some(foreign) = &self.foreign {
            foreign.lend(name, content)?;
        }
        self.workspace.lend(name, content)
    }

    /// Reads a file of the tree.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.workspace.read(path, 64 << 20)
    }

    /// Ends the making: what was private to it goes, and no run can change the rest.
    pub fn seal(self) -> io::Result<()> {
        drop((self.workspace, self.foreign));
        if self.confined {
            take_back(&self.folder)?;
        }
        fs::remove_dir_all(self.folder.join("private"))
    }
}

/// Where packages come from, as far as no password is in it.
pub(crate) fn sources() -> Vec<(String, String)> {
    let is_open =
        |value: &str| !value.split_ascii_whitespace().any(|url| url.contains("://") && url.contains('@'));
    let mut found: Vec<(String, String)> = Vec::new();
    for (theirs, ours) in SOURCES {
        let value = std::env::var(theirs).ok().filter(|value| !value.is_empty() && is_open(value));
        if let Some(value) = value.filter(|_| !found.iter().any(|(name, _)| name == ours)) {
            found.push((ours.to_owned(), value));
        }
    }
    found
}
