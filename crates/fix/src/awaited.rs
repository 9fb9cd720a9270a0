//! Functions that became async.

use loopmend_python::facts::{Definition, ExprKind, FunctionId, Parent, StmtKind};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

use crate::accept::Rejected;

/// Every function that became async is awaited, run or handed on wherever it is called.
pub(crate) fn everywhere(before: &Lifecycle, after: &Lifecycle, paths: &[&str]) -> Result<(), Rejected> {
    for path in paths {
        let (Some(old), Some(new)) = (before.file(path), after.file(path)) else { continue };
        for (index, function) in after.facts(new).functions.iter().enumerate().skip(1) {
            if !function.is_async || !matches!(function.definition, Definition::Def(_)) {
                continue;
            }
            let was_sync = before.facts(old).functions.iter().any(|other| {
                other.qualname == function.qualname
                    && !other.is_async
                    && matches!(other.definition, Definition::Def(_))
            });
            if !was_sync {
                continue;
            }
            let of = FunctionRef { file: new, id: FunctionId::new(index) };
            for site in after.call_sites(of) {
                let facts = after.facts(site.call.file);
                let dropped = match facts.expr(site.call.id).parent {
                    Parent::Expr(up) => !matches!(
                        facts.expr(up).kind,
                        ExprKind::Await(_)
                            | ExprKind::Call { .. }
                            | ExprKind::Starred(_)
                            | ExprKind::List(_)
                            | ExprKind::Tuple(_)
                            | ExprKind::Comprehension { .. }
                    ),
                    Parent::Stmt(stmt) => !matches!(
                        facts.stmt(stmt).kind,
                        StmtKind::With { is_async: true, .. }
                            | StmtKind::For { is_async: true, .. }
                            | StmtKind::Return(_)
                    ),
                    Parent::None => true,
                };
                if dropped {
                    return Err(Rejected::NotAwaited {
                        function: function.qualname.clone(),
                        path: facts.path.clone(),
                        line: facts.lines.line(facts.expr(site.call.id).range.start()),
                    });
                }
            }
        }
    }
    Ok(())
}
