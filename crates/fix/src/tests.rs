//! A mend is rejected for each of the reasons.

use loopmend_causes::{Declared, Found, Spot};
use loopmend_model::{SourceFile, Tree};
use loopmend_python::facts::TextRange;
use loopmend_python::lifecycle::Lifecycle;

use crate::accept::{Rejected, accept};
use crate::detect;

fn tree(text: &str) -> Lifecycle {
    let file = SourceFile { path: "app.py".to_owned(), text: text.into() };
    Lifecycle::read(&Tree { files: vec![file], ..Tree::default() })
}

/// What becomes of a change whose target is at `defect` before, and gone after; other findings are as they are detected.
fn judged(before: &str, after: &str, declared: &Declared) -> Result<(), Rejected> {
    let (old, new) = (tree(before), tree(after));
    let file = old.file("app.py").expect("the tree has it");
    let range = TextRange::up_to(1.into());
    let target = Found::new("second-run", Spot { file, range }, "the defect");
    let mut found = detect(&old);
    found.push(target.clone());
    accept(&old, &new, &["app.py"], &target, &found, &detect(&new), declared)
}

fn plainly(before: &str, after: &str) -> Result<(), Rejected> {
    judged(before, after, &Declared::default())
}

fn declared(added: &[&str], removed: &[&str]) -> Declared {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Declared { added: names(added), removed: names(removed), ..Declared::default() }
}

#[test]
fn what_does_not_parse() {
    let rejected = plainly("x = 1\n", "x = (\n");
    assert!(matches!(rejected, Err(Rejected::Broken { .. })), "{rejected:?}");
}

#[test]
fn the_same_finding_again() {
    let text = "import asyncio\n\n\nasync def work():\n    await asyncio.sleep(1)\n\n\nasync def main():\n    asyncio.create_task(work())\n    await asyncio.sleep(9)\n";
    let (old, new) = (tree(text), tree(&format!("# moved\n\n{text}")));
    let (before, after) = (detect(&old), detect(&new));
    let target = before.iter().find(|found| found.cause == "dropped-task").expect("it is found");
    let rejected = accept(&old, &new, &["app.py"], target, &before, &after, &Declared::default());
    assert_eq!(rejected, Err(Rejected::StillFound));
}

const CLOSED: &str = "import aiohttp


async def main():
    session = aiohttp.ClientSession()
    try:
        await session.get('https://a.example')
    finally:
        await session.close()
";

#[test]
fn a_new_finding() {
    let after = CLOSED.replace("        await session.close()", "        session.close()");
    let rejected = plainly(CLOSED, &after);
    assert!(
        matches!(&rejected, Err(Rejected::NewFinding { cause, .. }) if cause == "close-not-awaited"),
        "{rejected:?}"
    );
}

#[test]
fn a_new_doubtful_finding() {
    let after = CLOSED
        .replace("    try:\n        await session.get", "    await session.get")
        .replace("    finally:\n        await session.close()", "    await session.close()");
    let doubtful: Vec<bool> = detect(&tree(&after)).iter().map(|found| found.doubtful).collect();
    assert_eq!(doubtful, [true]);
    let rejected = plainly(CLOSED, &after);
    assert!(
        matches!(&rejected, Err(Rejected::NewFinding { cause, .. }) if cause == "resource-never-closed"),
        "{rejected:?}"
    );
}

#[test]
fn findings_that_were_there_may_move() {
    let open = "import aiohttp\n\n\nasync def main():\n    session = aiohttp.ClientSession()\n    await session.get('/')\n    await session.close()\n";
    assert_eq!(plainly(open, &format!("# a comment\n\n{open}")), Ok(()));
}

#[test]
fn a_name_that_nothing_defines() {
    let rejected = plainly("def f():\n    return 1\n", "def f():\n    return one\n");
    assert_eq!(rejected, Err(Rejected::Unknown { path: "app.py".to_owned(), name: "one".to_owned() }));
}

