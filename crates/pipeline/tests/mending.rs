//! From a log and a small tree to a patch, where what the log names is all that tells the place.

use loopmend_model::{SourceFile, Tree};
use loopmend_pipeline::{FixOptions, fix};

const LINES: &str = "\
import asyncio
import json


async def lines(text):
    try:
        for line in text.splitlines():
            await asyncio.sleep(0)
            yield line
    finally:
        await asyncio.sleep(0)


async def parse(text):
    out = []
    source = lines(text)
    try:
        async for line in source:
            out.append(json.loads(line))
    except ValueError:
        print('bad')
    return out


loop = asyncio.new_event_loop()
loop.run_until_complete(parse('1\\nx'))
loop.close()
";

const LOG: &str = "\
bad
Task was destroyed but it is pending!
task: <Task pending name='Task-2' coro=<<async_generator_athrow without __name__>()>>
";

#[test]
fn a_task_that_closes_a_generator_names_the_generator_that_was_left() {
    let tree = Tree {
        files: vec![SourceFile { path: "lines.py".to_owned(), text: LINES.into() }],
        ..Tree::default()
    };
    let mended = fix(&tree, Some(LOG.as_bytes()), FixOptions::default());
    let patch = format!("{:?}", mended.patch.expect("it is mended"));
    assert!(patch.contains("await source.aclose()"), "{patch}");
}
