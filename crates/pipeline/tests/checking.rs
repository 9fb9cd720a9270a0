//! What `check` says of a tree, and what it leaves unsaid.

use loopmend_model::{Applicability, SourceFile, Tree};
use loopmend_pipeline::check;

fn findings(text: &str) -> Vec<(String, u32, Applicability)> {
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
    let causes: Vec<(String, u32)> =
        findings(BRIDGE).into_iter().map(|(cause, line, _)| (cause, line)).collect();
    assert_eq!(causes, [("second-run".to_owned(), 17)]);
}

#[test]
fn a_mend_that_is_declined_is_not_offered() {
    let broken = "import asyncio


async def work():
    await asyncio.sleep(1)


async def start():
    asyncio.create_task(work())
    await asyncio.sleep(9)
";
    let dropped = |applicability| [("dropped-task".to_owned(), 9, applicability)];
    assert_eq!(findings(broken), dropped(Applicability::Safe));
    // Files that do not parse are left alone.
    assert_eq!(findings(&format!("{broken}\n\nclass (:\n")), dropped(Applicability::Advice));
}
