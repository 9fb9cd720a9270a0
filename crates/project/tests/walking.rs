//! What is read of a tree, and what is said of the rest.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use loopmend_model::Tree;
use loopmend_project::{ReadOptions, ReadTreeError, find_root, read_tree};
use tempfile::{TempDir, tempdir};

fn tree_of(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (path, text) in files {
        let full = folder.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }
    folder
}

fn read(path: &Path) -> Tree {
    read_tree(path, &ReadOptions::default()).unwrap()
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.files.iter().map(|file| file.path.as_str()).collect()
}

fn notes(tree: &Tree) -> Vec<String> {
    tree.notes
        .iter()
        .map(|note| format!("{}: {}", note.path.as_deref().unwrap_or("-"), note.message))
        .collect()
}

#[test]
fn only_the_projects_own_source_is_read() {
    let folder = tree_of(&[
        ("app.py", "x = 1\r\n"),
        ("src/shop/__init__.py", ""),
        ("src/shop/build/__init__.py", ""),
        ("src/shop/build/steps.py", ""),
        ("window.pyw", ""),
        ("stub.pyi", ""),
        ("notes.txt", ""),
        (".hidden/x.py", ""),
        ("env/pyvenv.cfg", ""),
        ("env/lib/x.py", ""),
        ("build/lib/x.py", ""),
        ("dist/x.py", ""),
        ("shop.egg-info/x.py", ""),
        ("node_modules/x/x.py", ""),
        ("vendor/site-packages/x.py", ""),
        ("__pycache__/x.py", ""),
        (".gitignore", "generated/\n*_local.py\n"),
        ("generated/x.py", ""),
        ("settings_local.py", ""),
        ("pyproject.toml", ""),
        ("requirements-dev.txt", "pytest"),
    ]);
    let tree = read(folder.path());
    assert_eq!(
        paths(&tree),
        [
            "app.py",
            "src/shop/__init__.py",
            "src/shop/build/__init__.py",
            "src/shop/build/steps.py",
            "window.pyw"
        ]
    );
    assert_eq!(&*tree.file("app.py").unwrap().text, "x = 1\r\n");
    let configs: Vec<&str> = tree.configs.iter().map(|config| config.path.as_str()).collect();
    assert_eq!(configs, ["pyproject.toml", "requirements-dev.txt"]);
    assert_eq!(notes(&tree), Vec::<String>::new());
}

#[test]
fn the_same_at_any_number_of_threads() {
    let files: Vec<(String, String)> =
        (0..200).map(|n| (format!("p{}/m{n}.py", n % 7), format!("x = {n}\n"))).collect();
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let folder = tree_of(&borrowed);
    let with = |threads| {
        let tree = read_tree(folder.path(), &ReadOptions { threads, ..Default::default() }).unwrap();
        tree.files.into_iter().map(|file| (file.path, file.text.to_string())).collect::<Vec<_>>()
    };
    let mut sorted = files.clone();
    sorted.sort();
    assert_eq!(with(1), sorted);
    assert_eq!(with(8), sorted);
}

#[test]
fn a_file_is_read_with_its_project_or_alone() {
    let folder = tree_of(&[
        ("project/pyproject.toml", ""),
        ("project/app/a.py", ""),
        ("project/app/b.py", ""),
        ("loose/c.py", ""),
        ("loose/d.py", ""),
    ]);
    assert_eq!(paths(&read(&folder.path().join("project/app/a.py"))), ["app/a.py", "app/b.py"]);
    assert_eq!(paths(&read(&folder.path().join("loose/c.py"))), ["c.py"]);
    assert_eq!(find_root(&folder.path().join("project/app/a.py")), folder.path().join("project"));
    assert_eq!(find_root(&folder.path().join("loose")), folder.path().join("loose"));
}

#[test]
fn several_paths_of_one_root() {
    let folder = tree_of(&[("a/x.py", ""), ("b/y.py", ""), ("b/z.py", ""), ("c/w.py", "")]);
    let only = vec!["a".into(), "b/y.py".into(), folder.path().join("b/y.py")];
    let tree = read_tree(folder.path(), &ReadOptions { only, ..Default::default() }).unwrap();
    assert_eq!(paths(&tree), ["a/x.py", "b/y.py"]);
    let only = vec!["nowhere".into()];
    let error = read_tree(folder.path(), &ReadOptions { only, ..Default::default() }).unwrap_err();
    assert!(matches!(error, ReadTreeError::Missing(_)));
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = tree_of(&[("ok.py", ""), ("nul.py", "x\0"), ("pyproject.toml", "")]);
    fs::write(folder.path().join("bytes.py"), b"x = '\xff'\n").unwrap();
    fs::write(folder.path().join("latin.py"), b"# coding: latin-1\nx = '\xe9'\n").unwrap();
    fs::write(folder.path().join("tox.ini"), b"\xff").unwrap();
    let tree = read(folder.path());
    assert_eq!(paths(&tree), ["latin.py", "ok.py"]);
    assert_eq!(&*tree.file("latin.py").unwrap().text, "# coding: latin-1\nx = 'é'\n");
    assert_eq!(
        notes(&tree),
        [
            "bytes.py: not read: not valid UTF-8 at byte 5",
            "nul.py: not read: a NUL byte at byte 1; Python does not run such a file",
            "tox.ini: not read: not valid UTF-8 at byte 0",
        ]
    );
}

#[test]
fn nothing_there() {
    let folder = tempdir().unwrap();
    assert!(read(folder.path()).files.is_empty());
    let missing = folder.path().join("nowhere");
    let error = read_tree(&missing, &ReadOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("read `{}`: no such file or folder", missing.display()));
}

#[cfg(unix)]
mod links {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn loops_survive_and_nothing_is_read_twice() {
        let outside = tree_of(&[("shared.py", "y = 2\n")]);
        let folder = tree_of(&[("app/a.py", "x = 1\n")]);
        let root = folder.path();
        symlink(root, root.join("app/again")).unwrap();
        symlink("loop.py", root.join("loop.py")).unwrap();
        symlink("app/a.py", root.join("same.py")).unwrap();
        symlink(outside.path().join("shared.py"), root.join("linked.py")).unwrap();
        let tree = read(root);
        assert_eq!(paths(&tree), ["app/a.py", "linked.py"]);
        assert_eq!(tree.notes.len(), 1);
        assert_eq!(tree.notes[0].path.as_deref(), Some("loop.py"));
    }

    #[test]
    fn names_that_are_not_utf8_survive() {
        let folder = tree_of(&[("ok.py", "")]);
        if fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9.py")), "").is_err() {
            return; // A file system that has no such names.
        }
        let tree = read(folder.path());
        assert_eq!(paths(&tree), ["ok.py"]);
        assert_eq!(notes(&tree), ["caf\u{fffd}.py: its name is not UTF-8, so it was not read"]);
    }
}
