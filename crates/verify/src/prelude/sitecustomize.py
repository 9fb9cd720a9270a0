"""Loaded by loopmend when a Python process of a proof starts; it notes what the program starts and leaves behind.

It changes nothing: no output, no import that the program does not make itself. The notes go to the file LOOPMEND_REPORT,
a line each: the process's number, the kind, and fields parted by tabs.
"""

import os
import sys


def _field(value):
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


class _Notes:
    """The file of notes; a forked child opens it again."""

    def __init__(self, path, root):
        self.path = path
        self.root = os.path.join(os.path.realpath(root), "")
        self.pid = None
        self.file = None
        self.known = {}

    def write(self, kind, *fields):
        try:
            if self.pid != os.getpid():
                self.pid = os.getpid()
                self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
            line = "\t".join([str(self.pid), kind, *map(_field, fields)]) + "\n"
            os.write(self.file, line.encode("utf-8", "replace"))
        except Exception:
            pass

    def own(self, path):
        """The path in the project, None for other code."""
        found = self.known.get(path)
        if found is None:
            whole = os.path.realpath(path)
            inside = whole.startswith(self.root) and "site-packages" not in whole
            found = self.known[path] = whole[len(self.root):] if inside else ""
        return found or None


def _left(notes, loop):
    """Notes the tasks that the loop's end finds at work."""
    tasks = sys.modules.get("asyncio.tasks")
    if tasks is None:
        return
    for task in tasks.all_tasks(loop):
        if task.done() or getattr(task, "_loopmend", False) or id(task) in notes.seen:
            continue
        notes.seen.add(id(task))
        coroutine = task.get_coro()
        code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
        path, line = (code.co_filename, code.co_firstlineno) if code else ("", 0)
        made = next(
            ((notes.own(frame.filename), frame.lineno) for frame in reversed(getattr(task, "_source_traceback", None) or ())
             if notes.own(frame.filename)),
            ("", 0),
        )
        notes.write("left", getattr(coroutine, "__qualname__", "?"), notes.own(path) or "", line, *made)


def _watch_runners(notes, module):
    inner = getattr(module, "_cancel_all_tasks", None)
    if inner is None:
        return

    def _cancel_all_tasks(loop):
        _left(notes, loop)
        return inner(loop)

    module._cancel_all_tasks = _cancel_all_tasks


def _watch_loops(notes, module):
    inner = module.BaseEventLoop.close

    def close(self):
        if not self.is_closed() and not self.is_running():
            _left(notes, self)
        return inner(self)

    module.BaseEventLoop.close = close


def _watch_unittest(notes, module):
    kinds = {
        "startTest": "started", "addSuccess": "passed", "addFailure": "failed", "addError": "error", "addSkip": "skipped",
        "addExpectedFailure": "xfailed", "addUnexpectedSuccess": "xpassed",
    }
    for name, kind in kinds.items():
        inner = getattr(module.TestResult, name, None)
        if inner is None:
            continue

        def noted(self, test, *rest, inner=inner, kind=kind):
            identity = getattr(test, "id", None)
            if identity is not None:
                notes.write("collected" if kind == "started" else "test", identity(), kind)
            return inner(self, test, *rest)

        setattr(module.TestResult, name, noted)

    inner = getattr(module.TestResult, "addSubTest", None)
    if inner is not None:
        def add_sub_test(self, test, subtest, err):
            if err is not None:
                notes.write("test", test.id(), "failed")
            return inner(self, test, subtest, err)

        module.TestResult.addSubTest = add_sub_test


def _trace_memory():
    """Lets warnings of open objects say where they were made; while libraries are imported it would cost seconds."""
    import tracemalloc

    if not tracemalloc.is_tracing():
        tracemalloc.start(5)


def _trace_calls(notes):
    """Notes each function of the project the first time it starts."""
    seen = set()

    def first(code):
        if code not in seen:
            seen.add(code)
            path = notes.own(code.co_filename) if code.co_filename[:1] != "<" else None
            if path:
                if code.co_name != "<module>":
                    _trace_memory()
                notes.write("ran", path, getattr(code, "co_qualname", code.co_name), code.co_firstlineno)

    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None:
        tool = 4
        try:
            monitoring.use_tool_id(tool, "loopmend")
        except ValueError:
            return None

        def started(code, offset):
            first(code)
            return monitoring.DISABLE

        monitoring.register_callback(tool, monitoring.events.PY_START, started)
        monitoring.set_events(tool, monitoring.events.PY_START)
        return None

    def called(frame, event, argument):
        first(frame.f_code)

    sys.settrace(called)
    return called


