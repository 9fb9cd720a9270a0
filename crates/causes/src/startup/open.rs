//! What a function opens.

use std::collections::BTreeSet;

use loopmend_python::catalogue::{Binds, Close, Resource};
use loopmend_python::facts::{ExprId, ExprKind, Facts, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Kind, Lifecycle, SiteKind, StmtRef, Value};

use super::place::place_name;

/// Methods that end an object of the tree's own classes.
pub(super) const ENDS: &[&str] =
    &["close", "aclose", "disconnect", "dispose", "shutdown", "stop", "cleanup", "teardown", "terminate"];
/// Methods that start one.
const STARTS: &[&str] =
    &["connect", "open", "start", "startup", "setup", "initialize", "init", "connect_all"];

/// One object that a function opens and keeps at a place.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// The function.
    pub function: FunctionRef,
    /// The statement that opens it.
    pub stmt: StmtId,
    /// The call that opens it.
    pub call: ExprRef,
    /// Where it is kept.
    pub place: ExprRef,
    /// Where it is kept as well.
    pub aliases: Vec<ExprRef>,
    /// Its class: `asyncpg.Pool`, or the name of a class of the tree.
    pub class: String,
    /// How it is closed.
    pub close: Close,
    /// All methods that end it.
    pub ends: Vec<String>,
    /// Opening it is awaited: it may fail as a connection does.
    pub awaited: bool,
    /// The statement from which on something is open; none for what opens at first use and is not used.
    pub live: Option<StmtId>,
    /// It is opened again by each turn of a loop.
    pub looped: bool,
    /// The statement that opens it is also the one that gives the place its object.
    pub binds: bool,
}

impl Open {
    /// The statement.
    pub fn stmt_ref(&self) -> StmtRef {
        StmtRef { file: self.function.file, id: self.stmt }
    }

    /// The statement at which a server that is away is noticed: the opening where it is awaited, else the first use.
    pub fn fails_at(&self) -> Option<StmtId> {
        if self.awaited { Some(self.stmt) } else { self.live.filter(|&live| live != self.stmt) }
    }

    /// The last names of the places that keep it.
    pub fn names(&self, facts: &Facts) -> BTreeSet<Name> {
        std::iter::once(&self.place)
            .chain(&self.aliases)
            .filter_map(|place| place_name(facts, place.id))
            .collect()
    }

    /// The place of its own by which another expression calls it.
    pub fn place_like(&self, life: &Lifecycle, other: ExprRef) -> ExprRef {
        let facts = life.facts(self.function.file);
        let name = place_name(life.facts(other.file), other.id);
        std::iter::once(&self.place)
            .chain(&self.aliases)
            .copied()
            .find(|place| place_name(facts, place.id) == name)
            .unwrap_or(self.place)
    }

    /// It is kept by something that outlives the function: an attribute, a key, a global.
    pub fn kept(&self, life: &Lifecycle) -> bool {
        let facts = life.facts(self.function.file);
        std::iter::once(&self.place).chain(&self.aliases).any(|place| match &facts.expr(place.id).kind {
            ExprKind::Name(name) => {
                facts.function(self.function.id).globals.contains(name)
                    || !facts.scopes[self.function.id.index()].contains_key(name)
            }
            _ => true,
        })
    }
}

/// What a function opens before a statement (all of it, without one), in source order. What is entered by `with`, or by an
/// exit stack, is not among it: that is closed by itself.
pub(crate) fn opens(life: &Lifecycle, function: FunctionRef, until: Option<StmtId>) -> Vec<Open> {
    opens_within(life, function, until, 2)
}

pub(super) fn opens_within(
    life: &Lifecycle,
    function: FunctionRef,
    until: Option<StmtId>,
    depth: u8,
) -> Vec<Open> {
    let facts = life.facts(function.file);
    let end = until.map(|stmt| facts.stmt(stmt).range.start());
    let mut order = Vec::new();
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        if end.is_none_or(|end| facts.stmt(stmt).range.start() < end) {
            order.push(stmt);
        }
    });
    let mut found: Vec<Open> = Vec::new();
    for &stmt in &order {
        match &facts.stmt(stmt).kind {
            StmtKind::Assign { targets, value } => {
                if let Some(mut open) = made(life, function, stmt, *value, targets[0]) {
                    open.aliases.extend(targets[1..].iter().map(|&id| open.place.with(id)));
                    found.push(open);
                } else if let ExprKind::Name(_) | ExprKind::Attribute { .. } = facts.expr(*value).kind {
                    let text = life.source(ExprRef { file: function.file, id: *value });
                    for open in &mut found {
                        if life.source(open.place) == text {
                            let file = function.file;
                            open.aliases.extend(targets.iter().map(|&id| ExprRef { file, id }));
                        }
                    }
                }
            }
            StmtKind::AnnAssign { target, value: Some(value), .. } => {
                found.extend(made(life, function, stmt, *value, *target));
            }
            StmtKind::Expr(value) => {
                if let Some(open) = started(life, function, stmt, *value, depth) {
                    // Made before, alive from here on.
                    let text = life.source(open.place).to_owned();
                    let made = found.iter().position(|known| {
                        life.source(known.place) == text
                            || known.aliases.iter().any(|alias| life.source(*alias) == text)
                    });
                    match made {
                        Some(index) if found[index].live.is_some() => {}
                        Some(index) => {
                            let aliases = std::mem::take(&mut found[index].aliases);
                            let place = found[index].place;
                            found[index] = Open { place, aliases, ..open };
                        }
                        None => found.push(open),
                    }
                }
            }
            _ => {}
        }
    }
    for open in &mut found {
        if open.live.is_none() {
            open.live = first_use(life, open, &order);
        }
    }
    found.retain(|open| !handed_to_stack(life, open, &order));
    found.sort_by_key(|open| facts.stmt(open.stmt).range.start());
    found
}

