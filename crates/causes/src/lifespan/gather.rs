//! From handlers to steps: the body of a handler that nothing else uses, the call of any other.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::edit::{
    Edit, ImportRequest, Source, docstring, is_placeholder, take_block, take_statement,
};
use loopmend_python::facts::{BindingKind, ExprKind, MODULE, Name, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Lookup, Value};

use ruff_text_size::{Ranged, TextSize};

use super::compose::Step;
use super::handler::{Handler, Phase, Registration};
use super::names::{free_names, locals, reads_free, referenced, visible};
use super::reach::{given, given_by, named, named_by};
use crate::Declined;

/// Where a lifespan stands or will stand.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The file.
    pub file: FileId,
    /// The function whose scope it is defined in; the module's body at the top level.
    pub scope: FunctionRef,
    /// What it calls its application.
    pub parameter: String,
    /// Names by which handlers know the application as a closure or global: all become the parameter.
    pub aliases: BTreeSet<Name>,
    /// Names that mean something of its own in a lifespan that is there already.
    pub own: BTreeSet<Name>,
    /// A function that goes: the names of its own scope are not seen from the lifespan.
    pub gone: Option<FunctionRef>,
}

/// What handlers become.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    /// Steps of start-up, in order.
    pub startup: Vec<Step>,
    /// Steps of shutdown, in order.
    pub shutdown: Vec<Step>,
    /// Names that the lifespan must declare global.
    pub globals: Vec<Name>,
    /// Functions that other modules define and the steps call: file, name, and the name they are called by.
    pub imports: BTreeSet<(FileId, Name, Name)>,
    /// Imports that the steps need as they are in the file of the registration.
    pub requests: Vec<ImportRequest>,
    /// Definitions that are no longer needed.
    pub inlined: Vec<FunctionRef>,
    /// Last names of calls that the steps add.
    pub added: Vec<String>,
}

struct Gathering<'l> {
    life: &'l Lifecycle,
    home: &'l Home,
    sources: BTreeMap<FileId, Source>,
    /// Statements whose comments stand in a step already.
    told: BTreeSet<(FileId, StmtId)>,
    found: Gathered,
}

/// The steps of these handlers, in this order.
pub(crate) fn gather(life: &Lifecycle, home: &Home, handlers: &[&Handler]) -> Result<Gathered, Declined> {
    let mut gathering =
        Gathering { life, home, sources: BTreeMap::new(), told: BTreeSet::new(), found: Gathered::default() };
    for handler in handlers {
        let stmt = statement(life, handler);
        let facts = life.facts(handler.registered_in.file);
        if stmt.is_some_and(|stmt| facts.stmt(stmt).parent.is_some()) {
            return Err(Declined::because(
                "a handler is registered under a condition; move it into a lifespan by hand",
            ));
        }
    }
    let inlined = inlinable(life, home, handlers);
    for (index, handler) in handlers.iter().enumerate() {
        match handler.function().filter(|function| inlined.contains(function)) {
            Some(function) => gathering.body(handler, function, index)?,
            None => gathering.call(handler, index)?,
        }
    }
    Ok(gathering.found)
}

/// The statement that registers a handler, where it has one of its own.
pub(crate) fn statement(life: &Lifecycle, handler: &Handler) -> Option<StmtId> {
    match handler.registration {
        Registration::Decorator(expr) | Registration::Call(expr) => {
            let facts = life.facts(expr.file);
            let stmt = facts.stmt_of(expr.id)?;
            let whole = match facts.stmt(stmt).kind {
                StmtKind::Expr(value) => value == expr.id,
                StmtKind::Function(_) => true,
                _ => false,
            };
            whole.then_some(stmt)
        }
        Registration::Parameter(_) => None,
    }
}

/// Handlers whose bodies can stand in the lifespan: used by nothing else, without returns, and no name of one means something
/// else in another.
fn inlinable(life: &Lifecycle, home: &Home, handlers: &[&Handler]) -> BTreeSet<FunctionRef> {
    let mut found: BTreeSet<FunctionRef> = handlers
        .iter()
        .filter(|handler| matches!(handler.registration, Registration::Decorator(_)))
        .filter_map(|handler| handler.function())
        .filter(|&function| plain(life, home, function))
        .collect();
    let list: Vec<FunctionRef> = found.iter().copied().collect();
    let clash = list.iter().any(|&one| {
        locals(life, one).iter().any(|name| {
            *name == home.parameter
                || home.own.contains(name)
                || list.iter().any(|&other| one != other && reads_free(life, other, name))
        })
    });
    if clash {
        found.clear();
    }
    // A function that is registered twice runs twice.
    for handler in handlers {
        let Some(function) = handler.function() else { continue };
        if handlers.iter().filter(|other| other.function() == Some(function)).count() > 1 {
            found.remove(&function);
        }
    }
    found
}

