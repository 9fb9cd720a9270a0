//! Killed, or failing, between any two steps: no file is ever half, and the next command settles the rest.

use std::fs;
use std::io;
use std::path::Path;

use loopmend_model::{Applicability, FileChange, Patch};
use tempfile::{TempDir, tempdir};

use crate::apply::{ApplyError, ApplyOptions, apply, apply_in_turns};
use crate::place::place;
use crate::recover::{RecoverOutcome, recover};
use crate::replace::{Change, put_back};
use crate::state::State;
use crate::undo::undo;

struct Bench {
    tree: TempDir,
    home: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { tree: tempdir().unwrap(), home: tempdir().unwrap() };
        fs::write(bench.root().join("a.py"), "a = 1\n").unwrap();
        fs::write(bench.root().join("b.py"), "b = 1\n").unwrap();
        bench
    }

    fn root(&self) -> &Path {
        self.tree.path()
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    fn options(&self) -> ApplyOptions {
        ApplyOptions { state_home: Some(self.home.path().to_owned()), ..ApplyOptions::default() }
    }

    fn state(&self) -> State {
        State::of(self.root(), Some(self.home())).unwrap()
    }

    /// All files below the root, with their text.
    fn contents(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.root()).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    found.push((format!("{name}/"), String::new()));
                    folders.push(path);
                } else {
                    found.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

fn change(path: &str, before: Option<&str>, after: &str) -> FileChange {
    FileChange { path: path.to_owned(), before: before.map(str::to_owned), after: after.to_owned() }
}

fn patch() -> Patch {
    Patch {
        files: vec![
            change("a.py", Some("a = 1\n"), "a = 2\n"),
            change("b.py", Some("b = 1\n"), "b = 2\n"),
            change("new/deep/c.py", None, "c = 2\n"),
        ],
        applicability: Applicability::Safe,
    }
}

/// The changes of the patch, as a run writes them down.
fn changes(state: &State) -> Vec<Change> {
    let files = patch().files;
    let one = |(index, file): (usize, &FileChange)| {
        let found = place(&state.root, &file.path).unwrap();
        let mut change = state.change(index, &file.path, found.target, found.missing);
        change.before = file.before.clone().map(String::into_bytes);
        change.after = Some(file.after.clone().into_bytes());
        change
    };
    files.iter().enumerate().map(one).collect()
}

/// Makes a change the way a run does.
fn make(change: &Change) {
    let forward = Change { before: change.after.clone(), after: change.before.clone(), ..change.clone() };
    put_back(&forward).unwrap();
}

#[test]
fn killed_between_renames_is_completed() {
    for done in 0..=3 {
        let bench = Bench::new();
        let before = bench.contents();
        let state = bench.state();
        let changes = changes(&state);
        let lock = state.lock().unwrap().unwrap();
        state.begin(&changes, None).unwrap();
        changes[..done].iter().for_each(make);
        // What waits beside a file that had not had its turn.
        fs::write(bench.root().join("a.py").with_file_name(changes[1].waiting.file_name().unwrap()), "b =")
            .unwrap();

        assert_eq!(recover(bench.root(), Some(bench.home())).unwrap(), None, "its process still lives");
        drop(lock);
        let recovered = recover(bench.root(), Some(bench.home())).unwrap().unwrap();
        assert_eq!(recovered.outcome, RecoverOutcome::Completed);
        assert_eq!(recovered.files, ["a.py", "b.py", "new/deep/c.py"]);
        let now: Vec<String> =
            bench.contents().into_iter().map(|(path, text)| format!("{path} {}", text.trim())).collect();
        assert_eq!(now, ["a.py a = 2", "b.py b = 2", "new/ ", "new/deep/ ", "new/deep/c.py c = 2"]);

        assert_eq!(recover(bench.root(), Some(bench.home())).unwrap(), None);
        undo(bench.root(), Some(bench.home())).unwrap();
        assert_eq!(bench.contents(), before);
    }
}

#[test]
fn killed_undo_is_completed() {
    for done in 0..=3 {
        let bench = Bench::new();
        let before = bench.contents();
        apply(bench.root(), &patch(), &bench.options()).unwrap();
        let state = bench.state();
        let fix = state.load_fix(1).unwrap();
        let back: Vec<Change> = fix
            .changes
            .into_iter()
            .map(|change| Change { before: change.after, after: change.before, ..change })
            .collect();
        state.begin(&back, Some(1)).unwrap();
        back[..done].iter().for_each(make);

        let recovered = recover(bench.root(), Some(bench.home())).unwrap().unwrap();
        assert_eq!(recovered.outcome, RecoverOutcome::Completed);
        assert_eq!(bench.contents(), before);
        assert_eq!(
            undo(bench.root(), Some(bench.home())).unwrap_err().to_string(),
            "undo: no fix of this project is known"
        );
    }
}

#[test]
fn what_someone_changed_after_the_kill_is_left_alone() {
    let bench = Bench::new();
    let state = bench.state();
    let changes = changes(&state);
    drop(state.lock().unwrap());
    state.begin(&changes, None).unwrap();
    make(&changes[0]);
    fs::write(bench.root().join("b.py"), "b = 'mine'\n").unwrap();
    let before = bench.contents();
    let recovered = recover(bench.root(), Some(bench.home())).unwrap().unwrap();
    assert_eq!((recovered.outcome, recovered.changed), (RecoverOutcome::LeftAlone, vec!["b.py".to_owned()]));
    assert_eq!(bench.contents(), before);
    assert_eq!(recover(bench.root(), Some(bench.home())).unwrap(), None);
}

#[test]
fn a_failure_half_way_puts_everything_back() {
    for at in 0..3 {
        let bench = Bench::new();
        let before = bench.contents();
        let full =
            |index| if index == at { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) };
        let error = apply_in_turns(bench.root(), &patch(), &bench.options(), &full).unwrap_err();
        assert!(matches!(error, ApplyError::Write { .. }), "{error}");
        assert!(error.to_string().ends_with("; nothing was changed"), "{error}");
        assert_eq!(bench.contents(), before);
        assert_eq!(recover(bench.root(), Some(bench.home())).unwrap(), None);
        assert_eq!(apply(bench.root(), &patch(), &bench.options()).unwrap().files.len(), 3);
    }
}

#[test]
fn a_change_by_another_between_check_and_rename_is_kept() {
    let bench = Bench::new();
    let meddle = |index| {
        if index == 1 {
            fs::write(bench.root().join("b.py"), "b = 'mine'\n").unwrap();
        }
        Ok(())
    };
    let error = apply_in_turns(bench.root(), &patch(), &bench.options(), &meddle).unwrap_err();
    assert_eq!(error.to_string(), "write `b.py`: it was changed meanwhile; nothing was changed");
    assert_eq!(
        bench.contents(),
        [("a.py".to_owned(), "a = 1\n".to_owned()), ("b.py".to_owned(), "b = 'mine'\n".to_owned())]
    );
}

#[test]
fn two_at_once_do_not_mix() {
    let bench = Bench::new();
    let _lock = bench.state().lock().unwrap().unwrap();
    assert!(matches!(apply(bench.root(), &patch(), &bench.options()), Err(ApplyError::Busy)));
}
