//! The project that a user names: checked, recovered from a fix that was killed, and read.

use std::env;
use std::path::{Component, Path, PathBuf};

use loopmend_model::{SourceFile, Tree};
use loopmend_project::{ReadOptions, RecoverOutcome};

use crate::environment;
use crate::failure::Failure;
use crate::talk::Talk;

/// A project that was read.
pub struct Opened {
    /// Its folder.
    pub root: PathBuf,
    /// Its text.
    pub tree: Tree,
    /// Paths in the project that were asked for; all where empty.
    only: Vec<String>,
}

impl Opened {
    /// Opens the project in a folder.
    pub fn folder(path: &Path, talk: Talk) -> anyhow::Result<Self> {
        check_folder(path)?;
        Self::read(path.to_path_buf(), Vec::new(), talk)
    }

    /// This folder, of which nothing was read.
    pub fn unread() -> Self {
        Self { root: PathBuf::from("."), tree: Tree::default(), only: Vec::new() }
    }

    /// Opens the project in a folder, with a virtual environment that may not be the active one.
    pub fn folder_with(path: &Path, environment: Option<&Path>, talk: Talk) -> anyhow::Result<Self> {
        Self::read_with(path.to_path_buf(), Vec::new(), environment, talk)
    }

    /// Opens the project that holds these files and folders, to look at them only.
    pub fn of_paths(paths: &[PathBuf], talk: Talk) -> anyhow::Result<Self> {
        for path in paths {
            exists(path)?;
            if path.is_file()
                && !path.extension().is_some_and(|extension| extension == "py" || extension == "pyi")
            {
                return Err(Failure::new(format!("{} is not a Python file", path.display()))
                    .hint(format!("for a log, use `loopmend explain {}`", path.display()))
                    .into());
            }
        }
        match paths {
            [] => Self::read(PathBuf::from("."), Vec::new(), talk),
            [path] if path.is_dir() => Self::read(path.clone(), Vec::new(), talk),
            paths => {
                let absolute: Vec<PathBuf> = paths.iter().map(|path| plain(path)).collect();
                let shared = shared_folder(&absolute);
                let root = loopmend_project::find_root(&shared);
                let only = absolute
                    .iter()
                    .filter_map(|path| Some(slashed(path.strip_prefix(&root).ok()?)))
                    .collect();
                Self::read(root, only, talk)
            }
        }
    }

    fn read(root: PathBuf, only: Vec<String>, talk: Talk) -> anyhow::Result<Self> {
        Self::read_with(root, only, environment::activated().as_deref(), talk)
    }

    fn read_with(
        root: PathBuf,
        only: Vec<String>,
        environment: Option<&Path>,
        talk: Talk,
    ) -> anyhow::Result<Self> {
        recover(&root, talk)?;
        let progress = talk.progress("reading the project");
        let tree = read(&root, environment);
        progress.finish_and_clear();
        Ok(Self { tree: tree?, root, only })
    }

    /// Whether a path in the project was asked for.
    pub fn asked(&self, path: &str) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|only| {
                path.strip_prefix(only.as_str())
                    .is_some_and(|rest| only.is_empty() || rest.is_empty() || rest.starts_with('/'))
            })
    }

    /// How a path in the project is shown: from the current folder where the project lies below it.
    pub fn shown(&self, path: &str) -> String {
        let below = env::current_dir().ok().and_then(|here| {
            let below = plain(&self.root).strip_prefix(here).ok()?.to_path_buf();
            (!below.as_os_str().is_empty()).then_some(below)
        });
        match below {
            Some(below) => format!("{}/{path}", slashed(&below)),
            None => path.to_owned(),
        }
    }

    /// The file at a path in the project.
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.tree.file(path)
    }

    /// How the project is spoken of.
    pub fn title(&self) -> String {
        if self.root == Path::new(".") { "this folder".to_owned() } else { self.root.display().to_string() }
    }
}

/// Reads a project's text.
pub fn read(root: &Path, environment: Option<&Path>) -> Result<Tree, Failure> {
    let options = ReadOptions { environment: environment.map(Path::to_path_buf), ..ReadOptions::default() };
    loopmend_project::read_tree(root, &options).map_err(|error| Failure::new(format!("failed to {error}")))
}

/// The virtual environment of a project: the active one, else one that lies in it.
pub fn environment_of(root: &Path) -> Option<PathBuf> {
    environment::activated().or_else(|| {
        [".venv", "venv", "env"]
            .iter()
            .map(|name| root.join(name))
            .find(|path| path.join("pyvenv.cfg").is_file())
    })
}

/// Fails where the path is no folder.
pub fn check_folder(path: &Path) -> Result<(), Failure> {
    exists(path)?;
    if path.is_dir() {
        return Ok(());
    }
    let hint = if path.extension().is_some_and(|extension| extension == "py") {
        let folder = loopmend_project::find_root(path);
        format!(
            "a mend may need other files too: give the project's folder, for example `{}`",
            folder.display()
        )
    } else {
        format!("for a log, use `--log {}`", path.display())
    };
    Err(Failure::new(format!("{} is a file, not a project's folder", path.display())).hint(hint))
}

/// Ends or takes back what a killed fix left half-way.
pub fn recover(root: &Path, talk: Talk) -> Result<(), Failure> {
    let recovered =
        loopmend_project::recover(root, None).map_err(|error| Failure::new(format!("failed to {error}")))?;
    let Some(recovered) = recovered else { return Ok(()) };
    let what = match recovered.outcome {
        RecoverOutcome::Completed => "it was completed",
        RecoverOutcome::TakenBack => "it was taken back",
        RecoverOutcome::LeftAlone => "its files were changed since, and are left as they are",
    };
    talk.warn(&format!("an earlier fix was interrupted; {what}: {}", recovered.files.join(", ")));
    if !recovered.changed.is_empty() {
        talk.warn(&format!("changed since by someone else: {}", recovered.changed.join(", ")));
    }
    Ok(())
}

fn exists(path: &Path) -> Result<(), Failure> {
    match path.metadata() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("there is no {}", path.display()))
                .hint("give a project's folder, or leave it out for the current one"))
        }
        Err(error) => Err(Failure::new(format!("failed to open {}: {error}", path.display()))),
    }
}

/// The deepest folder that holds all these paths.
fn shared_folder(paths: &[PathBuf]) -> PathBuf {
    let mut shared = folder_of(&paths[0]);
    for path in &paths[1..] {
        while !path.starts_with(&shared) && shared.pop() {}
    }
    shared
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_path_buf();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Absolute and without `.` and `..`; symbolic links stay as they are named.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