fn plain(life: &Lifecycle, home: &Home, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if function.file != home.file || of.decorators.len() != 1 || !of.params.is_empty() || of.is_generator {
        return false;
    }
    if !of.nonlocals.is_empty() {
        return false;
    }
    let mut fit = true;
    facts.walk(&of.body, &mut |stmt| match facts.stmt(stmt).kind {
        StmtKind::Return(_) => fit = false,
        StmtKind::Scope(_) => fit &= facts.stmt(stmt).parent.is_none(),
        _ => {}
    });
    fit && !home.own.iter().any(|name| reads_free(life, function, name))
        && !referenced(life, function)
        && free_names(life, function).iter().all(|(name, scope)| visible(life, home, name, *scope))
}

impl Gathering<'_> {
    fn source(&mut self, file: FileId) -> Source {
        let life = self.life;
        self.sources
            .entry(file)
            .or_insert_with(|| Source::parse(&life.facts(file).path, life.text(file).clone()))
            .clone()
    }

    fn put(&mut self, phase: Phase, step: Step) {
        match phase {
            Phase::Startup => self.found.startup.push(step),
            _ => self.found.shutdown.push(step),
        }
    }

    /// The application's other names as the parameter: edits within a function.
    fn renamed(&self, range: TextRange, file: FileId) -> Vec<Edit> {
        let facts = self.life.facts(file);
        facts
            .exprs
            .iter()
            .filter(|expr| range.contains_range(expr.range))
            .filter(|expr| match &expr.kind {
                ExprKind::Name(name) => self.home.aliases.contains(name) && *name != self.home.parameter,
                _ => false,
            })
            .map(|expr| Edit::replacement(expr.range, self.home.parameter.clone()))
            .collect()
    }

    fn body(&mut self, handler: &Handler, function: FunctionRef, number: usize) -> Result<(), Declined> {
        let life = self.life;
        let facts = life.facts(function.file);
        let of = facts.function(function.id);
        let before = self.source(function.file);
        let source = before.with(&self.renamed(of.range, function.file))?;
        let Some(def) = source.function_at(of.name_range) else {
            return Err(Declined::because("a handler could not be read"));
        };
        if def.body.len() != of.body.len() {
            return Err(Declined::because("a handler could not be read"));
        }
        let mut above = self.told_above(handler);
        above.push_str(&comments_above(&source, def.range()));
        if let Some(text) = docstring(&def.body) {
            above.push_str(&commented(source.slice(text)));
        }
        let first = usize::from(docstring(&def.body).is_some());
        let whole = handler.phase != Phase::Startup && !locals(life, function).is_empty();
        let mut kept: Vec<usize> = Vec::new();
        for index in first..def.body.len() {
            match &facts.stmt(of.body[index]).kind {
                StmtKind::Scope(names) => {
                    let known = &mut self.found.globals;
                    names.iter().for_each(|name| {
                        if !known.contains(name) {
                            known.push(name.clone());
                        }
                    });
                }
                _ if is_placeholder(&def.body[index]) => {}
                _ => kept.push(index),
            }
        }
        let runs: Vec<&[usize]> =
            if whole { vec![&kept[..]] } else { kept.iter().map(std::slice::from_ref).collect() };
        for run in runs.into_iter().filter(|run| !run.is_empty()) {
            let (from, to) = (run[0], run[run.len() - 1]);
            let last = to + 1 == def.body.len();
            let text = if last {
                take_block(&source, &def.body[from..])
            } else {
                take_statement(&source, TextRange::new(def.body[from].start(), def.body[to].end()))?
            };
            let stmts: Vec<StmtId> = run.iter().map(|&index| of.body[index]).collect();
            let given = given(life, function.file, &stmts);
            let maybe = given.maybe.into_iter().map(|(key, target)| (key, life.source(target).to_owned()));
            let plain = matches!(stmts[..], [only] if matches!(facts.stmt(only).kind, StmtKind::Expr(_)));
            let step = Step {
                text: std::mem::take(&mut above) + text.trim_start_matches('\n'),
                gives: given.keys,
                names: named(life, function.file, &stmts),
                maybe: maybe.collect(),
                plain,
                spaced: from > 0 && blank_between(&source, def.body[from - 1].end(), &def.body[from]),
                context: false,
                handler: number,
            };
            self.put(handler.phase, step);
        }
        self.found.inlined.push(function);
        Ok(())
    }

    fn call(&mut self, handler: &Handler, number: usize) -> Result<(), Declined> {
        let life = self.life;
        let step = match (handler.value, handler.function()) {
            (None, Some(function)) => {
                let facts = life.facts(function.file);
                let of = facts.function(function.id);
                let scope = FunctionRef { file: function.file, id: of.parent.unwrap_or(MODULE) };
                let twice = facts.scopes[scope.id.index()].get(&of.name).is_some_and(|all| all.len() > 1);
                let foreign = scope.is_module() && function.file != self.home.file;
                if twice || !(foreign || visible(life, self.home, &of.name, scope)) || of.class.is_some() {
                    return Err(Declined::because(format!(
                        "`{}` can't be called from a lifespan; move its body by hand",
                        of.name
                    )));
                }
                let local = if foreign { self.import(function.file, &of.name) } else { of.name.clone() };
                self.found.added.push(local.to_string());
                called(&local, of.is_coroutine())
            }
            (Some(value), _) => self.value(value, handler)?,
            (None, None) => return Err(Declined::because("a handler was not found; move it by hand")),
        };
        let mut step = Step { handler: number, ..step };
        step.text.insert_str(0, &self.told_above(handler));
        for &function in &handler.functions {
            let own = step.gives.is_empty();
            step.gives.extend(given_by(life, function, own).keys);
            step.names.extend(named_by(life, function, own));
        }
        self.put(handler.phase, step);
        Ok(())
    }

    /// The comments above a registration that is a statement of its own, once.
    fn told_above(&mut self, handler: &Handler) -> String {
        let life = self.life;
        let Registration::Call(call) = handler.registration else { return String::new() };
        let Some(stmt) = statement(life, handler).filter(|&stmt| self.told.insert((call.file, stmt))) else {
            return String::new();
        };
        comments_above(&self.source(call.file), life.facts(call.file).stmt(stmt).range)
    }

    /// The name by which the lifespan calls a function of another module.
    fn import(&mut self, file: FileId, name: &Name) -> Name {
        let home = self.life.facts(self.home.file);
        let taken = home.scopes.iter().any(|scope| scope.contains_key(name))
            || self.found.imports.iter().any(|(other, _, local)| *other != file && local == name);
        let module = &self.life.facts(file).module;
        let module = module.rsplit('.').next().unwrap_or(module);
        let local = if taken { Name::new(format!("{module}_{name}")) } else { name.clone() };
        self.found.imports.insert((file, name.clone(), local.clone()));
        local
    }

    /// A handler given as an expression: its call.
    fn value(&mut self, value: ExprRef, handler: &Handler) -> Result<Step, Declined> {
        let life = self.life;
        let facts = life.facts(value.file);
        let mut reads = Vec::new();
        facts.descend(value.id, &mut |id| {
            if let ExprKind::Name(name) = &facts.expr(id).kind {
                reads.push((name.clone(), value.with(id)));
            }
        });
        for (name, expr) in reads {
            match life.lookup(expr, &name) {
                Lookup::Bound(scope, bindings) if !visible(life, self.home, &name, scope) => {
                    let facts = life.facts(value.file);
                    let outside = scope.is_module() && scope.file != self.home.file;
                    let import = bindings.iter().find_map(|&id| match &facts.binding(id).kind {
                        BindingKind::Function(_) if outside => Some(None),
                        BindingKind::ImportFrom { level, module, name: original } if outside => {
                            let absolute =
                                *level == 0 || folder(life, scope.file) == folder(life, self.home.file);
                            let request = ImportRequest::from(
                                &format!("{}{module}", ".".repeat(*level as usize)),
                                original,
                            );
                            let request = if *original == name { request } else { request.named(&name) };
                            absolute.then_some(Some(request))
                        }
                        _ => None,
                    });
                    match import {
                        Some(None) => {
                            if self.import(scope.file, &name) != name {
                                return Err(Declined::because(format!(
                                    "`{name}` means something else where the lifespan would stand; move the handler by hand"
                                )));
                            }
                            continue;
                        }
                        Some(Some(request)) => {
                            self.found.requests.push(request);
                            continue;
                        }
                        None => {}
                    }
                    return Err(Declined::because(format!(
                        "`{name}` is not known where the lifespan would stand; move the handler by hand"
                    )));
                }
                _ => {}
            }
        }
        let edits = self.renamed(facts.expr(value.id).range, value.file);
        let range = facts.expr(value.id).range;
        let text = Source::parse("", life.source(value)).with(
            &edits
                .into_iter()
                .map(|edit| Edit::replacement(edit.range - range.start(), edit.content))
                .collect::<Vec<_>>(),
        )?;
        let text = text.text();
        let gives = receiver(life, value, &facts.expr(value.id).kind);
        if let ExprKind::Lambda(function) = facts.expr(value.id).kind {
            let of = facts.function(function);
            let body = of.body.first().map(|&stmt| &facts.stmt(stmt).kind);
            if let (Some(StmtKind::Return(Some(body))), true) = (body, of.params.is_empty()) {
                let text = life.source(value.with(*body));
                return Ok(Step { text: format!("{text}\n"), ..Step::default() });
            }
            return Err(Declined::because("a lambda with parameters is registered; move it by hand"));
        }
        let awaited = awaited(life, value, handler).ok_or_else(|| {
            Declined::because(format!(
                "whether `{text}` is async is not known; move it into a lifespan by hand"
            ))
        })?;
        let last = facts.dotted(value.id).map(|dotted| dotted.rsplit('.').next().unwrap_or("").to_owned());
        self.found.added.extend(last);
        let mut step = called(text, awaited);
        step.gives.extend(gives.clone());
        step.names.extend(gives);
        Ok(step)
    }
}

