//! Classes that keep an object get a way to close it, which their makers call.

use loopmend_python::edit::{insert_at_end, insert_before};
use loopmend_python::facts::{BindingKind, Comparison, ExprId, ExprKind, FunctionId, Name, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FileId, FunctionRef, Lifecycle};

use super::closer::{Closer, Step, With};
use super::edits::Edits;
use super::fate::fate;
use super::{mend, owner};
use crate::Declined;

/// Names of methods that end an object, best first.
const NAMES: [&str; 8] =
    ["close", "aclose", "disconnect", "stop", "shutdown", "dispose", "cleanup", "teardown"];

/// Gives the class a close of `self.attr`, and has it called wherever an object of the class is made.
pub(super) fn close_in_class(
    edits: &mut Edits<'_>,
    class: ClassRef,
    attr: &Name,
    site: ExprRef,
    closer: &Closer,
    depth: usize,
) -> Result<(), Declined> {
    let life = edits.life;
    let facts = life.facts(class.file);
    let of = facts.class(class.id);
    let kept = Kept::of(life, class, attr, site)?;
    let receiver = "self";
    let close = kept.statements(closer, receiver, attr);
    edits.closes(closer);
    let source = edits.source(class.file);
    if let Some(end) = inherited_end(life, class).filter(|end| !of.methods.contains_key(end.as_str())) {
        if !closer.awaits() && closer.steps.is_empty() {
            return Err(Declined::because(format!("`{attr}` has no method that closes it")));
        }
        let head = format!("async def {end}(self):\n    await super().{end}()");
        add_method(edits, class, &head, &close)?;
        edits.adds("super".to_owned());
        edits.adds(end.clone());
        edits.note(format!("`{}` has a new method `{end}()`, which its library calls", of.name));
        return Ok(());
    }
    let (own, added) = match existing(life, class, closer) {
        Some((name, method)) => {
            let body = &facts.function(method).body;
            let last = body.last().copied().ok_or_else(|| Declined::because("the class's close is empty"))?;
            let node = source
                .function_at(facts.function(method).name_range)
                .ok_or_else(|| Declined::because("the class's close was not found"))?;
            let insertion = if matches!(facts.stmt(last).kind, StmtKind::Return(_)) {
                insert_before(&source, facts.stmt(last).range, &close)
            } else {
                insert_at_end(&source, &node.body, &close)
            };
            edits.try_add(class.file, insertion)?;
            let awaited = facts.function(method).is_async;
            (Step { method: name, arguments: String::new(), awaited }, false)
        }
        None => {
            let name = ["close", "aclose", "shutdown"]
                .into_iter()
                .find(|name| life.method(class, name).is_none() && !of.members.contains_key(*name))
                .ok_or_else(|| {
                    Declined::because(format!(
                        "`{}` has a `close` of another kind: close `{attr}` there",
                        of.name
                    ))
                })?;
            let keyword = if closer.awaits() { "async def" } else { "def" };
            add_method(edits, class, &format!("{keyword} {name}(self):"), &close)?;
            (Step { method: name.to_owned(), arguments: String::new(), awaited: closer.awaits() }, true)
        }
    };
    let name = own.method.clone();
    let owner = Closer {
        class: of.name.to_string(),
        path: String::new(),
        owner: Some(class),
        ends: vec![name.clone()],
        steps: vec![own],
        with: With::No,
        item: None,
        opened_by: Vec::new(),
    };
    let makers = owner::makers(life, class);
    if makers.is_empty() {
        return Err(Declined::because(format!(
            "nothing in the tree makes a `{}`: give it a `close()` and call it where its objects are made",
            of.name
        )));
    }
    for maker in makers {
        if owner::given(life, maker, (class, attr), closer) {
            continue;
        }
        // With a close that was there already, some makers call it.
        if !added && fate(life, maker, &owner, &mut Vec::new()).is_empty() {
            continue;
        }
        mend::maker(edits, maker, &owner, depth + 1)?;
    }
    if added {
        edits.note(format!("`{}` has a new method `{name}()`", of.name));
    }
    Ok(())
}

/// Adds a method at the end of a class: its head, one level deep, and these statements as the rest of its body.
fn add_method(edits: &mut Edits<'_>, class: ClassRef, head: &str, statements: &str) -> Result<(), Declined> {
    let facts = edits.life.facts(class.file);
    let source = edits.source(class.file);
    let node = source
        .statement_at(facts.stmt(facts.class(class.id).stmt).range)
        .and_then(|found| found.stmt.as_class_def_stmt())
        .ok_or_else(|| Declined::because("the class was not found"))?;
    let body: String = statements.lines().fold(String::new(), |text, line| text + "    " + line + "\n");
    edits.try_add(class.file, insert_at_end(&source, &node.body, &format!("{head}\n{body}")))
}

/// The coroutine method by which the library ends objects of a class that is based on one of its own: `close` of a
/// `discord.Client`.
fn inherited_end(life: &Lifecycle, class: ClassRef) -> Option<String> {
    life.ancestry(class).outside.iter().find_map(|base| {
        let resource = life.catalogue().class(base).or_else(|| life.catalogue().constructor(base))?;
        resource.close.first().filter(|close| close.awaited).map(|close| close.method.clone())
    })
}

