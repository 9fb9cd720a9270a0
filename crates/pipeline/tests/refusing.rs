//! From a log and a small tree to a refusal: the code, a clear sentence, no patch.

use loopmend_model::{ConfigFile, Refusal, RefusalCode, Settings, SourceFile, Tree, Version, VersionSource};
use loopmend_pipeline::{FixOptions, explain, fix};

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).into() })
        .collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Tree { files, ..Tree::default() }
}

fn installed(mut tree: Tree, versions: &[(&str, &str)]) -> Tree {
    let mut settings = Settings::default();
    for (name, version) in versions {
        let version = Version::parse(version).expect("a version");
        settings.versions.insert((*name).to_owned(), (version, VersionSource::Installed));
    }
    tree.settings = settings;
    tree
}

/// The refusal, and nothing changed.
fn refused(tree: &Tree, log: &str) -> Refusal {
    let mended = fix(tree, Some(log.as_bytes()), FixOptions::default());
    assert!(mended.patch.is_none(), "{:?}", mended.patch);
    let refused = mended.refused.unwrap_or_else(|| panic!("not refused: {:?}", mended.diagnosis));
    assert!(refused.message.len() > 30 && refused.message.ends_with('.'), "{}", refused.message);
    refused
}

const RIGHT: &str = "\
import asyncio

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get('http://localhost/feed') as answer:
            print(await answer.text())


if __name__ == '__main__':
    asyncio.run(main())
";

const PROACTOR: &str = r#"Exception ignored in: <function _ProactorBasePipeTransport.__del__ at 0x00000209E0A3A430>
Traceback (most recent call last):
  File "C:\Users\me\AppData\Local\Programs\Python\Python39\lib\asyncio\proactor_events.py", line 116, in __del__
    self.close()
  File "C:\Users\me\AppData\Local\Programs\Python\Python39\lib\asyncio\proactor_events.py", line 108, in close
    self._loop.call_soon(self._call_connection_lost, None)
  File "C:\Users\me\AppData\Local\Programs\Python\Python39\lib\asyncio\base_events.py", line 746, in call_soon
    self._check_closed()
  File "C:\Users\me\AppData\Local\Programs\Python\Python39\lib\asyncio\base_events.py", line 510, in _check_closed
    raise RuntimeError('Event loop is closed')
RuntimeError: Event loop is closed
"#;

#[test]
fn proactor_noise_after_a_right_program() {
    let refused = refused(&tree(&[("feed.py", RIGHT)]), PROACTOR);
    assert_eq!(refused.code, RefusalCode::LibraryFault);
    assert!(
        refused.message.contains("Python 3.9") && refused.message.contains("3.11"),
        "{}",
        refused.message
    );
}

#[test]
fn proactor_noise_of_a_conda_python() {
    let log = PROACTOR
        .replace(r"C:\Users\me\AppData\Local\Programs\Python\Python39\lib", r"D:\conda\envs\feeds\lib");
    assert_eq!(refused(&tree(&[("feed.py", RIGHT)]), &log).code, RefusalCode::LibraryFault);
}

#[test]
fn a_session_that_is_left_open_deserves_the_noise() {
    let wrong = "\
import asyncio

import aiohttp


async def main():
    session = aiohttp.ClientSession()
    answer = await session.get('http://localhost/feed')
    print(await answer.text())


asyncio.run(main())
";
    let mended = fix(&tree(&[("feed.py", wrong)]), Some(PROACTOR.as_bytes()), FixOptions::default());
    assert_eq!(mended.diagnosis.map(|diagnosis| diagnosis.cause).as_deref(), Some("resource-never-closed"));
}

#[test]
fn the_other_side_hung_up_while_windows_closed_the_transport() {
    let log = r#"Exception in callback _ProactorBasePipeTransport._call_connection_lost(None)
handle: <Handle _ProactorBasePipeTransport._call_connection_lost(None)>
Traceback (most recent call last):
  File "C:\Python311\Lib\asyncio\events.py", line 84, in _run
    self._context.run(self._callback, *self._args)
  File "C:\Python311\Lib\asyncio\proactor_events.py", line 165, in _call_connection_lost
    self._sock.shutdown(socket.SHUT_RDWR)
ConnectionResetError: [WinError 10054] An existing connection was forcibly closed by the remote host
"#;
    assert_eq!(refused(&tree(&[("feed.py", RIGHT)]), log).code, RefusalCode::LibraryFault);
}

