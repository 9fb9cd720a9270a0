//! A mend with its evidence: the error is made to happen, mended, and shown to be gone.

use std::path::Path;

use loopmend_model::{Diagnosis, FileChange, Incident, Patch, Proof, RefusalCode, Tree};
use loopmend_python::lifecycle::Lifecycle;
use loopmend_verify::{
    Case, Place, ProveOptions, Recogniser, VerifyError, judge, regression_test, reproduce,
};

use crate::mend::{FixOptions, Mended, Told, fix_read};

/// Capture, as `verify` asks for it.
pub struct Captured;

impl Recogniser for Captured {
    fn incidents(&self, text: &[u8]) -> Vec<Incident> {
        loopmend_capture::capture(text).incidents
    }
}

/// A mend and what was shown of it.
#[derive(Debug, Default)]
pub struct Proved {
    /// The mend, made with what the reproduction told too.
    pub mended: Mended,
    /// `None` where there is no patch to prove, or nothing to run since the tree is to be left alone.
    pub proof: Option<Proof>,
}

/// Mends a tree and proves the mend; the tree on disk is only read.
///
/// `ground` is asked for a place and for what is wanted, once there is something to run. What the reproduction printed is diagnosed again where the log alone led to no mend: it has the places where objects and
/// tasks were created.
pub fn prove<E: From<VerifyError>>(
    root: &Path,
    tree: &Tree,
    told: Option<Told<'_>>,
    fixing: FixOptions,
    ground: impl FnOnce() -> Result<(Box<dyn Place>, ProveOptions), E>,
) -> Result<Proved, E> {
    let life = Lifecycle::read(tree);
    let mut mended = fix_read(tree, &life, told, fixing);
    if !is_worth_running(&mended, told.is_some()) {
        return Ok(Proved { mended, proof: None });
    }
    let (place, options) = ground()?;
    let (place, options) = (&*place, &options);
    let diagnoses = mended.diagnoses.clone();
    let case = case(root, tree, &life, told, &diagnoses);
    let reproduced = reproduce(&case, place, &Captured, options)?;
    if mended.patch.is_none()
        && let Some(told) = told
        && !reproduced.incidents().is_empty()
    {
        let both: Vec<Incident> = told.incidents.iter().chain(reproduced.incidents()).cloned().collect();
        let again = fix_read(tree, &life, Some(Told { incidents: &both, text: told.text }), fixing);
        if again.patch.is_some() {
            mended = again;
        }
    }
    let Some(patch) = mended.patch.as_ref().filter(|patch| !patch.is_empty()) else {
        return Ok(Proved { mended, proof: None });
    };
    let mut proof = judge(&case, place, &Captured, &reproduced, patch, options)?;
    if options.regression_test && proof.holds() {
        let suite = proof.suite.as_ref();
        match regression_test(&case, place, &Captured, &reproduced, suite, patch, options)? {
            Ok(test) => {
                let file = FileChange { path: test.path.clone(), before: None, after: test.text.clone() };
                proof.regression_test = Some(test);
                if let Some(patch) = &mut mended.patch {
                    patch.files.push(file);
                    patch.files.sort_by(|left, right| left.path.cmp(&right.path));
                }
            }
            Err(why) => proof.reasons.push(why),
        }
    }
    Ok(Proved { mended, proof: Some(proof) })
}

/// A change that a tree has already, to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Made<'m> {
    /// The tree without it.
    pub before: &'m Path,
    /// Its text.
    pub tree: &'m Tree,
    /// The folder with it; `None` where a copy is to be patched.
    pub after: Option<&'m Path>,
    /// The change.
    pub patch: &'m Patch,
}

/// Proves a change that was made, by whomever.
pub fn prove_made(
    made: Made<'_>,
    told: Option<Told<'_>>,
    place: &dyn Place,
    options: &ProveOptions,
) -> Result<(Vec<Diagnosis>, Proof), VerifyError> {
    let life = Lifecycle::read(made.tree);
    let diagnoses = fix_read(made.tree, &life, told, FixOptions::default()).diagnoses;
    let case = Case { after: made.after, ..case(made.before, made.tree, &life, told, &diagnoses) };
    let reproduced = reproduce(&case, place, &Captured, options)?;
    let proof = judge(&case, place, &Captured, &reproduced, made.patch, options)?;
    Ok((diagnoses, proof))
}

fn case<'c>(
    root: &'c Path,
    tree: &'c Tree,
    life: &'c Lifecycle,
    told: Option<Told<'c>>,
    diagnoses: &'c [Diagnosis],
) -> Case<'c> {
    let (incidents, text) = told.map_or((&[][..], ""), |told| (told.incidents, told.text));
    Case { root, after: None, tree, life, incidents, text, diagnoses }
}

/// Whether a run can add anything: there is a patch, or the log leaves open what a run may tell.
fn is_worth_running(mended: &Mended, has_log: bool) -> bool {
    let patched = mended.patch.as_ref().is_some_and(|patch| !patch.is_empty());
    let open = mended
        .refused
        .as_ref()
        .is_some_and(|refused| matches!(refused.code, RefusalCode::Ambiguous | RefusalCode::NoSafeFix));
    patched || (has_log && open)
}
