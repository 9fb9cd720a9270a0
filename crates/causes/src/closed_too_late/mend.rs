//! The hook becomes a coroutine that is awaited where the object is made, while its loop runs.

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Comments, Edit, Refused, Source, decorators_of, delete_statement, make_async, remove_decorator,
    replace_expr, replace_statement, shifted,
};
use loopmend_python::facts::{MODULE, StmtKind, TextRange};
use loopmend_python::lifecycle::{AsyncioMode, ClassRef, ExprRef, FixtureMaker, FunctionRef, Lifecycle};

use super::convert::Convert;
use super::gone::gone;
use super::late::{Late, LateKind, definition, is_statement, stays_plain};
use super::named::{method_name, public};
use super::settle::settle;
use crate::suite::{Named, Preference, Rewrite, align, range_of};
use crate::{Declined, Found, Mend};

pub(super) fn mend(life: &Lifecycle, found: &Found, late: &Late) -> Result<Mend, Declined> {
    let mut mend = Mend::new(found.applicability);
    mend.declared.moved = true;
    mend.declared.removed = gone(life, late);
    let rewrite = match (late.kind, late.hook) {
        (LateKind::Finalize(_), _) => {
            return Err(Declined::because(
                "`weakref.finalize` runs outside the loop: give the class an async `close()` and await it where the object is made",
            ));
        }
        (LateKind::Fixture(index), Some(_)) => {
            mend.declared.added.push("fixture".to_owned());
            fixture(life, index, late)?
        }
        (LateKind::Del(class), Some(hook)) => collected(life, class, hook, late, &mut mend)?,
        (LateKind::Exit(register), hook) => at_exit(life, register, hook, &mut mend)?,
        (LateKind::Del(_) | LateKind::Fixture(_), None) => {
            return Err(Declined::because("the hook was not found"));
        }
    };
    rewrite.into_mend(&mut mend);
    mend.applicability = mend.applicability.max(Applicability::Unsafe);
    Ok(mend)
}

/// `__del__` becomes `close()`, or goes where it only calls a close that is there.
fn collected<'l>(
    life: &'l Lifecycle,
    class: ClassRef,
    hook: FunctionRef,
    late: &Late,
    mend: &mut Mend,
) -> Result<Rewrite<'l>, Declined> {
    let facts = life.facts(hook.file);
    let of = facts.class(class.id);
    let range = definition(life, hook).ok_or_else(|| Declined::because("the hook was not found"))?;
    let own = own_close(life, class, hook, late);
    let mut rewrite = Rewrite::new(life);
    let source = Source::parse(&facts.path, life.text(hook.file).clone());
    let closing = if let Some(name) = own {
        rewrite.step(&facts.path, |now| delete_statement(now, range, Comments::Delete))?;
        name
    } else {
        let name = ["close", "aclose"]
            .into_iter()
            .find(|name| life.method(class, name).is_none() && !of.members.contains_key(*name))
            .ok_or_else(|| {
                Declined::because(format!(
                    "`{}` has a `close` of its own: do there what `__del__` does",
                    of.name
                ))
            })?;
        let body = Convert::new(life, &source, hook).body()?;
        if !body.contains("await ") {
            return Err(Declined::because(
                "write an async `close()` by hand: nothing in the hook can be awaited",
            ));
        }
        let text = format!("async def {name}(self):\n{}", shifted(&body, 1));
        rewrite.step(&facts.path, |now| replace_statement(now, range, &text))?;
        name.to_owned()
    };
    tidy(&mut rewrite, &facts.path)?;
    let rewrite = settle(life, rewrite, Some((&of.name, &closing)), mend)?;
    called(rewrite, &facts.path, &of.name, &closing)
}

/// Declined where nothing has come to call the class's close.
fn called<'l>(rewrite: Rewrite<'l>, path: &str, class: &str, close: &str) -> Result<Rewrite<'l>, Declined> {
    let after = rewrite.life();
    let closes = Named { path: path.to_owned(), qualname: format!("{class}.{close}") };
    if closes.find(&after).is_some_and(|function| !after.call_sites(function).is_empty()) {
        return Ok(rewrite);
    }
    Err(Declined::because(format!(
        "nothing in the tree is seen to make a `{class}` and to outlive its use: give it an async `{close}()` and await it there"
    )))
}

