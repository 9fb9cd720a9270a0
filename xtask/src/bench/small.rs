//! What a user waits for most often: a short log explained, a small project mended.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::{Run, measure, median, milliseconds, verdict};

const EXPLAIN_LIMIT: Duration = Duration::from_millis(20);
const FIX_LIMIT: Duration = Duration::from_millis(100);
const FILES: usize = 50;

/// A cold `explain` of a log of 100 lines.
pub fn explain(program: &Path, rounds: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("error.log");
    fs::write(&log, log_text())?;
    let arguments = ["explain".as_ref(), log.as_os_str()];
    let runs: Vec<Run> = (0..rounds.max(10)).map(|_| measure(program, &arguments)).collect::<Result<_>>()?;
    let time = median(&runs);
    Ok(verdict(
        "explain of 100 lines",
        &milliseconds(time),
        "20 ms",
        time <= EXPLAIN_LIMIT && runs.iter().all(|run| run.status == 1),
    ))
}

/// A `fix` of a project of 50 files with one defect.
pub fn fix(program: &Path, rounds: usize) -> Result<bool> {
    let mut runs = Vec::new();
    for _ in 0..rounds.max(10) {
        let folder = tempfile::tempdir()?;
        project(folder.path())?;
        runs.push(measure(program, &["fix".as_ref(), folder.path().as_os_str()])?);
        let mended = fs::read_to_string(folder.path().join("shop/part_00.py"))?;
        anyhow::ensure!(!mended.contains("        session.close()"), "the project was not mended");
    }
    let time = median(&runs);
    Ok(verdict(&format!("fix of {FILES} files"), &milliseconds(time), "100 ms", time <= FIX_LIMIT))
}

fn log_text() -> String {
    let mut text = String::new();
    for line in 0..86 {
        let _ =
            writeln!(text, "2025-04-04 10:00:{:02} INFO shop.worker: order {line} is on its way", line % 60);
    }
    text.push_str(
        "Traceback (most recent call last):\n  \
         File \"/srv/shop/worker.py\", line 41, in <module>\n    second = asyncio.run(fetch(2))\n  \
         File \"/usr/lib/python3.11/asyncio/runners.py\", line 190, in run\n    return runner.run(main)\n  \
         File \"/srv/shop/worker.py\", line 22, in fetch\n    response = await client.get(url)\n  \
         File \"/srv/venv/lib/python3.11/site-packages/httpx/_client.py\", line 1768, in get\n    return await self.request(\n  \
         File \"/usr/lib/python3.11/asyncio/base_events.py\", line 762, in call_soon\n    self._check_closed()\n  \
         File \"/usr/lib/python3.11/asyncio/base_events.py\", line 520, in _check_closed\n    raise RuntimeError('Event loop is closed')\n\
         RuntimeError: Event loop is closed\n",
    );
    text
}

fn project(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("shop"))?;
    fs::write(
        root.join("pyproject.toml"),
        "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n",
    )?;
    fs::write(root.join("shop/__init__.py"), "")?;
    for number in 0..FILES - 1 {
        let close = if number == 0 { "session.close()" } else { "await session.close()" };
        let text = format!(
            "import asyncio\n\nimport aiohttp\n\n\nclass Part{number}:\n    def __init__(self, name):\n        self.name = name\n\n    \
             async def load(self, url):\n        session = aiohttp.ClientSession()\n        try:\n            \
             response = await session.get(url)\n            return await response.json()\n        finally:\n            {close}\n\n\n\
             async def main():\n    print(await Part{number}(\"a\").load(\"http://parts.test/{number}\"))\n\n\n\
             if __name__ == \"__main__\":\n    asyncio.run(main())\n"
        );
        fs::write(root.join(format!("shop/part_{number:02}.py")), text)?;
    }
    Ok(())
}
