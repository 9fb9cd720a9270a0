//! On which ways out of a function an object is still open, read from the structure of the statements.

use super::Lifecycle;
use crate::facts::{ExprKind, Facts, FunctionId, Handler, StmtId, StmtKind};

/// Not made yet.
const BEFORE: u8 = 1;
/// Made and not ended.
const OPEN: u8 = 2;
/// Ended.
const ENDED: u8 = 4;
/// Made, and left by an exception out of a call that waits for nothing: hardly ever.
const HARDLY: u8 = 8;

/// On which ways out an object is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Ways out on which it is open, in source order, each once.
    pub leaks: Vec<Leak>,
    /// Some way ends it.
    pub ended: bool,
}

/// One way out on which the object is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// The statement that leaves: the return, the raise, the one that may raise, or the last one of the body.
    pub stmt: StmtId,
    /// How.
    pub kind: LeakKind,
}

/// How a function is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeakKind {
    /// By its end.
    End,
    /// By `return`.
    Return,
    /// By `raise`.
    Raise,
    /// By an exception out of a call or `await`.
    Exception,
}

impl Ends {
    /// It is ended on every way.
    pub fn always(&self) -> bool {
        self.leaks.is_empty()
    }

    /// Whether it is open on a way that is no exception out of a call.
    pub fn plainly_open(&self) -> bool {
        self.leaks.iter().any(|leak| leak.kind != LeakKind::Exception)
    }
}

impl Lifecycle {
    /// Ways out of a function on which an object made by statement `made` has not been ended by a statement for which
    /// `ends` says so (asked of each statement, without its blocks). A statement that ends the object counts on its way in:
    /// an exception out of the close itself is no leak. `guards` are conditions that test the object: the branch that they
    /// skip is taken as one where there is no object.
    pub fn ends(
        &self,
        facts: &Facts,
        function: FunctionId,
        made: StmtId,
        ends: &dyn Fn(StmtId) -> bool,
        guards: &dyn Fn(StmtId) -> bool,
    ) -> Ends {
        let mut walk = Walk { facts, made, ends, guards, found: Ends::default(), caught: Vec::new() };
        let body = &facts.function(function).body;
        let out = walk.block(body, BEFORE);
        if out.fall & (OPEN | HARDLY) != 0
            && let Some(&last) = body.last()
        {
            walk.found.leaks.push(Leak { stmt: last, kind: kind(out.fall, LeakKind::End) });
        }
        walk.found.leaks.sort_unstable();
        walk.found.leaks.dedup();
        walk.found
    }
}

#[derive(Clone, Copy, Default)]
struct Out {
    /// States in which the next statement is reached.
    fall: u8,
    /// States at `break`.
    broken: u8,
    /// States at `continue`.
    continued: u8,
}

/// What stands around a statement and sees its way out.
enum Around {
    /// A `try` whose body is being read: states that an exception brings to its handlers, and whether the object is made in it.
    Handlers { states: u8, broad: bool, leaks: Vec<Leak>, makes: bool },
    /// A `finally` that ends the object.
    Finally,
}

/// A state in which the object is ended.
fn ended(state: u8) -> u8 {
    (state & !(OPEN | HARDLY)) | ENDED
}

/// How a way out counts on which the object is open, or hardly ever is.
fn kind(state: u8, plain: LeakKind) -> LeakKind {
    if state & OPEN == 0 { LeakKind::Exception } else { plain }
}

struct Walk<'f> {
    facts: &'f Facts,
    made: StmtId,
    ends: &'f dyn Fn(StmtId) -> bool,
    guards: &'f dyn Fn(StmtId) -> bool,
    found: Ends,
    caught: Vec<Around>,
}

