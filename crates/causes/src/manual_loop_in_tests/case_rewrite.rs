//! From a loop by hand to `IsolatedAsyncioTestCase`.

use loopmend_python::edit::{
    Comments, Draft, Edit, Refused, Source, delete_statement, insert_at_start, insert_before, make_async,
    remove_import, replace_expr,
};
use loopmend_python::facts::{ExprKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, Lifecycle};
use ruff_text_size::Ranged;

use super::case::{Case, SharedObject};
use crate::suite::range_of;
use crate::{Declined, Mend};

/// Makes the class's tests async; each has a loop from unittest, and objects of its own.
pub(super) fn rewrite(life: &Lifecycle, case: &Case, mend: &mut Mend) -> Result<(), Declined> {
    if case.other {
        return Err(Declined::because(
            "the loop is used in other ways too: make the class an IsolatedAsyncioTestCase, and await in async tests",
        ));
    }
    let facts = life.facts(case.class.file);
    let class = facts.class(case.class.id);
    if class.methods.contains_key("asyncSetUp")
        || class.bases.len() != 1
        || !life.heirs(case.class).iter().all(|heir| *heir == case.class)
    {
        return Err(Declined::because(
            "the class has other bases or heirs: make them all IsolatedAsyncioTestCase",
        ));
    }
    let source = Source::parse(&facts.path, life.text(case.class.file).as_ref());
    let mut edits = base(life, case, &source);
    for &run in &case.runs {
        let ExprKind::Call { ref args, .. } = facts.expr(run.id).kind else { continue };
        let text = format!("await {}", life.source(run.with(args[0])));
        edits.extend(replace_expr(&source, range_of(life, run), &text)?);
    }
    for method in &case.methods {
        let of = facts.function(method.id);
        let renamed = match of.name.as_str() {
            "setUp" => Some("asyncSetUp"),
            "tearDown" => Some("asyncTearDown"),
            "setUpClass" | "tearDownClass" => {
                return Err(Declined::because(
                    "the class itself runs the loop: open what it opens in asyncSetUp",
                ));
            }
            name if name.starts_with("test") => None,
            _ => {
                return Err(Declined::because(format!(
                    "`{}` runs the loop: make it async, and await it",
                    of.name
                )));
            }
        };
        edits.extend(make_async(&source, of.range)?);
        if let Some(renamed) = renamed {
            edits.push(Edit::replacement(of.name_range, renamed));
        }
    }
    let class_name = class.name.to_string();
    let mut draft = Draft::new(&source);
    let upkeep = case.upkeep.iter().map(|&stmt| facts.stmt(stmt).range);
    let shared = case.shared.iter().map(|shared| facts.stmt(shared.stmt).range);
    let mut gone: Vec<TextRange> = upkeep.chain(shared).collect();
    for &helper in &case.helpers {
        gone.push(facts.function(helper).range);
    }
    let opened: Vec<String> =
        case.shared.iter().map(|shared| opening(life, shared)).collect::<Result<_, _>>()?;
    // Edits first, all at once; then statements, from behind, by where they have moved to.
    let moved = |range: TextRange| shifted(range, &edits);
    gone.sort_by_key(Ranged::start);
    let gone: Vec<TextRange> = gone.into_iter().map(moved).collect();
    draft.step(|_| Ok(edits.clone()))?;
    for range in gone.into_iter().rev() {
        draft.step(|now| delete_statement(now, range, Comments::Keep))?;
    }
    draft.step(|now| {
        let class = class_of(now, &class_name)?;
        setup(now, class, &opened.join("\n"))
    })?;
    // Methods that are left with nothing to do.
    for _ in 0..4 {
        draft.step(|now| {
            let class = class_of(now, &class_name)?;
            let empty = class.body.iter().filter_map(|stmt| stmt.as_function_def_stmt()).find(|function| {
                ["setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown"]
                    .contains(&function.name.as_str())
                    && function.body.iter().all(ruff_python_ast::Stmt::is_pass_stmt)
            });
            match empty {
                Some(function) => delete_statement(now, function.range(), Comments::Delete),
                None => Ok(Vec::new()),
            }
        })?;
    }
    draft.step(|now| Ok(remove_import(now, "asyncio")))?;
    if let Some(name) = facts.name_of(case.base.id) {
        draft.step(|now| Ok(remove_import(now, name)))?;
    }
    mend.rewrite(life, case.class.file, draft.source().text());
    for shared in &case.shared {
        if let Some(resource) = life.site_at(shared.value).and_then(|site| life.resource(site)) {
            mend.declared.removed.extend(resource.close.iter().map(|close| close.method.clone()));
        }
    }
    for &helper in &case.helpers {
        mend.declared.removed.push(facts.function(helper).name.to_string());
    }
    Ok(())
}

