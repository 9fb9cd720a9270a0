use ruff_text_size::TextRange;

use super::super::{
    Draft, Source, add_await, insert_before, make_async, make_sync, remove_await, rename_local, replace_expr,
    take_body, wrap_statements,
};
use super::{after, at, source};

fn expr(source: &Source, needle: &str) -> TextRange {
    let start = source.text().find(needle).expect("the needle is in the text") as u32;
    TextRange::at(start.into(), (needle.len() as u32).into())
}

#[test]
fn awaits_with_the_brackets_that_are_needed() {
    let awaited = |text: &str, needle: &str| {
        let source = source(text);
        after(&source, add_await(&source, expr(&source, needle)))
    };
    assert_eq!(awaited("x = f()\n", "f()"), "x = await f()\n");
    assert_eq!(awaited("x = f().y\n", "f()"), "x = (await f()).y\n");
    assert_eq!(awaited("x = (f()).y\n", "f()"), "x = (await f()).y\n");
    assert_eq!(awaited("x = a or b\n", "a or b"), "x = await (a or b)\n");
    assert_eq!(awaited("x = (a or b)\n", "a or b"), "x = await (a or b)\n");
    assert_eq!(awaited("g(f())\n", "f()"), "g(await f())\n");
    assert_eq!(awaited("f()()\n", "f()"), "(await f())()\n");
    assert_eq!(awaited("x = -f() ** 2\n", "f()"), "x = -await f() ** 2\n");
    assert_eq!(awaited("x = await f()\n", "f()"), "x = await f()\n");
    assert_eq!(awaited("x = f'{f()}'\n", "f()"), "x = f'{await f()}'\n");
    let two = source("x = await (f())\n");
    assert_eq!(after(&two, remove_await(&two, expr(&two, "f()"))), "x = (f())\n");
}

#[test]
fn makes_async_and_back() {
    for (before, needle) in
        [("@d(x)\ndef f():\n    pass\n", "@d"), ("with a: pass\n", "with"), ("for x in y: pass\n", "for")]
    {
        let plain = source(before);
        let changed = source(&after(&plain, make_async(&plain, at(&plain, needle))));
        assert!(changed.text().contains("async "));
        assert_eq!(make_async(&changed, at(&changed, needle)), Ok(Vec::new()));
        assert_eq!(after(&changed, make_sync(&changed, at(&changed, needle))), before);
    }
}

#[test]
fn replaces_with_brackets_and_renames() {
    let replaced = |text: &str, needle: &str, new: &str| {
        let source = source(text);
        after(&source, replace_expr(&source, expr(&source, needle), new))
    };
    assert_eq!(replaced("x = a.b\n", "a", "c or d"), "x = (c or d).b\n");
    assert_eq!(replaced("f(a)\n", "a", "await g()"), "f(await g())\n");
    assert_eq!(replaced("x = (a).b\n", "a", "await g()"), "x = (await g()).b\n");
    assert_eq!(replaced("x = 2 * a\n", "a", "b + c"), "x = 2 * (b + c)\n");
    let one = source(
        "def f(p):\n    a = p\n    def g():\n        nonlocal a\n        a += 1\n    h = lambda: f'{a}'\n    return o.a, k(a=a)\n",
    );
    assert_eq!(
        after(&one, rename_local(&one, at(&one, "def f"), "a", "b")),
        "def f(p):\n    b = p\n    def g():\n        nonlocal b\n        b += 1\n    h = lambda: f'{b}'\n    return o.a, k(a=b)\n"
    );
    assert!(rename_local(&one, at(&one, "def f"), "p", "b").is_err());
    assert!(rename_local(&one, at(&one, "def f"), "a", "h").is_err());
    assert!(rename_local(&one, at(&one, "def f"), "k", "z").is_err());
}

#[test]
fn takes_a_body_without_its_docstring() {
    let one = source(
        "class A:\n\tdef f(self):\n\t\t'doc'\n\n\t\t# c\n\t\tif x:\n\t\t\ty = '''\n\t\tin\n'''\n\t\t# tail\n\n\tdef g(self): return 1\n",
    );
    let f = one.function_named("A.f").expect("f");
    assert_eq!(take_body(&one, f), "# c\nif x:\n    y = '''\n\t\tin\n'''\n# tail\n");
    assert_eq!(take_body(&one, one.function_named("A.g").expect("g")), "return 1\n");
}

#[test]
fn a_draft_builds_on_its_own_steps() {
    let before = source("def f():\n    a()\n    b()\n");
    let mut draft = Draft::new(&before);
    draft.step(|s| wrap_statements(s, at(s, "b()"), "try:", &[("finally:", "c()")])).expect("wrapped");
    draft.step(|s| insert_before(s, at(s, "b()"), "n()")).expect("inserted");
    draft.step(|s| make_async(s, at(s, "def"))).expect("async");
    let text = "async def f():\n    a()\n    try:\n        n()\n        b()\n    finally:\n        c()\n";
    assert_eq!(draft.source().text(), text);
    assert_eq!(after(&before, Ok(draft.edits())), text);
}
