//! Tests with parameters, written out: one of them may stand for several tests that were there before.

use ruff_python_ast::Expr;

use super::code::{last, string};
use super::reading::{Function, Reading};
use super::suite::Test;

/// How many sets are written out at most.
const MOST: usize = 256;

/// The test that does, at one of its sets of parameters, all that a test without parameters does.
pub(super) fn holding<'t>(test: &Test, among: &'t [Test]) -> Option<&'t Test> {
    if !test.parameters.is_empty() {
        return None;
    }
    let body = plain(&test.body);
    among.iter().find(|now| now.instances.contains(&body))
}

/// The body of a test at each of its sets of parameters; none of a test without them.
pub(super) fn instances(reading: &Reading<'_>, function: &Function<'_>) -> Vec<String> {
    let mut bodies = Vec::new();
    for decorator in &function.node.decorator_list {
        let Some(sets) = sets(reading, &decorator.expression) else { continue };
        if bodies.is_empty() {
            bodies.push(function.body.replace("self.", "").replace("async ", ""));
        }
        bodies = bodies.iter().flat_map(|body| sets.iter().map(|set| with(body, set))).take(MOST).collect();
    }
    bodies.iter().map(|body| plain(body)).collect()
}

/// The names and values of each set of a `parametrize`; a set that carries marks may be skipped, and is left out.
fn sets(reading: &Reading<'_>, decorator: &Expr) -> Option<Vec<Vec<(String, String)>>> {
    let call = decorator.as_call_expr()?;
    if last(&reading.dotted(&call.func)) != "parametrize" || call.arguments.find_keyword("indirect").is_some()
    {
        return None;
    }
    let names: Vec<String> = match call.arguments.find_argument_value("argnames", 0)? {
        Expr::List(list) => list.elts.iter().filter_map(string).map(str::to_owned).collect(),
        Expr::Tuple(tuple) => tuple.elts.iter().filter_map(string).map(str::to_owned).collect(),
        names => string(names)?.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    let values = match call.arguments.find_argument_value("argvalues", 1)? {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => return None,
    };
    let set = |value: &Expr| -> Option<Vec<(String, String)>> {
        let parts: Vec<&Expr> = match value {
            Expr::Call(call) if last(&reading.dotted(&call.func)) == "param" => {
                if call.arguments.find_keyword("marks").is_some() {
                    return None;
                }
                call.arguments.args.iter().collect()
            }
            Expr::Tuple(tuple) if names.len() > 1 => tuple.elts.iter().collect(),
            Expr::List(list) if names.len() > 1 => list.elts.iter().collect(),
            value => vec![value],
        };
        (parts.len() == names.len())
            .then(|| names.iter().cloned().zip(parts.into_iter().map(|part| reading.code(part))).collect())
    };
    Some(values.iter().filter_map(set).collect())
}

/// Code with names replaced by values; attributes, keywords and what stands in quotes are no such names.
fn with(body: &str, set: &[(String, String)]) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    let mut quoted = false;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        if word == 0 {
            quoted ^= first == '"';
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (name, behind) = rest.split_at(word);
        let keyword = out.ends_with(['(', ',']) && behind.starts_with('=') && !behind.starts_with("==");
        let value = set.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        out.push_str(value.filter(|_| !quoted && !keyword && !out.ends_with('.')).unwrap_or(name));
        rest = behind;
    }
    out
}

/// Code in which `is None` is written as a comparison with any value is.
fn plain(body: &str) -> String {
    let mut body = body.to_owned();
    for value in ["None", "True", "False"] {
        for before in [" ", ")", "]"] {
            let kept = before.trim();
            body = body.replace(&format!("{before}is {value}"), &format!("{kept}=={value}"));
        }
    }
    body
}
