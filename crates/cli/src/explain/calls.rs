//! What a frame's call means: the parts of Python and of common libraries that stand in loop tracebacks, and
//! the calls of a user's own line that matter to the loop.

use loopmend_model::Frame;

use super::owner;

/// A function known by the end of its file's path and its name, and what it does.
type Known = (&'static str, &'static str, &'static str);

const KNOWN: &[Known] = &[
    (
        "asyncio/runners.py",
        "run",
        "runs the coroutine in a loop that is closed when it ends; a second `asyncio.run` has another loop",
    ),
    ("asyncio/runners.py", "close", "ends the run: cancels what is left, then closes the loop"),
    (
        "asyncio/runners.py",
        "_cancel_all_tasks",
        "cancels the tasks that still run when the main one has ended",
    ),
    ("asyncio/runners.py", "_lazy_init", "makes the loop of this run"),
    ("asyncio/base_events.py", "run_until_complete", "drives the loop until this one coroutine has ended"),
    ("asyncio/base_events.py", "run_forever", "drives the loop until somebody stops it"),
    ("asyncio/base_events.py", "_run_once", "one round of the loop: runs the callbacks that are due"),
    ("asyncio/base_events.py", "_check_closed", "refuses to go on: this loop has been closed before"),
    ("asyncio/base_events.py", "_check_running", "refuses to start: a loop runs already in this thread"),
    ("asyncio/base_events.py", "call_soon", "asks the loop to call something in its next round"),
    ("asyncio/base_events.py", "_call_soon", "asks the loop to call something in its next round"),
    ("asyncio/base_events.py", "call_later", "asks the loop to call something after a delay"),
    ("asyncio/base_events.py", "call_at", "asks the loop to call something at a time"),
    (
        "asyncio/base_events.py",
        "call_soon_threadsafe",
        "asks the loop, from another thread, to call something",
    ),
    ("asyncio/base_events.py", "create_task", "gives a coroutine to the loop as a task"),
    ("asyncio/base_events.py", "create_connection", "opens a network connection that belongs to this loop"),
    ("asyncio/base_events.py", "create_server", "opens a listening socket that belongs to this loop"),
    ("asyncio/base_events.py", "run_in_executor", "hands a blocking call to a thread and waits in the loop"),
    ("asyncio/base_events.py", "sock_connect", "waits for a socket to connect"),
    (
        "asyncio/base_events.py",
        "_check_thread",
        "debug mode: the loop is used from a thread that is not its own",
    ),
    ("asyncio/base_events.py", "shutdown_asyncgens", "closes the async generators that were left half-way"),
    ("asyncio/base_events.py", "close", "closes the loop for good"),
    ("asyncio/base_events.py", "__del__", "the loop object is thrown away"),
    ("asyncio/base_events.py", "getaddrinfo", "looks a host name up"),
    ("asyncio/events.py", "_run", "the loop runs one callback"),
    ("asyncio/events.py", "get_event_loop", "looks for this thread's loop"),
    ("asyncio/events.py", "new_event_loop", "makes a loop"),
    ("asyncio/tasks.py", "create_task", "gives a coroutine to the running loop as a task"),
    ("asyncio/tasks.py", "ensure_future", "makes a task of a coroutine"),
    ("asyncio/tasks.py", "_ensure_future", "makes a task of a coroutine"),
    ("asyncio/tasks.py", "wait_for", "waits for something, with a time limit"),
    ("asyncio/tasks.py", "gather", "waits for several things together"),
    ("asyncio/tasks.py", "sleep", "waits, and lets others run"),
    ("asyncio/tasks.py", "__step", "the loop lets a task run to its next await"),
    ("asyncio/tasks.py", "__wakeup", "a task goes on, as what it waited for is there"),
    ("asyncio/futures.py", "result", "takes the result of a future, or the exception it ended with"),
    ("asyncio/futures.py", "set_result", "gives a future its result"),
    ("asyncio/futures.py", "__await__", "waits for a future"),
    ("asyncio/futures.py", "_get_loop", "finds the loop that a future belongs to"),
    (
        "asyncio/locks.py",
        "acquire",
        "waits for a lock; one that had to wait belongs to that loop from then on",
    ),
    ("asyncio/locks.py", "wait", "waits to be woken"),
    ("asyncio/mixins.py", "_get_loop", "checks that the object is used in the loop it belongs to"),
    ("asyncio/queues.py", "get", "waits for an item of a queue"),
    ("asyncio/queues.py", "put", "waits for room in a queue"),
    ("asyncio/streams.py", "close", "closes a stream: this needs the loop it was opened in"),
    ("asyncio/streams.py", "drain", "waits until the written bytes are on their way"),
    ("asyncio/streams.py", "read", "waits for bytes"),
    ("asyncio/streams.py", "readline", "waits for a line"),
    ("asyncio/streams.py", "wait_closed", "waits until a stream is closed"),
    ("asyncio/streams.py", "open_connection", "opens a connection that belongs to this loop"),
    ("asyncio/streams.py", "__del__", "a stream writer that was never closed is thrown away"),
    (
        "asyncio/selector_events.py",
        "close",
        "closes a connection: the loop is asked to call back, and must be open for that",
    ),
    (
        "asyncio/selector_events.py",
        "_force_close",
        "drops a connection: the loop is asked to call back, and must be open for that",
    ),
    ("asyncio/selector_events.py", "write", "sends bytes over a connection"),
    ("asyncio/selector_events.py", "__del__", "a connection that was never closed is thrown away"),
    ("asyncio/selector_events.py", "sock_connect", "waits for a socket to connect"),
    ("asyncio/selector_events.py", "_sock_connect_cb", "learns whether a socket has connected"),
    (
        "asyncio/proactor_events.py",
        "__del__",
        "Windows: a connection that was never closed is thrown away, after its loop",
    ),
    ("asyncio/proactor_events.py", "close", "Windows: closes a connection: the loop must be open for that"),
    ("asyncio/base_subprocess.py", "__del__", "a child process' transport is thrown away while still open"),
    ("asyncio/base_subprocess.py", "close", "closes the pipes of a child process"),
    ("asyncio/unix_events.py", "add_signal_handler", "sets what the loop does at a signal"),
    ("asyncio/sslproto.py", "close", "ends an encrypted connection: the loop must be open for that"),
    ("asyncio/timeouts.py", "__aenter__", "starts a time limit; it needs a task around it"),
    ("asyncio/timeouts.py", "__aexit__", "ends a time limit"),
    ("asyncio/taskgroups.py", "__aexit__", "waits for the tasks of a group, and raises what they raised"),
    ("asyncio/threads.py", "to_thread", "runs a blocking call in a thread"),
    ("contextlib.py", "__aenter__", "enters an `async with`"),
    ("contextlib.py", "__aexit__", "leaves an `async with`"),
    ("contextlib.py", "__enter__", "enters a `with`"),
    ("contextlib.py", "__exit__", "leaves a `with`"),
    ("threading.py", "run", "runs the thread's function"),
    ("threading.py", "_bootstrap_inner", "starts the thread"),
    ("concurrent/futures/thread.py", "run", "runs a call in a pool's thread"),
    ("concurrent/futures/_base.py", "result", "waits in this thread for a result"),
    ("uvloop/loop.pyx", "run_until_complete", "drives the loop until this one coroutine has ended"),
    ("uvloop/loop.pyx", "_check_closed", "refuses to go on: this loop has been closed before"),
    ("uvloop/loop.pyx", "call_soon", "asks the loop to call something in its next round"),
    ("uvicorn/main.py", "run", "starts the server, with a loop of its own"),
    ("uvicorn/main.py", "main", "the `uvicorn` command"),
    ("uvicorn/server.py", "run", "starts the server, with a loop of its own"),
    ("uvicorn/server.py", "serve", "the server's main coroutine"),
    ("uvicorn/server.py", "_serve", "loads the application, starts it, serves, and stops it"),
    ("uvicorn/config.py", "load", "imports the application"),
    ("uvicorn/lifespan/on.py", "main", "runs the application's start-up and shutdown"),
    ("uvicorn/protocols/http/h11_impl.py", "run_asgi", "answers one request"),
    ("uvicorn/protocols/http/httptools_impl.py", "run_asgi", "answers one request"),
    ("starlette/routing.py", "lifespan", "runs the application's start-up, waits, and runs its shutdown"),
    (
        "starlette/routing.py",
        "startup",
        "calls the start-up handlers one after the other; the first that fails ends the start",
    ),
    ("starlette/routing.py", "shutdown", "calls the shutdown handlers one after the other"),
    ("starlette/routing.py", "__aenter__", "enters the start-up"),
    ("starlette/routing.py", "__aexit__", "enters the shutdown"),
    (
        "starlette/datastructures.py",
        "__getattr__",
        "looks up an attribute of `app.state` that nobody has set",
    ),
    ("starlette/testclient.py", "__enter__", "starts the application for a test"),
    ("starlette/testclient.py", "__exit__", "stops the application after a test"),
    ("starlette/testclient.py", "request", "sends a test's request, in a loop of its own outside `with`"),
    ("fastapi/routing.py", "app", "answers one request"),
    ("fastapi/routing.py", "run_endpoint_function", "calls the route's function"),
    ("anyio/from_thread.py", "call", "calls into a loop that runs in another thread"),
    ("anyio/_backends/_asyncio.py", "run", "runs a coroutine in a loop that is closed when it ends"),
    (
        "asgiref/sync.py",
        "__call__",
        "the bridge between sync and async code; from sync code, each call may get a loop of its own",
    ),
    ("asyncpg/pool.py", "create_pool", "makes a pool of database connections"),
    ("asyncpg/pool.py", "_async__init__", "opens the pool's first connections"),
    ("asyncpg/pool.py", "_initialize", "opens the pool's first connections"),
    ("asyncpg/pool.py", "acquire", "takes a connection out of the pool"),
    ("asyncpg/pool.py", "_acquire", "takes a connection out of the pool"),
    ("asyncpg/pool.py", "release", "gives a connection back to the pool"),
    ("asyncpg/pool.py", "close", "closes all connections of the pool"),
    ("asyncpg/connect_utils.py", "_connect", "connects to the database"),
    ("asyncpg/connect_utils.py", "_connect_addr", "connects to one address of the database"),
    ("asyncpg/connection.py", "connect", "connects to the database"),
    ("asyncpg/connection.py", "_check_open", "refuses to go on: this connection is closed"),
    (
        "redis/asyncio/connection.py",
        "disconnect",
        "closes a connection: this needs the loop it was opened in",
    ),
    ("redis/asyncio/connection.py", "connect", "connects to the Redis server"),
    ("redis/asyncio/connection.py", "__del__", "a connection that was never closed is thrown away"),
    ("redis/asyncio/client.py", "__del__", "a client that was never closed is thrown away"),
    ("redis/asyncio/client.py", "execute_command", "sends a command over a connection of the client's pool"),
    (
        "httpcore/_async/connection_pool.py",
        "handle_async_request",
        "takes a kept-alive connection, or opens one",
    ),
    (
        "httpcore/_async/connection_pool.py",
        "_close_connections",
        "closes kept-alive connections: this needs the loop they were opened in",
    ),
    (
        "httpcore/_async/connection_pool.py",
        "aclose",
        "closes kept-alive connections: this needs the loop they were opened in",
    ),
    ("httpx/_client.py", "request", "sends a request over a connection that may have been kept alive"),
    ("httpx/_client.py", "send", "sends a request over a connection that may have been kept alive"),
    ("httpx/_client.py", "aclose", "closes the client with its connections"),
    ("aiohttp/client.py", "__init__", "makes a session, tied to the running loop"),
    ("aiohttp/client.py", "_request", "sends a request"),
    ("aiohttp/client.py", "__del__", "a session that was never closed is thrown away"),
    ("aiohttp/connector.py", "connect", "takes a kept-alive connection, or opens one"),
    ("aiohttp/connector.py", "close", "closes kept-alive connections"),
    ("aiohttp/connector.py", "__del__", "a connector that was never closed is thrown away"),
    ("aiohttp/helpers.py", "__enter__", "starts a time limit; it needs a task of its own loop around it"),
    ("aiohttp/web.py", "run_app", "starts the server, with a loop of its own"),
    (
        "sqlalchemy/util/_concurrency_py3k.py",
        "greenlet_spawn",
        "runs sync code that may await through a greenlet",
    ),
    ("sqlalchemy/util/concurrency.py", "greenlet_spawn", "runs sync code that may await through a greenlet"),
    ("sqlalchemy/util/_concurrency_py3k.py", "await_only", "waits in the loop, from sync code"),
    ("sqlalchemy/pool/base.py", "_do_get", "takes a database connection out of the engine's pool"),
    (
        "sqlalchemy/pool/base.py",
        "_finalize_fairy",
        "gives a database connection back, perhaps after its loop",
    ),
    ("pytest_asyncio/plugin.py", "inner", "runs an async test or fixture in the loop of its scope"),
    ("pytest_asyncio/plugin.py", "wrapper", "runs an async fixture in the loop of its scope"),
    ("pytest_asyncio/plugin.py", "setup", "runs an async fixture up to its `yield`"),
    ("pytest_asyncio/plugin.py", "finalizer", "runs an async fixture from its `yield` to its end"),
];

/// Calls on a user's own line, the telling ones first.
const WRITTEN: &[(&str, &str)] = &[
    ("asyncio.run(", "starts a new loop, runs this in it to its end, and closes the loop"),
    ("run_until_complete(", "drives the loop until this has ended"),
    ("run_forever(", "drives the loop until somebody stops it"),
    ("run_coroutine_threadsafe(", "hands a coroutine to a loop that runs in another thread"),
    ("async_to_sync(", "runs async code from sync code, in a loop that may end with the call"),
    ("uvicorn.run(", "starts the server, with a loop of its own"),
    ("web.run_app(", "starts the server, with a loop of its own"),
    ("create_task(", "starts a task; somebody must keep it and wait for it"),
    ("ensure_future(", "starts a task; somebody must keep it and wait for it"),
    ("get_event_loop(", "looks for this thread's loop; outside async code there may be none"),
    ("get_running_loop(", "takes the loop that runs this code; there must be one"),
    ("new_event_loop(", "makes a loop that you have to close"),
    ("loop.close(", "closes the loop for good"),
    ("gather(", "waits for several things together"),
    ("wait_for(", "waits, with a time limit"),
    ("create_pool(", "opens a pool whose connections belong to the running loop"),
    ("ClientSession(", "makes a session that belongs to the running loop and must be closed"),
    ("AsyncClient(", "makes a client whose kept-alive connections belong to the loop they are opened in"),
    ("aclose(", "closes it; this needs the loop it was opened in"),
    (".close(", "closes it; this may need the loop it was opened in"),
];

/// What the frame's call does, where it is known.
pub fn meaning(frame: &Frame) -> Option<&'static str> {
    match owner::of(&frame.path) {
        owner::Owner::Yours => {
            let source = frame.source.as_deref()?;
            WRITTEN.iter().find(|(call, _)| source.contains(call)).map(|(_, meaning)| *meaning)
        }
        owner::Owner::Library(_) | owner::Owner::Python => {
            let path = owner::short(&frame.path);
            // `Class.method` and `outer.<locals>.inner` are printed by newer Pythons.
            let function = frame.function.rsplit('.').next().unwrap_or(&frame.function);
            KNOWN
                .iter()
                .find(|(file, name, _)| *name == function && path.ends_with(file))
                .map(|(_, _, meaning)| *meaning)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internals_are_known() {
        let frame = |path: &str, function: &str| Frame {
            path: path.to_owned(),
            line: 1,
            function: function.to_owned(),
            source: None,
        };
        let closed = frame("/usr/lib/python3.11/asyncio/base_events.py", "BaseEventLoop._check_closed");
        assert!(meaning(&closed).is_some_and(|text| text.contains("closed before")));
        assert_eq!(meaning(&frame("/app/asyncio_tools.py", "run")), None);
    }

    #[test]
    fn a_users_line_is_read() {
        let frame = Frame {
            path: "/app/main.py".to_owned(),
            line: 9,
            function: "main".to_owned(),
            source: Some("asyncio.run(work())".to_owned()),
        };
        assert!(meaning(&frame).is_some_and(|text| text.starts_with("starts a new loop")));
    }
}
