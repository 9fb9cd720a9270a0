//! Which objects a task works with, and where those are closed.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, FunctionId, MODULE, Name, StmtId};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Task, Value};

/// Methods that end an object.
const CLOSES: &[&str] = &[
    "close",
    "aclose",
    "disconnect",
    "dispose",
    "cleanup",
    "shutdown",
    "stop",
    "terminate",
    "wait_closed",
    "quit",
    "logout",
];

/// The last names of context managers that no task works *with*: they only guard.
const GUARDS: &[&str] = &[
    "timeout",
    "timeout_at",
    "TaskGroup",
    "create_task_group",
    "suppress",
    "nullcontext",
    "Lock",
    "Semaphore",
];

/// What a task works with, by name.
#[derive(Debug)]
pub struct Link {
    /// Local names of the starting function that lead into the task.
    names: BTreeSet<Name>,
    /// Attributes and constant keys that the task's functions use.
    attributes: BTreeSet<Name>,
    /// Global names that the task's functions read.
    globals: BTreeSet<Name>,
    /// The object whose method is run: ending *that* is no end of a resource.
    owner: Option<String>,
    function: FunctionRef,
    known: bool,
    /// Attributes that the task's functions read, and where what they hold is made, once asked for.
    reads: Vec<ExprRef>,
    sites: OnceCell<BTreeSet<ExprRef>>,
}

/// A call that closes something.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    /// The statement.
    pub stmt: StmtId,
    /// The call.
    pub call: ExprRef,
    /// What is closed.
    pub receiver: ExprRef,
}

impl Link {
    /// Of a task.
    pub fn of(life: &Lifecycle, task: &Task) -> Self {
        let facts = life.facts(task.call.file);
        let mut link = Self {
            names: BTreeSet::new(),
            attributes: BTreeSet::new(),
            globals: BTreeSet::new(),
            owner: None,
            function: task.function,
            known: !task.runs.is_empty(),
            reads: Vec::new(),
            sites: OnceCell::new(),
        };
        if let Some(coroutine) = task.coroutine {
            link.take_names(facts, coroutine.id);
            if let ExprKind::Call { func, .. } = facts.expr(coroutine.id).kind
                && let ExprKind::Attribute { value, .. } = facts.expr(func).kind
            {
                link.owner = facts.dotted(value);
            }
        }
        let mut functions = BTreeSet::new();
        for &run in &task.runs {
            functions.extend(life.reachable(run));
        }
        for function in functions {
            link.take_uses(life, function);
        }
        link
    }

    /// Names of the starting function that an expression is made of, and those that they are made of.
    fn take_names(&mut self, facts: &Facts, expr: ExprId) {
        let mut work = vec![expr];
        while let Some(expr) = work.pop() {
            let mut read = Vec::new();
            facts.descend(expr, &mut |id| read.extend(facts.name_of(id).cloned()));
            for name in read {
                let Some(scope) = local_scope(facts, self.function.id, &name) else { continue };
                if !self.names.insert(name.clone()) {
                    continue;
                }
                for &id in &facts.scopes[scope.index()][&name] {
                    match &facts.binding(id).kind {
                        BindingKind::Value { value, .. } => work.push(*value),
                        BindingKind::Item { iter, .. } => work.push(*iter),
                        BindingKind::Enter { context, .. } => work.push(*context),
                        _ => {}
                    }
                }
            }
        }
    }

    fn take_uses(&mut self, life: &Lifecycle, function: FunctionRef) {
        let facts = life.facts(function.file);
        facts.body_exprs(function.id, &mut |id| match &facts.expr(id).kind {
            ExprKind::Attribute { attr, .. } => {
                self.attributes.insert(attr.clone());
                self.reads.push(ExprRef { file: function.file, id });
            }
            ExprKind::Subscript { index, .. } => self.attributes.extend(facts.key(*index)),
            ExprKind::Name(name) if local_scope(facts, function.id, name).is_none() => {
                self.globals.insert(name.clone());
            }
            _ => {}
        });
    }

