use super::super::{
    Comments, delete_statement, insert_after, insert_at_end, insert_at_start, insert_before, move_statement,
    replace_statement, take_statement,
};
use super::{after, at, source};

const TWO: &str = "a = 1  # one\n\n\n# of b\n@d\ndef b():\n    pass\n\n\nc = 3\n";

#[test]
fn inserts_before_comments_and_after_trailing_ones() {
    let source = source(TWO);
    assert_eq!(
        after(&source, insert_before(&source, at(&source, "@d"), "x = 0\n\n\n")),
        "a = 1  # one\n\n\nx = 0\n\n\n# of b\n@d\ndef b():\n    pass\n\n\nc = 3\n"
    );
    assert_eq!(
        after(&source, insert_after(&source, at(&source, "a ="), "x = 0")),
        "a = 1  # one\nx = 0\n\n\n# of b\n@d\ndef b():\n    pass\n\n\nc = 3\n"
    );
    assert_eq!(
        after(&source, insert_before(&source, at(&source, "@d"), "def x():\n    y()")),
        "a = 1  # one\n\n\ndef x():\n    y()\n\n\n# of b\n@d\ndef b():\n    pass\n\n\nc = 3\n"
    );
}

#[test]
fn a_placeholder_gives_way_and_a_docstring_stays_first() {
    let one = source(TWO);
    let body = &one.function_named("b").expect("b").body;
    assert!(after(&one, insert_at_start(&one, body, "x()\ny()")).contains("def b():\n    x()\n    y()\n\n"));
    let two = source("def f():\n\t'''doc\n\tmore'''\n\treturn 1\n");
    let body = &two.function_named("f").expect("f").body;
    assert_eq!(
        after(&two, insert_at_start(&two, body, "if x:\n    y()")),
        "def f():\n\t'''doc\n\tmore'''\n\tif x:\n\t\ty()\n\treturn 1\n"
    );
    assert_eq!(
        after(&two, insert_at_end(&two, body, "z()")),
        "def f():\n\t'''doc\n\tmore'''\n\treturn 1\n\tz()\n"
    );
    let three = source("class A: x = 1\n");
    assert_eq!(
        after(&three, insert_before(&three, at(&three, "x"), "y = 0")),
        "class A:\n    y = 0\n    x = 1\n"
    );
    assert_eq!(
        after(&three, insert_after(&three, at(&three, "x"), "y = 0")),
        "class A:\n    x = 1\n    y = 0\n"
    );
    let four = source("if a: ...\nelse: b()\n");
    let body = &four.body()[0].as_if_stmt().expect("if").body;
    assert_eq!(after(&four, insert_at_end(&four, body, "x()\ny()")), "if a:\n    x()\n    y()\nelse: b()\n");
}

#[test]
fn deletes_and_collapses_blank_lines() {
    let one = source(TWO);
    assert_eq!(
        after(&one, delete_statement(&one, at(&one, "@d"), Comments::Delete)),
        "a = 1  # one\n\n\nc = 3\n"
    );
    assert_eq!(
        after(&one, delete_statement(&one, at(&one, "a ="), Comments::Delete)),
        "# of b\n@d\ndef b():\n    pass\n\n\nc = 3\n"
    );
    assert_eq!(
        after(&one, delete_statement(&one, at(&one, "c ="), Comments::Delete)),
        "a = 1  # one\n\n\n# of b\n@d\ndef b():\n    pass\n"
    );
    let two = source("def f():\r\n    # c\r\n    x()  # t\r\n");
    assert_eq!(
        after(&two, delete_statement(&two, at(&two, "x()"), Comments::Keep)),
        "def f():\r\n    # c\r\n    pass  # t\r\n"
    );
    let three = source("a(); b(); c()\nif x: y()\n");
    assert_eq!(
        after(&three, delete_statement(&three, at(&three, "b()"), Comments::Keep)),
        "a(); c()\nif x: y()\n"
    );
    assert_eq!(
        after(&three, delete_statement(&three, at(&three, "c()"), Comments::Keep)),
        "a(); b()\nif x: y()\n"
    );
    assert_eq!(
        after(&three, delete_statement(&three, at(&three, "y()"), Comments::Keep)),
        "a(); b(); c()\nif x: pass\n"
    );
}

#[test]
fn moves_a_nested_function_out() {
    let source = source(
        "def f():\n  # g\n  @d\n  async def g():\n    x = '''\n  s\n'''\n    return x\n\n  return g\n",
    );
    assert_eq!(
        after(&source, move_statement(&source, at(&source, "@d"), at(&source, "def f"))),
        "# g\n@d\nasync def g():\n  x = '''\n  s\n'''\n  return x\n\n\ndef f():\n  return g\n"
    );
    assert_eq!(take_statement(&source, at(&source, "return g")).expect("text"), "return g\n");
}

#[test]
fn replaces_in_place_and_splits_a_header_line() {
    let source = source("if x: y()  # c\nz(); w()\n");
    assert_eq!(
        after(&source, replace_statement(&source, at(&source, "y()"), "a()\nb()")),
        "if x:\n    a()\n    b()  # c\nz(); w()\n"
    );
    assert!(replace_statement(&source, at(&source, "z()"), "a()\nb()").is_err());
    assert_eq!(
        after(&source, replace_statement(&source, at(&source, "z()"), "a()")),
        "if x: y()  # c\na(); w()\n"
    );
}
