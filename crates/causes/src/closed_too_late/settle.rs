//! Who made the object closes it: what `resource-never-closed` does where nothing closes it any more.

use std::collections::BTreeSet;

use loopmend_python::edit::wrap_statements;
use loopmend_python::facts::{StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Kind, Lifecycle, UseKind, Value};

use crate::resource_never_closed::{ResourceNeverClosed, makers};
use crate::suite::Rewrite;
use crate::{Cause, Declined, Found, Mend, Report};

/// More closes than this for one hook mean that something goes round.
const MOST: usize = 12;

type Key = (String, String);

/// Lets whoever makes the object close it. `owner` is the class whose hook has become the method of this name.
pub(super) fn settle<'l>(
    base: &Lifecycle,
    mut rewrite: Rewrite<'l>,
    owner: Option<(&str, &str)>,
    mend: &mut Mend,
) -> Result<Rewrite<'l>, Declined> {
    // What the hook's own class leaves open is part of the defect.
    let own = |found: &Found| owner.is_some_and(|(class, _)| found.message.contains(&format!("`{class}`")));
    let known: BTreeSet<Key> =
        open(base).iter().filter(|found| !own(found)).map(|found| key(base, found)).collect();
    let mut closed = 0;
    for _ in 0..MOST {
        let life = rewrite.life();
        let Some(found) = open(&life).into_iter().find(|found| !known.contains(&key(&life, found))) else {
            break;
        };
        let done = match owner {
            Some((class, close)) => returned(&life, &mut rewrite, class, close)?,
            None => false,
        };
        if done {
            mend.declared.added.extend(owner.map(|(_, close)| close.to_owned()));
        } else {
            let more = ResourceNeverClosed.fix(&life, &found)?;
            rewrite.take(&more)?;
            mend.declared.added.extend(more.declared.added);
            mend.declared.removed.extend(more.declared.removed);
            mend.notes.extend(more.notes);
        }
        if errors(&rewrite.life()) > errors(base) {
            return Err(Declined::because(
                "close the object by hand where it is made, and take the hook away",
            ));
        }
        closed += 1;
    }
    if closed == 0 && owner.is_none() {
        return Err(Declined::because(
            "close the object in the coroutine that `asyncio.run` runs, before it ends, and take the hook away",
        ));
    }
    Ok(rewrite)
}

fn open(life: &Lifecycle) -> Vec<Found> {
    let mut report = Report::default();
    ResourceNeverClosed.detect(life, &mut report);
    report.into_found()
}

fn key(life: &Lifecycle, found: &Found) -> Key {
    (life.facts(found.spot.file).path.clone(), found.message.clone())
}

fn errors(life: &Lifecycle) -> usize {
    life.files().map(|file| life.errors(file).len()).sum()
}

/// Closes an object in the coroutine that makes it, is run, and returns it. Declined where the object is used after the run.
fn returned(life: &Lifecycle, rewrite: &mut Rewrite<'_>, class: &str, close: &str) -> Result<bool, Declined> {
    let Some(class) = life.classes_named(class).next() else {
        return Ok(false);
    };
    for maker in makers(life, class) {
        let function = FunctionRef { file: maker.file, id: life.facts(maker.file).function_of(maker.id) };
        let flow = life.flow_of(maker);
        let given = flow.uses.iter().any(|at| matches!(at.kind, UseKind::Returned(of) if of == function));
        let is_run = life.runs().iter().any(|run| run.coroutines.contains(&function));
        if !given || !is_run || flow.methods(close).next().is_some() {
            continue;
        }
        let (path, run, name) = region(life, class, maker).ok_or_else(|| {
            Declined::because("the object is used after its loop has ended: let one coroutine do all that, and close it there")
        })?;
        let line = format!("await {name}.{close}()");
        rewrite.step(&path, |now| wrap_statements(now, run, "try:", &[("finally:", &line)]))?;
        return Ok(true);
    }
    Ok(false)
}

/// The statements of the maker's function that use the object, up to its return.
fn region(life: &Lifecycle, class: ClassRef, maker: ExprRef) -> Option<(String, TextRange, String)> {
    let facts = life.facts(maker.file);
    let stmt = facts.stmt_of(maker.id)?;
    let function = FunctionRef { file: maker.file, id: facts.stmt(stmt).function };
    if !facts.function(function.id).is_coroutine() {
        return None;
    }
    let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return None };
    let ([target], true) = (&targets[..], *value == maker.id) else { return None };
    let name = facts.name_of(*target)?;
    let flow = life.flow_of(maker);
    let elsewhere = flow.uses.iter().any(|at| {
        let outside = at.expr.file != maker.file
            || life.facts(at.expr.file).function_of(at.expr.id) != function.id
                && life.receiver_class(at.expr).is_none();
        // Of a tuple that is returned other items are not the object.
        let own = match &at.kind {
            UseKind::Method { name, .. } => life.method(class, name).is_some(),
            _ => life
                .infer(at.expr)
                .iter()
                .any(|value| matches!(value, Value::Instance(Kind::Class(of), _) if *of == class)),
        };
        outside
            && own
            && !matches!(
                at.kind,
                UseKind::Stored(_)
                    | UseKind::Returned(_)
                    | UseKind::Dropped
                    | UseKind::Tested
                    | UseKind::Deleted
            )
    });
    if elsewhere || flow.doubt {
        return None;
    }
    let (block, index) = facts.block_of(stmt);
    let level = |at: StmtId| {
        std::iter::once(at).chain(facts.ancestors(at).map(|(outer, _)| outer)).find(|at| block.contains(at))
    };
    let mut last = None;
    for load in life.loads_of(maker.file, function.id, name) {
        let at = level(facts.stmt_of(load.id)?)?;
        if last.is_none_or(|last| facts.stmt(at).range.end() > facts.stmt(last).range.end()) {
            last = Some(at);
        }
    }
    let first = block.get(index + 1)?;
    let run = facts.stmt(*first).range.cover(facts.stmt(last?).range);
    Some((facts.path.clone(), run, name.to_string()))
}
