//! From a log, or from findings alone, to one patch.

use std::collections::BTreeSet;

use loopmend_causes::{Found, raised};
use loopmend_diagnose::{Answer, Ranked, alone, described, diagnose, open, rank, silent};
use loopmend_fix::{Wanted, detect, mend};
use loopmend_model::{
    Applicability, Diagnosis, FileChange, Finding, Incident, Note, Patch, Refusal, RefusalCode, Tree,
};
use loopmend_python::edit::apply;
use loopmend_python::lifecycle::Lifecycle;

use crate::symptoms::Catalogue;

/// What may be mended.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixOptions {
    /// Without a log, mend what is `unsafe` too.
    pub unsafe_fixes: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Mended {
    /// The first cause.
    pub diagnosis: Option<Diagnosis>,
    /// All causes, the first again.
    pub diagnoses: Vec<Diagnosis>,
    /// The answer is to leave the tree alone.
    pub refused: Option<Refusal>,
    /// The change.
    pub patch: Option<Patch>,
    /// What was found and is left, and what the user should know.
    pub left: Vec<Note>,
    /// Without a log: the findings of the tree as it is after the change.
    pub remaining: Vec<Finding>,
}

/// What a log told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    /// What was recognised in it.
    pub incidents: &'t [Incident],
    /// Its text, or the first part of it: where nothing was recognised, the program's own words are the evidence.
    pub text: &'t str,
}

/// Diagnoses and mends a tree; nothing is written.
pub fn fix(tree: &Tree, log: Option<&[u8]>, options: FixOptions) -> Mended {
    let incidents = log.map(|log| loopmend_capture::capture(log).incidents);
    let text = String::from_utf8_lossy(log.unwrap_or_default());
    fix_told(tree, incidents.as_deref().map(|incidents| Told { incidents, text: &text }), options)
}

/// The same for a log that was read before.
pub fn fix_told(tree: &Tree, told: Option<Told<'_>>, options: FixOptions) -> Mended {
    fix_read(tree, &Lifecycle::read(tree), told, options)
}

/// The same for a tree whose files are linked already.
pub(crate) fn fix_read(tree: &Tree, life: &Lifecycle, told: Option<Told<'_>>, options: FixOptions) -> Mended {
    let found = detect(life);
    match told {
        Some(told) => fix_log(tree, life, &found, told, options),
        None => fix_found(tree, life, &found, options),
    }
}

/// The same with nothing but the incidents of a log.
pub fn fix_incidents(tree: &Tree, incidents: Option<&[Incident]>, options: FixOptions) -> Mended {
    fix_told(tree, incidents.map(|incidents| Told { incidents, text: "" }), options)
}

fn fix_log(tree: &Tree, life: &Lifecycle, found: &[Found], told: Told<'_>, options: FixOptions) -> Mended {
    let mut answer = diagnose(life, told.incidents, found, &Catalogue);
    if told.incidents.is_empty() {
        answer.ranked = silent(life, told.text, found);
        if !answer.ranked.is_empty() {
            let diagnoses = answer.ranked.iter().map(|ranked| described(life, &found[ranked.index], ranked));
            answer.diagnoses = diagnoses.collect();
            answer.refused = None;
        }
    }
    let Answer { diagnoses, ranked, refused } = answer;
    let mut out = Mended { diagnosis: diagnoses.first().cloned(), diagnoses, refused, ..Mended::default() };
    let faulty = out.refused.as_ref().is_some_and(|refused| refused.code == RefusalCode::LibraryFault);
    if faulty && options.unsafe_fixes {
        return raise(tree, life, told.incidents, out);
    }
    if ranked.is_empty() || out.refused.is_some() {
        return out;
    }
    let mut wanted = ByEvidence { told, mode: None, folders: None };
    let mended = mend(life, &tree.configs, &mut wanted, &loopmend_project::settings_after);
    out.left = left(&mended);
    if mended.patch.is_none() {
        let reason = mended.left.first().map_or_else(
            || "no mend is sure to keep what the program does".to_owned(),
            |left| format!("{}: {}", left.place, left.reason),
        );
        out.refused = Some(Refusal { code: RefusalCode::NoSafeFix, message: reason });
    }
    out.patch = mended.patch;
    out
}