fn called(text: &str, awaited: bool) -> Step {
    let awaited = if awaited { "await " } else { "" };
    Step { text: format!("{awaited}{text}()\n"), ..Step::default() }
}

/// The object whose method a handler is (`database.connect`).
fn receiver(life: &Lifecycle, value: ExprRef, kind: &ExprKind) -> Option<String> {
    match kind {
        ExprKind::Attribute { value: object, .. } => super::reach::key(life, value.with(*object)),
        _ => None,
    }
}

/// Whether calling a handler gives something to await.
fn awaited(life: &Lifecycle, value: ExprRef, handler: &Handler) -> Option<bool> {
    if !handler.functions.is_empty() {
        let async_ = |function: &FunctionRef| life.facts(function.file).function(function.id).is_coroutine();
        let all = handler.functions.iter().all(async_);
        return (all || !handler.functions.iter().any(async_)).then_some(all);
    }
    life.infer(value).iter().find_map(|value| match value {
        Value::Member(path, _) => {
            let (class, method) = path.rsplit_once('.')?;
            let resource = life.catalogue().class(class)?;
            let known =
                resource.ended_by(method).or(resource.start.as_ref().filter(|start| start.method == method));
            known.or(resource.close.first()).map(|close| close.awaited)
        }
        _ => None,
    })
}

fn comments_above(source: &Source, def: TextRange) -> String {
    let Some(found) = source.statement_at(def) else { return String::new() };
    let lines = TextRange::new(source.comments_above(found), source.first_line(found));
    source.slice(lines).lines().flat_map(|line| [line.trim(), "\n"]).collect()
}

/// Whether a blank line stands between the end of a statement and the next one with its comments.
fn blank_between(source: &Source, end: TextSize, next: impl Ranged) -> bool {
    source
        .statement_at(next)
        .is_some_and(|found| source.blank_above(source.comments_above(found)).0 > 0 && found.start() > end)
}

fn folder(life: &Lifecycle, file: FileId) -> &str {
    life.facts(file).path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A docstring as comments.
fn commented(docstring: &str) -> String {
    let text = docstring.trim_start_matches(['r', 'R', 'u', 'U']).trim_matches(['"', '\'']);
    text.trim().lines().map(|line| format!("# {}", line.trim()).trim_end().to_owned() + "\n").collect()
}
