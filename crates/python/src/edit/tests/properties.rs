//! What holds for every primitive at every place of any program.

use std::path::Path;

use proptest::prelude::*;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::super::{
    Comments, Draft, Edit, ImportRequest, Refused, Source, StatementRef, add_await, add_decorator,
    add_keyword, add_parameter, add_positional, apply, delete_statement, difference, import_edits,
    insert_after, insert_at_end, insert_at_start, insert_before, make_async, move_statement, remove_import,
    remove_keyword, remove_parameter, remove_positional, replace_statement, take_statement, unwrap,
    unwrap_first, wrap_statements,
};

#[derive(Default)]
struct Nodes {
    statements: Vec<TextRange>,
    calls: Vec<TextRange>,
}

impl<'a> SourceOrderVisitor<'a> for Nodes {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if node.is_statement() {
            self.statements.push(node.range());
        }
        if node.is_expr_call() {
            self.calls.push(node.range());
        }
        TraversalSignal::Traverse
    }
}

/// Applies edits and checks that the result parses, and that it is the same by way of a comparison.
fn sound(source: &Source, what: &str, edits: &Result<Vec<Edit>, Refused>) -> Option<Source> {
    let Ok(edits) = edits else { return None };
    let after = match source.with(edits) {
        Ok(after) => after,
        Err(overlap) => panic!("{what}: {overlap} in\n{}", source.text()),
    };
    if let Some(error) = after.parsed().errors().first() {
        panic!("{what}: {error} in\n{}\n--- from\n{}", after.text(), source.text());
    }
    let strings = |source: &Source| -> Vec<String> {
        source.strings.iter().map(|s| source.slice(s).to_owned()).collect()
    };
    if ["wrap", "unwrap", "before", "after"].contains(&what) {
        assert_eq!(strings(source), strings(&after), "{what}: a string over lines changed");
    }
    let same = apply(source.text(), &difference(source.text(), after.text()));
    assert_eq!(same.as_deref(), Ok(after.text()), "{what}");
    Some(after)
}

fn check(text: &str, every: usize) {
    let source = Source::parse("app.py", text);
    if source.is_broken() {
        return;
    }
    let mut nodes = Nodes::default();
    ruff_python_ast::visitor::source_order::walk_body(&mut nodes, source.body());
    for range in nodes.statements.iter().step_by(every) {
        let found = source.statement_at(*range).expect("a statement is found by its range");
        assert_eq!(found.range(), *range);
        statement(&source, found);
    }
    for range in nodes.calls.iter().step_by(every) {
        call(&source, *range);
    }
    let requests = [ImportRequest::module("signal"), ImportRequest::from("contextlib", "suppress")];
    let (edits, _) = import_edits(&source, &requests);
    let after = sound(&source, "import", &Ok(edits)).expect("edits");
    assert_eq!(import_edits(&after, &requests).0, Vec::new(), "imports twice:\n{}", after.text());
    let _ = sound(&source, "unimport", &Ok(remove_import(&source, "os")));
}

fn statement(source: &Source, found: StatementRef<'_>) {
    let range = found.range();
    let wrapped = wrap_statements(source, range, "if wrapped:", &[]);
    if let Some(after) = sound(source, "wrap", &wrapped) {
        let inside =
            source.header_colon(found).is_none() && !has_continued_lines(source, source.lines_of(found));
        let at = source.lines_of(found).start() + TextSize::of(source.indent_of(found).as_str());
        if inside && let Some(outer) = after.statement_at(TextRange::at(at, TextSize::of("if wrapped:"))) {
            let back = sound(&after, "unwrap", &unwrap(&after, outer)).expect("a wrapped statement unwraps");
            assert_eq!(back.text(), source.text(), "wrap and unwrap");
        }
    }
    let guarded = wrap_statements(source, range, "try:", &[("finally:", "if a:\n    b()")]);
    let _ = sound(source, "guard", &guarded);
    let _ =
        sound(source, "unwrap first", &unwrap_first(source, range).and_then(|edits| harmless(found, edits)));
    let _ = sound(source, "before", &insert_before(source, range, "if a:\n    b()\nc()"));
    let future =
        found.stmt.as_import_from_stmt().is_some_and(|node| node.module.as_deref() == Some("__future__"));
    if !future {
        let _ = sound(source, "after", &insert_after(source, range, "if a:\n    b()\nc()"));
        let _ = sound(source, "replace", &replace_statement(source, range, "if a:\n    b()\nc()"));
    }
    for comments in [Comments::Keep, Comments::Delete] {
        let _ = sound(source, "delete", &delete_statement(source, range, comments));
    }
    for block in super::super::blocks_of(found.stmt) {
        let _ = sound(source, "start", &insert_at_start(source, block, "x = 1\ny = 2"));
        let _ = sound(source, "end", &insert_at_end(source, block, "x = 1\ny = 2"));
    }
    if let Some(first) = found.body.first().filter(|first| first.start() < range.start()) {
        let _ = sound(source, "move", &move_statement(source, range, first));
    }
    if let Ok(text) = take_statement(source, range) {
        let taken = Source::parse("", text.as_str());
        assert!(!taken.is_broken() || outside_code(found), "take: {text}");
    }
    match found.stmt {
        Stmt::FunctionDef(function) => {
            twice(source, "decorator", |s, f| add_decorator(s, f, "@d"), range);
            let with = sound(source, "parameter", &add_parameter(source, range, "zzz=None"));
            if let Some(with) = with {
                let name = TextRange::at(function.name.start(), TextSize::new(0));
                let back =
                    sound(&with, "parameter", &remove_parameter(&with, name, "zzz")).expect("a parameter");
                let trailing = source.slice(function.parameters.range()).replace(char::is_whitespace, "");
                if !trailing.contains(",)") {
                    assert_eq!(back.text(), source.text(), "parameter there and back");
                }
            }
        }
        Stmt::With(_) | Stmt::For(_) => twice(source, "async", make_async, range),
        _ => {}
    }
}