/// `place = [await] call`.
fn made(
    life: &Lifecycle,
    function: FunctionRef,
    stmt: StmtId,
    value: ExprId,
    target: ExprId,
) -> Option<Open> {
    let facts = life.facts(function.file);
    let at = |id| ExprRef { file: function.file, id };
    let (call, awaited) = call_in(life, at(value))?;
    let site = life.site_at(call);
    let (class, resource) = match site {
        Some(site) if site.kind == SiteKind::Resource => (site.gives.to_string(), life.resource(site)),
        Some(_) => return None,
        None => match given(life, at(value), call)? {
            Given::Library(class) => (class.clone(), life.catalogue().class(&class)),
            Given::Tree(class) => {
                if !awaited {
                    // Alive once its start method has run, which is seen there.
                    return None;
                }
                let (close, ends) = tree_close(life, class, place_name(facts, target).as_ref())?;
                return Some(Open {
                    function,
                    stmt,
                    call,
                    place: at(target),
                    aliases: Vec::new(),
                    class: life.facts(class.file).class(class.id).name.to_string(),
                    close,
                    ends,
                    awaited,
                    live: Some(stmt),
                    looped: each_turn(life, at(target), stmt),
                    binds: true,
                });
            }
        },
    };
    let resource = resource.filter(|resource| counts(resource))?;
    let place = match (&facts.expr(target).kind, resource.gives_item) {
        (ExprKind::Tuple(items), Some(index)) => at(*items.get(index as usize)?),
        (ExprKind::Tuple(_), None) => return None,
        (_, Some(_)) => return None,
        _ => at(target),
    };
    place_name(facts, place.id)?;
    let live = awaited || (resource.binds == Binds::Construction && resource.start.is_none());
    Some(Open {
        function,
        stmt,
        call,
        place,
        aliases: Vec::new(),
        class,
        close: best_close(life, resource, place_name(facts, place.id).as_ref()),
        ends: ends_of(resource),
        awaited,
        live: live.then_some(stmt),
        looped: each_turn(life, place, stmt),
        binds: true,
    })
}

/// `[await] place.start()`.
fn started(life: &Lifecycle, function: FunctionRef, stmt: StmtId, value: ExprId, depth: u8) -> Option<Open> {
    let facts = life.facts(function.file);
    let (call, awaited) = call_in(life, ExprRef { file: function.file, id: value })?;
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return None };
    let ExprKind::Attribute { value: receiver, attr } = &facts.expr(func).kind else { return None };
    let place = call.with(*receiver);
    place_name(facts, place.id)?;
    if facts.name_of(place.id).is_some_and(|name| name == "self" || name == "cls") {
        return None;
    }
    let open = |class: String, close, ends| Open {
        function,
        stmt,
        call,
        place,
        aliases: Vec::new(),
        class,
        close,
        ends,
        awaited,
        live: Some(stmt),
        looped: each_turn(life, place, stmt),
        binds: false,
    };
    for value in life.infer(place).iter() {
        match value {
            Value::Instance(Kind::External(class), _) => {
                let Some(resource) = life.catalogue().class(class) else { continue };
                if resource.start.as_ref().is_some_and(|start| start.method == attr.as_str())
                    && counts(resource)
                {
                    let close = best_close(life, resource, place_name(facts, place.id).as_ref());
                    return Some(open(class.to_string(), close, ends_of(resource)));
                }
            }
            Value::Instance(Kind::Class(class), _) if STARTS.contains(&attr.as_str()) && depth > 0 => {
                let Some(method) = life.method(*class, attr) else { continue };
                if opens_within(life, method, None, depth - 1).iter().any(|open| open.kept(life))
                    && let Some((close, ends)) =
                        tree_close(life, *class, place_name(facts, place.id).as_ref())
                {
                    return Some(open(life.facts(class.file).class(class.id).name.to_string(), close, ends));
                }
            }
            _ => {}
        }
    }
    None
}

