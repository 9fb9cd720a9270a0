//! The lines at which a block begins.

use std::sync::LazyLock;

use loopmend_model::Channel;
use memchr::memmem::Finder;

use crate::block::{Block, Mode, Shape, raised};
use crate::ipython::Notebook;
use crate::rich::Panel;
use crate::symptom::{self, Hit};
use crate::{exception, frame, repr, trigger, warning};

const HEADER: &str = "Traceback (most recent call last)";

static HEADER_SEARCH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(HEADER));

/// Where a line speaks of a traceback, and what follows the words.
pub(crate) fn header(line: &str) -> Option<(usize, &str)> {
    let at = HEADER_SEARCH.find(line.as_bytes())?;
    Some((at, &line[at + HEADER.len()..]))
}

/// Whether the line is the first one of a traceback, in any of its forms.
pub(crate) fn is_header(line: &str) -> bool {
    before_header(line).is_some()
}

/// What stands before the header, if nothing but box lines stands after it.
fn before_header(line: &str) -> Option<&str> {
    let (at, after) = header(line)?;
    let after = after.trim();
    let over = matches!(after, "" | ":") || after.chars().all(|c| matches!(c, '─' | '╮' | '-' | '+' | ' '));
    (over && !line[..at].ends_with(['"', '\'', '`', '('])).then_some(&line[..at])
}

/// Begins a block, if the line is one's first.
pub(crate) fn open(line: &str, number: usize) -> Option<Block> {
    if !trigger::is_in(line) {
        return None;
    }
    if let Some(before) = before_header(line) {
        return Some(traceback(line, before, number));
    }
    unraisable(line, number)
        .or_else(|| thread(line, number))
        .or_else(|| warning::open(line, number))
        .or_else(|| headless(line, number))
        .or_else(|| message(line, number))
}

/// Whether a block would begin at the line.
pub(crate) fn is_open(line: &str) -> bool {
    open(line, 0).is_some()
}

fn traceback(line: &str, before: &str, number: usize) -> Block {
    if line.contains('╭') || before.trim_start().starts_with("+--") {
        return Block::new(Channel::Exception, Mode::Rich(Panel::new(line)), number);
    }
    if let Some(notebook) = Notebook::open(line) {
        return Block::new(Channel::Exception, Mode::Notebook(notebook), number);
    }
    let mut block = Block::new(Channel::Exception, Mode::Frames, number);
    let before = before.strip_suffix("Exception Group ").unwrap_or(before);
    if let Some(margin) = before.strip_suffix("+ ") {
        block.group = true;
        block.shape = Shape::new(margin.trim_end());
    } else {
        block.shape = Shape::new(before);
    }
    if before.starts_with("ERROR:    ") {
        block.incident.channel = Channel::Server;
    }
    block
}

/// Whether the text before a message leaves it a message: not a quotation.
fn is_said(line: &str, at: usize) -> bool {
    !line[..at].ends_with(['"', '\'', '`', '(', '/'])
}

fn unraisable(line: &str, number: usize) -> Option<Block> {
    let at = line
        .find("Exception ignored ")
        .or_else(|| line.find("Error in atexit._run_exitfuncs:"))
        .filter(|at| is_said(line, *at))?;
    if !["in", "while", "on"].iter().any(|word| line[at..]["Exception ignored ".len()..].starts_with(word))
        && !line[at..].starts_with("Error in atexit")
    {
        return None;
    }
    let mut block = Block::new(Channel::Unraisable, Mode::Expect, number);
    block.see(line);
    warned(line, at, &mut block);
    Some(block)
}

/// `…Warning: Exception ignored in …`: the warning counts only if no traceback follows.
fn warned(line: &str, at: usize, block: &mut Block) {
    if let Some(read) = warning::parse(line)
        && read.end <= at
    {
        block.loose = Some(raised(read.category, read.message));
    }
}

