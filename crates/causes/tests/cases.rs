//! Runs every `cases.md` of the shelf.
//!
//! A case is a `##` section. Its blocks: files of the tree (```` ```python app/main.py ````, ```` ```ini pytest.ini ````,
//! `toml`, `text`), then ```` ```diagnosis ```` with a line `cause path:line` for each finding (`?cause` for a doubtful
//! one; empty or absent: nothing of any cause is found; with ```` ```diagnosis own ```` other causes are not looked at),
//! then ```` ```diff ```` with what mending the first finding of the folder's own cause changes, or ```` ```declined ````
//! with words of why it does not. A mend that is shown must also be accepted by the comparison of the whole lifecycle.
//! `LOOPMEND_BLESS=1` writes the diffs anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use loopmend_causes::{Found, Report, cause, shelf};
use loopmend_fix::{Wanted, mend};
use loopmend_model::Tree;
use loopmend_project::{ReadOptions, read_tree, settings_after};
use loopmend_python::edit::apply;
use loopmend_python::lifecycle::Lifecycle;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};

#[derive(Default)]
struct Case {
    name: String,
    files: Vec<(String, String)>,
    diagnosis: String,
    /// Findings of other causes are not looked at.
    only_own: bool,
    diff: Option<(String, std::ops::Range<usize>)>,
    declined: Option<String>,
}

fn cases_of(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut heading = None;
    let mut block: Option<(String, String, Option<std::ops::Range<usize>>)> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => {
                cases.push(Case { name: heading.take().unwrap_or_default(), ..Case::default() });
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                block = Some((info.to_string(), String::new(), None));
            }
            Event::End(TagEnd::CodeBlock) => {
                let (info, body, inner) = block.take().expect("a block ends after it starts");
                let Some(case) = cases.last_mut() else { continue };
                let (kind, path) = info.split_once(' ').unwrap_or((&info, ""));
                match kind {
                    "diagnosis" => {
                        case.diagnosis = body;
                        case.only_own = path == "own";
                    }
                    "diff" => case.diff = Some((body, inner.unwrap_or(range.end - 3..range.end - 3))),
                    "declined" => case.declined = Some(body),
                    _ if !path.is_empty() => case.files.push((path.to_owned(), body)),
                    _ => {}
                }
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, body, inner)) = &mut block {
                    body.push_str(&words);
                    *inner = Some(inner.take().map_or(range.clone(), |known| known.start..range.end));
                } else if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            _ => {}
        }
    }
    cases
}

fn detect(life: &Lifecycle) -> Vec<Found> {
    let mut report = Report::default();
    for cause in shelf() {
        cause.detect(life, &mut report);
    }
    report.into_found()
}

fn diagnosis(life: &Lifecycle, found: &[Found]) -> String {
    found.iter().fold(String::new(), |mut text, found| {
        let at = found.spot.location(life);
        let doubt = if found.doubtful { "?" } else { "" };
        writeln!(text, "{doubt}{} {}:{}", found.cause, at.path, at.line).expect("a string takes any text");
        text
    })
}

fn mended(life: &Lifecycle, root: &Path, slug: &str, found: &[Found]) -> Result<String, String> {
    let of = cause(slug).ok_or(format!("no cause {slug} on the shelf"))?;
    let first = found.iter().find(|found| found.cause == slug).ok_or("nothing to mend")?;
    let mend = of.fix(life, first).map_err(|declined| declined.reason)?;
    let mut diff = String::new();
    let mut edits = mend.edits;
    edits.sort_by(|left, right| left.0.cmp(&right.0));
    for (path, edits) in edits {
        let before = fs::read_to_string(root.join(&path)).unwrap_or_default();
        let after = apply(&before, &edits).map_err(|overlap| overlap.to_string())?;
        if path.ends_with(".py") {
            let (again, _) = loopmend_python::facts::read(&path, "m", false, &after, |_| false);
            if let Some(error) = again.errors.first() {
                return Err(format!("{path} does not parse after the mend: {}\n{after}", error.message));
            }
        }
        let changes = similar::TextDiff::from_lines(&before, &after);
        write!(diff, "{}", changes.unified_diff().context_radius(3).header(&path, &path))
            .expect("a string takes any text");
    }
    Ok(diff)
}

