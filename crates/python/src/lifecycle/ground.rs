//! What stands below a call of a plain function: a running loop, or none.

use std::collections::BTreeSet;

use super::{ExprRef, FunctionRef, Lifecycle, Root};

/// What the calls that lead to a plain function begin with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ground {
    /// A coroutine: a loop runs.
    Coroutine(FunctionRef),
    /// A callback that a loop calls; handed over by this call.
    Callback(ExprRef),
    /// No coroutine stands between it and this root.
    Root(Root),
}

impl Ground {
    /// Whether a loop runs in the thread.
    pub fn runs_loop(&self) -> bool {
        !matches!(self, Self::Root(_))
    }
}

impl Lifecycle {
    /// What the ways to a function begin with, the nearest coroutine standing for all that is before it.
    pub fn grounds(&self, function: FunctionRef) -> BTreeSet<Ground> {
        let mut found = BTreeSet::new();
        self.each_ground(function, &mut |ground| {
            found.insert(ground);
            true
        });
        found
    }

    /// Whether there are ways to a function, and all begin so; the first that does not is the last that is looked at.
    pub fn all_grounds(&self, function: FunctionRef, so: impl Fn(&Ground) -> bool) -> bool {
        let (mut any, mut all) = (false, true);
        self.each_ground(function, &mut |ground| {
            any = true;
            all = so(&ground);
            all
        });
        any && all
    }

    fn each_ground(&self, function: FunctionRef, visit: &mut dyn FnMut(Ground) -> bool) {
        let mut seen = BTreeSet::from([function]);
        let mut work = vec![function];
        while let Some(at) = work.pop() {
            if self.facts(at.file).function(at.id).is_async {
                if !visit(Ground::Coroutine(at)) {
                    return;
                }
                continue;
            }
            let mut roots = BTreeSet::new();
            for caller in self.callers_of(at, &mut roots) {
                if seen.insert(caller) {
                    work.push(caller);
                }
            }
            for root in roots {
                let ground = match root {
                    Root::Framework(_, by) if self.is_loop_callback(by) => Ground::Callback(by),
                    other => Ground::Root(other),
                };
                if !visit(ground) {
                    return;
                }
            }
        }
    }

    fn is_loop_callback(&self, call: ExprRef) -> bool {
        matches!(
            self.last_part(call).as_deref(),
            Some(
                "call_soon"
                    | "call_later"
                    | "call_at"
                    | "call_soon_threadsafe"
                    | "add_done_callback"
                    | "add_signal_handler"
                    | "add_reader"
                    | "add_writer"
                    | "set_exception_handler"
            )
        )
    }
}
