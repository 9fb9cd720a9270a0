//! Patches through the gate: those of `gate/refused.md` are refused by their names, those of `gate/passed.md` pass; so do the
//! mends of the shelf's own cases, and those that careful people made for the acceptance cases, where these are at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use loopmend_verify::gate::{Change, Rule, changes_of_diff, suppressions};

#[derive(Default)]
struct Case {
    name: String,
    refused: Option<String>,
    files: BTreeMap<String, (Option<String>, Option<String>)>,
}

impl Case {
    fn changes(&self) -> Vec<Change> {
        let change = |(path, (before, after)): (&String, &(Option<String>, Option<String>))| Change {
            path: path.clone(),
            before: before.clone(),
            after: after.clone(),
        };
        self.files.iter().map(change).collect()
    }
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(String, String, String)> = None;
    for line in text.lines() {
        if let Some((side, path, body)) = &mut block {
            if line == "```" {
                let case = cases.last_mut().expect("a block stands in a section");
                let file = case.files.entry(path.clone()).or_default();
                let text = Some(std::mem::take(body));
                if side == "before" {
                    file.0 = text;
                } else {
                    file.1 = text;
                }
                block = None;
            } else {
                body.push_str(line);
                body.push('\n');
            }
        } else if let Some(name) = line.strip_prefix("## ") {
            cases.push(Case { name: name.to_owned(), ..Case::default() });
        } else if let Some(rule) = line.strip_prefix("refused: ") {
            cases.last_mut().expect("a name stands in a section").refused = Some(rule.to_owned());
        } else if let Some(info) = line.strip_prefix("```") {
            let (side, path) = info.split_once(' ').expect("a block has a side and a path");
            block = Some((side.to_owned(), path.to_owned(), String::new()));
        }
    }
    cases
}

fn names(changes: &[Change]) -> Vec<String> {
    suppressions(changes).iter().map(ToString::to_string).collect()
}

fn refused(text: &str, most: usize) {
    let cases = cases(text);
    assert!(cases.len() >= most, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let rule = case.refused.as_deref().expect("a name");
        let found = suppressions(&case.changes());
        if !found.iter().any(|one| one.rule.name() == rule) {
            wrong.push(format!("{}: not refused as {rule}: {found:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn passed(text: &str, most: usize) {
    let cases = cases(text);
    assert!(cases.len() >= most, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let found = names(&case.changes());
        if !found.is_empty() {
            wrong.push(format!("{}: {}", case.name, found.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn suppressing_patches_are_refused_by_name() {
    refused(include_str!("gate/refused.md"), 144);
}

#[test]
fn every_name_has_a_patch_and_stands_in_the_documentation() {
    let page = include_str!("../../../docs/suppressions.md");
    let cases = cases(include_str!("gate/refused.md"));
    for rule in Rule::ALL {
        let name = rule.name();
        assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
        assert!(cases.iter().any(|case| case.refused.as_deref() == Some(name)), "{name} has no patch");
    }
}

#[test]
fn honest_patches_pass() {
    passed(include_str!("gate/passed.md"), 99);
}

/// A patch that undoes another one passes no more than what it brings back.
#[test]
fn what_is_taken_away_is_no_suppression_and_what_comes_back_is() {
    for case in cases(include_str!("gate/refused.md")) {
        let same: Vec<Change> = case
            .changes()
            .into_iter()
            .map(|change| Change { before: change.after.clone(), ..change })
            .collect();
        assert_eq!(names(&same), Vec::<String>::new(), "{} against itself", case.name);
    }
}

#[test]
fn the_mends_of_the_shelf_pass() {
    let shelf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../causes/src");
    let mut mends = 0;
    let mut wrong = Vec::new();
    for folder in fs::read_dir(shelf).expect("the shelf") {
        let path = folder.expect("an entry").path().join("cases.md");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (name, files, diff) in literate(&text) {
            let changes = changes_of_diff(&diff, &|path| files.get(path).cloned());
            let changes =
                changes.unwrap_or_else(|error| panic!("{}: {name}: {error}\n{diff}", path.display()));
            mends += 1;
            let found = names(&changes);
            if !found.is_empty() {
                wrong.push(format!("{}: {name}: {}", path.display(), found.join("; ")));
            }
        }
    }
    assert!(mends > 300, "{mends} mends");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The sections of a `cases.md` that have a diff: their name, their files, the diff.
fn literate(text: &str) -> Vec<(String, BTreeMap<String, String>, String)> {
    let mut out = Vec::new();
    let (mut name, mut files, mut diff) = (String::new(), BTreeMap::new(), None);
    let mut block: Option<(String, String, String)> = None;
    for line in text.lines().chain(["## end"]) {
        if let Some((fence, info, body)) = &mut block {
            if line == fence {
                match info.split_once(' ') {
                    Some((kind, path)) if kind != "diagnosis" => {
                        files.insert(path.to_owned(), body.clone());
                    }
                    _ if info == "diff" => diff = Some(body.clone()),
                    _ => {}
                }
                block = None;
            } else {
                body.push_str(line);
                body.push('\n');
            }
        } else if let Some(next) = line.strip_prefix("## ") {
            if let Some(diff) = diff.take() {
                out.push((std::mem::take(&mut name), std::mem::take(&mut files), diff));
            }
            name = next.to_owned();
            files.clear();
        } else if line.starts_with("```") {
            let ticks = line.chars().take_while(|c| *c == '`').count();
            block = Some((line[..ticks].to_owned(), line[ticks..].to_owned(), String::new()));
        }
    }
    out
}

/// Runs where `LOOPMEND_CASES` names the acceptance cases and a folder `mends` lies beside them.
#[test]
fn careful_mends_pass() {
    let Some(cases) = env::var_os("LOOPMEND_CASES").map(PathBuf::from) else { return };
    let mends = cases.join("../mends");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(mends).expect("the mends") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        let project = cases.join(path.file_stem().expect("a name")).join("project");
        let diff = fs::read_to_string(&path).expect("a patch");
        let changes = changes_of_diff(&diff, &|file| fs::read_to_string(project.join(file)).ok());
        let changes = changes.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
        let found = names(&changes);
        if !found.is_empty() {
            wrong.push(format!("{}: {}", path.display(), found.join("; ")));
        }
    }
    assert!(count > 50, "{count} mends");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