#[test]
fn two_places_that_are_as_likely_are_both_mended() {
    let wrong = "\
import aiohttp


async def NAME(url):
    session = aiohttp.ClientSession()
    answer = await session.get(url)
    return await answer.text()
";
    let main = "\
import asyncio

from feeds.one import one
from feeds.two import two


async def main():
    await one('http://localhost/1')
    await two('http://localhost/2')


asyncio.run(main())
";
    let project = tree(&[
        ("feeds/__init__.py", ""),
        ("feeds/one.py", &wrong.replace("NAME", "one")),
        ("feeds/two.py", &wrong.replace("NAME", "two")),
        ("main.py", main),
    ]);
    let log = b"Unclosed client session\nclient_session: <aiohttp.client.ClientSession object at 0x7f1>\n";
    let patch = fix(&project, Some(log), FixOptions::default()).patch.expect("it is mended");
    let paths: Vec<&str> = patch.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["feeds/one.py", "feeds/two.py"]);
}

#[test]
fn where_the_place_is_named_the_other_is_left() {
    let wrong = "\
import asyncio

import aiohttp


async def NAME(url):
    session = aiohttp.ClientSession()
    try:
        return (await session.get(url)).status
    finally:
        session.close()


if __name__ == '__main__':
    asyncio.run(NAME('http://localhost'))
";
    let project =
        tree(&[("one.py", &wrong.replace("NAME", "one")), ("two.py", &wrong.replace("NAME", "two"))]);
    let log = b"/srv/jobs/two.py:11: RuntimeWarning: coroutine 'ClientSession.close' was never awaited\n  session.close()\n";
    let patch = fix(&project, Some(log), FixOptions::default()).patch.expect("it is mended");
    let paths: Vec<&str> = patch.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["two.py"]);
}

#[test]
fn the_same_frames_on_linux_are_no_proactor() {
    let log = "\
Exception ignored in: <function _SelectorTransport.__del__ at 0x7f1>
Traceback (most recent call last):
  File \"/usr/lib/python3.9/asyncio/selector_events.py\", line 700, in __del__
    self.close()
RuntimeError: Event loop is closed
";
    let refused = refused(&tree(&[("feed.py", RIGHT)]), log);
    assert_eq!(refused.code, RefusalCode::ThirdPartyFile);
    assert!(refused.message.contains("selector_events.py"), "{}", refused.message);
}

const FIXTURE_DEF: &str = "\
E                                                                        [100%]
==================================== ERRORS ====================================
_________________________ ERROR at setup of test_put __________________________

    def _asyncgen_fixture_wrapper(
        event_loop: asyncio.AbstractEventLoop, request: SubRequest, **kwargs: Any
    ):
        func = _perhaps_rebind_fixture_func(
>           fixture, request.instance, fixturedef.unittest
        )
E       AttributeError: 'FixtureDef' object has no attribute 'unittest'

/venv/lib/python3.11/site-packages/pytest_asyncio/plugin.py:281: AttributeError
=========================== short test summary info ============================
ERROR tests/test_store.py::test_put - AttributeError: 'FixtureDef' object has...
1 error in 0.03s
";

const SUITE: &str = "\
import pytest_asyncio


@pytest_asyncio.fixture
async def store():
    yield {}


async def test_put(store):
    store['a'] = 1
";

#[test]
fn two_versions_that_do_not_fit() {
    let suite = tree(&[("tests/test_store.py", SUITE)]);
    let suite = installed(suite, &[("pytest", "8.3.1"), ("pytest-asyncio", "0.23.5")]);
    let refused = refused(&suite, FIXTURE_DEF);
    assert_eq!(refused.code, RefusalCode::LibraryFault);
    assert!(refused.message.contains("pytest-asyncio 0.23.5"), "{}", refused.message);
    assert!(refused.message.contains("0.23.6"), "{}", refused.message);
}

#[test]
fn unknown_versions_are_said() {
    let refused = refused(&tree(&[("tests/test_store.py", SUITE)]), FIXTURE_DEF);
    assert_eq!(refused.code, RefusalCode::LibraryFault);
    assert!(refused.message.contains("not known"), "{}", refused.message);
}

#[test]
fn versions_that_are_right_are_not_blamed() {
    let suite = tree(&[("tests/test_store.py", SUITE)]);
    let suite = installed(suite, &[("pytest", "8.3.1"), ("pytest-asyncio", "0.23.8")]);
    assert_ne!(refused(&suite, FIXTURE_DEF).code, RefusalCode::LibraryFault);
}

#[test]
fn a_common_message_does_not_blame_an_old_library() {
    let log = "\
Traceback (most recent call last):
  File \"/app/feed.py\", line 13, in <module>
    asyncio.run(main())
RuntimeError: Event loop is closed
";
    let old = installed(tree(&[("feed.py", RIGHT)]), &[("pytest-asyncio", "0.17.0")]);
    assert_ne!(refused(&old, log).code, RefusalCode::LibraryFault);
}

