//! A run's call as the `await` that does the same inside a running loop.

use loopmend_python::edit::{Edit, Source, replace_expr};
use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Run};

use crate::Declined;

/// The edits that make a run an `await` of what it runs.
pub fn awaited(life: &Lifecycle, source: &Source, run: &Run) -> Result<Vec<Edit>, Declined> {
    let range = life.facts(run.call.file).expr(run.call.id).range;
    Ok(replace_expr(source, range, &text(life, run)?)?)
}

/// `await …` for a run.
pub fn text(life: &Lifecycle, run: &Run) -> Result<String, Declined> {
    let facts = life.facts(run.call.file);
    let ExprKind::Call { func, args, .. } = &facts.expr(run.call.id).kind else {
        return Err(Declined::because("the run is no call"));
    };
    let argument =
        run.argument.ok_or_else(|| Declined::because("the run runs nothing that is written there"))?;
    let inner = match run.path.as_str() {
        "asgiref.sync.async_to_sync" => {
            if argument.file != run.call.file {
                return Err(Declined::because(
                    "the run is made in another file: await the coroutine by hand",
                ));
            }
            let start = facts.expr(*func).range.end();
            let rest = &life.text(run.call.file)
                [loopmend_python::facts::TextRange::new(start, facts.expr(run.call.id).range.end())];
            format!("{}{rest}", callable(life, argument))
        }
        "anyio.run" => {
            let rest: Vec<&str> = args.iter().skip(1).map(|&arg| life.source(run.call.with(arg))).collect();
            format!("{}({})", callable(life, argument), rest.join(", "))
        }
        _ => callable(life, argument),
    };
    Ok(format!("await {inner}"))
}

/// Keywords of a run beside what it runs, as written (`debug=True`).
pub fn options(life: &Lifecycle, run: &Run) -> Vec<String> {
    let facts = life.facts(run.call.file);
    if run.path == "asgiref.sync.async_to_sync" {
        return Vec::new();
    }
    let ExprKind::Call { keywords, .. } = &facts.expr(run.call.id).kind else { return Vec::new() };
    keywords
        .iter()
        .filter(|keyword| run.argument.is_none_or(|argument| argument.id != keyword.value))
        .map(|keyword| {
            let value = life.source(run.call.with(keyword.value));
            keyword.name.as_ref().map_or_else(|| format!("**{value}"), |name| format!("{name}={value}"))
        })
        .collect()
}

fn callable(life: &Lifecycle, expr: ExprRef) -> String {
    match life.facts(expr.file).expr(expr.id).kind {
        ExprKind::Name(_)
        | ExprKind::Attribute { .. }
        | ExprKind::Call { .. }
        | ExprKind::Subscript { .. } => life.source(expr).to_owned(),
        _ => format!("({})", life.source(expr)),
    }
}