/// A method of the class itself that is meant to end it and takes no arguments.
fn existing(life: &Lifecycle, class: ClassRef, closer: &Closer) -> Option<(String, FunctionId)> {
    let facts = life.facts(class.file);
    let methods = &facts.class(class.id).methods;
    NAMES.iter().find_map(|&name| {
        let id = *methods.get(name)?;
        let of = facts.function(id);
        let fits = (of.is_coroutine() || !closer.awaits() && !of.is_generator)
            && of.params.len() == 1
            && of.decorators.is_empty();
        fits.then(|| (name.to_owned(), id))
    })
}

/// How a class keeps an object.
struct Kept {
    /// There may be none.
    optional: bool,
    /// It is made anew where it is `None`.
    renewed: bool,
    /// The attribute may not be there at all.
    undeclared: bool,
}

impl Kept {
    fn of(life: &Lifecycle, class: ClassRef, attr: &Name, site: ExprRef) -> Result<Self, Declined> {
        let facts = life.facts(class.file);
        let name = &facts.class(class.id).name;
        let mut kept = Self { optional: false, renewed: false, undeclared: true };
        for (file, id) in life.self_writes(class, attr) {
            let at = life.facts(file);
            let binding = at.binding(id);
            let method = at.function(binding.function);
            kept.undeclared &= method.name != "__init__";
            let BindingKind::Value { value, .. } = binding.kind else { continue };
            if matches!(at.expr(value).kind, ExprKind::None) {
                kept.optional = true;
                continue;
            }
            let here = file == site.file && at.expr(value).range.contains_range(at.expr(site.id).range);
            if here && plain(life, file, value, site) {
                continue;
            }
            // Another object, one that was handed in, or one of both kinds.
            if here || !another_of_its_own(life, ExprRef { file, id: value }) {
                return Err(Declined::because(format!(
                    "`{attr}` of `{name}` may be an object that was handed in, which its maker has to close: note in `__init__` whether it is the class's own, and close it then"
                )));
            }
        }
        if let Some(members) = facts.class(class.id).members.get(attr) {
            for &id in members {
                match facts.binding(id).kind {
                    BindingKind::Value { value, .. } => {
                        kept.undeclared = false;
                        kept.optional |= matches!(facts.expr(value).kind, ExprKind::None);
                    }
                    BindingKind::Declared { .. } => {}
                    _ => kept.undeclared = false,
                }
            }
        }
        let at = life.facts(site.file);
        let maker = FunctionRef { file: site.file, id: at.function_of(site.id) };
        let conditional = at.stmt_of(site.id).is_some_and(|stmt| {
            at.ancestors(stmt).any(|(up, _)| matches!(at.stmt(up).kind, StmtKind::If { .. }))
        });
        kept.optional |= conditional && at.function(maker.id).name != "__init__";
        kept.renewed = kept.optional && tested_for_none(life, class, attr);
        Ok(kept)
    }

    fn statements(&self, closer: &Closer, receiver: &str, attr: &str) -> String {
        let place = format!("{receiver}.{attr}");
        let close = closer.statements(&place);
        let indented = |text: &str| text.lines().fold(String::new(), |all, line| all + "    " + line + "\n");
        if self.undeclared {
            let inner = closer.statements(&place);
            return format!("if getattr({receiver}, \"{attr}\", None) is not None:\n{}", indented(&inner));
        }
        if self.optional {
            let mut inner = indented(&close);
            if self.renewed {
                inner += &format!("    {place} = None\n");
            }
            return format!("if {place} is not None:\n{inner}");
        }
        close
    }
}

/// Whether a written value is the object alone: the call, awaited or not, or a tuple that it gives.
fn plain(life: &Lifecycle, file: FileId, value: ExprId, site: ExprRef) -> bool {
    let facts = life.facts(file);
    match facts.expr(value).kind {
        ExprKind::Await(inner) => inner == site.id,
        _ => value == site.id,
    }
}

/// Whether a value is made by the class itself: a constructor call or constant, nothing that came in by a parameter.
fn another_of_its_own(life: &Lifecycle, value: ExprRef) -> bool {
    let facts = life.facts(value.file);
    match facts.expr(value.id).kind {
        ExprKind::Call { .. } => true,
        ExprKind::Await(inner) => matches!(facts.expr(inner).kind, ExprKind::Call { .. }),
        _ => false,
    }
}

/// `self.attr is None`, `not self.attr`, `if self.attr:` somewhere in the class's file.
fn tested_for_none(life: &Lifecycle, class: ClassRef, attr: &Name) -> bool {
    let facts = life.facts(class.file);
    facts.attributes.get(attr).into_iter().flatten().any(|&read| {
        facts.parent_expr(read).is_some_and(|up| match &facts.expr(up).kind {
            ExprKind::Compare { rest, .. } => {
                rest.iter().any(|(by, _)| matches!(by, Comparison::Is | Comparison::IsNot | Comparison::Eq))
            }
            ExprKind::Not(_) => true,
            _ => false,
        })
    })
}
