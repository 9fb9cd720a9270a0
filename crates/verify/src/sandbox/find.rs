//! Finds the program that a word means, where the run will look for it.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Where a run looks, as it sees things.
pub(crate) struct Search<'a> {
    /// The copy, on the host.
    pub copy: &'a Path,
    /// The tree, in whose place the copy is seen.
    pub tree: &'a Path,
    /// The folder it runs in.
    pub folder: &'a Path,
    /// The folders of its path.
    pub path: &'a [PathBuf],
}

/// The program, as the run sees it.
pub(crate) fn found(program: &Path, search: &Search<'_>) -> Option<PathBuf> {
    if program.components().count() > 1 {
        let path = search.folder.join(program);
        return search.runs(&path).then_some(path);
    }
    search.path.iter().map(|folder| folder.join(program)).find(|path| search.runs(path))
}

impl Search<'_> {
    fn runs(&self, path: &Path) -> bool {
        let in_copy = path.strip_prefix(self.tree).ok().map(|rest| self.copy.join(rest));
        // An environment in the tree is not copied: it is shown from where it is.
        in_copy.is_some_and(|path| is_program(&path)) || is_program(path)
    }
}

/// Whether it is a file that may be run.
pub(crate) fn is_program(path: &Path) -> bool {
    path.is_file() && accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()).is_ok()
}
