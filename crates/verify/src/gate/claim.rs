//! What an assertion claims, whichever way it is written.

use ruff_python_ast::{CmpOp, Expr, ExprCall, UnaryOp};

use super::code::{is_constant, last, number, string, truth};
use super::reading::Reading;

/// What is asserted, whichever way it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Claim {
    /// `left op right`.
    Compare { op: Op, left: String, right: String, value: Value, always: bool },
    /// It is true, or false.
    Truth { subject: String, negated: bool, always: bool },
    /// An error or a warning is raised.
    Raises { class: String, matched: Option<String> },
    /// A double was called.
    Called { subject: String, how: &'static str, with: String },
}

/// What the right side of a comparison is worth, as far as bounds and tolerances go.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Value {
    pub number: Option<f64>,
    /// Widths of a tolerance; none where it must be exact.
    pub tolerance: Option<Vec<(String, f64)>>,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    NotEq,
    Less,
    AtMost,
    More,
    AtLeast,
    Is,
    IsNot,
    In,
    NotIn,
}

/// `a and b` claims both.
pub(super) fn conjuncts(test: &Expr) -> Vec<&Expr> {
    match test {
        Expr::BoolOp(bool_op) if bool_op.op == ruff_python_ast::BoolOp::And => {
            bool_op.values.iter().flat_map(conjuncts).collect()
        }
        other => vec![other],
    }
}

/// What an expression claims by being true.
pub(super) fn claim(reading: &Reading<'_>, test: &Expr, negated: bool) -> Claim {
    match test {
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => claim(reading, &unary.operand, !negated),
        Expr::Compare(compare) if compare.ops.len() == 1 => {
            let op = op(compare.ops[0]);
            let op = if negated { opposite(op) } else { op };
            compared(reading, op, &compare.left, &compare.comparators[0])
        }
        other => Claim::Truth { subject: reading.code(other), negated, always: is_always(other, negated) },
    }
}

/// Whether it can't fail.
fn is_always(test: &Expr, negated: bool) -> bool {
    if let Some(value) = truth(test) {
        return value != negated;
    }
    match test {
        Expr::BoolOp(bool_op) if bool_op.op == ruff_python_ast::BoolOp::Or && !negated => {
            bool_op.values.iter().any(|value| is_always(value, false))
        }
        Expr::Tuple(tuple) => !tuple.elts.is_empty() && !negated,
        _ => is_constant(test),
    }
}

fn compared(reading: &Reading<'_>, op: Op, left: &Expr, right: &Expr) -> Claim {
    // The constant stands on the right.
    let (op, left, right) = if is_constant(left) && !is_constant(right) {
        (mirrored(op), right, left)
    } else {
        (op, left, right)
    };
    let (left_text, right_text) = (reading.code(left), reading.code(right));
    let always = is_constant(left) && is_constant(right)
        || left_text == right_text && matches!(op, Op::Eq | Op::Is | Op::AtLeast | Op::AtMost);
    let mut value = Value { number: number(right), tolerance: None };
    let mut shown = right_text;
    if let Expr::Call(call) = right
        && last(&reading.dotted(&call.func)) == "approx"
    {
        let widths = ["rel", "abs"].iter().filter_map(|name| {
            let width = number(&call.arguments.find_keyword(name)?.value)?;
            Some(((*name).to_owned(), width))
        });
        value.tolerance = Some(widths.collect());
        if let Some(of) = call.arguments.args.first() {
            value.number = number(of);
            shown = reading.code(of);
        }
    }
    Claim::Compare { op, left: left_text, right: shown, value, always }
}

