//! Small questions to expressions: what they are called, what they are worth.

use ruff_python_ast::{Expr, Number, Operator, UnaryOp};
use rustc_hash::FxHashMap;

/// What the names of a file were imported as.
#[derive(Debug, Default)]
pub(super) struct Names {
    imported: FxHashMap<String, String>,
}

impl Names {
    /// Takes in `import module as name`, or `from module import x as name` with `module.x`.
    pub fn import(&mut self, name: &str, target: String) {
        self.imported.insert(name.to_owned(), target);
    }

    /// Whether a name was imported.
    pub fn is_imported(&self, name: &str) -> bool {
        self.imported.contains_key(name)
    }

    /// The dotted name of an expression, from the root of its import; calls on the way are written `()`.
    pub fn dotted(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => {
                let name = name.id.as_str();
                Some(self.imported.get(name).cloned().unwrap_or_else(|| name.to_owned()))
            }
            Expr::Attribute(attribute) => {
                Some(format!("{}.{}", self.dotted(&attribute.value)?, attribute.attr))
            }
            Expr::Call(call) => Some(format!("{}()", self.dotted(&call.func)?)),
            Expr::Await(awaited) => self.dotted(&awaited.value),
            Expr::Subscript(subscript) => Some(format!("{}[]", self.dotted(&subscript.value)?)),
            _ => None,
        }
    }
}

/// The last part of a dotted name.
pub(super) fn last(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}

/// The first name of an expression: `app` of `app.state.pool`.
pub(super) fn root(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => root(&attribute.value),
        Expr::Call(call) => root(&call.func),
        Expr::Subscript(subscript) => root(&subscript.value),
        _ => None,
    }
}

/// The text of a string literal.
pub(super) fn string(expr: &Expr) -> Option<&str> {
    expr.as_string_literal_expr().map(|literal| literal.value.to_str())
}

/// The value of a number, sums and products of numbers included.
pub(super) fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => int.to_string().parse().ok(),
            Number::Float(float) => Some(*float),
            Number::Complex { .. } => None,
        },
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => Some(-number(&unary.operand)?),
        Expr::BinOp(binary) => {
            let (left, right) = (number(&binary.left)?, number(&binary.right)?);
            match binary.op {
                Operator::Add => Some(left + right),
                Operator::Sub => Some(left - right),
                Operator::Mult => Some(left * right),
                Operator::Div => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether an expression is worth the same in every run: a literal, or a collection of them.
pub(super) fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::NoneLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::BytesLiteral(_)
        | Expr::EllipsisLiteral(_) => true,
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_constant),
        Expr::List(list) => list.elts.iter().all(is_constant),
        Expr::Set(set) => set.elts.iter().all(is_constant),
        Expr::Dict(dict) => dict
            .items
            .iter()
            .all(|item| item.key.as_ref().is_some_and(is_constant) && is_constant(&item.value)),
        Expr::UnaryOp(unary) => is_constant(&unary.operand),
        Expr::BinOp(binary) => is_constant(&binary.left) && is_constant(&binary.right),
        Expr::Compare(compare) => is_constant(&compare.left) && compare.comparators.iter().all(is_constant),
        Expr::BoolOp(bool_op) => bool_op.values.iter().all(is_constant),
        _ => false,
    }
}

/// Whether a constant counts as true, where that is plain.
pub(super) fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::NoneLiteral(_) => Some(false),
        Expr::BooleanLiteral(literal) => Some(literal.value),
        Expr::NumberLiteral(_) => number(expr).map(|value| value != 0.0),
        Expr::StringLiteral(literal) => Some(!literal.value.is_empty()),
        Expr::EllipsisLiteral(_) => Some(true),
        Expr::Tuple(tuple) => Some(!tuple.elts.is_empty()),
        Expr::List(list) => Some(!list.elts.is_empty()),
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => truth(&unary.operand).map(|value| !value),
        _ => None,
    }
}

/// Text of code without what makes no difference here: blanks, quotes' kind, `await`, trailing commas.
pub(super) fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let opened = word.trim_end_matches("await");
        let bare = word.ends_with("await")
            && words.peek().is_some()
            && !opened.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let word = if bare { opened } else { word };
        let apart = out.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && word.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if apart {
            out.push(' ');
        }
        out.extend(word.chars().map(|c| if c == '\'' { '"' } else { c }));
    }
    for (from, to) in [(",)", ")"), (",]", "]"), (",}", "}")] {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::squeezed;

    #[test]
    fn form_makes_no_difference() {
        assert_eq!(squeezed("assert await  f( 'a', )"), squeezed("assert f(\"a\")"));
        assert_eq!(squeezed("(await f()).x"), squeezed("( f()).x"));
        assert_ne!(squeezed("not x"), squeezed("notx"));
    }
}