/// The async method of the class that is all that the hook runs.
fn own_close(life: &Lifecycle, class: ClassRef, hook: FunctionRef, late: &Late) -> Option<String> {
    let mut found = None;
    for act in &late.acts {
        let functions = life.callees(act.work);
        let [function] = functions[..] else { return None };
        let of = life.facts(function.file).function(function.id);
        let own = of.is_coroutine() && life.method(class, &of.name) == Some(function);
        if !own || found.as_ref().is_some_and(|name| *name != of.name) {
            return None;
        }
        found = Some(of.name.to_string());
    }
    let name = found?;
    // Nothing else is done in it.
    let facts = life.facts(hook.file);
    let mut others = false;
    facts.walk(&facts.function(hook.id).body, &mut |stmt| {
        others |= matches!(facts.stmt(stmt).kind, StmtKind::AugAssign { .. } | StmtKind::Delete(_));
    });
    (!others).then_some(name)
}

/// The registration goes, and what it registered becomes async.
fn at_exit<'l>(
    life: &'l Lifecycle,
    register: ExprRef,
    hook: Option<FunctionRef>,
    mend: &mut Mend,
) -> Result<Rewrite<'l>, Declined> {
    let facts = life.facts(register.file);
    let mut rewrite = Rewrite::new(life);
    let statement = is_statement(facts, register);
    let function = hook.filter(|hook| definition(life, *hook).is_some());
    let owner = match function {
        Some(hook) => rewritten(life, hook, &mut rewrite, mend)?,
        None => None,
    };
    match statement {
        Some(range) => {
            let same = function.is_none_or(|hook| hook.file != register.file);
            let place = if same { range } else { moved(life, &rewrite, &facts.path, range)? };
            rewrite.step(&facts.path, |now| delete_statement(now, place, Comments::Delete))?;
        }
        // A decorator went with the definition.
        None if function.is_some_and(|hook| {
            life.facts(hook.file).function(hook.id).decorators.contains(&register.id)
        }) => {}
        None => return Err(Declined::because("take the registration with `atexit` away by hand")),
    }
    tidy(&mut rewrite, &facts.path)?;
    let owner = owner.as_ref().map(|(class, close)| (class.as_str(), close.as_str()));
    let rewrite = settle(life, rewrite, owner, mend)?;
    match owner {
        Some((class, close)) => called(rewrite, &facts.path, class, close),
        None => Ok(rewrite),
    }
}

/// The registered statement's place once the function above it has changed: by its text, which stands once.
fn moved(
    life: &Lifecycle,
    rewrite: &Rewrite<'_>,
    path: &str,
    range: TextRange,
) -> Result<TextRange, Declined> {
    let missing = || Declined::because("take the registration with `atexit` away by hand");
    let file = life.file(path).ok_or_else(missing)?;
    let text = &life.text(file)[range];
    let after = rewrite.life();
    let file = after.file(path).ok_or_else(missing)?;
    let mut places = after.text(file).match_indices(text);
    let (Some((start, _)), None) = (places.next(), places.next()) else { return Err(missing()) };
    Ok(TextRange::at((start as u32).into(), range.len()))
}