/// Unwrapping a loop with a `break`, or what has an `await` header, is the caller's business.
fn harmless(found: StatementRef<'_>, edits: Vec<Edit>) -> Result<Vec<Edit>, Refused> {
    match found.stmt {
        Stmt::For(_) | Stmt::While(_) => Err(Refused::Missing("loop")),
        _ => Ok(edits),
    }
}

/// `return`, `break` and the like do not parse outside their function or loop.
fn outside_code(found: StatementRef<'_>) -> bool {
    found.owner.is_some()
}

/// Lines of an expression that start left of their block are moved in, but not known when they go out.
fn has_continued_lines(source: &Source, lines: TextRange) -> bool {
    let first = source.indent_at(lines.start()).to_owned();
    source.code_lines(lines).into_iter().any(|line| !source.indent_at(line).starts_with(&first))
}

fn twice(
    source: &Source,
    what: &str,
    edit: impl Fn(&Source, TextRange) -> Result<Vec<Edit>, Refused>,
    range: TextRange,
) {
    if let Some(after) = sound(source, what, &edit(source, range)) {
        let at = after.statement_at(TextRange::empty(range.start())).expect("it is still there").range();
        assert_eq!(edit(&after, at), Ok(Vec::new()), "{what} twice");
    }
}

fn call(source: &Source, range: TextRange) {
    let call = source.call_at(range).expect("a call is found by its range");
    assert_eq!(call.range(), range);
    let in_string =
        source.exprs_at(range).iter().any(|expr| expr.is_f_string_expr() || expr.is_t_string_expr());
    if in_string {
        return;
    }
    let with = sound(source, "keyword", &add_keyword(source, range, "zzz", "1"));
    if let Some(with) = with {
        let again = with.call_at(TextRange::at(range.start(), call.func.range().len())).map(Ranged::range);
        if let Some(found) = again.filter(|found| found.start() == range.start()) {
            let back = remove_keyword(&with, found, "zzz");
            let back = sound(&with, "unkeyword", &back);
            let generator = matches!(&*call.arguments.args, [Expr::Generator(_)]);
            let commas = source.slice(&call.arguments).replace(char::is_whitespace, "").ends_with(",)");
            let comments = source.comments().intersects(call.arguments.range());
            if let Some(back) =
                back.filter(|_| !generator && !commas && !comments && !call.arguments.is_empty())
            {
                assert_eq!(back.text(), source.text(), "keyword there and back");
            }
        }
    }
    let unpacked = call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none());
    if !unpacked {
        let _ = sound(source, "positional", &add_positional(source, range, "zzz"));
    }
    for index in 0..call.arguments.args.len() {
        let _ = sound(source, "remove", &remove_positional(source, range, index));
    }
    for keyword in &call.arguments.keywords {
        if let Some(name) = &keyword.arg {
            let _ = sound(source, "remove", &remove_keyword(source, range, name));
        }
    }
    let in_function = source.enclosing_function(range).is_some_and(|function| function.is_async);
    if in_function {
        let _ = sound(source, "await", &add_await(source, range));
    }
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            found.push(path);
        }
    }
}