enum Given {
    Library(String),
    Tree(ClassRef),
}

/// What a call of the tree's own functions gives.
fn given(life: &Lifecycle, value: ExprRef, call: ExprRef) -> Option<Given> {
    if life.callees(call).is_empty() {
        return None;
    }
    life.infer(value).iter().find_map(|value| match value {
        Value::Instance(Kind::External(class), _) => Some(Given::Library(class.to_string())),
        Value::Instance(Kind::Class(class), _) => Some(Given::Tree(*class)),
        _ => None,
    })
}

/// The call that a value is, through `await` and `asyncio.wait_for`.
fn call_in(life: &Lifecycle, value: ExprRef) -> Option<(ExprRef, bool)> {
    let facts = life.facts(value.file);
    let (inner, awaited) = match facts.expr(value.id).kind {
        ExprKind::Await(inner) => (inner, true),
        _ => (value.id, false),
    };
    let ExprKind::Call { args, .. } = &facts.expr(inner).kind else { return None };
    let call = value.with(inner);
    if awaited
        && let Some(&first) = args.first()
        && matches!(facts.expr(first).kind, ExprKind::Call { .. })
        && life.calls_any(call, &["asyncio.wait_for", "asyncio.shield"])
    {
        return Some((value.with(first), true));
    }
    Some((call, awaited))
}

/// Whether leaving an object of this kind open is felt: a connection, a server, a session; not a lock or thread pool.
fn counts(resource: &Resource) -> bool {
    resource.must_close()
        && resource.close[0].method != "cancel"
        && (resource.binds != Binds::Never || resource.unclosed_says != "nothing")
}

fn ends_of(resource: &Resource) -> Vec<String> {
    resource.close.iter().chain(&resource.close_also).map(|close| close.method.clone()).collect()
}

/// The way of closing that the tree itself uses for what is kept under this name, else the catalogue's first that the
/// installed version has.
fn best_close(life: &Lifecycle, resource: &Resource, name: Option<&Name>) -> Close {
    let used = |close: &&Close| close.method != "wait_closed" && is_used(life, &close.method, name);
    if let Some(close) = resource.close.iter().chain(&resource.close_also).find(used) {
        return close.clone();
    }
    let version = life.settings().version(&resource.library);
    let has = |close: &&Close| match (&close.since, version) {
        (Some(since), Some(version)) => {
            let release: Vec<u64> = since.split('.').filter_map(|part| part.parse().ok()).collect();
            version.at_least(&release)
        }
        _ => true,
    };
    resource
        .close
        .iter()
        .chain(resource.close_also.iter().filter(|also| also.method.contains("close")))
        .find(has)
        .unwrap_or(&resource.close[0])
        .clone()
}

/// Whether the tree has this method of what it keeps under a name: `runner.cleanup`.
fn is_used(life: &Lifecycle, method: &str, name: Option<&Name>) -> bool {
    life.files_with(method).iter().any(|&file| {
        let facts = life.facts(file);
        facts.attributes.get(method).into_iter().flatten().any(|&id| {
            matches!(&facts.expr(id).kind, ExprKind::Attribute { value, .. }
                if place_name(facts, *value).as_ref() == name)
        })
    })
}

/// Whether a method calls another one of the same object.
fn calls_own(life: &Lifecycle, class: ClassRef, whole: &str, part: &str) -> bool {
    let Some(method) = life.method(class, whole) else { return false };
    let facts = life.facts(method.file);
    let receiver = facts.function(method.id).receiver();
    let mut found = false;
    facts.body_exprs(method.id, &mut |id| {
        found |= matches!(&facts.expr(id).kind, ExprKind::Attribute { value, attr }
            if attr == part && receiver.is_some() && facts.name_of(*value) == receiver);
    });
    found
}

