//! A tree of text from a path: the files, the configuration, the settings.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use loopmend_model::{ConfigFile, Note, Tree};
use thiserror::Error;

use crate::decode::decode_config;
use crate::own_settings::OwnSettingsError;
use crate::root::{marked_root, own_folder};
use crate::settings::read_settings;
use crate::walk::{LARGEST, walk};

/// What to read, and with what help.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The environment whose installed versions count (`VIRTUAL_ENV`); without it, `.venv` or `venv` of the tree.
    pub environment: Option<PathBuf>,
    /// Files and folders to read, absolute or relative to the root; all of the tree where empty.
    pub only: Vec<PathBuf>,
    /// Globs to leave out, beside those of `[tool.loopmend] exclude`, in the manner of `.gitignore`.
    pub exclude: Vec<String>,
    /// Threads to read with; 0 is as many as there are processors.
    pub threads: usize,
}

/// Why no tree could be read.
#[derive(Debug, Error)]
pub enum ReadTreeError {
    /// Nothing is there.
    #[error("read `{}`: no such file or folder", .0.display())]
    Missing(PathBuf),
    /// It is there, and may not be read.
    #[error("read `{}`: {source}", .path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `[tool.loopmend]` says something that is not understood.
    #[error("read the settings: {0}")]
    Settings(#[from] OwnSettingsError),
    /// A glob that is none.
    #[error("understand the exclusion `{glob}`: {reason}")]
    Glob {
        /// As written.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads the project at a path.
///
/// A folder is the root itself. For a file the root is the project that it belongs to, which is read whole, since
/// its other files say who calls it; a file in no project is read alone.
pub fn read_tree(path: &Path, options: &ReadOptions) -> Result<Tree, ReadTreeError> {
    let meta = path.metadata().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ReadTreeError::Missing(path.to_owned()),
        _ => ReadTreeError::Unreadable { path: path.to_owned(), source },
    })?;
    let (root, mut starts) = if meta.is_dir() {
        std::fs::read_dir(path)
            .map_err(|source| ReadTreeError::Unreadable { path: path.to_owned(), source })?;
        (path.to_owned(), vec![path.to_owned()])
    } else {
        let folder = own_folder(path);
        match marked_root(&folder) {
            Some(root) => (root.clone(), vec![root]),
            None => (folder, vec![path.to_owned()]),
        }
    };
    if !options.only.is_empty() {
        starts = options.only.iter().map(|only| root.join(only)).collect();
        if let Some(missing) = starts.iter().find(|start| !start.exists()) {
            return Err(ReadTreeError::Missing(missing.clone()));
        }
    }

    let mut notes = Vec::new();
    let configs = read_configs(&root, &mut notes);
    let (settings, mut globs) = read_settings(&root, &configs, options.environment.as_deref(), &mut notes)?;
    globs.extend(options.exclude.iter().cloned());
    let exclude = exclusions(&root, &globs)?;
    let mut found = walk(&root, &starts, exclude, options.threads);
    found.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.files.dedup_by(|a, b| a.path == b.path);
    notes.append(&mut found.notes);
    notes.sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    notes.dedup();
    Ok(Tree { files: found.files, configs, settings, notes })
}

fn exclusions(root: &Path, globs: &[String]) -> Result<Gitignore, ReadTreeError> {
    let failed = |glob: &str, error: ignore::Error| ReadTreeError::Glob {
        glob: glob.to_owned(),
        reason: error.to_string(),
    };
    let mut builder = GitignoreBuilder::new(root);
    for glob in globs {
        builder.add_line(None, glob).map_err(|error| failed(glob, error))?;
    }
    builder.build().map_err(|error| failed("", error))
}

/// The configuration at the root that a fix may have to edit, sorted by path.
fn read_configs(root: &Path, notes: &mut Vec<Note>) -> Vec<ConfigFile> {
    let mut names: Vec<String> = [
        "pyproject.toml",
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        ".pytest.toml",
        "setup.cfg",
        "tox.ini",
    ]
    .map(str::to_owned)
    .into();
    if let Ok(folder) = std::fs::read_dir(root) {
        names.extend(folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter(
            |name| {
                name.starts_with("requirements")
                    && Path::new(name).extension().is_some_and(|extension| extension == "txt")
            },
        ));
    }
    names.sort();
    names.into_iter().filter_map(|name| read_config(root, name, notes)).collect()
}

fn read_config(root: &Path, path: String, notes: &mut Vec<Note>) -> Option<ConfigFile> {
    let full = root.join(&path);
    let meta = full.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut fail = |reason: String| {
        notes.push(Note { path: Some(path.clone()), message: format!("not read: {reason}") });
        None
    };
    if meta.len() > LARGEST {
        return fail(format!("larger than {} MB", LARGEST / 1024 / 1024));
    }
    match std::fs::read(&full) {
        Err(error) => fail(error.to_string()),
        Ok(bytes) => match decode_config(&bytes) {
            Err(error) => fail(error.to_string()),
            Ok((text, _)) => Some(ConfigFile { text: Arc::from(text), path }),
        },
    }
}
