//! The body of a hook as that of a coroutine.

use loopmend_python::edit::{Source, shifted, take_statement};
use loopmend_python::facts::{
    BindingKind, ExprId, ExprKind, Facts, FunctionId, Handler, MODULE, StmtId, StmtKind, TextRange,
};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};

use super::act::{act, dropped};
use crate::Declined;

/// Turns statements of one function.
pub(super) struct Convert<'l> {
    life: &'l Lifecycle,
    source: &'l Source,
    file: FileId,
    facts: &'l Facts,
    function: FunctionId,
}

impl<'l> Convert<'l> {
    pub fn new(life: &'l Lifecycle, source: &'l Source, function: FunctionRef) -> Self {
        Self { life, source, file: function.file, facts: life.facts(function.file), function: function.id }
    }

    /// The function's body, with what was run awaited; empty where nothing but plumbing was in it.
    pub fn body(&self) -> Result<String, Declined> {
        self.block(&self.facts.function(self.function).body)
    }

    fn block(&self, block: &[StmtId]) -> Result<String, Declined> {
        let mut text = String::new();
        for &stmt in block {
            text.push_str(&self.stmt(stmt)?);
        }
        Ok(text)
    }

    fn stmt(&self, id: StmtId) -> Result<String, Declined> {
        let node = self.facts.stmt(id);
        match &node.kind {
            StmtKind::Expr(value) => Ok(match self.awaited(*value) {
                Some(work) => self.guarded(*value, format!("await {work}\n")),
                None if self.is_plumbing(*value) => String::new(),
                None => self.kept(id)?,
            }),
            StmtKind::Assign { value, .. } | StmtKind::AnnAssign { value: Some(value), .. } => {
                if self.is_loop(*value) {
                    return Ok(String::new());
                }
                match self.awaited(*value).filter(|_| act(self.life, self.expr(*value)).is_some()) {
                    Some(work) => {
                        let head = TextRange::new(node.range.start(), self.facts.expr(*value).range.start());
                        Ok(format!("{}await {work}\n", self.source.slice(head)))
                    }
                    None => self.kept(id),
                }
            }
            StmtKind::If { test, body, orelse } if self.asks_loop(*test) => {
                let (body, orelse) = (self.block(body)?, self.block(orelse)?);
                let does = |text: &str| text.contains("await ");
                match (does(&body), does(&orelse)) {
                    (true, true) if body != orelse => Err(unknown()),
                    (true, _) => Ok(body),
                    (_, true) => Ok(orelse),
                    _ => Ok(String::new()),
                }
            }
            StmtKind::If { body, orelse, .. } => {
                let mut text = self.headed(id, body)?;
                let rest = self.block(orelse)?;
                if !rest.is_empty() {
                    text.push_str("else:\n");
                    text.push_str(&deeper(&rest));
                }
                Ok(text)
            }
            StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. }
                if orelse.is_empty() =>
            {
                self.headed(id, body)
            }
            StmtKind::With { body, .. } => self.headed(id, body),
            StmtKind::Try { body, handlers, orelse, finally } => {
                Ok(self.attempt(body, handlers, orelse)? + &self.block(finally)?)
            }
            StmtKind::Match { .. } | StmtKind::For { .. } | StmtKind::While { .. } => Err(unknown()),
            _ => self.kept(id),
        }
    }

    /// What a `try` does. Handlers that only say so took it that no loop was there; others do the same work in another way.
    fn attempt(&self, body: &[StmtId], handlers: &[Handler], orelse: &[StmtId]) -> Result<String, Declined> {
        let mut parts = vec![self.block(body)?, self.block(orelse)?];
        for handler in handlers {
            if !self.says_little(&handler.body) {
                parts.push(self.block(&handler.body)?);
            }
        }
        parts.retain(|part| !part.is_empty());
        let asked = handlers.iter().any(|handler| !self.says_little(&handler.body));
        if asked {
            parts.dedup();
            if parts.len() > 1 {
                return Err(unknown());
            }
        }
        let text = parts.concat();
        // What was logged stays so: raised from a `finally`, it would cover an earlier error.
        let logs = handlers.iter().find(|handler| self.is_wide(handler) && self.logs(&handler.body));
        let Some(handler) = logs.filter(|_| text.contains("await ")) else { return Ok(text) };
        let said = handler.body.iter().map(|&stmt| self.kept(stmt)).collect::<Result<String, _>>()?;
        let name = handler.name.as_ref().map_or_else(String::new, |name| format!(" as {name}"));
        Ok(format!("try:\n{}except Exception{name}:\n{}", deeper(&text), deeper(&said)))
    }

    /// `except:`, `except BaseException`, `except Exception`.
    fn is_wide(&self, handler: &Handler) -> bool {
        handler.types.is_none_or(|types| {
            self.facts
                .dotted(types)
                .is_some_and(|name| matches!(name.rsplit('.').next(), Some("Exception" | "BaseException")))
        })
    }

    fn logs(&self, block: &[StmtId]) -> bool {
        self.says_little(block)
            && block.iter().any(|&stmt| matches!(self.facts.stmt(stmt).kind, StmtKind::Expr(_)))
    }

    fn expr(&self, id: ExprId) -> ExprRef {
        ExprRef { file: self.file, id }
    }

    /// The text of what has to be awaited.
    fn awaited(&self, value: ExprId) -> Option<String> {
        let expr = self.expr(value);
        if self.is_plumbing(value) {
            return None;
        }
        match act(self.life, expr) {
            Some(act) => Some(self.life.source(act.work).to_owned()),
            None => dropped(self.life, expr).then(|| self.life.source(expr).to_owned()),
        }
    }

    /// Makes sure that the object is there, where it may be `None` and nothing asks.
    fn guarded(&self, value: ExprId, line: String) -> String {
        let expr = self.expr(value);
        let work = act(self.life, expr).map_or(expr, |act| act.work);
        let Some(receiver) = self.receiver(work.id) else { return line };
        let text = self.source.slice(self.facts.expr(receiver).range);
        let mut asked = false;
        self.facts.walk(&self.facts.function(self.function).body, &mut |stmt| {
            if let StmtKind::If { test, .. } = self.facts.stmt(stmt).kind {
                asked |= self.source.slice(self.facts.expr(test).range).contains(text);
            }
        });
        if asked || !self.may_be_none(receiver) {
            return line;
        }
        format!("if {text} is not None:\n    {line}")
    }

    fn receiver(&self, work: ExprId) -> Option<ExprId> {
        let ExprKind::Call { func, .. } = self.facts.expr(work).kind else { return None };
        match self.facts.expr(func).kind {
            ExprKind::Attribute { value, .. } => Some(value),
            _ => None,
        }
    }

    fn may_be_none(&self, receiver: ExprId) -> bool {
        let given_none = |file: FileId, id| {
            let facts = self.life.facts(file);
            match facts.binding(id).kind {
                BindingKind::Value { value, .. } => matches!(facts.expr(value).kind, ExprKind::None),
                _ => false,
            }
        };
        match &self.facts.expr(receiver).kind {
            ExprKind::Attribute { value, attr } => {
                self.life.receiver_class(self.expr(*value)).is_some_and(|class| {
                    self.life.self_writes(class, attr).into_iter().any(|(file, id)| given_none(file, id))
                })
            }
            ExprKind::Name(name) => self.facts.scopes[MODULE.index()]
                .get(name)
                .into_iter()
                .flatten()
                .any(|&id| given_none(self.file, id)),
            _ => false,
        }
    }

    /// Getting, setting and closing a loop, and what it needs before that.
    fn is_plumbing(&self, value: ExprId) -> bool {
        let ExprKind::Call { func, ref args, .. } = self.facts.expr(value).kind else { return false };
        let name = self.life.called_name(self.expr(value));
        match name.as_deref() {
            Some("set_event_loop") => true,
            Some("get_running_loop" | "get_event_loop" | "new_event_loop") => self.is_loop(value),
            Some("run_until_complete") => args.first().is_some_and(|&work| {
                let inner = self.life.called_name(self.expr(work));
                matches!(inner.as_deref(), Some("shutdown_asyncgens" | "shutdown_default_executor"))
            }),
            Some("close" | "stop") => match self.facts.expr(func).kind {
                ExprKind::Attribute { value, .. } => self.is_loop(value),
                _ => false,
            },
            _ => false,
        }
    }

    fn is_loop(&self, value: ExprId) -> bool {
        self.life
            .infer(self.expr(value))
            .iter()
            .any(|value| value.external_class() == Some("asyncio.AbstractEventLoop"))
    }

    /// `loop.is_running()`, `loop.is_closed()`, `loop is None`.
    fn asks_loop(&self, test: ExprId) -> bool {
        let mut found = false;
        self.facts.descend(test, &mut |id| {
            found |= match &self.facts.expr(id).kind {
                ExprKind::Call { .. } => {
                    matches!(
                        self.life.called_name(self.expr(id)).as_deref(),
                        Some("is_running" | "is_closed")
                    ) && self.receiver(id).is_some_and(|receiver| self.is_loop(receiver))
                }
                ExprKind::Name(_) => self.is_loop(id),
                _ => false,
            };
        });
        found
    }

    /// A handler that only passes, returns or logs.
    fn says_little(&self, block: &[StmtId]) -> bool {
        block.iter().all(|&stmt| match self.facts.stmt(stmt).kind {
            StmtKind::Pass | StmtKind::Return(None) => true,
            StmtKind::Expr(value) => matches!(
                self.life.called_name(self.expr(value)).as_deref(),
                Some("debug" | "info" | "warning" | "error" | "exception" | "print" | "log")
            ),
            _ => false,
        })
    }

    fn headed(&self, id: StmtId, body: &[StmtId]) -> Result<String, Declined> {
        let inner = self.block(body)?;
        if inner.is_empty() {
            return Ok(String::new());
        }
        let (Some(&first), start) = (body.first(), self.facts.stmt(id).range.start()) else {
            return Err(unknown());
        };
        let head = self.source.slice(TextRange::new(start, self.facts.stmt(first).range.start())).trim_end();
        if head.contains('\n') || !head.ends_with(':') {
            return Err(unknown());
        }
        Ok(format!("{head}\n{}", deeper(&inner)))
    }

    fn kept(&self, id: StmtId) -> Result<String, Declined> {
        Ok(take_statement(self.source, self.facts.stmt(id).range)?)
    }
}

fn deeper(text: &str) -> String {
    shifted(text, 1) + "\n"
}

fn unknown() -> Declined {
    Declined::because("write an async `close()` by hand: what the hook does was not understood")
}
