//! Classes of unittest that make a loop for each test.

use loopmend_python::facts::{ExprKind, FunctionId, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle};

/// An object of the class.
#[derive(Clone, Debug)]
pub(super) struct SharedObject {
    /// The attribute.
    pub name: Name,
    /// The call that makes it.
    pub value: ExprRef,
    /// The statement in `setUpClass`, or in the class's body.
    pub stmt: StmtId,
}

/// One class.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The class.
    pub class: ClassRef,
    /// Its base `TestCase`.
    pub base: ExprRef,
    /// What is shared among its tests.
    pub shared: Vec<SharedObject>,
    /// The attribute that holds the loop, if one does.
    pub attribute: Option<Name>,
    /// Methods that do nothing but run what they are given.
    pub helpers: Vec<FunctionId>,
    /// Methods that run the loop, in order.
    pub methods: Vec<FunctionRef>,
    /// Calls that run the loop, the helper's own apart.
    pub runs: Vec<ExprRef>,
    /// Statements that make, set and close the loop.
    pub upkeep: Vec<StmtId>,
    /// The loop is used in another way too.
    pub other: bool,
}

/// All of them, in order.
pub(super) fn cases(life: &Lifecycle) -> Vec<Case> {
    let mut found = Vec::new();
    for &file in life.files_with("TestCase") {
        let facts = life.facts(file);
        if !["run_until_complete", "run"].iter().any(|name| facts.attributes.contains_key(name))
            || !["TestCase"]
                .iter()
                .any(|name| facts.attributes.contains_key(name) || facts.loads.contains_key(name))
        {
            continue;
        }
        for index in 0..facts.classes.len() {
            let class = ClassRef { file, id: loopmend_python::facts::ClassId::new(index) };
            found.extend(case(life, class));
        }
    }
    found
}

fn case(life: &Lifecycle, class: ClassRef) -> Option<Case> {
    let facts = life.facts(class.file);
    let of = facts.class(class.id);
    let at = |id| ExprRef { file: class.file, id };
    let base = of
        .bases
        .iter()
        .map(|&base| at(base))
        .find(|&base| life.infer(base).iter().any(|value| value.path() == Some("unittest.TestCase")))?;
    let mut methods: Vec<FunctionId> = of.methods.values().copied().collect();
    methods.sort_unstable();
    let mut case = Case {
        class,
        base,
        shared: shared(life, class),
        attribute: None,
        helpers: Vec::new(),
        methods: Vec::new(),
        runs: Vec::new(),
        upkeep: Vec::new(),
        other: false,
    };
    if case.shared.is_empty() {
        return None;
    }
    for &method in &methods {
        facts.walk(&facts.function(method).body, &mut |stmt| {
            if let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind
                && let [target] = targets.as_ref()
                && let Some(name) = own_attribute(life, at(*target))
                && life.calls_any(at(*value), &["asyncio.new_event_loop", "asyncio.get_event_loop"])
            {
                case.attribute.get_or_insert(name);
                case.upkeep.push(stmt);
            }
        });
    }
    let is_loop =
        |expr: ExprRef| own_attribute(life, expr).is_some_and(|name| Some(&name) == case.attribute.as_ref());
    case.helpers =
        methods.iter().copied().filter(|&method| is_helper(life, class, method, &is_loop)).collect();
    let helpers: Vec<Name> = case.helpers.iter().map(|&id| facts.function(id).name.clone()).collect();
    let (mut runs, mut upkeep, mut other) = (Vec::new(), Vec::new(), false);
    for &method in methods.iter().filter(|&&method| !case.helpers.contains(&method)) {
        let before = runs.len();
        facts.body_exprs(method, &mut |id| {
            let ExprKind::Call { func, ref args, .. } = facts.expr(id).kind else { return };
            let by_hand = match &facts.expr(func).kind {
                ExprKind::Attribute { value, attr } => {
                    (attr == "run_until_complete" && is_loop(at(*value)))
                        || (helpers.contains(attr) && life.receiver_class(at(*value)).is_some())
                }
                _ => false,
            };
            if args.len() == 1 && (by_hand || life.calls_any(at(id), &["asyncio.run"])) {
                runs.push(at(id));
            }
        });
        if runs.len() > before {
            case.methods.push(FunctionRef { file: class.file, id: method });
        }
        facts.walk(&facts.function(method).body, &mut |stmt| {
            if let StmtKind::Expr(value) = facts.stmt(stmt).kind
                && let ExprKind::Call { func, ref args, .. } = facts.expr(value).kind
            {
                let closes = matches!(&facts.expr(func).kind, ExprKind::Attribute { value, attr } if attr == "close" && is_loop(at(*value)));
                let sets = life.calls_any(at(value), &["asyncio.set_event_loop"])
                    && args.iter().all(|&arg| is_loop(at(arg)) || matches!(facts.expr(arg).kind, ExprKind::None));
                if closes || sets {
                    upkeep.push(stmt);
                }
            }
        });
    }
    case.upkeep.extend(upkeep);
    case.upkeep.sort_unstable();
    // Whatever else is done with the loop.
    if let Some(name) = &case.attribute {
        let inside = |range: loopmend_python::facts::TextRange| {
            case.upkeep.iter().any(|&stmt| facts.stmt(stmt).range.contains_range(range))
                || runs.iter().any(|run| {
                    let ExprKind::Call { func, .. } = facts.expr(run.id).kind else { return false };
                    facts.expr(func).range.contains_range(range)
                })
                || case.helpers.iter().any(|&helper| facts.function(helper).range.contains_range(range))
        };
        for &use_ in facts.attributes.get(name).into_iter().flatten() {
            let range = facts.expr(use_).range;
            other |= of.range.contains_range(range) && is_loop(at(use_)) && !inside(range);
        }
    }
    case.runs = runs;
    case.other = other;
    let tests =
        case.methods.iter().filter(|method| facts.function(method.id).name.starts_with("test")).count();
    (tests > 1).then_some(case)
}