#[test]
fn a_name_that_is_no_longer_bound() {
    let rejected = plainly("def f():\n    pass\n\n\ndef g():\n    pass\n", "def g():\n    pass\n");
    assert_eq!(rejected, Err(Rejected::Unbound { path: "app.py".to_owned(), name: "f".to_owned() }));
}

#[test]
fn a_call_that_is_lost_or_added() {
    let (one, two) = ("def f(a):\n    a.start()\n", "def f(a):\n    a.start()\n    a.wait()\n");
    let effect = |gone| Err(Rejected::Effect { name: "wait".to_owned(), gone });
    assert_eq!(plainly(one, two), effect(false));
    assert_eq!(plainly(two, one), effect(true));
    assert_eq!(judged(one, two, &declared(&["wait"], &[])), Ok(()));
    assert_eq!(judged(two, one, &declared(&[], &["wait"])), Ok(()));
}

fn order(function: &str) -> Result<(), Rejected> {
    Err(Rejected::Order { function: function.to_owned() })
}

#[test]
fn another_order_in_a_function() {
    let rejected =
        plainly("def f(a):\n    a.stop()\n    a.wait()\n", "def f(a):\n    a.wait()\n    a.stop()\n");
    assert_eq!(rejected, order("f"));
}

#[test]
fn another_order_along_an_entry() {
    let before = "def stop(a):\n    a.stop()\n\n\ndef wait(a):\n    a.wait()\n\n\ndef f(a):\n    stop(a)\n    wait(a)\n";
    // Each function makes the calls that it made; what they call has changed places.
    let after = "def stop(a):\n    a.wait()\n\n\ndef wait(a):\n    a.stop()\n\n\ndef f(a):\n    stop(a)\n    wait(a)\n";
    assert_eq!(plainly(before, after), order("f"));
    let after = "def stop(a):\n    a.stop()\n    a.wait()\n\n\ndef wait(a):\n    pass\n\n\ndef f(a):\n    wait(a)\n    stop(a)\n";
    assert_eq!(plainly(before, after), order("f"));
}

#[test]
fn a_function_taken_out_of_another_is_no_other_order() {
    let before = "def f(a):\n    a.stop()\n    a.wait()\n    a.shut()\n";
    let after = "def end(a):\n    a.stop()\n    a.wait()\n\n\ndef f(a):\n    end(a)\n    a.shut()\n";
    assert_eq!(judged(before, after, &declared(&["end"], &[])), Ok(()));
    let late = "def end(a):\n    a.stop()\n    a.wait()\n\n\ndef f(a):\n    a.shut()\n    end(a)\n";
    assert_eq!(judged(before, late, &declared(&["end"], &[])), order("f"));
}

#[test]
fn a_declared_call_comes_with_all_that_it_calls() {
    let before = "def end(a):\n    a.stop()\n\n\ndef f(a):\n    a.start()\n";
    let after = "def end(a):\n    a.stop()\n\n\ndef f(a):\n    a.start()\n    end(a)\n";
    assert_eq!(judged(before, after, &declared(&["end"], &[])), Ok(()));
}

#[test]
fn calls_in_a_circle_end() {
    let before = "def f(a):\n    a.stop()\n    g(a)\n\n\ndef g(a):\n    a.wait()\n    f(a)\n";
    let after = "def f(a):\n    g(a)\n    a.stop()\n\n\ndef g(a):\n    a.wait()\n    f(a)\n";
    assert_eq!(plainly(before, before), Ok(()));
    assert!(matches!(plainly(before, after), Err(Rejected::Order { .. })));
}

#[test]
fn a_caller_that_does_not_await() {
    let before = "def f(a):\n    a.stop()\n\n\ndef g(a):\n    f(a)\n";
    let rejected = plainly(before, &before.replacen("def f", "async def f", 1));
    assert!(
        matches!(rejected, Err(Rejected::NotAwaited { line: 6, .. } | Rejected::NewFinding { .. })),
        "{rejected:?}"
    );
}