impl Walk<'_> {
    fn block(&mut self, block: &[StmtId], mut state: u8) -> Out {
        let mut out = Out::default();
        for &stmt in block {
            if state == 0 {
                break;
            }
            let next = self.stmt(stmt, state);
            out.broken |= next.broken;
            out.continued |= next.continued;
            state = next.fall;
        }
        out.fall = state;
        out
    }

    /// The object is open and this statement leaves the function so.
    fn leaves(&mut self, stmt: StmtId, kind: LeakKind) {
        let hardly = kind == LeakKind::Exception && !self.waits(stmt);
        for around in self.caught.iter_mut().rev() {
            match around {
                Around::Finally => return,
                Around::Handlers { states, broad, leaks, makes } => {
                    if matches!(kind, LeakKind::Exception | LeakKind::Raise) {
                        *states |= if hardly && *makes { HARDLY } else { OPEN };
                        if *broad {
                            return;
                        }
                        leaks.push(Leak { stmt, kind });
                        return;
                    }
                }
            }
        }
        self.found.leaks.push(Leak { stmt, kind });
    }

    /// An exception may leave this statement in these states.
    fn may_raise(&mut self, stmt: StmtId, state: u8) {
        for around in self.caught.iter_mut().rev() {
            if let Around::Handlers { states, .. } = around {
                *states |= state & (BEFORE | ENDED | HARDLY);
                break;
            }
        }
        if state & OPEN != 0 {
            self.leaves(stmt, LeakKind::Exception);
        }
    }

    fn stmt(&mut self, stmt: StmtId, state: u8) -> Out {
        let facts = self.facts;
        let node = facts.stmt(stmt);
        let fall = |fall| Out { fall, ..Out::default() };
        let ends_here = (self.ends)(stmt);
        if ends_here {
            self.found.ended = true;
        }
        match &node.kind {
            StmtKind::Return(_) => {
                if ends_here {
                    self.may_raise(stmt, ended(state));
                    return fall(0);
                }
                if self.raises(stmt) {
                    self.may_raise(stmt, state);
                }
                let state = if stmt == self.made { OPEN } else { state };
                if state & (OPEN | HARDLY) != 0 {
                    self.leaves(stmt, kind(state, LeakKind::Return));
                }
                fall(0)
            }
            StmtKind::Raise { .. } => {
                if !ends_here && state & (OPEN | HARDLY) != 0 {
                    self.leaves(stmt, kind(state, LeakKind::Raise));
                }
                if let Some(Around::Handlers { states, .. }) =
                    self.caught.iter_mut().rev().find(|around| matches!(around, Around::Handlers { .. }))
                {
                    *states |= state & (BEFORE | ENDED | HARDLY);
                }
                fall(0)
            }
            StmtKind::Break => Out { broken: state, ..Out::default() },
            StmtKind::Continue => Out { continued: state, ..Out::default() },
            StmtKind::If { body, orelse, .. } => {
                if self.raises(stmt) {
                    self.may_raise(stmt, state);
                }
                let (mut then, mut otherwise) = (state, state);
                if (self.guards)(stmt) && state & OPEN != 0 {
                    // The test asks whether there is an object: on the branch without an end there is none.
                    let body_ends = self.ends_within(body);
                    let orelse_ends = self.ends_within(orelse);
                    if body_ends && !orelse_ends {
                        otherwise = ended(otherwise);
                    } else if orelse_ends && !body_ends {
                        then = ended(then);
                    }
                }
                let left = self.block(body, then);
                let right = self.block(orelse, otherwise);
                Out {
                    fall: left.fall | right.fall,
                    broken: left.broken | right.broken,
                    continued: left.continued | right.continued,
                }
            }
            StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. } => {
                if self.raises(stmt) {
                    self.may_raise(stmt, state);
                }
                let endless = matches!(&node.kind, StmtKind::While { test, .. } if matches!(facts.expr(*test).kind, ExprKind::Bool(true) | ExprKind::Int(1)));
                let first = self.block(body, state);
                let again = self.block(body, state | first.fall | first.continued);
                let ended = state | first.fall | first.continued | again.fall | again.continued;
                let mut out = if endless { Out::default() } else { self.block(orelse, ended) };
                out.fall |= first.broken | again.broken;
                out
            }
            StmtKind::With { body, items, .. } => {
                if ends_here {
                    self.may_raise(stmt, ENDED);
                    // The object is entered: its end is the block's.
                    self.caught.push(Around::Finally);
                    let mut out = self.block(body, ENDED);
                    self.caught.pop();
                    let _ = items;
                    out.fall = if out.fall == 0 { 0 } else { ENDED };
                    return out;
                }
                if self.raises(stmt) {
                    self.may_raise(stmt, state);
                }
                let state = if stmt == self.made { OPEN } else { state };
                self.block(body, state)
            }
            StmtKind::Try { body, handlers, orelse, finally } => {
                self.try_stmt(body, handlers, orelse, finally, state)
            }
            StmtKind::Match { cases, exhaustive, .. } => {
                let mut out = if *exhaustive { Out::default() } else { fall(state) };
                for (_, body) in cases {
                    let case = self.block(body, state);
                    out.fall |= case.fall;
                    out.broken |= case.broken;
                    out.continued |= case.continued;
                }
                out
            }
            StmtKind::Function(_) | StmtKind::Class(..) => fall(if stmt == self.made { OPEN } else { state }),
            _ => {
                if ends_here {
                    self.may_raise(stmt, ENDED);
                    return fall(ended(state));
                }
                if stmt == self.made {
                    // An exception while it is made leaves nothing to end.
                    self.may_raise(stmt, state & !OPEN);
                    return fall(OPEN);
                }
                if self.raises(stmt) {
                    self.may_raise(stmt, state);
                }
                fall(state)
            }
        }
    }

    fn try_stmt(
        &mut self,
        body: &[StmtId],
        handlers: &[Handler],
        orelse: &[StmtId],
        finally: &[StmtId],
        state: u8,
    ) -> Out {
        let finally_ends = self.ends_within(finally);
        if finally_ends {
            self.found.ended = true;
            self.caught.push(Around::Finally);
        }
        let mut out;
        let mut reached = 0;
        let mut escaping = Vec::new();
        if handlers.is_empty() {
            out = self.block(body, state);
        } else {
            let broad = handlers.iter().any(|handler| self.catches_all(handler));
            let makes = state & OPEN == 0;
            self.caught.push(Around::Handlers { states: 0, broad, leaks: Vec::new(), makes });
            out = self.block(body, state);
            if let Some(Around::Handlers { states, leaks, .. }) = self.caught.pop() {
                reached = states;
                escaping = leaks;
            }
        }
        if out.fall != 0 && !orelse.is_empty() {
            let next = self.block(orelse, out.fall);
            out.fall = next.fall;
            out.broken |= next.broken;
            out.continued |= next.continued;
        }
        for handler in handlers {
            let states = if reached == 0 { state } else { reached };
            let next = self.block(&handler.body, states);
            out.fall |= next.fall;
            out.broken |= next.broken;
            out.continued |= next.continued;
        }
        for leak in escaping {
            // A handler for some errors only: the others pass it by.
            self.leaves(leak.stmt, leak.kind);
        }
        if finally_ends {
            self.caught.pop();
            let close = |state: u8| if state & (OPEN | HARDLY) != 0 { ended(state) } else { state };
            out.fall = close(out.fall);
            out.broken = close(out.broken);
            out.continued = close(out.continued);
        } else if !finally.is_empty() {
            let entry = if out.fall == 0 { state } else { out.fall };
            let next = self.block(finally, entry);
            if out.fall != 0 {
                out.fall = next.fall;
            }
        }
        out
    }

    /// `except:`, `except BaseException`.
    fn catches_all(&self, handler: &Handler) -> bool {
        match handler.types {
            None => true,
            Some(types) => self.facts.dotted(types).is_some_and(|name| name == "BaseException"),
        }
    }

    fn ends_within(&self, block: &[StmtId]) -> bool {
        let mut found = false;
        self.facts.walk(block, &mut |stmt| found |= (self.ends)(stmt));
        found
    }

    /// Whether a statement itself waits for something.
    fn waits(&self, stmt: StmtId) -> bool {
        let mut found = false;
        let facts = self.facts;
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| found |= matches!(facts.expr(inner).kind, ExprKind::Await(_)));
        });
        found
            || matches!(
                facts.stmt(stmt).kind,
                StmtKind::For { is_async: true, .. } | StmtKind::With { is_async: true, .. }
            )
    }

    /// Whether a statement itself may raise: it calls, awaits, subscripts or raises.
    fn raises(&self, stmt: StmtId) -> bool {
        let mut found = false;
        let facts = self.facts;
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                found |= matches!(
                    facts.expr(inner).kind,
                    ExprKind::Call { .. } | ExprKind::Await(_) | ExprKind::Yield(_) | ExprKind::YieldFrom(_)
                );
            });
        });
        found
            || matches!(
                facts.stmt(stmt).kind,
                StmtKind::For { is_async: true, .. } | StmtKind::With { .. } | StmtKind::Assert(_)
            )
    }
}
