//! An object that a class's body makes: each instance gets its own where there is one instance, else the class makes what it
//! shares when it is first asked for.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Comments, Draft, Source, delete_statement, insert_at_end, insert_at_start, insert_before, replace_expr,
    replace_statement,
};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, Facts, MODULE, Name, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, Origin, Repeat, Site, Value};

use super::bites::is_primitive;
use super::{Detail, lazy};
use crate::second_run::own_object::wrap;
use crate::{Declined, Mend};

/// The class in whose body a site stands directly.
pub fn class_of(life: &Lifecycle, site: &Site) -> Option<ClassRef> {
    let facts = life.facts(site.call.file);
    let stmt = facts.stmt_of(site.call.id)?;
    facts.stmt(stmt).class.map(|id| ClassRef { file: site.call.file, id })
}

/// What a mend needs to know of a class's attribute.
struct Attribute<'l> {
    life: &'l Lifecycle,
    facts: &'l Facts,
    class: ClassRef,
    name: Name,
    stmt: loopmend_python::facts::StmtId,
    make: String,
    reads: Vec<ExprRef>,
}

/// The change for an object made in a class's body.
pub fn mend(life: &Lifecycle, detail: &Detail) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let site = &detail.object.site;
    let class = class_of(life, site).ok_or_else(|| no("the object is made in no class body"))?;
    let facts = life.facts(class.file);
    let (stmt, target) = lazy::plain_assignment(facts, site.call)
        .ok_or_else(|| no("the class body does more with the object than keep it: make it in a coroutine"))?;
    let name = facts.name_of(target).ok_or_else(|| no("the object is no plain attribute"))?.clone();
    let of = facts.class(class.id);
    if life.class_decorated(class, &["dataclass", "define", "attrs", "s", "frozen", "mutable"]) {
        return Err(no(
            "the class is a dataclass: give the field a `default_factory` and make its objects in a coroutine",
        ));
    }
    let overridden = life
        .heirs(class)
        .iter()
        .any(|&heir| heir != class && life.facts(heir.file).class(heir.id).members.contains_key(&name));
    if of.function != MODULE || facts.stmt(of.stmt).class.is_some() || overridden {
        return Err(no("the class is not a plain one of its module: make the object in a coroutine"));
    }
    let values = of.members[&name]
        .iter()
        .filter(|&&id| !matches!(facts.binding(id).kind, BindingKind::Declared { .. }))
        .count();
    if values > 1 || !life.self_writes(class, &name).is_empty() {
        return Err(no("the attribute is bound in other places too"));
    }
    if names_members(facts, site.call, of) {
        return Err(no("the object is made of what only the class body has"));
    }
    let reads = life
        .reads_of_attribute(class, &name)
        .ok_or_else(|| no("the attribute's name is too common to see who reads it"))?;
    if reads.is_empty() || !reads.iter().all(|&read| lazy::in_loop(life, read)) {
        return Err(no("the attribute is read where no loop runs too: make the object in a coroutine"));
    }
    let make = life.source(site.call).to_owned();
    let attribute = Attribute { life, facts, class, name, stmt, make, reads };
    if is_primitive(life, site) {
        attribute.of_the_instance().or_else(|| attribute.lazily().transpose()).transpose().and_then(|mend| {
            mend.ok_or_else(|| no("the class has names of its own where the object would be kept"))
        })
    } else {
        attribute.of_the_call(detail)
    }
}

/// Whether an expression names something that the class body binds.
fn names_members(facts: &Facts, call: ExprRef, of: &loopmend_python::facts::Class) -> bool {
    let mut found = false;
    facts.descend(call.id, &mut |id| {
        found |= facts.name_of(id).is_some_and(|name| of.members.contains_key(name));
    });
    found
}

