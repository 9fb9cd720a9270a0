//! A runner that an object keeps and that its method enters with `with` in every call: the first exit closes it.

use loopmend_python::facts::{ExprKind, MODULE, Name, Parent, StmtKind};
use loopmend_python::lifecycle::{
    ClassRef, ExprRef, FunctionRef, Kind, Lifecycle, Place, StmtRef, UseKind, Value,
};

use crate::own_loop::Steps;
use crate::{Declined, Mend};

/// One such runner.
#[derive(Clone, Debug)]
pub(super) struct Entered {
    /// Where the runner is made.
    pub(super) site: ExprRef,
    /// The runner in each header.
    pub(super) contexts: Vec<ExprRef>,
    /// The statements.
    withs: Vec<StmtRef>,
    /// The method that is called again.
    pub(super) method: FunctionRef,
    /// The call that finds the runner closed.
    pub(super) again: ExprRef,
    class: ClassRef,
    /// Something closes it by hand too.
    closed: bool,
}

/// All of the tree.
pub(super) fn entered_again(life: &Lifecycle) -> Vec<Entered> {
    let mut found = Vec::new();
    for &file in life.files_with("Runner") {
        for &id in &life.facts(file).calls {
            let site = ExprRef { file, id };
            if life.called_name(site).as_deref() == Some("Runner")
                && life.calls_any(site, &["asyncio.Runner"])
            {
                found.extend(of_site(life, site));
            }
        }
    }
    found
}

fn of_site(life: &Lifecycle, site: ExprRef) -> Option<Entered> {
    let facts = life.facts(site.file);
    let maker = FunctionRef { file: site.file, id: facts.function_of(site.id) };
    let of = facts.function(maker.id);
    let class = ClassRef { file: site.file, id: of.class.filter(|_| of.name == "__init__")? };
    let flow = life.flow_of(site);
    let mut attributes = flow.places.iter().filter_map(|place| match place {
        Place::Attribute(owner, name) => Some((*owner, name)),
        _ => None,
    });
    let (owner, name) = attributes.next()?;
    // Where another method makes a new one, the next call may find that.
    if flow.doubt || attributes.next().is_some() || owner != class || life.self_writes(class, name).len() != 1
    {
        return None;
    }
    let entered: Vec<(ExprRef, StmtRef)> = flow
        .uses
        .iter()
        .filter_map(|at| match at.kind {
            UseKind::Entered { stmt, is_async: false } => Some((at.expr, stmt)),
            _ => None,
        })
        .collect();
    let method_of =
        |with: &StmtRef| FunctionRef { file: with.file, id: life.facts(with.file).stmt(with.id).function };
    if entered.iter().any(|(_, with)| method_of(with) == maker || with.file != site.file) {
        return None;
    }
    let (method, again) = entered
        .iter()
        .map(|(_, with)| method_of(with))
        .find_map(|method| Some((method, again(life, method)?)))?;
    Some(Entered {
        site,
        contexts: entered.iter().map(|(context, _)| *context).collect(),
        withs: entered.iter().map(|(_, with)| *with).collect(),
        method,
        again,
        class,
        closed: flow.methods("close").next().is_some(),
    })
}

/// A second call of a method on one object.
fn again(life: &Lifecycle, method: FunctionRef) -> Option<ExprRef> {
    let around = |at: ExprRef| FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) };
    // Objects that one place makes are one object only within one run of the function around it.
    let calls: Vec<(ExprRef, ExprRef)> = life
        .call_sites(method)
        .iter()
        .filter_map(|site| Some((site.call, owner_of(life, site.call)?)))
        .filter(|&(call, owner)| {
            let maker = around(owner);
            !life.in_loop(owner)
                && (maker == around(call) || maker.id == MODULE)
                && !life.is_refusal_expected(call)
        })
        .collect();
    let leaves = |call: ExprRef| match life.facts(call.file).expr(call.id).parent {
        Parent::Stmt(stmt) => matches!(life.facts(call.file).stmt(stmt).kind, StmtKind::Return(_)),
        _ => false,
    };
    if let Some(&(call, _)) = calls.iter().find(|&&(call, _)| life.in_loop(call) && !leaves(call)) {
        return Some(call);
    }
    calls.iter().enumerate().find_map(|(index, &(first, owner))| {
        calls[index + 1..]
            .iter()
            .find(|&&(second, other)| {
                other == owner
                    && around(second) == around(first)
                    && !leaves(first)
                    && !life.exclusive(&[first, second])
            })
            .map(|&(second, _)| second)
    })
}

/// Where the object that a method is called on is made.
fn owner_of(life: &Lifecycle, call: ExprRef) -> Option<ExprRef> {
    let ExprKind::Call { func, .. } = life.facts(call.file).expr(call.id).kind else { return None };
    let ExprKind::Attribute { value, .. } = life.facts(call.file).expr(func).kind else { return None };
    match life.infer(call.with(value)).as_ref() {
        [Value::Instance(Kind::Class(_), site)] => *site,
        _ => None,
    }
}

/// Takes the `with` away, and gives the owner a `close` of its own.
pub(super) fn keep_for_owner(life: &Lifecycle, entered: &Entered, mend: &mut Mend) -> Result<(), Declined> {
    let file = entered.site.file;
    let facts = life.facts(file);
    let mut steps = Steps::default();
    for (with, context) in entered.withs.iter().zip(&entered.contexts) {
        let stmt = facts.stmt(with.id);
        let StmtKind::With { items, .. } = &stmt.kind else { return Err(by_hand()) };
        let [item] = &items[..] else { return Err(by_hand()) };
        if let Some(target) = item.target {
            let alias: &Name = facts.name_of(target).ok_or_else(by_hand)?;
            let around = facts.function(stmt.function).range;
            for &load in facts.loads.get(alias).into_iter().flatten() {
                let range = facts.expr(load).range;
                if stmt.range.contains_range(range) {
                    steps.replace(range, life.source(*context));
                } else if around.contains_range(range) {
                    return Err(by_hand());
                }
            }
        }
        steps.unwrap(life, file, with.id);
    }
    if !entered.closed {
        let class = facts.class(entered.class.id);
        let ends = ["close", "stop", "shutdown", "__exit__", "__del__"];
        if ends.iter().any(|&name| class.methods.contains_key(name)) || !class.bases.is_empty() {
            return Err(by_hand());
        }
        let loopmend_python::facts::Definition::Def(last) = facts.function(entered.method.id).definition
        else {
            return Err(by_hand());
        };
        let runner = life.source(entered.contexts[0]);
        let receiver = facts
            .function(entered.method.id)
            .receiver()
            .filter(|name| runner.starts_with(&format!("{name}.")));
        let receiver = receiver.ok_or_else(by_hand)?;
        steps.after(life, file, last, format!("\ndef close({receiver}):\n    {runner}.close()"));
        mend.declared.added.push("close".to_owned());
        mend.notes.push(format!("`{}.close` is new: call it where its owner is done", class.name));
    }
    let edits = steps.edits(life, file, false)?;
    mend.edit(life, file, edits);
    mend.declared.moved = true;
    Ok(())
}

fn by_hand() -> Declined {
    Declined::because("enter the runner once, where its owner begins, and close it where the owner ends")
}