/// A library is to blame, and the user has asked for more than advice: its lower bound is raised where that can be done.
fn raise(tree: &Tree, life: &Lifecycle, incidents: &[Incident], refused: Mended) -> Mended {
    let mut out = Mended::default();
    let mut files: Vec<FileChange> = Vec::new();
    for answer in incidents.iter().filter_map(|incident| raised(life, incident)) {
        let (found, mend) = match answer {
            Ok(known) => known,
            Err(declined) => {
                out.left.push(Note { path: None, message: declined.reason });
                continue;
            }
        };
        for (path, edits) in &mend.edits {
            let Some(config) = tree.config(path) else { continue };
            let known = files.iter().any(|file| file.path == *path);
            if let (false, Ok(after)) = (known, apply(&config.text, edits)) {
                files.push(FileChange { path: path.clone(), before: Some(config.text.to_string()), after });
            }
        }
        out.diagnoses.push(alone(life, &found));
        out.left.extend(mend.notes.into_iter().map(|message| Note { path: None, message }));
    }
    if files.is_empty() {
        return Mended { left: out.left, ..refused };
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    out.left.dedup();
    out.diagnoses.dedup();
    out.diagnosis = out.diagnoses.first().cloned();
    out.patch = Some(Patch { files, applicability: Applicability::Unsafe });
    out
}

fn fix_found(tree: &Tree, life: &Lifecycle, found: &[Found], options: FixOptions) -> Mended {
    let mut wanted = ByTrust { unsafe_too: options.unsafe_fixes };
    let diagnoses: Vec<Diagnosis> =
        wanted.wants(life, found).into_iter().map(|index| alone(life, &found[index])).collect();
    let mended = mend(life, &tree.configs, &mut wanted, &loopmend_project::settings_after);
    Mended {
        diagnosis: diagnoses.first().cloned(),
        diagnoses,
        left: left(&mended),
        patch: mended.patch,
        remaining: mended.remaining,
        ..Mended::default()
    }
}

fn left(mended: &loopmend_fix::Mended) -> Vec<Note> {
    let mut notes: Vec<Note> = mended
        .left
        .iter()
        .map(|left| Note {
            path: Some(left.place.clone()),
            message: format!("{} is left: {}", left.found.cause, left.reason),
        })
        .collect();
    notes.extend(mended.notes.iter().map(|note| Note { path: None, message: note.clone() }));
    notes
}

/// What the log's evidence speaks for: the first cause, then those whose place it names too. Where it names no place, those of
/// the first cause that are as likely as the first: each of them would keep the symptom alive.
struct ByEvidence<'t> {
    told: Told<'t>,
    /// Settled by the tree as it was found.
    mode: Option<Mode>,
    /// Where nothing was printed: the first folders of the findings that were meant at first.
    folders: Option<BTreeSet<String>>,
}

/// Which findings the evidence asks for.
#[derive(Clone, Copy)]
enum Mode {
    /// Those whose place it names.
    Placed,
    /// It names no place: those of this cause for which as much speaks.
    Likely(&'static str, u32),
}

impl Wanted for ByEvidence<'_> {
    fn wants(&mut self, life: &Lifecycle, found: &[Found]) -> Vec<usize> {
        let ranked = if self.told.incidents.is_empty() {
            let meant = silent(life, self.told.text, found);
            let folder = |ranked: &Ranked| {
                let path = &life.facts(found[ranked.index].spot.file).path;
                path.split_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned())
            };
            let folders = self.folders.get_or_insert_with(|| meant.iter().map(folder).collect());
            meant.into_iter().filter(|ranked| folders.contains(&folder(ranked))).collect()
        } else {
            rank(life, &open(life, self.told.incidents), found, &Catalogue)
        };
        let Some(best) = ranked.first() else { return Vec::new() };
        let mode = *self.mode.get_or_insert(if best.placed {
            Mode::Placed
        } else {
            Mode::Likely(found[best.index].cause, best.points)
        });
        ranked
            .into_iter()
            .filter(|ranked| found[ranked.index].applicability != Applicability::Advice)
            .filter(|ranked| match mode {
                Mode::Placed => ranked.placed,
                Mode::Likely(cause, points) => {
                    ranked.placed || (found[ranked.index].cause == cause && ranked.points == points)
                }
            })
            .map(|ranked| ranked.index)
            .collect()
    }
}

/// Every finding whose mend is safe, or unsafe on request; doubtful ones are left.
struct ByTrust {
    unsafe_too: bool,
}

impl Wanted for ByTrust {
    fn wants(&mut self, _: &Lifecycle, found: &[Found]) -> Vec<usize> {
        found
            .iter()
            .enumerate()
            .filter(|(_, found)| !found.doubtful)
            .filter(|(_, found)| match found.applicability {
                Applicability::Safe => true,
                Applicability::Unsafe => self.unsafe_too,
                Applicability::Advice => false,
            })
            .map(|(index, _)| index)
            .collect()
    }
}