impl Attribute<'_> {
    fn source(&self) -> Source {
        Source::parse(&self.facts.path, self.life.text(self.class.file).to_string())
    }

    fn through_class(&self) -> bool {
        self.reads.iter().any(|read| {
            let facts = self.life.facts(read.file);
            let ExprKind::Attribute { value, .. } = facts.expr(read.id).kind else { return true };
            let receiver = read.with(value);
            self.life.infer(receiver).iter().any(|value| matches!(value, Value::Class(_)))
                || facts.name_of(value).is_some_and(|name| name == "cls")
        })
    }

    /// Whether the program makes one object of the class, in a coroutine.
    fn one_instance(&self) -> bool {
        let flow = self.life.flow(Origin::Class(self.class), false);
        let mut calls = flow.calls();
        let (Some(call), None) = (calls.next(), calls.next()) else { return false };
        let function = FunctionRef { file: call.file, id: self.life.facts(call.file).function_of(call.id) };
        self.life.heirs(self.class).len() == 1
            && !self.life.in_loop(call)
            && lazy::in_loop(self.life, call)
            && self.life.repeat(function) == Repeat::Once
    }

    /// `self.lock = asyncio.Lock()` in `__init__`.
    fn of_the_instance(&self) -> Option<Result<Mend, Declined>> {
        let of = self.facts.class(self.class.id);
        let &init = of.methods.get("__init__")?;
        let function = self.facts.function(init);
        if self.through_class() || !self.one_instance() || !function.decorators.is_empty() {
            return None;
        }
        let receiver = function.receiver()?;
        let line = format!("{receiver}.{} = {}", self.name, self.make);
        let mut early = self
            .reads
            .iter()
            .any(|read| read.file == self.class.file && self.facts.function_of(read.id) == init);
        self.facts.walk(&function.body, &mut |stmt| {
            early |= matches!(self.facts.stmt(stmt).kind, StmtKind::Return(_));
        });
        // Methods that `__init__` calls may read it.
        early |= self.life.calls_from(FunctionRef { file: self.class.file, id: init }).iter().any(
            |(callee, _)| {
                let reached = self.life.reachable(*callee);
                self.reads.iter().any(|read| {
                    let id = self.life.facts(read.file).function_of(read.id);
                    reached.contains(&FunctionRef { file: read.file, id })
                })
            },
        );
        Some(self.moved_to_init(function.range, early, &line))
    }

    fn moved_to_init(
        &self,
        init: loopmend_python::facts::TextRange,
        early: bool,
        line: &str,
    ) -> Result<Mend, Declined> {
        let source = self.source();
        let gone = || Declined::from(loopmend_python::edit::Refused::Missing("statement"));
        let node = source.function_at(init).ok_or_else(gone)?;
        let mut edits = if early {
            insert_at_start(&source, &node.body, line)?
        } else {
            insert_at_end(&source, &node.body, line)?
        };
        edits.extend(delete_statement(&source, self.facts.stmt(self.stmt).range, Comments::Delete)?);
        let mut mend = Mend::new(Applicability::Safe);
        mend.edit(self.life, self.class.file, edits);
        mend.declared.moved = true;
        Ok(mend)
    }

    /// A property, or a class method where the class itself is asked.
    fn lazily(&self) -> Result<Option<Mend>, Declined> {
        let of = self.facts.class(self.class.id);
        let plain = self.name.trim_matches('_');
        let through_class = self.through_class();
        let kept = if through_class { self.name.to_string() } else { format!("_shared_{plain}") };
        let accessor = lazy::accessor(&self.name);
        if through_class && of.members.contains_key(accessor.as_str())
            || !through_class && of.members.contains_key(kept.as_str())
        {
            return Ok(None);
        }
        let text = if through_class {
            lazy::class_method(&accessor, &of.name, &kept, &self.make)
        } else {
            lazy::property(&self.name, &of.name, &kept, &self.make)
        };
        let source = self.source();
        let range = self.facts.stmt(self.stmt).range;
        let mut edits = replace_statement(&source, range, &format!("{kept} = None"))?;
        let StmtKind::Class(_, body) = &self.facts.stmt(of.stmt).kind else { return Ok(None) };
        let method = body.iter().copied().find(|&stmt| {
            matches!(self.facts.stmt(stmt).kind, StmtKind::Function(_))
                && self.facts.stmt(stmt).range.start() > range.start()
        });
        edits.extend(match method {
            Some(method) => insert_before(&source, self.facts.stmt(method).range, &text)?,
            None => loopmend_python::edit::insert_after(&source, range, &text)?,
        });
        let mut mend = Mend::new(Applicability::Safe);
        if through_class {
            let mut others: BTreeMap<_, Vec<ExprRef>> = BTreeMap::new();
            for &read in &self.reads {
                others.entry(read.file).or_default().push(read);
            }
            for (file, reads) in others {
                let facts = self.life.facts(file);
                let there = Source::parse(&facts.path, self.life.text(file).to_string());
                let mut own = Vec::new();
                for read in reads {
                    let ExprKind::Attribute { value, .. } = facts.expr(read.id).kind else {
                        return Ok(None);
                    };
                    let receiver = self.life.source(read.with(value));
                    let text = format!("{receiver}.{accessor}()");
                    own.extend(replace_expr(&there, facts.expr(read.id).range, &text)?);
                }
                if file == self.class.file {
                    edits.extend(own);
                } else {
                    mend.edit(self.life, file, own);
                }
            }
            mend.declared.added.push(accessor);
        }
        mend.edit(self.life, self.class.file, edits);
        mend.declared.moved = true;
        Ok(Some(mend))
    }

    /// `async with` in each coroutine method that uses it.
    fn of_the_call(&self, detail: &Detail) -> Result<Mend, Declined> {
        let no = |reason: &str| Declined::because(reason.to_owned());
        let object = &detail.object;
        super::module_level::can_enter(self.life, object)?;
        let known: BTreeSet<ExprRef> = object.touches.iter().map(|touch| touch.expr).collect();
        if !self.reads.iter().all(|read| known.contains(read)) {
            return Err(no("the attribute is handed on: open the object in a coroutine with `async with`"));
        }
        let mut users: BTreeMap<FunctionRef, Vec<ExprRef>> = BTreeMap::new();
        for touch in &object.touches {
            let of = self.life.facts(touch.function.file).function(touch.function.id);
            if touch.derived || touch.close || !of.is_coroutine() || touch.function.file != self.class.file {
                return Err(no(
                    "the object is used outside the module's coroutines, or ended by hand: open it in a coroutine with `async with`",
                ));
            }
            users.entry(touch.function).or_default().push(touch.expr);
        }
        let factory = format!("_make_{}", self.name.trim_matches('_'));
        let of = self.facts.class(self.class.id);
        let one = users.len() == 1 && !self.make.contains('\n');
        if of.members.contains_key(factory.as_str()) {
            return Err(no("the name of the factory is taken"));
        }
        let source = self.source();
        let mut draft = Draft::new(&source);
        for (function, touches) in users.iter().rev() {
            let make = if one { self.make.clone() } else { format!("{}.{factory}()", of.name) };
            let plain = self.name.trim_matches('_');
            let taken = self.facts.scopes[function.id.index()].contains_key(plain);
            let local = if taken { format!("own_{plain}") } else { plain.to_owned() };
            wrap(self.life, &mut draft, *function, touches, &make, &local)?;
        }
        let range = self.facts.stmt(self.stmt).range;
        draft.step(|now| {
            if one {
                delete_statement(now, range, Comments::Delete)
            } else {
                let text = format!("@staticmethod\ndef {factory}():\n    return {}\n", self.make);
                replace_statement(now, range, &text)
            }
        })?;
        let mut mend = Mend::new(Applicability::Unsafe);
        mend.rewrite(self.life, self.class.file, draft.source().text());
        let last = object.site.path.rsplit('.').next().unwrap_or_default().to_owned();
        mend.declared.added.extend([factory, last.clone()]);
        mend.declared.removed.push(last);
        mend.declared.moved = true;
        mend.notes.push("each call now opens its own connections".to_owned());
        Ok(mend)
    }
}

/// Whether a definition is a `def`.
pub fn is_def(facts: &Facts, function: FunctionRef) -> bool {
    matches!(facts.function(function.id).definition, Definition::Def(_))
}