const RELAY: &str = "\
import asyncio
import sys


async def relay(name):
    process = await asyncio.create_subprocess_exec(*sys.argv[1:], stdout=asyncio.subprocess.PIPE)
    async for line in process.stdout:
        print(name, '|', line.decode(), end='')
    await process.wait()


asyncio.run(relay('billing'))
";

#[test]
fn a_relay_quotes_another_program() {
    let log = "\
billing | 2025-03-02T10:12:01 ERROR billing.worker shutdown failed
billing | Traceback (most recent call last):
billing |   File \"/opt/billing/worker.py\", line 88, in shutdown
billing |     self.loop.run_until_complete(self.pool.close())
billing | RuntimeError: Event loop is closed
billing | 2025-03-02T10:12:01 ERROR asyncio Task was destroyed but it is pending!
";
    let refused = refused(&tree(&[("relay.py", RELAY)]), log);
    assert_eq!(refused.code, RefusalCode::NoSource);
    assert!(refused.message.contains("`billing`") && refused.message.contains("/opt/billing/worker.py"));
}

#[test]
fn all_frames_in_another_project() {
    let log = "\
Traceback (most recent call last):
  File \"/home/ann/other/jobs/run.py\", line 4, in main
    loop.run_until_complete(work())
  File \"/usr/lib/python3.11/asyncio/base_events.py\", line 520, in _check_closed
    raise RuntimeError('Event loop is closed')
RuntimeError: Event loop is closed
";
    assert_eq!(refused(&tree(&[("feed.py", RIGHT)]), log).code, RefusalCode::NoSource);
    let explained = explain(log.as_bytes(), Some(&tree(&[("feed.py", RIGHT)])));
    let refused = explained.incidents[0].refused.as_ref().expect("it is refused");
    assert_eq!(refused.code, RefusalCode::NoSource);
}

#[test]
fn another_version_of_the_source() {
    let log = "\
Traceback (most recent call last):
  File \"/srv/feed.py\", line 40, in collect
RuntimeError: Event loop is closed
";
    let refused = refused(&tree(&[("feed.py", RIGHT)]), log);
    assert_eq!(refused.code, RefusalCode::NoSource);
    assert!(refused.message.contains("another version"), "{}", refused.message);
}

const REFUSES: &str = "\
import asyncio
import logging
import threading

log = logging.getLogger(__name__)


class Background:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def submit(self, function, *args):
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError as error:
            log.warning('job refused, the service is stopping: %s: %s', type(error).__name__, error)
            return False
        return True
";

#[test]
fn a_closed_loop_refuses_work_by_design() {
    let project = tree(&[("background.py", REFUSES)]);
    for line in [
        "WARNING:background:job refused, the service is stopping: RuntimeError: Event loop is closed\n",
        "WARNING:background:job refused, the service is stopping: Event loop is closed\ndone\n",
    ] {
        let refused = refused(&project, line);
        assert!(matches!(refused.code, RefusalCode::ProgramIsRight | RefusalCode::NotOurs), "{refused:?}");
    }
}

#[test]
fn a_test_makes_sure_that_a_closed_loop_refuses_work() {
    let project = tree(&[
        (
            "test_late.py",
            "\
import asyncio
import pytest

from late import Late


def test_refuses():
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError, match='Event loop is closed'):
        loop.run_until_complete(asyncio.sleep(0))


def test_owner_refuses():
    late = Late()
    late.close()
    with pytest.raises(RuntimeError):
        late.call(asyncio.sleep(0))
",
        ),
        (
            "late.py",
            "\
import asyncio


class Late:
    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def call(self, work):
        return self.loop.run_until_complete(work)

    def close(self):
        self.loop.close()
",
        ),
    ]);
    let log = "\
late.py:11: in call
RuntimeError: Event loop is closed
";
    let refused = refused(&project, log);
    assert!(matches!(refused.code, RefusalCode::ProgramIsRight | RefusalCode::NotOurs), "{refused:?}");
}

#[test]
fn a_project_that_calls_a_library_as_documented() {
    let main = "\
import nest_asyncio
import uvicorn

nest_asyncio.apply()

if __name__ == '__main__':
    uvicorn.run('app:app')
";
    let log = "\
Traceback (most recent call last):
  File \"/app/main.py\", line 7, in <module>
    uvicorn.run('app:app')
  File \"/usr/local/lib/python3.12/site-packages/uvicorn/server.py\", line 67, in run
    return asyncio_run(self.serve(sockets=sockets), loop_factory=self.config.get_loop_factory())
TypeError: _patch_asyncio.<locals>.run() got an unexpected keyword argument 'loop_factory'
";
    let project = installed(tree(&[("main.py", main)]), &[("nest-asyncio", "1.6.0"), ("uvicorn", "0.36.0")]);
    let refused = refused(&project, log);
    assert_eq!(refused.code, RefusalCode::LibraryFault);
    assert!(refused.message.contains("nest_asyncio.apply()"), "{}", refused.message);
    // An older uvicorn does not have it: something else is wrong.
    let project = installed(tree(&[("main.py", main)]), &[("nest-asyncio", "1.6.0"), ("uvicorn", "0.35.0")]);
    assert_ne!(self::refused(&project, log).code, RefusalCode::LibraryFault);
}