fn thread(line: &str, number: usize) -> Option<Block> {
    const WORDS: &str = "Exception in thread ";
    let at = line.find(WORDS).filter(|at| is_said(line, *at))?;
    let read = warning::parse(line).is_some();
    let name = line[at + WORDS.len()..].trim_end();
    if !read && !name.ends_with(':') {
        return None;
    }
    let mut block = Block::new(Channel::Thread, Mode::Expect, number);
    block.see(line);
    block.incident.thread = Some(name.trim_end_matches(':').to_owned());
    warned(line, at, &mut block);
    Some(block)
}

/// Frames whose header is missing, or a syntax error, which has none.
fn headless(line: &str, number: usize) -> Option<Block> {
    let start = line.trim_start();
    let framed = start.starts_with("File \"") && frame::python(line).is_some();
    if !framed && !start.starts_with("[Previous line repeated ") {
        return None;
    }
    let mut block = Block::new(Channel::Exception, Mode::Frames, number);
    if framed {
        block.line(line, number);
    }
    Some(block)
}

/// A message known by a symptom.
fn message(line: &str, number: usize) -> Option<Block> {
    let hits: Vec<Hit> = symptom::hits(line).into_iter().filter(|hit| stands(line, hit)).collect();
    let first = hits.first()?;
    if let Some(rest) = creation(line.trim()) {
        let mut block = Block::new(Channel::Log, Mode::Created, number);
        block.see(rest);
        return Some(block);
    }
    let channel = match first.symptom.channel {
        "exception" if line[..first.start].trim().is_empty() => Channel::Exception,
        "warning" => Channel::Warning,
        "unraisable" => Channel::Unraisable,
        _ if ["uvicorn-", "gunicorn-"].iter().any(|server| first.symptom.id.starts_with(server)) => {
            Channel::Server
        }
        _ => Channel::Log,
    };
    let mut block = Block::new(channel, Mode::Context, number);
    if channel == Channel::Exception
        && let Some((kind, message)) = exception::parse(line.trim())
        && exception::is_telling(kind)
    {
        block.close(kind, message);
        return Some(block);
    }
    block.see(line);
    if let Some((kind, message)) = hits
        .iter()
        .filter(|hit| hit.symptom.channel == "exception")
        .find_map(|hit| exception::around(line, hit.start))
        .or_else(|| repr::exception(line))
    {
        block.loose = Some(raised(kind, message));
    }
    Some(block)
}

/// Whether a symptom's words stand where a message stands.
fn stands(line: &str, hit: &Hit) -> bool {
    let start = hit.start + (line[hit.start..].len() - line[hit.start..].trim_start().len());
    if hit.symptom.id == "aiohttp-detail-line" {
        return line.contains(" at 0x") || line.contains("<Task") || line.contains("<Future");
    }
    // `raise CancelledError` is code, wherever it was quoted.
    const CODE: [&str; 7] = ["raise", "except", "import", "return", "from", "=", ","];
    let code = hit.symptom.channel == "exception" && {
        let before = line[..start]
            .trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_'))
            .trim_end();
        CODE.iter().any(|word| before.ends_with(word))
    };
    !code && is_said(line, start)
}

/// `source_traceback: Object created at (most recent call last):` and its likes; gives the line.
pub(crate) fn creation(line: &str) -> Option<&str> {
    const STACKS: [&str; 4] =
        ["Object created at", "Handle created at", "Coroutine created at", "Object allocated at"];
    let rest = line
        .strip_prefix("source_traceback: ")
        .or_else(|| line.strip_prefix("handle_traceback: "))
        .unwrap_or(line);
    (STACKS.iter().any(|stack| rest.starts_with(stack)) && rest.contains("(most recent call last)"))
        .then_some(line)
}

/// Whether the line is one of the context lines of asyncio's exception handler: `task: <…>`.
pub(crate) fn is_context(line: &str) -> bool {
    const KEYS: [&str; 22] = [
        "task",
        "future",
        "handle",
        "client_session",
        "connector",
        "connections",
        "client_connection",
        "client_response",
        "protocol",
        "transport",
        "asyncgen",
        "producer",
        "consumer",
        "connection",
        "executor",
        "exception",
        "message",
        "context",
        "socket",
        "server",
        "event_loop",
        "stream",
    ];
    line.split_once(": ").is_some_and(|(key, _)| KEYS.contains(&key))
}
