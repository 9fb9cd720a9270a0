//! A weak container of tasks made a plain one.

use loopmend_python::edit::{Draft, Edit, Source, insert_after, remove_import, replace_expr};
use loopmend_python::facts::{ExprKind, Parent, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Kind, Lifecycle, Value};

use crate::background::free_local;
use crate::{Declined, Found, Mend};

/// `put` is the call that adds the task.
pub(super) fn mend(life: &Lifecycle, found: &Found, call: ExprRef, put: ExprRef) -> Result<Mend, Declined> {
    let by_hand =
        || Declined::because("keep the tasks in a plain `set` and take each out with `add_done_callback`");
    let file = put.file;
    let facts = life.facts(file);
    let ExprKind::Call { func, args, .. } = &facts.expr(put.id).kind else { return Err(by_hand()) };
    let ExprKind::Attribute { value: container, .. } = facts.expr(*func).kind else { return Err(by_hand()) };
    let (Parent::Stmt(stmt), [given]) = (facts.expr(put.id).parent, &args[..]) else { return Err(by_hand()) };
    if !matches!(facts.stmt(stmt).kind, StmtKind::Expr(_)) || facts.dotted(container).is_none() {
        return Err(by_hand());
    }
    let made = life.infer(put.with(container)).iter().find_map(|value| match value {
        Value::Instance(Kind::External(class), Some(site)) if class.starts_with("weakref.WeakSet") => {
            Some(*site)
        }
        _ => None,
    });
    let made = made.filter(|made| made.file == file).ok_or_else(by_hand)?;
    let source = Source::parse(&facts.path, life.text(file).clone());
    if source.is_broken() {
        return Err(Declined::because("mend the syntax errors of the file first"));
    }
    let set = life.source(put.with(container));
    let range = facts.stmt(stmt).range;
    let mut draft = Draft::new(&source);
    draft.step(|now| {
        let mut edits = replace_expr(now, facts.expr(made.id).range, "set()")?;
        if *given == call.id {
            let name = free_local(facts, facts.stmt(stmt).function, &["task", "background_task", "started"]);
            let start = now.indent_of(
                now.statement_at(range).ok_or(loopmend_python::edit::Refused::Missing("statement"))?,
            );
            let text = life.source(call);
            edits.push(Edit::insertion(range.start(), format!("{name} = {text}{}{start}", now.newline())));
            edits.push(Edit::replacement(facts.expr(call.id).range, name.clone()));
            edits.extend(insert_after(now, range, &format!("{name}.add_done_callback({set}.discard)"))?);
        } else {
            let name = life.source(put.with(*given));
            edits.extend(insert_after(now, range, &format!("{name}.add_done_callback({set}.discard)"))?);
        }
        Ok(edits)
    })?;
    for name in ["weakref", "WeakSet"] {
        draft.step(|now| Ok(remove_import(now, name)))?;
    }
    let mut mend = Mend::new(found.applicability);
    mend.edit(life, file, draft.edits());
    mend.declared.added.extend(["set", "add_done_callback"].map(str::to_owned));
    mend.declared.removed.push("WeakSet".to_owned());
    Ok(mend)
}
