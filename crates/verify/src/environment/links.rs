//! Where an environment leads: the links to its interpreter, and the folders that its packages are linked to.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// More links than this are a loop.
const MOST: usize = 16;

/// The links from a path to the file behind it, and that file. Links among folders are kept as they are met.
pub(crate) fn follow(path: &Path) -> (Vec<(PathBuf, PathBuf)>, PathBuf) {
    let mut links = Vec::new();
    let mut at = path.to_path_buf();
    while links.len() < MOST {
        let Some((link, says, next)) = first_link(&at) else { break };
        links.push((link, says));
        at = next;
    }
    (links, at)
}

/// The first part of a path that is a link, what it says, and the path that results.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf, PathBuf)> {
    let mut so_far = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        so_far.push(part);
        if let Ok(says) = fs::read_link(&so_far) {
            let next = plain(&so_far.parent()?.join(&says).join(parts.as_path()));
            return Some((so_far, says, next));
        }
    }
    None
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Folders outside an environment that its packages are in: what `pip install -e` and `.pth` files name.
pub(crate) fn led_to(prefix: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for library in fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten() {
        let entries = fs::read_dir(library.path().join("site-packages")).into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "pth") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                found.extend(
                    text.lines().filter(|line| line.starts_with('/')).map(|line| PathBuf::from(line.trim())),
                );
            } else if path.extension().is_some_and(|extension| extension == "dist-info") {
                found.extend(linked_project(&path));
            }
        }
    }
    // A line that names the home itself does not open it.
    found.retain(|path| path.is_dir() && !home.starts_with(path) && !path.starts_with(prefix));
    found.sort();
    found.dedup();
    found
}

/// The folder of a project that is installed by a link to it.
fn linked_project(info: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(info.join("direct_url.json")).ok()?;
    if !text.contains("\"editable\"") {
        return None;
    }
    let url = text.split_once("\"file://")?.1.split_once('"')?.0;
    Some(PathBuf::from(url))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("versions/3.12/bin")).unwrap();
        fs::create_dir_all(root.join("venv/bin")).unwrap();
        fs::write(root.join("versions/3.12/bin/python3.12"), "").unwrap();
        symlink("3.12", root.join("versions/current")).unwrap();
        symlink("python3.12", root.join("versions/3.12/bin/python")).unwrap();
        symlink("../../versions/current/bin/python", root.join("venv/bin/python")).unwrap();
        let (links, end) = follow(&root.join("venv/bin/python"));
        assert_eq!(end, root.join("versions/3.12/bin/python3.12"));
        let link = |at: &str, says: &str| (root.join(at), PathBuf::from(says));
        let expected = vec![
            link("venv/bin/python", "../../versions/current/bin/python"),
            link("versions/current", "3.12"),
            link("versions/3.12/bin/python", "python3.12"),
        ];
        assert_eq!(links, expected);
    }
}
