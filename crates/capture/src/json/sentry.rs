//! Events of the Sentry SDK.

use loopmend_model::{Frame, Link, Raised};
use serde_json::{Map, Value};

use super::{number, string};
use crate::block::raised;

/// What stands in an event beside the error: what the program said before, other threads, the machine.
const BESIDE: [&str; 9] =
    ["breadcrumbs", "threads", "contexts", "request", "modules", "sdk", "tags", "debug_meta", "user"];

/// Whether a part of an object tells nothing of its error.
pub(super) fn is_beside(of: &Map<String, Value>, key: &str) -> bool {
    BESIDE.contains(&key)
        && ["event_id", "exception", "logentry", "platform"].iter().any(|known| of.contains_key(*known))
}

/// The exceptions of an event, or of a part of one; they stand in the order they were raised.
pub(super) fn exceptions(map: &Map<String, Value>) -> Option<Vec<Raised>> {
    let inner = map.get("exception").unwrap_or_else(|| map.get("values").unwrap_or(&Value::Null));
    let list = inner.get("values").unwrap_or(inner).as_array()?;
    let mut chain = Vec::new();
    for entry in list {
        chain.push(exception(entry.as_object()?, chain.is_empty())?);
    }
    (!chain.is_empty()).then_some(chain)
}

fn exception(map: &Map<String, Value>, first: bool) -> Option<Raised> {
    let get = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or("");
    let frames = map.get("stacktrace").and_then(|stack| stack.get("frames")).and_then(Value::as_array);
    if get("type").is_empty() || !map.contains_key("value") {
        return None;
    }
    let kind = match get("module") {
        "" | "builtins" => get("type").to_owned(),
        module => format!("{module}.{}", get("type")),
    };
    let mut one = raised(&kind, get("value"));
    one.frames = frames.into_iter().flatten().map(frame).collect();
    let mechanism = map.get("mechanism");
    let how = mechanism.and_then(|mechanism| mechanism.get("source")).and_then(Value::as_str).unwrap_or("");
    one.link = match how {
        _ if first => Link::First,
        how if how.starts_with("exceptions[") => Link::GroupMember,
        "__cause__" => Link::CausedBy,
        _ => Link::DuringHandling,
    };
    Some(one)
}

fn frame(frame: &Value) -> Frame {
    let path = string(frame, "abs_path");
    let source = Some(string(frame, "context_line").trim().to_owned()).filter(|line| !line.is_empty());
    Frame {
        path: if path.is_empty() { string(frame, "filename") } else { path },
        line: number(frame, "lineno"),
        function: string(frame, "function"),
        source,
    }
}