/// The registered function as a coroutine function, under a name that others may import; of a method the class and its name.
fn rewritten(
    life: &Lifecycle,
    hook: FunctionRef,
    rewrite: &mut Rewrite<'_>,
    mend: &mut Mend,
) -> Result<Option<(String, String)>, Declined> {
    let facts = life.facts(hook.file);
    let of = facts.function(hook.id);
    if !life.call_sites(hook).is_empty() {
        return Err(Declined::because(format!(
            "`{}` is called elsewhere too: make it async there, and await it before the loop ends",
            of.name
        )));
    }
    let range = definition(life, hook).ok_or_else(|| Declined::because("the hook was not found"))?;
    let source = Source::parse(&facts.path, life.text(hook.file).clone());
    let at_exit =
        of.decorators.iter().map(|&decorator| ExprRef { file: hook.file, id: decorator }).find(
            |&decorator| life.infer(decorator).iter().any(|value| value.path() == Some("atexit.register")),
        );
    if of.is_async {
        if let Some(decorator) = at_exit {
            rewrite.step(&facts.path, |now| without(now, range, range_of(life, decorator)))?;
        }
        return Ok(None);
    }
    let method = of.class.is_some() && of.decorators.is_empty() && of.params.len() == 1;
    let plain = of.class.is_none()
        && of.params.is_empty()
        && of.parent.is_none_or(|parent| parent == MODULE)
        && of.decorators.len() <= 1;
    if !method && !plain {
        return Err(Declined::because(format!(
            "make `{}` async and await it where the object is made, before the loop ends",
            of.qualname
        )));
    }
    let body = Convert::new(life, &source, hook).body()?;
    if !body.contains("await ") {
        return Err(Declined::because("write an async close by hand: nothing in the hook can be awaited"));
    }
    if let Some(class) = of.class {
        let name = method_name(life, hook, ClassRef { file: hook.file, id: class });
        let text = format!("async def {name}(self):\n{}", shifted(&body, 1));
        rewrite.step(&facts.path, |now| replace_statement(now, range, &text))?;
        return Ok(Some((facts.class(class).name.to_string(), name)));
    }
    // A hook that only runs another function's coroutine goes: that one is to be awaited.
    let other = body.trim().strip_prefix("await ").and_then(|call| call.strip_suffix("()"));
    if other.is_some_and(|other| is_coroutine(life, hook, other)) {
        mend.declared.unbound.push(format!("{}:{}", facts.path, of.name));
        rewrite.step(&facts.path, |now| delete_statement(now, range, Comments::Delete))?;
        return Ok(None);
    }
    let name = public(life, hook);
    if name != of.name.as_str() {
        mend.declared.unbound.push(format!("{}:{}", facts.path, of.name));
    }
    let text = format!("async def {name}():\n{}", shifted(&body, 1));
    if let Some(decorator) = at_exit {
        rewrite.step(&facts.path, |now| without(now, range, range_of(life, decorator)))?;
    }
    let path = facts.path.clone();
    let qualname = of.qualname.clone();
    rewrite.step(&path, |now| {
        let function = now.function_named(&qualname).ok_or(Refused::Missing("function"))?;
        replace_statement(now, function, &text)
    })?;
    Ok(None)
}

/// Whether a name of the hook's module is a coroutine function.
fn is_coroutine(life: &Lifecycle, hook: FunctionRef, name: &str) -> bool {
    life.module_member(hook.file, name).iter().any(|value| {
        value
            .function()
            .is_some_and(|function| life.facts(function.file).function(function.id).is_coroutine())
    })
}

fn without(source: &Source, function: TextRange, decorator: TextRange) -> Result<Vec<Edit>, Refused> {
    let found = decorators_of(source, function)
        .iter()
        .find(|known| TextRange::new(known.range.start(), known.range.end()).contains_range(decorator))
        .ok_or(Refused::Missing("decorator"))?;
    Ok(remove_decorator(source, found))
}

/// A plain fixture becomes async, and awaits what it ran.
fn fixture<'l>(life: &'l Lifecycle, index: usize, late: &Late) -> Result<Rewrite<'l>, Declined> {
    if let Some(reason) = stays_plain(life, index) {
        return Err(Declined::because(reason));
    }
    let suite = life.suite();
    let fixture = &suite.fixtures[index];
    let facts = life.facts(fixture.function.file);
    let named = Named::of(life, fixture.function);
    let mut rewrite = Rewrite::new(life);
    // From below, so that places above stay where they are.
    for act in late.acts.iter().rev() {
        let text = format!("await {}", life.source(act.work));
        rewrite.step(&facts.path, |now| replace_expr(now, range_of(life, act.call), &text))?;
    }
    let qualname = named.qualname.clone();
    rewrite.step(&facts.path, |now| {
        let function = now.function_named(&qualname).ok_or(Refused::Missing("fixture"))?;
        make_async(now, function)
    })?;
    if suite.plugin.mode == AsyncioMode::Strict && fixture.maker == FixtureMaker::Pytest {
        rewrite.fixture_maker(&named, "pytest_asyncio", "pytest")?;
    }
    tidy(&mut rewrite, &facts.path)?;
    align(&rewrite, &named, Preference::Narrow)
}

/// Imports that only the hook used.
fn tidy(rewrite: &mut Rewrite<'_>, path: &str) -> Result<(), Refused> {
    for module in ["atexit", "asyncio"] {
        rewrite.tidy_import(path, module)?;
    }
    Ok(())
}
