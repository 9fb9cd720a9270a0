//! The loop over findings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use loopmend_causes::{Found, Report, cause, prepare, shelf};
use loopmend_model::{Applicability, ConfigFile, FileChange, Finding, Patch, Settings};
use loopmend_python::edit;
use loopmend_python::lifecycle::Lifecycle;
use rayon::prelude::*;

use crate::accept;

/// More mends than this for one patch mean that something goes round.
const MOST: usize = 500;

/// What is to be mended.
pub trait Wanted {
    /// Whether, and before which others (lower first), a finding of the tree as it is now is to be mended.
    fn wants(&mut self, life: &Lifecycle, found: &[Found]) -> Vec<usize>;
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Mended {
    /// The change; none where nothing was mended.
    pub patch: Option<Patch>,
    /// Findings that were wanted and are left, with the reason.
    pub left: Vec<Left>,
    /// Findings that were mended, as they were found.
    pub mended: Vec<Found>,
    /// Findings of the tree as it is after the change, doubtful ones not among them.
    pub remaining: Vec<Finding>,
    /// What the user should know of the change.
    pub notes: Vec<String>,
}

/// A finding that is left.
#[derive(Clone, Debug)]
pub struct Left {
    /// The finding, as found.
    pub found: Found,
    /// Path and line of it in the tree as it was then.
    pub place: String,
    /// One sentence.
    pub reason: String,
}

/// All findings of the shelf but those of ignored causes and those that a comment silences.
pub fn detect(life: &Lifecycle) -> Vec<Found> {
    prepare(life);
    let reports: Vec<Report> = shelf()
        .par_iter()
        // A dear one is no reason for others to wait behind it.
        .with_max_len(1)
        .filter(|cause| !life.settings().ignore.iter().any(|slug| slug == cause.slug()))
        .map(|cause| {
            let mut report = Report::default();
            cause.detect(life, &mut report);
            report
        })
        .collect();
    let mut all = Report::default();
    for found in reports.into_iter().flat_map(Report::into_found) {
        all.add(found);
    }
    all.into_found().into_iter().filter(|found| !silenced(life, found)).collect()
}

/// Findings as they leave the step: one whose mend is declined where it stands is advice only. Doubtful ones are not asked.
pub fn offered(life: &Lifecycle, found: &[Found]) -> Vec<Finding> {
    found
        .par_iter()
        .map(|found| {
            let mut finding = found.finding(life);
            let declined = || cause(found.cause).is_none_or(|of| of.fix(life, found).is_err());
            if !found.doubtful && finding.applicability != Applicability::Advice && declined() {
                finding.applicability = Applicability::Advice;
            }
            finding
        })
        .collect()
}

fn silenced(life: &Lifecycle, found: &Found) -> bool {
    let facts = life.facts(found.spot.file);
    if facts.ignores.is_empty() {
        return false;
    }
    let first = facts.lines.line(found.spot.range.start());
    let last = facts.lines.line(found.spot.range.end());
    facts.ignores.iter().any(|ignore| {
        let line = if ignore.own_line { ignore.line + 1 } else { ignore.line };
        (first..=last).contains(&line)
            && (ignore.causes.is_empty() || ignore.causes.iter().any(|slug| slug == found.cause))
    })
}

/// Mends what is wanted. `resettle` gives the settings for changed configuration.
pub fn mend(
    base: &Lifecycle,
    configs: &[ConfigFile],
    wanted: &mut dyn Wanted,
    resettle: &dyn Fn(&Settings, &[ConfigFile]) -> Settings,
) -> Mended {
    let mut out = Mended::default();
    let mut tree = Working { texts: BTreeMap::new(), configs: configs.to_vec() };
    let mut tried: BTreeSet<(&'static str, String, String)> = BTreeSet::new();
    let mut applicability = Applicability::Safe;
    let mut current: Option<Lifecycle> = None;
    let mut found = detect(base);
    for _ in 0..MOST {
        let life = current.as_ref().unwrap_or(base);
        let next = wanted
            .wants(life, &found)
            .into_iter()
            .map(|index| &found[index])
            .find(|found| !tried.contains(&key(life, found)));
        let Some(target) = next else { break };
        tried.insert(key(life, target));
        let attempt = attempt(life, &tree, target, &found, resettle);
        match attempt {
            Err(reason) => {
                let at = target.spot.location(life);
                let place = format!("{}:{}", at.path, at.line);
                out.left.push(Left { found: target.clone(), place, reason });
            }
            Ok(Step { tree: changed, life, found: after, applicability: trust, notes }) => {
                applicability = applicability.max(trust);
                out.notes.extend(notes);
                out.mended.push(target.clone());
                tree = changed;
                current = Some(life);
                found = after;
            }
        }
    }
    let life = current.as_ref().unwrap_or(base);
    found.retain(|found| !found.doubtful);
    out.remaining = offered(life, &found);
    out.patch = patch(base, configs, &tree, applicability);
    out.notes.dedup();
    out
}

fn key(life: &Lifecycle, found: &Found) -> (&'static str, String, String) {
    (found.cause, life.facts(found.spot.file).path.clone(), found.message.clone())
}

#[derive(Clone)]
struct Working {
    texts: BTreeMap<String, Arc<str>>,
    configs: Vec<ConfigFile>,
}

struct Step {
    tree: Working,
    life: Lifecycle,
    found: Vec<Found>,
    applicability: Applicability,
    notes: Vec<String>,
}

fn attempt(
    life: &Lifecycle,
    tree: &Working,
    target: &Found,
    before: &[Found],
    resettle: &dyn Fn(&Settings, &[ConfigFile]) -> Settings,
) -> Result<Step, String> {
    let of = cause(target.cause).ok_or_else(|| format!("{} is on no shelf", target.cause))?;
    let mend = of.fix(life, target).map_err(|declined| declined.reason)?;
    let mut changed = tree.clone();
    let mut texts: Vec<(String, Arc<str>)> = Vec::new();
    let mut configured = Vec::new();
    let mut settings = None;
    for (path, edits) in &mend.edits {
        if let Some(file) = life.file(path) {
            let after: Arc<str> = edit::apply(life.text(file), edits)
                .map_err(|overlap| format!("its edits overlap: {overlap}"))?
                .into();
            texts.push((path.clone(), Arc::clone(&after)));
            changed.texts.insert(path.clone(), after);
            continue;
        }
        let known = changed.configs.iter().position(|config| config.path == *path);
        let text = known.map_or("", |index| &changed.configs[index].text);
        let after: Arc<str> =
            edit::apply(text, edits).map_err(|overlap| format!("its edits overlap: {overlap}"))?.into();
        if path.ends_with(".py") {
            texts.push((path.clone(), Arc::clone(&after)));
            changed.texts.insert(path.clone(), after);
            continue;
        }
        configured.push((path.clone(), Arc::clone(&after)));
        match known {
            Some(index) => changed.configs[index].text = after,
            None => {
                changed.configs.push(ConfigFile { path: path.clone(), text: after });
                changed.configs.sort_by(|left, right| left.path.cmp(&right.path));
            }
        }
        settings = Some(resettle(life.settings(), &changed.configs));
    }
    if texts.is_empty() && settings.is_none() {
        return Err("the mend changes nothing".to_owned());
    }
    let paths: Vec<String> = texts.iter().map(|(path, _)| path.clone()).collect();
    texts.append(&mut configured);
    let mut after = life.with_changes(&texts);
    if let Some(settings) = settings {
        after = after.with_settings(settings);
    }
    let found = detect(&after);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    accept(life, &after, &paths, target, before, &found, &mend.declared)
        .map_err(|rejected| rejected.to_string())?;
    Ok(Step {
        tree: changed,
        life: after,
        found,
        applicability: mend.applicability.max(target.applicability),
        notes: mend.notes,
    })
}

fn patch(
    base: &Lifecycle,
    configs: &[ConfigFile],
    tree: &Working,
    applicability: Applicability,
) -> Option<Patch> {
    let mut files = Vec::new();
    for (path, after) in &tree.texts {
        let before = base.file(path).map(|file| base.text(file).to_string());
        if before.as_deref() != Some(after) {
            files.push(FileChange { path: path.clone(), before, after: after.to_string() });
        }
    }
    for config in &tree.configs {
        let before =
            configs.iter().find(|known| known.path == config.path).map(|known| known.text.to_string());
        if before.as_deref() != Some(&*config.text) {
            files.push(FileChange { path: config.path.clone(), before, after: config.text.to_string() });
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    (!files.is_empty()).then_some(Patch { files, applicability })
}