/// The claims of unittest's methods, of mocks, of `raises`.
pub(super) fn called(reading: &Reading<'_>, call: &ExprCall) -> Option<Claim> {
    let dotted = reading.dotted(&call.func);
    let args = &call.arguments.args;
    let pair = |op: Op| Some(compared(reading, op, args.first()?, args.get(1)?));
    match last(&dotted) {
        "raises" | "warns" | "assertRaises" | "assertRaisesRegex" | "assertWarns" | "assertWarnsRegex" => {
            let regex = last(&dotted).ends_with("Regex").then(|| args.get(1)).flatten();
            let matched = call.arguments.find_keyword("match").map(|keyword| &keyword.value).or(regex);
            Some(Claim::Raises {
                class: args.first().map(|class| reading.code(class)).unwrap_or_default(),
                matched: matched
                    .map(|value| string(value).map_or_else(|| reading.code(value), str::to_owned)),
            })
        }
        "assertEqual"
        | "assertEquals"
        | "assertListEqual"
        | "assertDictEqual"
        | "assertTupleEqual"
        | "assertSetEqual"
        | "assertSequenceEqual"
        | "assertMultiLineEqual" => pair(Op::Eq),
        "assertNotEqual" => pair(Op::NotEq),
        "assertIs" => pair(Op::Is),
        "assertIsNot" => pair(Op::IsNot),
        "assertIn" => pair(Op::In),
        "assertNotIn" => pair(Op::NotIn),
        "assertLess" => pair(Op::Less),
        "assertLessEqual" => pair(Op::AtMost),
        "assertGreater" => pair(Op::More),
        "assertGreaterEqual" => pair(Op::AtLeast),
        "assertTrue" => args.first().map(|subject| claim(reading, subject, false)),
        "assertFalse" => args.first().map(|subject| claim(reading, subject, true)),
        "assertIsNone" | "assertIsNotNone" => {
            let op = if dotted.ends_with("NotNone") { Op::IsNot } else { Op::Is };
            args.first().map(|subject| Claim::Compare {
                op,
                left: reading.code(subject),
                right: "None".to_owned(),
                value: Value::default(),
                always: is_constant(subject),
            })
        }
        "assertIsInstance" => args.first().zip(args.get(1)).map(|(subject, class)| Claim::Truth {
            subject: format!("isinstance({},{})", reading.code(subject), reading.code(class)),
            negated: false,
            always: false,
        }),
        "assertAlmostEqual" => {
            let Some(Claim::Compare { op, left, right, mut value, always }) = pair(Op::Eq) else {
                return None;
            };
            let places = call.arguments.find_argument_value("places", 2).and_then(number).unwrap_or(7.0);
            let delta = call.arguments.find_keyword("delta").and_then(|keyword| number(&keyword.value));
            value.tolerance = Some(vec![("abs".to_owned(), delta.unwrap_or_else(|| 10f64.powf(-places)))]);
            Some(Claim::Compare { op, left, right, value, always })
        }
        how @ ("assert_called_once_with"
        | "assert_awaited_once_with"
        | "assert_called_with"
        | "assert_awaited_with"
        | "assert_any_call"
        | "assert_any_await"
        | "assert_has_calls"
        | "assert_has_awaits"
        | "assert_called_once"
        | "assert_awaited_once"
        | "assert_called"
        | "assert_awaited"
        | "assert_not_called"
        | "assert_not_awaited") => {
            let Expr::Attribute(attribute) = &*call.func else { return None };
            let how = CALLED.iter().find(|(name, _)| *name == how).map_or("", |(name, _)| name);
            Some(Claim::Called {
                subject: reading.code(&*attribute.value),
                how,
                with: args
                    .iter()
                    .map(|arg| reading.code(arg))
                    .chain(call.arguments.keywords.iter().map(|keyword| reading.code(keyword)))
                    .collect::<Vec<_>>()
                    .join(","),
            })
        }
        _ => None,
    }
}

/// How much each of mock's assertions asks for.
pub(super) const CALLED: [(&str, u8); 14] = [
    ("assert_called_once_with", 5),
    ("assert_awaited_once_with", 5),
    ("assert_has_calls", 4),
    ("assert_has_awaits", 4),
    ("assert_called_with", 4),
    ("assert_awaited_with", 4),
    ("assert_any_call", 3),
    ("assert_any_await", 3),
    ("assert_called_once", 2),
    ("assert_awaited_once", 2),
    ("assert_called", 1),
    ("assert_awaited", 1),
    ("assert_not_called", 9),
    ("assert_not_awaited", 9),
];

fn op(op: CmpOp) -> Op {
    match op {
        CmpOp::Eq => Op::Eq,
        CmpOp::NotEq => Op::NotEq,
        CmpOp::Lt => Op::Less,
        CmpOp::LtE => Op::AtMost,
        CmpOp::Gt => Op::More,
        CmpOp::GtE => Op::AtLeast,
        CmpOp::Is => Op::Is,
        CmpOp::IsNot => Op::IsNot,
        CmpOp::In => Op::In,
        CmpOp::NotIn => Op::NotIn,
    }
}

fn opposite(op: Op) -> Op {
    match op {
        Op::Eq => Op::NotEq,
        Op::NotEq => Op::Eq,
        Op::Less => Op::AtLeast,
        Op::AtMost => Op::More,
        Op::More => Op::AtMost,
        Op::AtLeast => Op::Less,
        Op::Is => Op::IsNot,
        Op::IsNot => Op::Is,
        Op::In => Op::NotIn,
        Op::NotIn => Op::In,
    }
}

fn mirrored(op: Op) -> Op {
    match op {
        Op::Less => Op::More,
        Op::AtMost => Op::AtLeast,
        Op::More => Op::Less,
        Op::AtLeast => Op::AtMost,
        other => other,
    }
}