#[test]
fn holds_for_the_cases() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let folder = std::env::var_os("LOOPMEND_CASES").map_or(beside, Into::into);
    let mut found = Vec::new();
    files(&folder, &mut found);
    if found.is_empty() {
        println!("skipped: no cases");
    }
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        println!("{}", path.display());
        // Every program has enough of each; all places are for a long run.
        check(&text, 29);
        check(&text.replace("    ", "\t").replace('\n', "\r\n"), 71);
    }
}

fn program() -> impl Strategy<Value = String> {
    let simple = prop_oneof![
        Just("x = f(a, k=1)\n"),
        Just("f(\n    a,\n    b,  # b\n)\n"),
        Just("s = \"\"\"\ninside\n    deep\n\"\"\"\n"),
        Just("t = f'''{a(\n1)}\n  z'''; u = 1\n"),
        Just("a(); b(); c()\n"),
        Just("# own line\ny = 1  # behind\n"),
        Just("z = (\n  1 +\n2)\n"),
        Just("w = 1 + \\\n  2\n"),
        Just("pass\n"),
        Just("import os, sys\n"),
        Just("\n\n# free\n\nv = [i for i in g(i for i in h)]\n"),
        Just("if a: b(); c()\n"),
        Just("class C: x = 1\n"),
    ]
    .prop_map(str::to_owned);
    let block = simple.prop_recursive(4, 24, 4, |inner| {
        let header = prop_oneof![
            Just(vec!["if a:  # why\n"]),
            Just(vec!["if a:\n", "elif b:\n", "else:\n"]),
            Just(vec!["try:\n", "except E as e:\n", "finally:\n"]),
            Just(vec!["with a as b, c:\n"]),
            Just(vec!["for i in j:\n", "else:\n"]),
            Just(vec!["@d\n# c\n@e(1)\nasync def f(a, b=1, *c):\n    '''doc\n    more'''\n"]),
            Just(vec!["class A(B):\n\n"]),
            Just(vec!["match a:\n    case 1:\n"]),
        ];
        (header, prop::collection::vec(inner, 1..4), any::<bool>()).prop_map(|(headers, body, tail)| {
            let mut text = String::new();
            for header in headers {
                text += header;
                let deep = if header.starts_with("match") { "        " } else { "    " };
                let mut literal = false;
                for line in body.concat().lines() {
                    let quoted = line.matches("\"\"\"").count() + line.matches("'''").count();
                    let blank = line.is_empty() || literal;
                    text.extend([if blank { "" } else { deep }, line, "\n"]);
                    literal ^= quoted % 2 == 1;
                }
                if tail {
                    text.extend([deep, "# tail\n"]);
                }
            }
            text
        })
    });
    let style =
        prop_oneof![Just(("    ", "\n")), Just(("  ", "\n")), Just(("\t", "\r\n")), Just(("    ", "\r\n"))];
    (prop::collection::vec(block, 1..5), style, any::<bool>()).prop_map(
        |(blocks, (unit, newline), ending)| {
            let text = blocks.concat().replace("    ", unit).replace('\n', newline);
            if ending { text } else { text.trim_end_matches(['\n', '\r']).to_owned() }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn holds_for_programs(text in program()) {
        prop_assert!(!Source::parse("", text.as_str()).is_broken(), "the programs parse:\n{text}");
        check(&text, 1);
    }

    #[test]
    fn a_draft_gives_back_its_steps(text in program(), at in any::<prop::sample::Index>()) {
        let source = Source::parse("app.py", text.as_str());
        let mut draft = Draft::new(&source);
        let stmt = at.get(source.body()).range();
        let _ = draft.step(|now| wrap_statements(now, stmt, "try:", &[("finally:", "c()")]));
        let _ = draft.step(|now| Ok(import_edits(now, &[ImportRequest::module("asyncio")]).0));
        prop_assert_eq!(apply(&text, &draft.edits()), Ok(draft.source().text().to_owned()));
    }

    #[test]
    fn any_text_is_survived(text in "[ -~\\n\\t\\r\u{e9}(){}:;'\"#@]{0,120}", at in any::<prop::sample::Index>()) {
        let source = Source::parse("app.py", text.as_str());
        let _ = import_edits(&source, &[ImportRequest::from("a", "b")]);
        let mut nodes = Nodes::default();
        ruff_python_ast::visitor::source_order::walk_body(&mut nodes, source.body());
        if !nodes.statements.is_empty() {
            let range = *at.get(&nodes.statements);
            let _ = wrap_statements(&source, range, "try:", &[("finally:", "c()")]);
            let _ = unwrap_first(&source, range);
            let _ = delete_statement(&source, range, Comments::Delete);
            let _ = insert_after(&source, range, "a()");
            let _ = insert_before(&source, range, "a()");
            let _ = take_statement(&source, range);
        }
    }
}
