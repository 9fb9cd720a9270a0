//! A patch on a real tree: what is kept, what is refused, what undo gives back.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use loopmend_model::{Applicability, FileChange, Patch};
use loopmend_project::{ApplyError, ApplyOptions, UndoError, apply, recover, undo};
use tempfile::{TempDir, tempdir};

struct Bench {
    tree: TempDir,
    home: TempDir,
}

impl Bench {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let bench = Self { tree: tempdir().unwrap(), home: tempdir().unwrap() };
        for (path, bytes) in files {
            fs::write(bench.root().join(path), bytes).unwrap();
        }
        bench
    }

    fn root(&self) -> &Path {
        self.tree.path()
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.root().join(path)).unwrap()
    }

    fn options(&self) -> ApplyOptions {
        ApplyOptions { state_home: Some(self.home.path().to_owned()), ..ApplyOptions::default() }
    }

    fn apply(&self, files: &[(&str, Option<&str>, &str)]) -> Result<Vec<String>, ApplyError> {
        apply(self.root(), &patch(files), &self.options()).map(|applied| applied.files)
    }

    fn undo(&self) -> Result<Vec<String>, UndoError> {
        undo(self.root(), Some(self.home.path())).map(|undone| undone.files)
    }
}

fn patch(files: &[(&str, Option<&str>, &str)]) -> Patch {
    let change = |&(path, before, after): &(&str, Option<&str>, &str)| FileChange {
        path: path.to_owned(),
        before: before.map(str::to_owned),
        after: after.to_owned(),
    };
    Patch { files: files.iter().map(change).collect(), applicability: Applicability::Safe }
}