/// The first finding of a cause, once.
struct First(Option<&'static str>);

impl Wanted for First {
    fn wants(&mut self, _: &Lifecycle, found: &[Found]) -> Vec<usize> {
        let Some(slug) = self.0.take() else { return Vec::new() };
        found.iter().position(|found| found.cause == slug).into_iter().collect()
    }
}

/// Why the comparison of the whole lifecycle does not take a mend, where it does not.
fn rejected(tree: &Tree, life: &Lifecycle, slug: &str) -> Option<String> {
    let mut first = First(Some(cause(slug)?.slug()));
    mend(life, &tree.configs, &mut first, &settings_after).left.pop().map(|left| left.reason)
}

#[test]
fn every_case_of_every_cause() {
    let shelf_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let bless = std::env::var_os("LOOPMEND_BLESS").is_some();
    let only = std::env::var("LOOPMEND_CASE").unwrap_or_default();
    let mut failures = String::new();
    let mut count = 0;
    let mut folders: Vec<PathBuf> = fs::read_dir(shelf_folder)
        .expect("the crate has sources")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.join("cases.md").is_file())
        .collect();
    folders.sort();
    for folder in folders {
        let slug = folder.file_name().expect("a folder has a name").to_string_lossy().replace('_', "-");
        let file = folder.join("cases.md");
        let mut text = fs::read_to_string(&file).expect("cases are text");
        let mut blessed: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for case in cases_of(&text).into_iter().filter(|case| !case.files.is_empty()) {
            if !format!("{slug}: {}", case.name).contains(&only) {
                continue;
            }
            count += 1;
            let root = tempfile::tempdir().expect("a temporary folder");
            for (path, body) in &case.files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().expect("a file stands in a folder"))
                    .expect("it can be made");
                fs::write(path, body).expect("it can be written");
            }
            let tree = read_tree(root.path(), &ReadOptions::default()).expect("the tree can be read");
            let life = Lifecycle::read(&tree);
            let found = detect(&life);
            let own = found.iter().filter(|found| !case.only_own || found.cause == slug).cloned();
            let seen = diagnosis(&life, &own.collect::<Vec<_>>());
            if seen.trim() != case.diagnosis.trim() {
                writeln!(
                    failures,
                    "{slug}: {}\n  expected:\n{}\n  found:\n{}",
                    case.name,
                    case.diagnosis.trim(),
                    found.iter().fold(seen, |text, found| text + "    " + &found.message + "\n")
                )
                .expect("a string takes any text");
                continue;
            }
            if let Some((expected, range)) = case.diff {
                if let Some(reason) = rejected(&tree, &life, &slug) {
                    writeln!(failures, "{slug}: {}\n  rejected: {reason}", case.name).expect("text");
                }
                match mended(&life, root.path(), &slug, &found) {
                    Err(reason) => {
                        writeln!(failures, "{slug}: {}\n  not mended: {reason}", case.name).expect("text");
                    }
                    Ok(diff) if diff.trim_end() != expected.trim_end() => {
                        if bless {
                            blessed.push((range, diff));
                        } else {
                            writeln!(failures, "{slug}: {}\n  another diff:\n{diff}", case.name)
                                .expect("text");
                        }
                    }
                    Ok(_) => {}
                }
            } else if let Some(words) = case.declined {
                match mended(&life, root.path(), &slug, &found) {
                    Err(reason) if reason.contains(words.trim()) => {}
                    other => writeln!(failures, "{slug}: {}\n  expected to decline: {other:?}", case.name)
                        .expect("text"),
                }
            }
        }
        for (range, diff) in blessed.into_iter().rev() {
            text.replace_range(range, &diff);
        }
        if bless {
            fs::write(&file, text).expect("cases can be written");
        }
    }
    assert!(failures.is_empty(), "{failures}");
    println!("{count} cases");
}
