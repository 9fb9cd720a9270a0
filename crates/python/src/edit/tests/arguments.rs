use super::super::{
    Edit, Refused, Source, add_decorator, add_decorator_keyword, add_keyword, add_parameter, add_positional,
    decorators_of, remove_decorator, remove_decorator_keyword, remove_keyword, remove_parameter,
    remove_positional, replace_positional, set_decorator_keyword, set_keyword,
};
use super::{after, at, source};

fn on_call(
    text: &str,
    edit: impl Fn(&Source, &ruff_python_ast::Expr) -> Result<Vec<Edit>, Refused>,
) -> String {
    let source = source(text);
    let call = &source.body()[0].as_expr_stmt().expect("a call").value;
    after(&source, edit(&source, call))
}

#[test]
fn adds_a_keyword_in_the_calls_style() {
    let add = |text: &str| on_call(text, |source, call| add_keyword(source, call, "k", "v"));
    assert_eq!(add("f()\n"), "f(k=v)\n");
    assert_eq!(add("f(a)\n"), "f(a, k=v)\n");
    assert_eq!(add("f((a),)\n"), "f((a), k=v,)\n");
    assert_eq!(add("f(a, **kw)\n"), "f(a, k=v, **kw)\n");
    assert_eq!(add("f(x for x in y)\n"), "f((x for x in y), k=v)\n");
    assert_eq!(add("f(\n    a,\n    b,  # why\n)\n"), "f(\n    a,\n    b,  # why\n    k=v,\n)\n");
    assert_eq!(add("f(\n    a,\n    b  # why\n)\n"), "f(\n    a,\n    b,  # why\n    k=v\n)\n");
    assert_eq!(add("f(\r\n\ta,\r\n\t**kw,\r\n)\r\n"), "f(\r\n\ta,\r\n\tk=v,\r\n\t**kw,\r\n)\r\n");
    assert_eq!(add("f(\n    a, b\n)\n"), "f(\n    a, b, k=v\n)\n");
    assert_eq!(add("f(a,\n  b)\n"), "f(a,\n  b, k=v)\n");
    assert_eq!(add("f(\n    # nothing\n)\n"), "f(k=v\n    # nothing\n)\n");
    assert_eq!(add("f(k=v)\n"), "f(k=v)\n");
    let there = source("f(k=1)\n");
    assert_eq!(add_keyword(&there, at(&there, "f("), "k", "v"), Err(Refused::Exists("k".to_owned())));
}

#[test]
fn sets_and_removes_arguments() {
    assert_eq!(on_call("f(k=(1), b=2)\n", |s, c| set_keyword(s, c, "k", "v")), "f(k=v, b=2)\n");
    let remove = |text: &str| on_call(text, |s, c| remove_keyword(s, c, "k"));
    assert_eq!(remove("f(k=1)\n"), "f()\n");
    assert_eq!(remove("f(a, k=1)\n"), "f(a)\n");
    assert_eq!(remove("f(k=1, a=2)\n"), "f(a=2)\n");
    assert_eq!(remove("f(\n    a,\n    k=1,  # gone\n    b=2,\n)\n"), "f(\n    a,\n    b=2,\n)\n");
    assert_eq!(remove("f(\n    a,\n    k=1\n)\n"), "f(\n    a\n)\n");
    assert_eq!(on_call("f(a, b, c)\n", |s, c| remove_positional(s, c, 1)), "f(a, c)\n");
    assert_eq!(on_call("f(a, (b))\n", |s, c| replace_positional(s, c, 1, "x")), "f(a, x)\n");
    assert_eq!(on_call("f(a, k=1)\n", |s, c| add_positional(s, c, "x")), "f(a, x, k=1)\n");
    assert_eq!(on_call("f(k=1)\n", |s, c| add_positional(s, c, "x")), "f(x, k=1)\n");
}

#[test]
fn adds_and_removes_parameters() {
    let add = |text: &str, parameter: &str| {
        let source = source(text);
        after(&source, add_parameter(&source, at(&source, "def"), parameter))
    };
    assert_eq!(add("def f(): pass\n", "a"), "def f(a): pass\n");
    assert_eq!(add("def f(self, b=1, *c, **d): pass\n", "a"), "def f(self, a, b=1, *c, **d): pass\n");
    assert_eq!(add("def f(self, b=1, *, c): pass\n", "a=None"), "def f(self, b=1, a=None, *, c): pass\n");
    assert_eq!(add("def f(x, /, b): pass\n", "a"), "def f(x, /, b, a): pass\n");
    assert_eq!(
        add("def f(\n    x: T[int, str],\n): pass\n", "a"),
        "def f(\n    x: T[int, str],\n    a,\n): pass\n"
    );
    let two = source("def f(a, b=(1, 2), *c): pass\n");
    assert_eq!(after(&two, remove_parameter(&two, at(&two, "def"), "b")), "def f(a, *c): pass\n");
}

#[test]
fn decorators_gain_and_lose_brackets() {
    let plain = source("class A:\n    # c\n    @pytest.fixture  # d\n    def f(self):\n        pass\n");
    let decorator = &decorators_of(&plain, at(&plain, "@pytest"))[0];
    let scoped = after(&plain, add_decorator_keyword(&plain, decorator, "scope", "\"x\""));
    assert_eq!(
        scoped,
        "class A:\n    # c\n    @pytest.fixture(scope=\"x\")  # d\n    def f(self):\n        pass\n"
    );
    let scoped = source(&scoped);
    let decorator = &decorators_of(&scoped, at(&scoped, "@pytest"))[0];
    assert_eq!(after(&scoped, remove_decorator_keyword(&scoped, decorator, "scope")), plain.text());
    assert!(
        after(&scoped, set_decorator_keyword(&scoped, decorator, "scope", "'y'")).contains("(scope='y')")
    );
    assert_eq!(
        after(&scoped, Ok(remove_decorator(&scoped, decorator))),
        "class A:\n    # c\n    def f(self):\n        pass\n"
    );
    assert_eq!(
        after(&plain, add_decorator(&plain, at(&plain, "@pytest"), "@d")),
        "class A:\n    # c\n    @d\n    @pytest.fixture  # d\n    def f(self):\n        pass\n"
    );
    assert_eq!(after(&plain, add_decorator(&plain, at(&plain, "@pytest"), "@pytest.fixture")), plain.text());
}