#[test]
fn encoding_mark_and_line_ends_are_kept() {
    let bench = Bench::new(&[
        ("crlf.py", b"a = 1\r\nb = 2\r\n"),
        ("mark.py", b"\xef\xbb\xbfx = '\xc3\xa9'\n"),
        ("latin.py", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"),
        ("pyproject.toml", b"\xef\xbb\xbf[tool]\n"),
        ("same.py", b"x\n"),
    ]);
    let done = bench.apply(&[
        ("crlf.py", Some("a = 1\r\nb = 2\r\n"), "a = 1\r\nb = 3\r\n"),
        ("mark.py", Some("x = 'é'\n"), "x = 'é!'\n"),
        ("latin.py", Some("# -*- coding: latin-1 -*-\nx = 'é'\n"), "# -*- coding: latin-1 -*-\nx = 'éü'\n"),
        ("pyproject.toml", Some("[tool]\n"), "[tool]\nx = 1\n"),
        ("same.py", Some("x\n"), "x\n"),
    ]);
    assert_eq!(done.unwrap(), ["crlf.py", "mark.py", "latin.py", "pyproject.toml"]);
    assert_eq!(bench.bytes("crlf.py"), b"a = 1\r\nb = 3\r\n");
    assert_eq!(bench.bytes("mark.py"), b"\xef\xbb\xbfx = '\xc3\xa9!'\n");
    assert_eq!(bench.bytes("latin.py"), b"# -*- coding: latin-1 -*-\nx = '\xe9\xfc'\n");
    assert_eq!(bench.bytes("pyproject.toml"), b"\xef\xbb\xbf[tool]\nx = 1\n");
    bench.undo().unwrap();
    assert_eq!(bench.bytes("crlf.py"), b"a = 1\r\nb = 2\r\n");
    assert_eq!(bench.bytes("mark.py"), b"\xef\xbb\xbfx = '\xc3\xa9'\n");
    assert_eq!(bench.bytes("latin.py"), b"# -*- coding: latin-1 -*-\nx = '\xe9'\n");
}

#[test]
fn what_the_encoding_lacks_is_refused() {
    let text = "# coding: latin-1\n";
    let bench = Bench::new(&[("a.py", b"x\n"), ("latin.py", text.as_bytes())]);
    let error =
        bench.apply(&[("a.py", Some("x\n"), "y\n"), ("latin.py", Some(text), "# coding: latin-1\n# €\n")]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "apply the patch: `latin.py` can't be written back in its encoding, Latin-1"
    );
    assert_eq!(bench.bytes("a.py"), b"x\n");
}

#[test]
fn files_changed_meanwhile_are_refused() {
    let bench = Bench::new(&[("a.py", b"x = 1\n"), ("b.py", b"mine\n"), ("d.py", b"")]);
    let error = bench
        .apply(&[
            ("a.py", Some("x = 1\n"), "x = 2\n"),
            ("b.py", Some("theirs\n"), "y\n"),
            ("c.py", Some("gone\n"), "y\n"),
            ("d.py", None, "y\n"),
        ])
        .unwrap_err();
    assert_eq!(error.to_string(), "apply the patch: changed since it was read: b.py, c.py, d.py");
    assert_eq!(bench.bytes("a.py"), b"x = 1\n");
    assert!(matches!(bench.undo(), Err(UndoError::Nothing)));
}

#[test]
fn paths_out_of_the_project_are_refused() {
    let bench = Bench::new(&[]);
    for path in ["../x.py", "/tmp/x.py", "", "a/../../x.py", "./x.py"] {
        let refused = bench.apply(&[(path, None, "x\n")]);
        assert!(matches!(refused, Err(ApplyError::Outside(_))), "{path}: {refused:?}");
    }
}

#[test]
fn fixes_are_taken_back_one_by_one() {
    let bench = Bench::new(&[("a.py", b"1\n")]);
    bench.apply(&[("a.py", Some("1\n"), "2\n")]).unwrap();
    bench.apply(&[("a.py", Some("2\n"), "3\n"), ("new/b.py", None, "b\n")]).unwrap();
    fs::write(bench.root().join("a.py"), "mine\n").unwrap();
    assert_eq!(bench.undo().unwrap_err().to_string(), "undo: changed since the fix: a.py");
    assert_eq!(bench.bytes("new/b.py"), b"b\n");
    fs::write(bench.root().join("a.py"), "3\n").unwrap();
    assert_eq!(bench.undo().unwrap(), ["a.py", "new/b.py"]);
    assert!(!bench.root().join("new").exists());
    assert_eq!(bench.bytes("a.py"), b"2\n");
    bench.undo().unwrap();
    assert_eq!(bench.bytes("a.py"), b"1\n");
    assert!(matches!(bench.undo(), Err(UndoError::Nothing)));
    assert_eq!(recover(bench.root(), Some(bench.home.path())).unwrap(), None);
    assert_eq!(fs::read_dir(bench.root()).unwrap().count(), 1, "nothing else is left in the tree");
}

#[test]
fn state_that_cannot_be_kept_is_said() {
    let bench = Bench::new(&[("a.py", b"1\n"), ("home", b"")]);
    let options = ApplyOptions { state_home: Some(bench.root().join("home")), ..ApplyOptions::default() };
    let error = apply(bench.root(), &patch(&[("a.py", Some("1\n"), "2\n")]), &options).unwrap_err();
    assert!(error.to_string().ends_with("set XDG_STATE_HOME to a folder that can be written"), "{error}");
    assert_eq!(bench.bytes("a.py"), b"1\n");
}

/// Runs git in a folder; false where there is no git.
fn git(folder: &Path, arguments: &[&str]) -> bool {
    let set = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"];
    let run = Command::new("git").current_dir(folder).args(set).args(arguments).output();
    run.is_ok_and(|output| output.status.success())
}

#[test]
fn uncommitted_changes_are_refused() {
    let bench = Bench::new(&[]);
    let project = bench.root().join("service");
    fs::create_dir(&project).unwrap();
    for name in ["a.py", "data.py", "staged.py", "dirty ü.py", "new.py"] {
        fs::write(project.join(name), "1\n").unwrap();
    }
    fs::write(project.join("dirty ü.py"), "0\n").unwrap();
    fs::write(project.join("staged.py"), "0\n").unwrap();
    if !git(bench.root(), &["init", "-q"]) {
        println!("skipped: no git");
        return;
    }
    assert!(git(&project, &["add", "a.py", "data.py", "dirty ü.py", "staged.py"]));
    assert!(git(&project, &["commit", "-q", "-m", "x"]));
    fs::write(project.join("dirty ü.py"), "1\n").unwrap();
    fs::write(project.join("staged.py"), "1\n").unwrap();
    assert!(git(&project, &["add", "staged.py"]));

    let all = patch(&[
        ("a.py", Some("1\n"), "2\n"),
        ("dirty ü.py", Some("1\n"), "2\n"),
        ("new.py", Some("1\n"), "2\n"),
        ("staged.py", Some("1\n"), "2\n"),
    ]);
    let error = apply(&project, &all, &bench.options()).unwrap_err();
    assert_eq!(error.to_string(), "apply the patch: uncommitted changes in dirty ü.py, new.py, staged.py");
    assert_eq!(error.hint(), Some("commit them, or use --allow-dirty"));
    assert_eq!(fs::read_to_string(project.join("a.py")).unwrap(), "1\n");

    let clean = patch(&[("a.py", Some("1\n"), "2\n")]);
    assert_eq!(apply(&project, &clean, &bench.options()).unwrap().files, ["a.py"]);
    undo(&project, Some(bench.home.path())).unwrap();
    let dirty = ApplyOptions { allow_dirty: true, ..bench.options() };
    assert_eq!(apply(&project, &all, &dirty).unwrap().files.len(), 4);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn permissions_are_kept() {
        let bench = Bench::new(&[("run.py", b"1\n")]);
        set_mode(&bench.root().join("run.py"), 0o750);
        bench.apply(&[("run.py", Some("1\n"), "2\n")]).unwrap();
        assert_eq!(mode(&bench.root().join("run.py")), 0o750);
        bench.undo().unwrap();
        assert_eq!(mode(&bench.root().join("run.py")), 0o750);
    }

    #[test]
    fn links_stay_links() {
        let outside = tempdir().unwrap();
        fs::write(outside.path().join("shared.py"), "1\n").unwrap();
        let bench = Bench::new(&[("real.py", b"1\n")]);
        symlink("real.py", bench.root().join("link.py")).unwrap();
        symlink(outside.path().join("shared.py"), bench.root().join("far.py")).unwrap();
        let both = [("far.py", Some("1\n"), "2\n"), ("link.py", Some("1\n"), "2\n")];

        let careful = ApplyOptions { inside_only: true, ..bench.options() };
        let refused = apply(bench.root(), &patch(&both), &careful);
        assert!(matches!(refused, Err(ApplyError::Outside(path)) if path == "far.py"));
        let twice = bench.apply(&[("link.py", Some("1\n"), "2\n"), ("real.py", Some("1\n"), "3\n")]);
        assert!(matches!(twice, Err(ApplyError::Twice(..))));

        bench.apply(&both).unwrap();
        assert_eq!(bench.bytes("real.py"), b"2\n");
        assert_eq!(fs::read(outside.path().join("shared.py")).unwrap(), b"2\n");
        assert!(bench.root().join("link.py").is_symlink() && bench.root().join("far.py").is_symlink());
        bench.undo().unwrap();
        assert_eq!(bench.bytes("real.py"), b"1\n");
        assert!(bench.root().join("link.py").is_symlink());
    }

    /// Whether this process may write what is marked read-only, as an administrator may.
    fn privileged(bench: &Bench) -> bool {
        let probe = bench.root().join("probe");
        fs::write(&probe, b"").unwrap();
        set_mode(&probe, 0o444);
        let privileged = fs::OpenOptions::new().write(true).open(&probe).is_ok();
        fs::remove_file(&probe).unwrap();
        privileged
    }

    #[test]
    fn what_may_not_be_written_is_left_alone() {
        let bench = Bench::new(&[("a.py", b"1\n"), ("b.py", b"1\n")]);
        let both = [("a.py", Some("1\n"), "2\n"), ("b.py", Some("1\n"), "2\n")];
        let privileged = privileged(&bench);
        set_mode(&bench.root().join("b.py"), 0o444);
        if privileged {
            bench.apply(&both).unwrap();
            assert_eq!((bench.bytes("a.py"), bench.bytes("b.py")), (b"2\n".to_vec(), b"2\n".to_vec()));
            let mode = fs::metadata(bench.root().join("b.py")).unwrap().permissions();
            assert!(mode.readonly(), "the mode is kept");
            return;
        }
        assert!(matches!(bench.apply(&both), Err(ApplyError::ReadOnly(path)) if path == "b.py"));
        set_mode(&bench.root().join("b.py"), 0o644);
        set_mode(bench.root(), 0o555);
        let refused = bench.apply(&both);
        set_mode(bench.root(), 0o755);
        assert!(matches!(refused, Err(ApplyError::ReadOnly(path)) if path == "a.py"));
        assert_eq!((bench.bytes("a.py"), bench.bytes("b.py")), (b"1\n".to_vec(), b"1\n".to_vec()));
    }
}
