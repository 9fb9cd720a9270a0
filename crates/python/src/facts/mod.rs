//! Facts of one file: a compact tree of what matters to the life of the loop. A pure function of the text.
//!
//! [`Facts`] holds expressions, statements, functions, classes and bindings in flat lists that name each other by
//! index; [`lower`] makes it from ruff's syntax tree, which is dropped afterwards. Function 0 is the module itself.

mod binding;
mod expr;
mod function;
mod ignore;
mod lower;
mod named;
mod outline;
mod position;
mod stmt;

pub use binding::{Binding, BindingId, BindingKind};
pub use expr::{Comparison, Expr, ExprId, ExprKind, Keyword, Parent};
pub use function::{Class, ClassId, Definition, Function, FunctionId, MODULE, Parameter, ParameterKind};
pub use ignore::Ignore;
pub use lower::{lower, read};
pub use named::Named;
pub use outline::{ClassOutline, Imported, Outline, Within, word};
pub use position::Lines;
pub use ruff_python_ast::name::Name;
pub use ruff_text_size::{TextRange, TextSize};
pub use stmt::{Alias, Block, Handler, Slot, Stmt, StmtId, StmtKind, WithItem};

/// A list in one word: most of a tree is short lists.
pub type List<T> = thin_vec::ThinVec<T>;

/// A syntax error that the parser went past.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// Where.
    pub range: TextRange,
    /// What the parser says.
    pub message: String,
}

/// What one file says.
#[derive(Debug, Default)]
pub struct Facts {
    /// Path in the project, with `/`.
    pub path: String,
    /// Dotted module name (`app.db`); a package's `__init__.py` has the package's name.
    pub module: Name,
    /// Whether it is a package's `__init__.py`.
    pub package: bool,
    /// All expressions.
    pub exprs: Vec<Expr>,
    /// All statements.
    pub stmts: Vec<Stmt>,
    /// All functions and lambdas; the first is the module.
    pub functions: Vec<Function>,
    /// All classes.
    pub classes: Vec<Class>,
    /// Every place that binds a name.
    pub bindings: Vec<Binding>,
    /// Bindings of a name in a function's scope, in source order. Class bodies have scopes of their own: see [`Class::members`].
    pub scopes: Vec<Named<BindingId>>,
    /// Expressions that read a name, by name.
    pub loads: Named<ExprId>,
    /// Attribute expressions, by attribute.
    pub attributes: Named<ExprId>,
    /// Subscripts with a constant key, by the key as [`Facts::key`] has it.
    pub keys: Named<ExprId>,
    /// What attributes (by name) and constant keys (as [`Facts::key`] has them) are given.
    pub writes: Named<BindingId>,
    /// All calls, in source order.
    pub calls: Vec<ExprId>,
    /// Modules imported with `*`, with their level.
    pub stars: Vec<(u32, Name)>,
    /// `# loopmend: ignore[…]` comments.
    pub ignores: Vec<Ignore>,
    /// Line starts.
    pub lines: Lines,
}

impl Facts {
    /// Gives back the room that lists grew by: facts of all files are kept.
    fn shrink(&mut self) {
        exact(&mut self.exprs);
        exact(&mut self.stmts);
        exact(&mut self.functions);
        exact(&mut self.classes);
        exact(&mut self.bindings);
        exact(&mut self.calls);
    }

    /// The expression.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// The statement.
    pub fn stmt(&self, id: StmtId) -> &Stmt {
        &self.stmts[id.index()]
    }

