//! Tests that expect the warning of a module: `with pytest.warns(DeprecationWarning): from app.main import app`.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprKind, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle};

/// Modules that tests import in order to see them warn.
struct Warned(BTreeSet<FileId>);

/// Whether a test expects that importing this file warns: its old form is meant.
pub(super) fn is_meant_to_warn(life: &Lifecycle, file: FileId) -> bool {
    life.once(|life| {
        let files = life.files_with("warns").iter().flat_map(|&test| imported_under_warns(life, test));
        Warned(files.collect())
    })
    .0
    .contains(&file)
}

fn imported_under_warns(life: &Lifecycle, test: FileId) -> Vec<FileId> {
    let facts = life.facts(test);
    facts
        .bindings
        .iter()
        .filter(|binding| binding.stmt.is_some_and(|stmt| expects_warning(life, test, facts, stmt)))
        .filter_map(|binding| match &binding.kind {
            BindingKind::ImportFrom { level, module, name } => life
                .imported_file(test, *level, &format!("{module}.{name}"))
                .or_else(|| life.imported_file(test, *level, module)),
            BindingKind::Import { module } => life.modules().find(module, test),
            _ => None,
        })
        .collect()
}

fn expects_warning(life: &Lifecycle, test: FileId, facts: &Facts, stmt: StmtId) -> bool {
    facts.ancestors(stmt).any(|(outer, _)| {
        let StmtKind::With { items, .. } = &facts.stmt(outer).kind else { return false };
        items.iter().any(|item| {
            let call = ExprRef { file: test, id: item.context };
            matches!(facts.expr(item.context).kind, ExprKind::Call { .. })
                && life.calls_any(call, &["pytest.warns", "pytest.deprecated_call"])
        })
    })
}