/// Methods under a name of the tree's own (`hang_up`) that end what the object keeps, and that the tree calls on what it keeps
/// under this name; not those that open it anew.
fn own_ends(life: &Lifecycle, class: ClassRef, name: Option<&Name>) -> Vec<Close> {
    let mut methods: Vec<&Name> = life.facts(class.file).class(class.id).members.keys().collect();
    methods.sort_unstable();
    methods
        .into_iter()
        .filter(|method| !method.starts_with('_') && is_used(life, method, name))
        .filter_map(|method| {
            let function = life.method(class, method)?;
            let facts = life.facts(function.file);
            let of = facts.function(function.id);
            let receiver = of.receiver()?;
            let kept = |id: ExprId| {
                matches!(&facts.expr(id).kind, ExprKind::Attribute { value, .. }
                    if facts.name_of(*value) == Some(receiver))
            };
            let (mut ends, mut renews) = (false, false);
            facts.walk(&of.body, &mut |stmt| {
                if let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind {
                    renews |= !matches!(facts.expr(*value).kind, ExprKind::None)
                        && targets.iter().any(|&target| kept(target));
                }
                renews |= matches!(facts.stmt(stmt).kind, StmtKind::Return(Some(_)));
            });
            facts.body_exprs(function.id, &mut |id| {
                if let ExprKind::Call { func, .. } = facts.expr(id).kind
                    && let ExprKind::Attribute { value, attr } = &facts.expr(func).kind
                {
                    ends |= ENDS.contains(&attr.as_str()) && kept(*value);
                }
            });
            (ends && !renews && of.params.len() == 1).then(|| Close {
                method: method.to_string(),
                awaited: of.is_async,
                args: None,
                since: None,
            })
        })
        .collect()
}

/// How an object of a class of the tree is closed, where it has a method for that: the one that the tree itself uses for what
/// is kept under this name comes first.
fn tree_close(life: &Lifecycle, class: ClassRef, name: Option<&Name>) -> Option<(Close, Vec<String>)> {
    let mut ends: Vec<Close> = ENDS
        .iter()
        .filter_map(|&name| {
            let method = life.method(class, name)?;
            let awaited = life.facts(method.file).function(method.id).is_async;
            Some(Close { method: name.to_owned(), awaited, args: None, since: None })
        })
        .collect();
    if ends.is_empty() {
        ends = own_ends(life, class, name);
    }
    if ends.is_empty() {
        return None;
    }
    let names: Vec<String> = ends.iter().map(|close| close.method.clone()).collect();
    // `cleanup` that calls `shutdown` does more.
    let within = |part: &str| names.iter().any(|whole| whole != part && calls_own(life, class, whole, part));
    if !names.iter().all(|name| within(name)) {
        ends.retain(|close| !within(&close.method));
    }
    let used = ends.iter().position(|close| is_used(life, &close.method, name));
    Some((ends.swap_remove(used.unwrap_or(0)), names))
}

/// The first later statement that awaits something with the object.
fn first_use(life: &Lifecycle, open: &Open, order: &[StmtId]) -> Option<StmtId> {
    let facts = life.facts(open.function.file);
    let after = facts.stmt(open.stmt).range.end();
    let texts: Vec<&str> =
        std::iter::once(&open.place).chain(&open.aliases).map(|place| life.source(*place)).collect();
    order.iter().copied().filter(|&stmt| facts.stmt(stmt).range.start() >= after).find(|&stmt| {
        let mut awaits = matches!(facts.stmt(stmt).kind, StmtKind::With { is_async: true, .. });
        let mut mentions = false;
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                awaits |= matches!(facts.expr(inner).kind, ExprKind::Await(_));
                mentions |= texts.contains(&life.source(ExprRef { file: open.function.file, id: inner }));
            });
        });
        awaits && mentions
    })
}

/// Whether an exit stack takes the object over: `stack.push_async_callback(pool.close)`, `await stack.enter_async_context(pool)`.
fn handed_to_stack(life: &Lifecycle, open: &Open, order: &[StmtId]) -> bool {
    const PUSHES: &[&str] = &[
        "push_async_callback",
        "callback",
        "push_async_exit",
        "push",
        "enter_async_context",
        "enter_context",
        "add_async_callback",
    ];
    let facts = life.facts(open.function.file);
    let names = open.names(facts);
    let mut found = false;
    for &stmt in order {
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                if let ExprKind::Call { func, args, .. } = &facts.expr(inner).kind
                    && let ExprKind::Attribute { attr, .. } = &facts.expr(*func).kind
                    && PUSHES.contains(&attr.as_str())
                {
                    found |= args.iter().any(|&arg| {
                        let mut hit = false;
                        facts.descend(arg, &mut |part| {
                            hit |= place_name(facts, part).is_some_and(|name| names.contains(&name))
                                || part == open.call.id;
                        });
                        hit
                    });
                }
            });
        });
    }
    found
}

/// Whether each turn of a loop has a place of its own: `pools[name] = …` in `for name in …`; a retry has not.
fn each_turn(life: &Lifecycle, place: ExprRef, stmt: StmtId) -> bool {
    let facts = life.facts(place.file);
    facts.ancestors(stmt).any(|(outer, _)| {
        let StmtKind::For { target, .. } = facts.stmt(outer).kind else { return false };
        let mut turns = false;
        facts.descend(target, &mut |name| {
            if let Some(name) = facts.name_of(name) {
                facts.descend(place.id, &mut |part| turns |= facts.name_of(part) == Some(name));
            }
        });
        turns
    })
}
