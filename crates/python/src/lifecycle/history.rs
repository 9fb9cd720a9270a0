//! The order of what is done with a loop: the program is walked from where it starts, calls are followed, and each use of
//! a loop that may be closed by then is told.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ExprRef, FunctionRef, HandleKind, Kind, Lifecycle, LoopAct, LoopHandle, Origin, Place, UseKind, Value,
};
use crate::facts::{ExprId, ExprKind, Facts, StmtId, StmtKind};

/// A use of a loop after its close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// The use.
    pub at: ExprRef,
    /// The close before it.
    pub close: ExprRef,
    /// Every way there has closed the loop, and the tree itself shows that it is taken.
    pub certain: bool,
    /// Only the calls of this function a second time, by something outside the tree, lead there.
    pub second_call_of: Option<FunctionRef>,
}

/// Whose loop of several that one site makes.
type Owner = Option<ExprRef>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Condition {
    may_be_open: bool,
    closed_by: Option<ExprRef>,
}

type State = BTreeMap<Owner, Condition>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    Same,
    Owner(Owner),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    function: FunctionRef,
    receiver: Receiver,
    many: bool,
}

/// Calls followed before a walk gives up.
const MOST_STEPS: usize = 4000;
/// Functions that may take part.
const MOST_FUNCTIONS: usize = 150;

impl Lifecycle {
    /// Uses of a handle's loop after its close; handles that stand for the same loop (`get_event_loop()` in several places) are
    /// given together. Nothing where a generator or a question (`is_closed()`) has a part in it.
    pub fn reuses(&self, handles: &[&LoopHandle]) -> Vec<Reuse> {
        let closes = handles.iter().any(|handle| handle.does(&LoopAct::Close));
        let asked = handles.iter().any(|handle| handle.does(&LoopAct::Asked));
        if !closes || asked || self.made_before_each_test(handles) {
            return Vec::new();
        }
        let Some(mut walk) = Walk::new(self, handles) else { return Vec::new() };
        for root in walk.roots() {
            walk.walk_root(root);
        }
        walk.found
    }
}

impl Lifecycle {
    /// Whether a test runner calls what makes the loop before each test, and what closes it after: nothing comes between.
    fn made_before_each_test(&self, handles: &[&LoopHandle]) -> bool {
        let named = |function: FunctionRef, names: &[&str]| {
            let of = self.facts(function.file).function(function.id);
            of.class.is_some() && names.contains(&of.name.as_str())
        };
        let mut makers = handles.iter().filter(|handle| handle.kind == HandleKind::Made).peekable();
        makers.peek().is_some()
            && makers.all(|handle| {
                named(handle.function, &["setUp", "setUpClass", "setup_method", "setup_class"])
                    && handle.operations.iter().filter(|act| act.kind == LoopAct::Close).all(|act| {
                        named(
                            act.function,
                            &["tearDown", "tearDownClass", "teardown_method", "teardown_class"],
                        )
                    })
            })
    }
}

struct Walk<'l> {
    life: &'l Lifecycle,
    sites: BTreeSet<ExprRef>,
    acts: BTreeMap<ExprRef, (LoopAct, ExprRef)>,
    steps: BTreeMap<ExprRef, Vec<Step>>,
    functions: BTreeSet<FunctionRef>,
    called: BTreeSet<FunctionRef>,
    per_object: bool,
    active: Vec<FunctionRef>,
    count: usize,
    again: Option<FunctionRef>,
    sure: bool,
    returns: Vec<State>,
    breaks: Vec<State>,
    continues: Vec<State>,
    found: Vec<Reuse>,
}