def _fail(notes, rule):
    """Makes a step fail that a log says had failed: `module|function|exception|message|file|function of the project`."""
    name, function, kind, message, path, caller = rule.split("|", 5)

    def error():
        import builtins

        module, _, last = kind.rpartition(".")
        found = getattr(builtins, kind, None) if not module else None
        if found is None and module:
            try:
                found = getattr(__import__(module, fromlist=[last]), last, None)
            except ImportError:
                found = None
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            found = OSError
        if issubclass(found, OSError):
            return found(111, message)
        try:
            return found(message)
        except TypeError:
            return found.__new__(found, message)

    def asked():
        frame = sys._getframe(2)
        for _ in range(12):
            if frame is None:
                return False
            if frame.f_code.co_name == caller and notes.own(frame.f_code.co_filename) == path:
                return True
            frame = frame.f_back
        return False

    def failing(inner):
        import functools
        import inspect

        if inspect.iscoroutinefunction(inner):
            @functools.wraps(inner)
            async def step(*args, **kwargs):
                if asked():
                    raise error()
                return await inner(*args, **kwargs)
        else:
            @functools.wraps(inner)
            def step(*args, **kwargs):
                if asked():
                    raise error()
                return inner(*args, **kwargs)
        return step

    def act(module):
        for holder in [module, *[value for value in vars(module).values() if isinstance(value, type)]]:
            inner = vars(holder).get(function)
            if callable(inner) and not isinstance(inner, type):
                setattr(holder, function, failing(inner))

    return name, act


class _Finder:
    """Acts on a module right after its own code has run."""

    def __init__(self, acts):
        self.acts = acts

    def find_spec(self, name, path=None, target=None):
        act = self.acts.pop(name, None)
        if act is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self.follow(spec, act)
                return spec
        return None

    @staticmethod
    def follow(spec, act):
        loader = spec.loader
        inner = getattr(loader, "exec_module", None)
        if inner is None:
            return

        def exec_module(module):
            try:
                del loader.exec_module
            except AttributeError:
                pass
            inner(module)
            try:
                act(module)
            except Exception:
                pass

        try:
            loader.exec_module = exec_module
        except AttributeError:
            pass


def _start():
    report, root = os.environ.get("LOOPMEND_REPORT"), os.environ.get("LOOPMEND_ROOT")
    if not report or not root:
        return
    notes = _Notes(report, root)
    notes.seen = set()
    acts = {
        "asyncio.runners": lambda module: _watch_runners(notes, module),
        "asyncio.base_events": lambda module: _watch_loops(notes, module),
        "unittest.result": lambda module: _watch_unittest(notes, module),
    }
    for rule in filter(None, os.environ.get("LOOPMEND_FAIL", "").split("\n")):
        name, act = _fail(notes, rule)
        acts[name] = act
    try:
        with open("/proc/self/cmdline", "rb") as file:
            command = file.read().decode("utf-8", "replace").rstrip("\0").split("\0")
    except OSError:
        command = [sys.executable]
    notes.write("start", *command)
    if os.environ.get("LOOPMEND_WATCH"):
        called = _trace_calls(notes)
        if called is not None:
            acts["threading"] = lambda module: module.settrace(called)
    for name in list(acts):
        if name in sys.modules:
            acts.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _Finder(acts))
    import atexit

    atexit.register(notes.write, "end")


def _next():
    """The sitecustomize that would have been loaded without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [path for path in sys.path if os.path.abspath(path or ".") != here]
    from _frozen_importlib_external import PathFinder

    spec = PathFinder.find_spec("sitecustomize", rest)
    if spec is None or spec.loader is None:
        return
    module = type(sys)("sitecustomize")
    module.__spec__, module.__file__, module.__loader__ = spec, spec.origin, spec.loader
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _start()
finally:
    _next()