/// The base becomes `IsolatedAsyncioTestCase`.
fn base(life: &Lifecycle, case: &Case, source: &Source) -> Vec<Edit> {
    let facts = life.facts(case.base.file);
    match &facts.expr(case.base.id).kind {
        ExprKind::Attribute { value, .. } => {
            let module = life.source(case.base.with(*value));
            vec![Edit::replacement(range_of(life, case.base), format!("{module}.IsolatedAsyncioTestCase"))]
        }
        _ => {
            let request = loopmend_python::edit::ImportRequest::from("unittest", "IsolatedAsyncioTestCase");
            let (mut edits, locals) = loopmend_python::edit::import_edits(source, &[request]);
            let local = locals.into_iter().next().unwrap_or_default();
            edits.push(Edit::replacement(range_of(life, case.base), local));
            edits
        }
    }
}

/// The statements that make the object for one test and see that it is closed.
fn opening(life: &Lifecycle, shared: &SharedObject) -> Result<String, Declined> {
    let unknown = || Declined::because("it is not known how the object is closed");
    let close = life.site_at(shared.value).and_then(|site| life.close_of(site)).ok_or_else(unknown)?;
    let add = if close.awaited { "addAsyncCleanup" } else { "addCleanup" };
    let name = &shared.name;
    let value = life.source(shared.value);
    if mentions_class(life, shared.value) {
        return Err(Declined::because(
            "the object is made of other things of the class: make it in asyncSetUp by hand",
        ));
    }
    Ok(format!("self.{name} = {value}\nself.{add}(self.{name}.{})", close.method))
}

fn mentions_class(life: &Lifecycle, value: ExprRef) -> bool {
    let facts = life.facts(value.file);
    let mut found = false;
    facts.descend(value.id, &mut |id| found |= facts.name_of(id).is_some_and(|name| name == "cls"));
    found
}

fn class_of<'s>(source: &'s Source, name: &str) -> Result<&'s ruff_python_ast::StmtClassDef, Refused> {
    source
        .body()
        .iter()
        .filter_map(|stmt| stmt.as_class_def_stmt())
        .find(|class| class.name.as_str() == name)
        .ok_or(Refused::Missing("class"))
}

/// Puts statements at the start of `asyncSetUp`, which is made where there is none.
fn setup(source: &Source, class: &ruff_python_ast::StmtClassDef, text: &str) -> Result<Vec<Edit>, Refused> {
    let method = |name: &str| {
        class
            .body
            .iter()
            .filter_map(|stmt| stmt.as_function_def_stmt())
            .find(|function| function.name.as_str() == name)
    };
    if let Some(setup) = method("asyncSetUp") {
        return insert_at_start(source, &setup.body, text);
    }
    let first =
        class.body.iter().find(|stmt| stmt.is_function_def_stmt()).ok_or(Refused::Missing("method"))?;
    let body: String = text.lines().fold(String::new(), |body, line| body + "    " + line + "\n");
    insert_before(source, first.range(), &format!("async def asyncSetUp(self):\n{body}"))
}

/// Where a range stands once edits are made; none of them may cut it.
fn shifted(range: TextRange, edits: &[Edit]) -> TextRange {
    let (mut start, mut end) = (range.start(), range.end());
    for edit in edits {
        let (new, old) = (ruff_text_size::TextSize::of(edit.content.as_str()), edit.range.len());
        if edit.range.end() <= range.start() {
            start = start + new - old;
        }
        if edit.range.end() <= range.end() {
            end = end + new - old;
        }
    }
    TextRange::new(start, end)
}