impl<'l> Walk<'l> {
    fn new(life: &'l Lifecycle, handles: &[&LoopHandle]) -> Option<Self> {
        let mut walk = Self {
            life,
            sites: BTreeSet::new(),
            acts: BTreeMap::new(),
            steps: BTreeMap::new(),
            functions: BTreeSet::new(),
            called: BTreeSet::new(),
            per_object: false,
            active: Vec::new(),
            count: 0,
            again: None,
            sure: true,
            returns: Vec::new(),
            breaks: Vec::new(),
            continues: Vec::new(),
            found: Vec::new(),
        };
        for handle in handles {
            let in_class = life.facts(handle.function.file).function(handle.function.id).class.is_some();
            walk.per_object |= in_class
                && handle.kind == HandleKind::Made
                && handle.places.iter().any(|place| matches!(place, Place::Attribute(..)));
            if handle.kind == HandleKind::Made {
                walk.sites.insert(handle.site);
            }
            walk.functions.insert(handle.function);
            for act in &handle.operations {
                if act.handed || act.kind == LoopAct::Passed {
                    continue;
                }
                if act.kind != LoopAct::Close && life.is_refusal_expected(act.at) {
                    continue;
                }
                walk.functions.insert(act.function);
                walk.acts.insert(act.at, (act.kind.clone(), act.receiver));
            }
        }
        // What one call of a function makes and keeps to itself needs no look at its callers.
        let alone = handles.iter().all(|handle| handle.kind == HandleKind::Made && handle.is_local());
        (alone && !walk.in_generator() || walk.join_calls()).then_some(walk)
    }

    fn in_generator(&self) -> bool {
        self.functions
            .iter()
            .any(|function| self.life.facts(function.file).function(function.id).is_generator)
    }