const SERVER: &str = "\
from aiohttp import web


async def rows(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    for number in range(1000):
        await answer.write(b'%d' % number)
    return answer


app = web.Application()
app.router.add_get('/rows', rows)
web.run_app(app)
";

#[test]
fn clients_that_hang_up() {
    let log = "\
Error handling request
Traceback (most recent call last):
  File \"/usr/lib/python3.12/site-packages/aiohttp/web_protocol.py\", line 480, in _handle_request
    resp = await request_handler(request)
  File \"/app/server.py\", line 8, in rows
    await answer.write(b'%d' % number)
  File \"/usr/lib/python3.12/site-packages/aiohttp/http_writer.py\", line 104, in _writelines
    raise ClientConnectionResetError(\"Cannot write to closing transport\")
aiohttp.client_exceptions.ClientConnectionResetError: Cannot write to closing transport
";
    let refused = refused(&tree(&[("server.py", SERVER)]), log);
    assert_eq!(refused.code, RefusalCode::ProgramIsRight);
    assert!(refused.message.contains("`rows` in server.py"), "{}", refused.message);
}

#[test]
fn an_error_of_something_else() {
    let log = "\
Traceback (most recent call last):
  File \"/app/feed.py\", line 9, in main
    print(await answer.text())
KeyError: 'total'
";
    assert_eq!(refused(&tree(&[("feed.py", RIGHT)]), log).code, RefusalCode::NotOurs);
}

#[test]
fn a_log_without_an_error() {
    let refused = refused(&tree(&[("feed.py", RIGHT)]), "INFO started\nINFO stopped\n");
    assert_eq!(refused.code, RefusalCode::NotOurs);
    assert!(explain(b"INFO started\n", None).incidents.is_empty());
}

#[test]
fn a_dropped_task_shows_only_in_what_is_missing() {
    let project = tree(&[(
        "shop.py",
        "\
import asyncio


async def note(order):
    await asyncio.sleep(0.1)
    with open('orders.txt', 'a') as out:
        out.write(order)


async def accept(orders):
    for order in orders:
        asyncio.create_task(note(order))
    print('orders accepted:', len(orders))


asyncio.run(accept(['a', 'b']))
",
    )]);
    let of_it = fix(&project, Some(b"orders accepted: 2\n0 of 2 orders noted\n"), FixOptions::default());
    assert_eq!(of_it.diagnosis.map(|diagnosis| diagnosis.cause).as_deref(), Some("dropped-task"));
    // A text that this program does not print says nothing of it.
    assert_eq!(refused(&project, "INFO started\nINFO stopped\n").code, RefusalCode::NotOurs);
}

#[test]
fn a_library_to_blame_has_its_bound_raised_when_asked() {
    let versions = [("pytest-asyncio", "0.21.1"), ("pytest", "8.2.0")];
    let mut project = installed(tree(&[("feed.py", RIGHT)]), &versions);
    project.configs = vec![ConfigFile {
        path: "pyproject.toml".to_owned(),
        text: "[project]\nname = \"feed\"\n\n[dependency-groups]\ndev = [\"pytest>=8\", \"pytest-asyncio~=0.21.0\"]\n".into(),
    }];
    assert_eq!(refused(&project, FIXTURE_DEF).code, RefusalCode::LibraryFault);
    let asked = FixOptions { unsafe_fixes: true };
    let mended = fix(&project, Some(FIXTURE_DEF.as_bytes()), asked);
    assert!(mended.refused.is_none());
    let patch = mended.patch.expect("the bound is raised");
    assert_eq!(patch.files.len(), 1);
    assert!(patch.files[0].after.contains("\"pytest-asyncio~=0.21.2\""), "{}", patch.files[0].after);
    // Where nothing asks for the library, the answer is the advice.
    project.configs.clear();
    let mended = fix(&project, Some(FIXTURE_DEF.as_bytes()), asked);
    assert_eq!(mended.refused.map(|refused| refused.code), Some(RefusalCode::LibraryFault));
    assert!(mended.patch.is_none());
}