    /// The function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.index()]
    }

    /// The class.
    pub fn class(&self, id: ClassId) -> &Class {
        &self.classes[id.index()]
    }

    /// The binding.
    pub fn binding(&self, id: BindingId) -> &Binding {
        &self.bindings[id.index()]
    }

    /// The name read, where the expression is a bare name.
    pub fn name_of(&self, id: ExprId) -> Option<&Name> {
        match &self.expr(id).kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// A constant key of a subscript in brackets: a string, or a name or attribute by its last part (`[pool]`, `[POOL]`).
    pub fn key(&self, index: ExprId) -> Option<Name> {
        match &self.expr(index).kind {
            ExprKind::Str(text) => Some(Name::new(format!("[{text}]"))),
            ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => {
                Some(Name::new(format!("[{name}]")))
            }
            _ => None,
        }
    }

    /// `a.b.c` as text, where the expression is names and attributes only.
    pub fn dotted(&self, id: ExprId) -> Option<String> {
        match &self.expr(id).kind {
            ExprKind::Name(name) => Some(name.to_string()),
            ExprKind::Attribute { value, attr } => {
                let mut text = self.dotted(*value)?;
                text.push('.');
                text.push_str(attr);
                Some(text)
            }
            _ => None,
        }
    }

    /// The statement that an expression stands in (for a lambda's body, the lambda's own).
    pub fn stmt_of(&self, id: ExprId) -> Option<StmtId> {
        let mut at = id;
        loop {
            match self.expr(at).parent {
                Parent::Expr(up) => at = up,
                Parent::Stmt(stmt) => return Some(stmt),
                Parent::None => return None,
            }
        }
    }

    /// The function whose body an expression runs in: the lambda for a lambda's body, the module at the top level and
    /// in class bodies. Decorators, defaults and annotations run in the function around.
    pub fn function_of(&self, id: ExprId) -> FunctionId {
        self.stmt_of(id).map_or(MODULE, |stmt| self.stmt(stmt).function)
    }

    /// A function and those whose bodies it stands in, innermost first.
    pub fn functions_around(&self, id: FunctionId) -> impl Iterator<Item = FunctionId> + '_ {
        std::iter::successors(Some(id), |&at| self.function(at).parent)
    }

    /// The statements around a statement, innermost first, each with the slot that leads to it. Ends at the function.
    pub fn ancestors(&self, id: StmtId) -> impl Iterator<Item = (StmtId, Slot)> + '_ {
        let mut at = id;
        std::iter::from_fn(move || {
            let stmt = self.stmt(at);
            let up = stmt.parent?;
            let slot = stmt.slot;
            at = up;
            Some((up, slot))
        })
    }

    /// Whether `outer` is `inner` or stands around it in the same function.
    pub fn within(&self, inner: StmtId, outer: StmtId) -> bool {
        inner == outer || self.ancestors(inner).any(|(stmt, _)| stmt == outer)
    }

    /// The expression one step out, where that is an expression.
    pub fn parent_expr(&self, id: ExprId) -> Option<ExprId> {
        match self.expr(id).parent {
            Parent::Expr(up) => Some(up),
            _ => None,
        }
    }

    /// The block that a statement stands in, and its place there.
    pub fn block_of(&self, id: StmtId) -> (&[StmtId], usize) {
        let stmt = self.stmt(id);
        let block: &[StmtId] = match stmt.parent {
            None => self.function(stmt.function).body.as_ref(),
            Some(up) => self.stmt(up).block(stmt.slot, self),
        };
        let index = block.iter().position(|&at| at == id).unwrap_or(0);
        (block, index)
    }

    /// All expressions below one, itself first, in source order; does not go into lambdas' bodies.
    pub fn descend(&self, id: ExprId, visit: &mut dyn FnMut(ExprId)) {
        visit(id);
        self.expr(id).kind.children(&mut |child| self.descend(child, visit));
    }

    /// All statements of a block, nested ones too, in source order, without the bodies of functions and classes.
    pub fn walk(&self, block: &[StmtId], visit: &mut dyn FnMut(StmtId)) {
        for &id in block {
            visit(id);
            if matches!(self.stmt(id).kind, StmtKind::Function(_) | StmtKind::Class(..)) {
                continue;
            }
            self.stmt(id).blocks(&mut |_, inner| self.walk(inner, visit));
        }
    }

    /// All expressions that run as part of a block, in source order, nested statements too.
    pub fn walk_exprs(&self, block: &[StmtId], visit: &mut dyn FnMut(ExprId)) {
        self.walk(block, &mut |stmt| {
            self.stmt(stmt).exprs(&mut |expr| self.descend(expr, visit));
        });
    }

    /// All expressions of a function's own body.
    pub fn body_exprs(&self, function: FunctionId, visit: &mut dyn FnMut(ExprId)) {
        self.walk_exprs(&self.function(function).body, visit);
    }

    /// The innermost expression that covers this range exactly or tightest.
    pub fn expr_at(&self, range: TextRange) -> Option<ExprId> {
        self.exprs
            .iter()
            .enumerate()
            .filter(|(_, expr)| expr.range.contains_range(range))
            .min_by_key(|(_, expr)| expr.range.len())
            .map(|(index, _)| ExprId::new(index))
    }

    /// The innermost statement that covers this offset.
    pub fn stmt_at(&self, offset: TextSize) -> Option<StmtId> {
        self.stmts
            .iter()
            .enumerate()
            .filter(|(_, stmt)| stmt.range.contains_inclusive(offset))
            .min_by_key(|(_, stmt)| stmt.range.len())
            .map(|(index, _)| StmtId::new(index))
    }

    /// The innermost function whose definition covers this offset, the module otherwise.
    pub fn function_at(&self, offset: TextSize) -> FunctionId {
        self.functions
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, function)| function.range.contains_inclusive(offset))
            .min_by_key(|(_, function)| function.range.len())
            .map_or(MODULE, |(index, _)| FunctionId::new(index))
    }
}

/// A list in no more room than it needs; the allocator may leave one that only shrinks as it is.
fn exact<T>(list: &mut Vec<T>) {
    if list.len() < list.capacity() {
        let mut moved = Vec::with_capacity(list.len());
        moved.append(list);
        *list = moved;
    }
}
