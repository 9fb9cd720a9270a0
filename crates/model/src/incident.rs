//! What Python told of one failure.

use serde::{Deserialize, Serialize};

/// One failure as Python printed it, possibly seen several times in the same text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// How often this same incident stands in the text; at least 1.
    pub count: usize,
    /// Ids of the symptoms recognised in it (`symptoms.toml`), the most telling first.
    pub symptoms: Vec<String>,
    /// The messages that matched a symptom, one for each of `symptoms`, one line each.
    pub messages: Vec<String>,
    /// The exceptions in the order they were raised: the first one is the first to have happened.
    /// Members of an exception group follow the group they were raised in.
    pub exceptions: Vec<Raised>,
    /// Where Python says the object or task was created (asyncio debug, tracemalloc, coroutine origin),
    /// outermost frame first.
    pub created: Vec<Frame>,
    /// What the message is about: a task, a coroutine, a session, a fixture.
    pub subjects: Vec<Subject>,
    /// By which way it was told.
    pub channel: Channel,
    /// The thread named by `Exception in thread NAME`, or by a message (`no current event loop in thread 'NAME'`).
    pub thread: Option<String>,
    /// The service, container or unit that a log's prefix names (`api-1  | `): another program than the reader's may be speaking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The pytest test (or the one whose fixture) named by the section it stands in.
    pub test: Option<String>,
    /// First and last line of the text that it was read from, counted from 1; of the first copy if `count > 1`.
    pub lines: (usize, usize),
}

/// One exception of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// The class as printed, dotted where Python prints it dotted.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message, lines joined by `\n`; empty where there is none.
    pub message: String,
    /// Outermost call first, as Python prints it.
    pub frames: Vec<Frame>,
    /// How it belongs to the exception before it in the list.
    pub link: Link,
    /// Notes added with `add_note`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How an exception belongs to the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// It stands alone, or first.
    #[default]
    First,
    /// "The above exception was the direct cause of the following exception".
    CausedBy,
    /// "During handling of the above exception, another exception occurred".
    DuringHandling,
    /// A member of the exception group before it.
    GroupMember,
}

/// One frame of a traceback or of a creation stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// The path as printed, on the machine that printed it.
    pub path: String,
    /// Line, counted from 1; 0 where none is printed.
    pub line: u32,
    /// The function's name, qualified where Python prints it qualified; `<module>` at the top level.
    pub function: String,
    /// The source line below the frame, trimmed, where one is printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// By which way Python told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A traceback that ended the program or was logged.
    #[default]
    Exception,
    /// The `warnings` module.
    Warning,
    /// A record of the `asyncio` logger or another one.
    Log,
    /// `Exception ignored in …`: raised where nobody can catch it.
    Unraisable,
    /// `Exception in thread …`.
    Thread,
    /// A section of a pytest report.
    Pytest,
    /// A line of an application server (uvicorn, gunicorn, hypercorn).
    Server,
}

/// What a message is about, read from a `repr`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its name: the coroutine's qualified name, the class, the fixture.
    pub name: String,
    /// Where it is defined or was running, where the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Frame>,
}

/// The kinds of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectKind {
    /// `<Task …>`; the name is the coroutine's.
    Task,
    /// `coroutine 'X'`.
    Coroutine,
    /// An object with a life: a session, a connector, a transport; the name is its class.
    Resource,
    /// A pytest fixture.
    Fixture,
    /// A function whose call was ignored: `Exception ignored in: <function X.__del__ …>`.
    Function,
    /// An attribute that was missing: `'State' object has no attribute 'pool'`.
    Attribute,
}