    /// Finds the functions that lead to the operations, and the calls between them.
    fn join_calls(&mut self) -> bool {
        let life = self.life;
        let mut work: Vec<FunctionRef> = self.functions.iter().copied().collect();
        while let Some(function) = work.pop() {
            let facts = life.facts(function.file);
            if facts.function(function.id).is_generator || self.functions.len() > MOST_FUNCTIONS {
                return false;
            }
            if function.is_module() {
                continue;
            }
            let method = facts.function(function.id).class.is_some();
            let constructor = facts.function(function.id).name == "__init__";
            let mut callers = Vec::new();
            for site in life.call_sites(function) {
                let receiver = match (self.per_object && method, constructor) {
                    (true, true) => Receiver::Owner(Some(site.call)),
                    (true, false) => self.receiver_of(site.call),
                    _ => Receiver::Same,
                };
                self.step(site.call, Step { function, receiver, many: false });
                callers.push(site.call);
            }
            for at in &life.flow(Origin::Function(function), false).uses {
                match at.kind {
                    UseKind::Called(call) => {
                        self.step(call, Step { function, receiver: Receiver::Same, many: false });
                        callers.push(call);
                    }
                    UseKind::Argument { call, .. } => {
                        let many = matches!(
                            life.last_part(call).as_deref(),
                            Some("map" | "starmap" | "sorted" | "filter" | "min" | "max" | "apply" | "imap")
                        );
                        if many {
                            self.step(call, Step { function, receiver: Receiver::Same, many });
                            callers.push(call);
                        }
                    }
                    _ => {}
                }
            }
            for call in callers {
                let caller = FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) };
                self.called.insert(function);
                if self.functions.insert(caller) {
                    work.push(caller);
                }
            }
        }
        true
    }

    fn step(&mut self, call: ExprRef, step: Step) {
        if self.life.is_asserted_to_fail(call) {
            return;
        }
        let list = self.steps.entry(call).or_default();
        if !list.iter().any(|known| known.function == step.function) {
            list.push(step);
        }
    }

    /// The object that a method is called on.
    fn receiver_of(&self, call: ExprRef) -> Receiver {
        let facts = self.life.facts(call.file);
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return Receiver::Same };
        let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return Receiver::Same };
        let value = call.with(value);
        if self.life.receiver_class(value).is_some() {
            return Receiver::Same;
        }
        Receiver::Owner(self.object_of(value))
    }

    fn object_of(&self, expr: ExprRef) -> Owner {
        self.life.infer(expr).iter().find_map(|value| match value {
            Value::Instance(Kind::Class(_), site) => *site,
            _ => None,
        })
    }

    fn roots(&self) -> Vec<FunctionRef> {
        self.functions.iter().copied().filter(|function| !self.called.contains(function)).collect()
    }

    fn walk_root(&mut self, root: FunctionRef) {
        let mut state = State::new();
        self.sure = true;
        self.again = None;
        self.function(root, None, &mut state);
        let life = self.life;
        if root.is_module() || life.is_test(root) {
            return;
        }
        let of = life.facts(root.file).function(root.id);
        let handed = of.decorators.iter().any(|&decorator| {
            let decorator = ExprRef { file: root.file, id: decorator };
            life.registers(decorator) && !life.once_only(decorator)
        });
        if !handed && is_called_once(&of.name) {
            return;
        }
        // Others call it, any number of times.
        self.sure = handed;
        self.again = Some(root);
        self.function(root, None, &mut state);
    }

    fn function(&mut self, function: FunctionRef, owner: Owner, state: &mut State) {
        self.count += 1;
        if self.active.contains(&function) || self.count > MOST_STEPS {
            return;
        }
        self.active.push(function);
        let returns = std::mem::take(&mut self.returns);
        let breaks = std::mem::take(&mut self.breaks);
        let continues = std::mem::take(&mut self.continues);
        let facts = self.life.facts(function.file);
        let falls = self.block(facts, function, &facts.function(function.id).body, owner, state);
        let ways = std::mem::replace(&mut self.returns, returns);
        self.breaks = breaks;
        self.continues = continues;
        let mut ways = ways.into_iter();
        if !falls && let Some(first) = ways.next() {
            *state = first;
        }
        ways.for_each(|way| join(state, &way));
        self.active.pop();
    }

    /// Walks a block; false where its end is not reached.
    fn block(
        &mut self,
        facts: &Facts,
        function: FunctionRef,
        block: &[StmtId],
        owner: Owner,
        state: &mut State,
    ) -> bool {
        block.iter().all(|&stmt| self.statement(facts, function, stmt, owner, state))
    }

    fn statement(
        &mut self,
        facts: &Facts,
        function: FunctionRef,
        stmt: StmtId,
        owner: Owner,
        state: &mut State,
    ) -> bool {
        let node = facts.stmt(stmt);
        let mut parts = Vec::new();
        node.exprs(&mut |expr| parts.push(expr));
        for part in parts {
            self.expr(facts, function, part, owner, state);
        }
        match &node.kind {
            StmtKind::Return(_) => {
                self.returns.push(state.clone());
                false
            }
            StmtKind::Break => {
                self.breaks.push(state.clone());
                false
            }
            StmtKind::Continue => {
                self.continues.push(state.clone());
                false
            }
            StmtKind::Raise { .. } => false,
            StmtKind::If { body, orelse, .. } => {
                let mut other = state.clone();
                let falls = self.block(facts, function, body, owner, state);
                let other_falls = self.block(facts, function, orelse, owner, &mut other);
                match (falls, other_falls) {
                    (true, true) => join(state, &other),
                    (false, true) => *state = other,
                    _ => {}
                }
                falls || other_falls
            }
            StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. } => {
                let breaks = std::mem::take(&mut self.breaks);
                if self.round(facts, function, body, owner, state) {
                    self.round(facts, function, body, owner, state);
                }
                for way in std::mem::replace(&mut self.breaks, breaks) {
                    join(state, &way);
                }
                self.block(facts, function, orelse, owner, state)
            }
            StmtKind::With { body, .. } | StmtKind::Class(_, body) => {
                self.block(facts, function, body, owner, state)
            }
            StmtKind::Try { body, handlers, orelse, finally } => {
                let before = state.clone();
                let (returned, broken) = (self.returns.len(), self.breaks.len());
                let mut falls = self.block(facts, function, body, owner, state)
                    && self.block(facts, function, orelse, owner, state);
                for handler in handlers {
                    let mut way = before.clone();
                    join(&mut way, state);
                    if self.block(facts, function, &handler.body, owner, &mut way) {
                        if falls {
                            join(state, &way);
                        } else {
                            *state = way;
                        }
                        falls = true;
                    }
                }
                if !finally.is_empty() {
                    for ways in [self.returns.split_off(returned), self.breaks.split_off(broken)]
                        .into_iter()
                        .enumerate()
                    {
                        let (index, mut list) = ways;
                        let Some(mut joined) = list.pop() else { continue };
                        for way in &list {
                            join(&mut joined, way);
                        }
                        self.block(facts, function, finally, owner, &mut joined);
                        if index == 0 { self.returns.push(joined) } else { self.breaks.push(joined) }
                    }
                    let after = self.block(facts, function, finally, owner, state);
                    falls &= after;
                }
                falls
            }
            StmtKind::Match { cases, .. } => {
                let before = state.clone();
                for (_, body) in cases {
                    let mut way = before.clone();
                    if self.block(facts, function, body, owner, &mut way) {
                        join(state, &way);
                    }
                }
                true
            }
            _ => true,
        }
    }

    /// One round of a loop; false where no other one follows.
    fn round(
        &mut self,
        facts: &Facts,
        function: FunctionRef,
        body: &[StmtId],
        owner: Owner,
        state: &mut State,
    ) -> bool {
        let continues = std::mem::take(&mut self.continues);
        let mut falls = self.block(facts, function, body, owner, state);
        for way in std::mem::replace(&mut self.continues, continues) {
            if falls {
                join(state, &way);
            } else {
                *state = way;
                falls = true;
            }
        }
        falls
    }

    /// What an expression does, its parts first, as they run.
    fn expr(&mut self, facts: &Facts, function: FunctionRef, id: ExprId, owner: Owner, state: &mut State) {
        let mut parts = Vec::new();
        facts.expr(id).kind.children(&mut |part| parts.push(part));
        let rounds = if matches!(facts.expr(id).kind, ExprKind::Comprehension { .. }) { 2 } else { 1 };
        for _ in 0..rounds {
            for &part in &parts {
                self.expr(facts, function, part, owner, state);
            }
        }
        let at = ExprRef { file: function.file, id };
        if self.sites.contains(&at) {
            let owner = if self.per_object { owner } else { None };
            state.insert(owner, Condition { may_be_open: true, closed_by: None });
        }
        if let Some((act, receiver)) = self.acts.get(&at).cloned() {
            let owner = self.owner_at(facts, receiver, owner);
            self.act(at, &act, owner, state);
        }
        for step in self.steps.get(&at).cloned().unwrap_or_default() {
            let owner = match step.receiver {
                Receiver::Same => owner,
                Receiver::Owner(owner) => owner,
            };
            for _ in 0..=usize::from(step.many) {
                self.function(step.function, owner, state);
            }
        }
    }

    fn owner_at(&self, facts: &Facts, receiver: ExprRef, owner: Owner) -> Owner {
        if !self.per_object {
            return None;
        }
        match facts.expr(receiver.id).kind {
            ExprKind::Attribute { value, .. } => {
                let value = receiver.with(value);
                if self.life.receiver_class(value).is_some() { owner } else { self.object_of(value) }
            }
            _ => owner,
        }
    }

    fn act(&mut self, at: ExprRef, act: &LoopAct, owner: Owner, state: &mut State) {
        if *act == LoopAct::Close {
            state.insert(owner, Condition { may_be_open: false, closed_by: Some(at) });
            return;
        }
        if !act.needs_open() {
            return;
        }
        let Some(Condition { may_be_open, closed_by: Some(close) }) = state.get(&owner).cloned() else {
            return;
        };
        let reuse = Reuse { at, close, certain: self.sure && !may_be_open, second_call_of: self.again };
        match self.found.iter_mut().find(|known| known.at == at) {
            Some(known) => {
                if reuse.certain && !known.certain {
                    *known = reuse;
                }
            }
            None => self.found.push(reuse),
        }
    }
}

/// Two ways meet.
fn join(state: &mut State, other: &State) {
    for (owner, condition) in other {
        if let Some(known) = state.get_mut(owner) {
            known.may_be_open |= condition.may_be_open;
            known.closed_by = known.closed_by.or(condition.closed_by);
        } else {
            let condition = Condition { may_be_open: true, closed_by: condition.closed_by };
            state.insert(*owner, condition);
        }
    }
    for (owner, known) in state.iter_mut() {
        known.may_be_open |= !other.contains_key(owner);
    }
}

/// Names of functions that a program calls once in its life.
fn is_called_once(name: &str) -> bool {
    const WHOLE: &[&str] =
        &["run", "run_forever", "run_server", "run_app", "run_bot", "run_service", "run_worker", "__call__"];
    const WORDS: &[&str] = &[
        "main", "start", "serve", "close", "stop", "shutdown", "cli", "exit", "del", "init", "quit",
        "cleanup", "teardown", "setup", "finish", "launch", "entry",
    ];
    let bare = name.trim_matches('_');
    WHOLE.contains(&name) || bare.split('_').any(|part| WORDS.contains(&part))
}
