use ruff_text_size::{Ranged, TextRange};

use super::super::{unwrap, unwrap_first, wrap_statements};
use super::{after, at, source};

#[test]
fn wraps_a_run_with_comments_and_strings() {
    let source = source(
        "async def f():\n    # first\n    a = \"\"\"\nkept\n  kept\n\"\"\"\n    b = g(\n        1,\n    )  # b\n\n    # last\n\nx = 1\n",
    );
    let run = TextRange::new(at(&source, "a =").start(), at(&source, "b =").end());
    let text =
        after(&source, wrap_statements(&source, run, "try:", &[("finally:", "if c:\n    await c.close()")]));
    assert_eq!(
        text,
        "async def f():\n    try:\n        # first\n        a = \"\"\"\nkept\n  kept\n\"\"\"\n        b = g(\n            1,\n        )  # b\n    finally:\n        if c:\n            await c.close()\n\n    # last\n\nx = 1\n"
    );
}

#[test]
fn wraps_with_tabs_and_crlf_and_no_last_newline() {
    let source = source("def f():\r\n\tif a:\r\n\t\tb()\r\n\treturn 1");
    let text = after(
        &source,
        wrap_statements(&source, at(&source, "return"), "with x as y:\n    try:", &[("    finally:", "z()")]),
    );
    assert_eq!(
        text,
        "def f():\r\n\tif a:\r\n\t\tb()\r\n\twith x as y:\r\n\t\ttry:\r\n\t\t\treturn 1\r\n\t\tfinally:\r\n\t\t\tz()"
    );
}

#[test]
fn wraps_a_body_on_its_headers_line() {
    let source = source("def f():\n  if x: y(); z()  # why\n  w()\n");
    let run = TextRange::new(at(&source, "y()").start(), at(&source, "z()").end());
    let text = after(&source, wrap_statements(&source, run, "try:", &[("finally:", "c()")]));
    assert_eq!(text, "def f():\n  if x:\n    try:\n      y(); z()  # why\n    finally:\n      c()\n  w()\n");
    assert!(wrap_statements(&source, at(&source, "z()"), "try:", &[]).is_err());
}

#[test]
fn unwraps_a_block_and_keeps_strings() {
    let source = source(
        "def f():\n    # why\n    with a:  # gone\n        # in\n        x = f\"\"\"\n        {y}\n\"\"\"\n\n        z()\n    w()\n",
    );
    let text = after(&source, unwrap(&source, at(&source, "with")));
    assert_eq!(
        text,
        "def f():\n    # why\n    # in\n    x = f\"\"\"\n        {y}\n\"\"\"\n\n    z()\n    w()\n"
    );
}

#[test]
fn unwrapping_drops_clauses_only_when_told() {
    let source = source("try:\n    a()\n    # tail\nexcept E:\n    b()\nfinally:\n    c()\nd()\n");
    assert!(unwrap(&source, at(&source, "try")).is_err());
    assert_eq!(after(&source, unwrap_first(&source, at(&source, "try"))), "a()\n# tail\nd()\n");
}

#[test]
fn wrap_then_unwrap_is_where_it_began() {
    let text = "class A:\n\tdef f(self):\n\t\tx = [\n\t\t\t1,\n\t\t]\n\n\t\t# c\n\t\treturn x\n";
    let before = source(text);
    let run = TextRange::new(at(&before, "x =").start(), at(&before, "return").end());
    let wrapped = source(&after(&before, wrap_statements(&before, run, "with y:", &[])));
    assert_eq!(after(&wrapped, unwrap(&wrapped, at(&wrapped, "with"))), text);
}