    /// Whether an expression names something that the task works with.
    pub fn works_with(&self, life: &Lifecycle, expr: ExprRef) -> bool {
        let facts = life.facts(expr.file);
        if facts.dotted(expr.id).is_some_and(|text| self.owner.as_ref() == Some(&text)) {
            return false;
        }
        let here = FunctionRef { file: expr.file, id: facts.function_of(expr.id) };
        match &facts.expr(expr.id).kind {
            ExprKind::Name(name) => {
                if local_scope(facts, here.id, name).is_none() {
                    self.globals.contains(name)
                } else if here == self.function {
                    self.names.contains(name)
                } else {
                    self.holds(life, expr)
                }
            }
            ExprKind::Attribute { value, attr } => {
                self.attributes.contains(attr) || !self.known && self.base_is_given(facts, here, *value)
            }
            ExprKind::Subscript { value, index } => {
                facts.key(*index).is_some_and(|key| self.attributes.contains(&key))
                    || !self.known && self.base_is_given(facts, here, *value)
            }
            ExprKind::Await(inner) => self.works_with(life, expr.with(*inner)),
            _ => false,
        }
    }

    /// Whether what an expression holds is made where something that the task reads is made.
    fn holds(&self, life: &Lifecycle, expr: ExprRef) -> bool {
        let made = |expr: ExprRef| {
            life.infer(expr)
                .iter()
                .filter_map(|value| match value {
                    Value::Instance(_, site) => *site,
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        let here = made(expr);
        !here.is_empty() && {
            let sites = self.sites.get_or_init(|| self.reads.iter().flat_map(|&read| made(read)).collect());
            here.iter().any(|site| sites.contains(site))
        }
    }

    /// Whether a `with` item is a resource that the task works with.
    pub fn works_inside(&self, life: &Lifecycle, context: ExprRef, target: Option<ExprId>) -> bool {
        let facts = life.facts(context.file);
        let last = match &facts.expr(context.id).kind {
            ExprKind::Call { func, .. } => facts.dotted(*func),
            _ => facts.dotted(context.id),
        };
        let last = last.as_deref().and_then(|text| text.rsplit('.').next()).unwrap_or_default();
        let lower = last.to_lowercase();
        if GUARDS.contains(&last)
            || ["lock", "semaphore", "timeout", "condition", "limiter", "mutex"]
                .iter()
                .any(|word| lower.contains(word))
        {
            return false;
        }
        let named = |id: ExprId| match &facts.expr(id).kind {
            ExprKind::Tuple(items) => items.iter().any(|&item| self.works_with(life, context.with(item))),
            _ => self.works_with(life, context.with(id)),
        };
        target.is_some_and(named) || named(context.id)
    }

    fn base_is_given(&self, facts: &Facts, here: FunctionRef, mut at: ExprId) -> bool {
        loop {
            match &facts.expr(at).kind {
                ExprKind::Attribute { value, .. } | ExprKind::Subscript { value, .. } => at = *value,
                ExprKind::Name(name) => return here == self.function && self.names.contains(name),
                _ => return false,
            }
        }
    }

    /// The closes of what the task works with in a block, nested statements too, in source order.
    pub fn closings(&self, life: &Lifecycle, function: FunctionRef, block: &[StmtId]) -> Vec<Closing> {
        closings(life, function, block)
            .into_iter()
            .filter(|closing| self.works_with(life, closing.receiver))
            .collect()
    }
}

/// All closes in a block, in source order.
pub fn closings(life: &Lifecycle, function: FunctionRef, block: &[StmtId]) -> Vec<Closing> {
    let facts = life.facts(function.file);
    let mut found = Vec::new();
    facts.walk(block, &mut |stmt| {
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |id| {
                if let ExprKind::Call { func, .. } = facts.expr(id).kind
                    && let ExprKind::Attribute { value, attr } = &facts.expr(func).kind
                    && CLOSES.contains(&attr.as_str())
                {
                    let call = ExprRef { file: function.file, id };
                    found.push(Closing { stmt, call, receiver: call.with(*value) });
                }
            });
        });
    });
    found
}

/// The function around whose scope has the name; none for names of the module and beyond.
fn local_scope(facts: &Facts, function: FunctionId, name: &str) -> Option<FunctionId> {
    let mut at = Some(function);
    while let Some(id) = at {
        if id == MODULE {
            return None;
        }
        let of = facts.function(id);
        if facts.scopes[id.index()].contains_key(name) && !of.globals.iter().any(|global| global == name) {
            return Some(id);
        }
        at = of.parent;
    }
    None
}