/// `self.x` or `cls.x`.
pub(super) fn own_attribute(life: &Lifecycle, expr: ExprRef) -> Option<Name> {
    match &life.facts(expr.file).expr(expr.id).kind {
        ExprKind::Attribute { value, attr } => {
            let first = life.facts(expr.file).name_of(*value)?;
            (first == "self" || first == "cls").then(|| attr.clone())
        }
        _ => None,
    }
}

/// Objects made once for the class that fail on a second loop.
fn shared(life: &Lifecycle, class: ClassRef) -> Vec<SharedObject> {
    let facts = life.facts(class.file);
    let of = facts.class(class.id);
    let mut found = Vec::new();
    for site in life.sites().iter().filter(|site| site.call.file == class.file) {
        if !of.range.contains_range(facts.expr(site.call.id).range)
            || !life.resource(site).is_some_and(loopmend_python::catalogue::Resource::breaks_in_second_run)
        {
            continue;
        }
        let Some(stmt) = facts.stmt_of(site.call.id) else { continue };
        let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { continue };
        let ([target], true) = (targets.as_ref(), *value == site.call.id) else { continue };
        let function = facts.function(site.function.id);
        if site.function.is_module() && facts.stmt(stmt).class == Some(class.id) {
            if let Some(name) = facts.name_of(*target) {
                found.push(SharedObject { name: name.clone(), value: site.call, stmt });
            }
        } else if function.name == "setUpClass"
            && let Some(name) = own_attribute(life, site.call.with(*target))
        {
            found.push(SharedObject { name, value: site.call, stmt });
        }
    }
    found
}

/// `def run(self, coro): return self.loop.run_until_complete(coro)`, or with `asyncio.run`.
fn is_helper(
    life: &Lifecycle,
    class: ClassRef,
    method: FunctionId,
    is_loop: &dyn Fn(ExprRef) -> bool,
) -> bool {
    let facts = life.facts(class.file);
    let of = facts.function(method);
    let at = |id| ExprRef { file: class.file, id };
    let body: Vec<_> = of
        .body
        .iter()
        .filter(|&&stmt| match facts.stmt(stmt).kind {
            StmtKind::Expr(value) => !matches!(facts.expr(value).kind, ExprKind::Str(_)),
            _ => true,
        })
        .collect();
    let ([stmt], 2, false) = (body.as_slice(), of.params.len(), of.is_async) else { return false };
    let (StmtKind::Return(Some(value)) | StmtKind::Expr(value)) = facts.stmt(**stmt).kind else {
        return false;
    };
    let ExprKind::Call { func, ref args, .. } = facts.expr(value).kind else { return false };
    let runs = matches!(&facts.expr(func).kind, ExprKind::Attribute { value, attr } if attr == "run_until_complete" && is_loop(at(*value)))
        || life.calls_any(at(value), &["asyncio.run"]);
    runs && args.len() == 1 && facts.name_of(args[0]) == Some(&of.params[1].name)
}
