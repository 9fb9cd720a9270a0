//! Files lent to the runs: what notes tasks, functions and tests, and the harnesses for entries.

use std::io;
use std::path::{Path, PathBuf};

use crate::place::Workspace;

/// Name and text of each file.
const FILES: [(&str, &str); 5] = [
    ("sitecustomize.py", include_str!("prelude/sitecustomize.py")),
    ("loopmend_suite.py", include_str!("prelude/loopmend_suite.py")),
    ("loopmend_app.py", include_str!("harness/loopmend_app.py")),
    ("loopmend_worker.py", include_str!("harness/loopmend_worker.py")),
    ("loopmend_bridge.py", include_str!("harness/loopmend_bridge.py")),
];

/// Lends all files; gives the folder as the program sees it.
pub(crate) fn lend(workspace: &Workspace) -> io::Result<PathBuf> {
    let mut folder = PathBuf::new();
    for (name, text) in FILES {
        let path = workspace.lend(name, text.as_bytes())?;
        folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    }
    Ok(folder)
}
