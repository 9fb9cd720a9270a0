//! What `check` says of a tree, and what it leaves unsaid.

use loopmend_model::{Applicability, SourceFile, Tree};
use loopmend_pipeline::check;

fn findings(text: &str) -> Vec<(String, usize, Applicability)> {
    let file = SourceFile { path: "app.py".to_owned(), text: text.into() };
    check(&Tree { files: vec![file], ..Tree::default() })
        .findings
        .into_iter()
        .filter(|finding| !finding.doubtful)
        .map(|finding| (finding.cause, finding.line, finding.applicability))
        .collect()
}

const BRIDGE: &str = "import asyncio

import aiohttp


class Bridge:
    def __init__(self):
        self.session = None

    async def _get(self, url):
        if self.session is None:
            self.session = aiohttp.ClientSession()
        async with self.session.get(url) as response:
            return await response.text()

    def get(self, url):
        return asyncio.run(self._get(url))


def main():
    bridge = Bridge()
    print(bridge.get('a'))
    print(bridge.get('b'))


main()
";

#[test]
fn an_object_carried_from_run_to_run_is_told_of_once() {
    let causes: Vec<(String, usize)> =
        findings(BRIDGE).into_iter().map(|(cause, line, _)| (cause, line)).collect();
    assert_eq!(causes, [("second-run".to_owned(), 17)]);
}

#[test]
fn a_mend_that_is_declined_is_not_offered() {
    let threads = "import asyncio
import threading


async def work():
    await asyncio.sleep(1)


def start(loop):
    [loop.create_task(work()) for _ in range(3)], print('started')


async def main():
    start(asyncio.get_running_loop())
    await asyncio.sleep(9)


asyncio.run(main())
";
    for (cause, _, applicability) in findings(threads) {
        assert_eq!((cause.as_str(), applicability), ("dropped-task", Applicability::Advice));
    }
}
