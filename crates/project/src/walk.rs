//! Finds the Python files of a tree and reads them, in parallel.
//!
//! Ignored and hidden files are left out, and so is what is not the project's own source: environments,
//! installed packages, build output. Links to folders are not followed, so loops of links do no harm; a link to
//! a file is read unless its target is in the tree under its own name.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ignore::gitignore::Gitignore;
use ignore::{DirEntry, WalkBuilder, WalkState};
use loopmend_model::{Note, SourceFile};

use crate::decode::decode_source;

/// Files beyond this are generated data; the parser's offsets end at 4 GiB.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// What a walk found, in no order.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub files: Vec<SourceFile>,
    pub notes: Vec<Note>,
    links: Vec<(PathBuf, SourceFile)>,
}

/// Reads all Python files below `starts`; paths are given relative to `root`.
pub(crate) fn walk(root: &Path, starts: &[PathBuf], exclude: Gitignore, threads: usize) -> Found {
    let Some((first, others)) = starts.split_first() else { return Found::default() };
    let mut builder = WalkBuilder::new(first);
    for start in others {
        builder.add(start);
    }
    let in_repository = std::path::absolute(root)
        .is_ok_and(|root| root.ancestors().any(|folder| folder.join(".git").exists()));
    builder
        .threads(threads)
        .require_git(false)
        // Outside a repository, what lies above the tree says nothing about it.
        .parents(in_repository)
        // The same tree gives the same answer on every machine.
        .git_global(false)
        .ignore(false)
        .filter_entry(move |entry| is_own(entry) && !is_excluded(entry, &exclude));

    let all = Mutex::new(Found::default());
    builder.build_parallel().run(|| {
        let mut local = Local { all: &all, found: Found::default(), buffer: Vec::new() };
        Box::new(move |entry| {
            match entry {
                Ok(entry) => local.visit(root, &entry),
                Err(error) => local.found.notes.push(note_of(root, &error)),
            }
            WalkState::Continue
        })
    });
    let mut found = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    settle_links(root, &mut found);
    found
}

/// What the walk stumbled over, without the path twice.
fn note_of(root: &Path, error: &ignore::Error) -> Note {
    match error {
        ignore::Error::WithDepth { err, .. } => note_of(root, err),
        ignore::Error::WithPath { path, err } => {
            Note { path: relative(root, path), message: format!("not read: {err}") }
        }
        other => Note { path: None, message: other.to_string() },
    }
}

/// One thread's share, added to the others' when the thread is done.
struct Local<'a> {
    all: &'a Mutex<Found>,
    found: Found,
    buffer: Vec<u8>,
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.files.append(&mut self.found.files);
        all.notes.append(&mut self.found.notes);
        all.links.append(&mut self.found.links);
    }
}

impl Local<'_> {
    fn visit(&mut self, root: &Path, entry: &DirEntry) {
        let path = entry.path();
        let python = path.extension().is_some_and(|extension| extension == "py" || extension == "pyw");
        let Some(kind) = entry.file_type().filter(|kind| python && !kind.is_dir()) else { return };
        let Some(relative) = relative(root, path) else {
            let shown = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            self.note(shown, "its name is not UTF-8, so it was not read".to_owned());
            return;
        };
        let is_link = kind.is_symlink();
        if is_link && path.is_dir() {
            return;
        }
        match read(path, &mut self.buffer) {
            Ok(()) => {}
            Err(reason) => return self.note(relative, reason),
        }
        match decode_source(&self.buffer) {
            Ok((text, _)) => {
                let file = SourceFile { path: relative, text: Arc::from(text) };
                if is_link {
                    self.found.links.extend(path.canonicalize().ok().map(|target| (target, file)));
                } else {
                    self.found.files.push(file);
                }
            }
            Err(error) => self.note(relative, format!("not read: {error}")),
        }
    }

    fn note(&mut self, path: String, message: String) {
        self.found.notes.push(Note { path: Some(path), message });
    }
}

/// Reads a file into the buffer; the error says why it could not be.
fn read(path: &Path, buffer: &mut Vec<u8>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("not read: {error}");
    let meta = path.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err("not a regular file, so it was not read".to_owned());
    }
    if meta.len() > LARGEST {
        return Err(format!("larger than {} MB, so it was not read", LARGEST / 1024 / 1024));
    }
    buffer.clear();
    buffer.reserve(usize::try_from(meta.len()).unwrap_or(0) + 1);
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(buffer)).map_err(failed)?;
    Ok(())
}

/// The path below the root, with `/`; `None` where it is not UTF-8.
pub(crate) fn relative(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).unwrap_or(path);
    let below = below.strip_prefix(".").unwrap_or(below).to_str()?;
    Some(if std::path::MAIN_SEPARATOR == '/' { below.to_owned() } else { below.replace('\\', "/") })
}

/// Whether an entry can be the project's own; what the user names is.
fn is_own(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let path = entry.path();
    let name = entry.file_name().to_string_lossy();
    match name.as_ref() {
        "site-packages" | "dist-packages" | "node_modules" | "__pycache__" | "__pypackages__" => false,
        // Build output, but a package may have this name too.
        "build" | "dist" | "_build" => path.join("__init__.py").exists(),
        _ if name.ends_with(".egg-info") || name.ends_with(".dist-info") => false,
        _ => !path.join("pyvenv.cfg").exists() && !path.join("conda-meta").exists(),
    }
}

fn is_excluded(entry: &DirEntry, exclude: &Gitignore) -> bool {
    !exclude.is_empty()
        && exclude.matched(entry.path(), entry.file_type().is_some_and(|kind| kind.is_dir())).is_ignore()
}

/// Keeps of the linked files those whose target is not in the tree already.
fn settle_links(root: &Path, found: &mut Found) {
    if found.links.is_empty() {
        return;
    }
    let mut links = std::mem::take(&mut found.links);
    links.sort_by(|a, b| a.1.path.cmp(&b.1.path));
    let canonical_root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mut seen: HashSet<PathBuf> =
        found.files.iter().map(|file| canonical_root.join(file.path.as_str())).collect();
    for (target, file) in links {
        if seen.insert(target) {
            found.files.push(file);
        }
    }
}
