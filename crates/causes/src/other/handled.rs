//! Clients that hang up.

use loopmend_model::Incident;
use loopmend_python::lifecycle::Lifecycle;

use crate::place::{Match, locate};

/// What is raised where the other side of a connection is gone, by the last part of its name.
const GONE: &[&str] = &[
    "ConnectionResetError",
    "ClientConnectionResetError",
    "ConnectionAbortedError",
    "BrokenPipeError",
    "ClientDisconnect",
    "ClientDisconnected",
    "WebSocketDisconnect",
    "ConnectionClosedOK",
    "ConnectionClosedError",
];

/// Files of servers that call a handler for each client, as they stand in a traceback.
const SERVERS: &[&str] = &[
    "aiohttp/web_protocol.py",
    "uvicorn/protocols/",
    "hypercorn/",
    "daphne/",
    "granian/",
    "sanic/",
    "quart/",
    "starlette/routing.py",
    "tornado/web.py",
    "websockets/asyncio/server.py",
    "websockets/legacy/server.py",
];

/// The project's handler that was answering a client which hung up, in words.
pub(super) fn hung_up(life: &Lifecycle, incident: &Incident) -> Option<String> {
    let raised = incident.exceptions.last()?;
    let kind = raised.kind.rsplit('.').next().unwrap_or(&raised.kind);
    if !GONE.contains(&kind) || incident.exceptions.iter().any(|other| !is_gone(&other.kind)) {
        return None;
    }
    let serves = raised.frames.iter().any(|frame| {
        let path = frame.path.replace('\\', "/");
        SERVERS.iter().any(|server| path.contains(server))
    });
    // `asyncio.start_server` calls its handler from a task, with no frame of its own.
    let by_streams = incident.messages.iter().any(|message| message.contains("client_connected_cb"));
    if !serves && !by_streams {
        return None;
    }
    // The innermost frame is a library's: what was written to is closed; the nearest of the project's is the handler.
    let inner = raised.frames.last()?;
    if matches!(locate(life, inner), Match::Function(_)) {
        return None;
    }
    raised.frames.iter().rev().find_map(|frame| match locate(life, frame) {
        Match::Function(function) => {
            let facts = life.facts(function.file);
            Some(format!("`{}` in {}", facts.function(function.id).qualname, facts.path))
        }
        _ => None,
    })
}

fn is_gone(kind: &str) -> bool {
    let kind = kind.rsplit('.').next().unwrap_or(kind);
    GONE.contains(&kind) || matches!(kind, "OSError" | "IncompleteReadError" | "CancelledError")
}
