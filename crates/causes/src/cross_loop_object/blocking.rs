//! Calls that would stop a loop that others share.

use std::collections::BTreeSet;

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

const BLOCKING: &[&str] = &[
    "time.sleep",
    "requests.",
    "urllib.request.",
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_",
    "os.system",
    "socket.",
    "sqlite3.",
    "psycopg2.",
    "queue.",
    "cv2.",
    "serial.",
];

/// A call that blocks its thread, in what runs with these functions.
pub fn blocking(life: &Lifecycle, functions: &BTreeSet<FunctionRef>) -> Option<ExprRef> {
    functions.iter().find_map(|&function| {
        let facts = life.facts(function.file);
        let mut found = None;
        facts.body_exprs(function.id, &mut |id| {
            let call = ExprRef { file: function.file, id };
            if found.is_some() || !matches!(facts.expr(id).kind, ExprKind::Call { .. }) {
                return;
            }
            let blocks = life.called_name(call).as_deref() == Some("input")
                || life
                    .callee_paths(call)
                    .iter()
                    .any(|path| BLOCKING.iter().any(|known| path.starts_with(known)));
            if blocks {
                found = Some(call);
            }
        });
        found
    })
}
