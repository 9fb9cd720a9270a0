use super::super::{
    Comments, ImportRequest, delete_statement, import_edits, remove_import, remove_import_after,
};
use super::{after, at, source};

fn imported(text: &str, requests: &[ImportRequest]) -> (String, Vec<String>) {
    let source = source(text);
    let (edits, locals) = import_edits(&source, requests);
    let after = after(&source, Ok(edits));
    let again = import_edits(&super::source(&after), requests);
    assert_eq!(again.0, Vec::new(), "a second time changes nothing:\n{after}");
    (after, locals)
}

fn module(text: &str, name: &str) -> String {
    imported(text, &[ImportRequest::module(name)]).0
}

fn name(text: &str, module: &str, name: &str) -> String {
    imported(text, &[ImportRequest::from(module, name)]).0
}

#[test]
fn uses_what_is_there() {
    let both = [ImportRequest::module("asyncio"), ImportRequest::from("contextlib", "suppress")];
    let (_, locals) = imported("import asyncio as aio\nfrom contextlib import suppress as quiet\n", &both);
    assert_eq!(locals, ["aio", "quiet"]);
    let (_, locals) = imported("import asyncio.subprocess\nimport contextlib\n", &both);
    assert_eq!(locals, ["asyncio", "contextlib.suppress"]);
    let guarded = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import asyncio\n";
    assert_eq!(module(guarded, "asyncio"), format!("import asyncio\n{guarded}"));
}

#[test]
fn does_not_take_a_name_that_is_something_else() {
    let (text, locals) = imported("import os\n\nsignal = 1\n", &[ImportRequest::module("signal")]);
    assert_eq!(
        (text.as_str(), locals[0].as_str()),
        ("import os\nimport signal as _signal\n\nsignal = 1\n", "_signal")
    );
    let (text, locals) = imported(
        "from contextlib import suppress\n\n\ndef aclosing(): pass\n",
        &[ImportRequest::from("contextlib", "aclosing")],
    );
    assert_eq!(locals, ["_aclosing"]);
    assert!(text.starts_with("from contextlib import aclosing as _aclosing, suppress\n"));
}

#[test]
fn joins_a_from_import() {
    assert_eq!(name("from a import B, d\n", "a", "c"), "from a import B, c, d\n");
    assert_eq!(name("from a import d, c\n", "a", "b"), "from a import d, c, b\n");
    assert_eq!(
        name("from a import (\n    b,\n    d,  # d\n)\n", "a", "e"),
        "from a import (\n    b,\n    d,  # d\n    e,\n)\n"
    );
    assert_eq!(name("from .db import b\r\n", ".db", "a"), "from .db import a, b\r\n");
    let long =
        "from package.of.some.length import aaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbb, cccccccccccccccc\n";
    assert_eq!(
        name(long, "package.of.some.length", "d"),
        "from package.of.some.length import (\n    aaaaaaaaaaaaaaaa,\n    bbbbbbbbbbbbbbbbbbbb,\n    cccccccccccccccc,\n    d,\n)\n"
    );
    assert_eq!(name("from a import *\n", "a", "c"), "from a import *\nfrom a import c\n");
}

#[test]
fn a_new_line_goes_where_isort_has_it() {
    let text = "\"\"\"Doc.\"\"\"\n\nfrom __future__ import annotations\n\nimport os\nfrom typing import Any\n\nimport httpx\n\nfrom .x import y\n\nz = 1\n";
    assert!(module(text, "asyncio").contains("\nimport asyncio\nimport os\nfrom"));
    assert!(module(text, "signal").contains("\nimport os\nimport signal\nfrom"));
    assert!(
        name(text, "contextlib", "suppress")
            .contains("\nimport os\nfrom contextlib import suppress\nfrom typing")
    );
    assert!(module(text, "pytest_asyncio").contains("\nimport httpx\nimport pytest_asyncio\n\nfrom .x"));
    assert_eq!(module("import httpx\n\nx = 1\n", "asyncio"), "import asyncio\n\nimport httpx\n\nx = 1\n");
    assert_eq!(module("import os\n\nx = 1\n", "httpx"), "import os\n\nimport httpx\n\nx = 1\n");
    assert_eq!(module("import os\nimport httpx\n", "asyncio"), "import asyncio\nimport os\nimport httpx\n");
    assert_eq!(module("import os", "signal"), "import os\nimport signal");
    assert_eq!(
        module("# Licence\n# of it\nimport httpx\n", "asyncio"),
        "# Licence\n# of it\nimport asyncio\n\nimport httpx\n"
    );
    assert_eq!(
        name("from abc import ABC\nimport os\nfrom typing import Any\n", "contextlib", "suppress"),
        "from abc import ABC\nfrom contextlib import suppress\nimport os\nfrom typing import Any\n"
    );
}

#[test]
fn first_imports_stand_below_docstring_and_header() {
    assert_eq!(
        module("'''Doc.'''\n\n\ndef f(): pass\n", "asyncio"),
        "'''Doc.'''\n\nimport asyncio\n\n\ndef f(): pass\n"
    );
    assert_eq!(module("'''Doc.'''\nx = 1\n", "asyncio"), "'''Doc.'''\n\nimport asyncio\n\nx = 1\n");
    assert_eq!(
        module("#!/usr/bin/python\nx = 1\n", "asyncio"),
        "#!/usr/bin/python\n\nimport asyncio\n\nx = 1\n"
    );
    assert_eq!(module("def f(): pass\n", "asyncio"), "import asyncio\n\n\ndef f(): pass\n");
    assert_eq!(module("# Licence\nx = 1\n", "asyncio"), "# Licence\n\nimport asyncio\n\nx = 1\n");
    assert_eq!(module("", "asyncio"), "import asyncio\n");
    assert_eq!(module("\u{feff}x = 1\r\n", "asyncio"), "\u{feff}import asyncio\r\n\r\nx = 1\r\n");
    let (text, _) =
        imported("", &[ImportRequest::module("signal"), ImportRequest::from("a", "b").named("c")]);
    assert_eq!(text, "import signal\n\nfrom a import b as c\n");
}

#[test]
fn unused_imports_go_and_used_ones_stay() {
    let one =
        source("import asyncio\nimport os\nfrom a import b, c\n\n\ndef f():\n    return asyncio.run(c())\n");
    assert_eq!(remove_import(&one, "asyncio"), Vec::new());
    assert!(after(&one, Ok(remove_import(&one, "os"))).starts_with("import asyncio\nfrom a"));
    assert!(after(&one, Ok(remove_import(&one, "b"))).contains("from a import c\n"));
    let edits = delete_statement(&one, at(&one, "return"), Comments::Delete).expect("edits");
    let gone = remove_import_after(&one, &edits, "asyncio");
    assert_eq!(
        after(&one, Ok([edits, gone].concat())),
        "import os\nfrom a import b, c\n\n\ndef f():\n    pass\n"
    );
    let two = source("import asyncio\n\n__all__ = ['asyncio']\n");
    assert_eq!(remove_import(&two, "asyncio"), Vec::new());
    let three = source("import asyncio\n\nx.asyncio = 1\n");
    assert_eq!(after(&three, Ok(remove_import(&three, "asyncio"))), "x.asyncio = 1\n");
}
