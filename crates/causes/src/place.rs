//! From paths of the machine that printed them to files of the tree.

use loopmend_model::Frame;
use loopmend_python::facts::{FunctionId, MODULE, TextSize};
use loopmend_python::lifecycle::{FileId, FunctionRef, Lifecycle};

/// Where a frame is in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// In this function, by path and name (and source line where one is printed).
    Function(FunctionRef),
    /// Several files fit equally well.
    Ambiguous(Vec<FileId>),
    /// It is Python's own or an installed library's.
    Library,
    /// It is neither the tree's nor known to be a library's.
    Elsewhere,
}

/// Whether a path is Python's own or an installed package's.
pub fn is_library(path: &str) -> bool {
    let path = path.replace('\\', "/");
    path.contains("/site-packages/")
        || path.contains("/dist-packages/")
        || path.starts_with('<')
        || path.ends_with(".pyx")
        || path.ends_with(".pxi")
        || path.ends_with(".pxd")
        || standard(&path).is_some()
}

/// The part of a path below the standard library's folder: `asyncio/base_events.py`.
pub fn standard(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    if path.contains("/site-packages/") || path.contains("/dist-packages/") {
        return None;
    }
    for mark in ["/lib/python3", "/lib64/python3", "/lib/pypy3"] {
        if let Some((_, rest)) = path.split_once(mark) {
            return rest.split_once('/').map(|(_, below)| below.to_owned());
        }
    }
    // Windows has `C:\Python312\Lib\asyncio\runners.py`; conda there has `C:\conda\Lib\asyncio\runners.py`.
    let lower = path.to_ascii_lowercase();
    let at = lower.find("/lib/")?;
    let below = &path[at + "/lib/".len()..];
    let known = lower[..at].contains("python")
        || (is_windows(&path)
            && ["asyncio/", "concurrent/", "importlib/", "unittest/"].iter().any(|own| below.starts_with(own)));
    known.then(|| below.to_owned())
}

/// Whether a path was printed on Windows.
pub fn is_windows(path: &str) -> bool {
    let mut start = path.chars();
    path.contains('\\')
        || (start.next().is_some_and(|drive| drive.is_ascii_alphabetic()) && start.next() == Some(':'))
}

/// Finds a frame in the tree: the file with the longest tail in common, checked by the function's name and the source line.
pub fn locate(life: &Lifecycle, frame: &Frame) -> Match {
    if is_library(&frame.path) {
        return Match::Library;
    }
    let path = frame.path.replace('\\', "/");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let Some(last) = parts.last() else { return Match::Elsewhere };
    let mut best: Vec<(usize, FileId)> = Vec::new();
    for file in life.files() {
        let own = &life.facts(file).path;
        if own.rsplit('/').next() != Some(last) {
            continue;
        }
        let common =
            own.rsplit('/').zip(parts.iter().rev()).take_while(|(left, right)| left == *right).count();
        // The whole of the tree's path, or two parts at least, must agree, unless the name is all there is.
        let whole = common == own.split('/').count() || common == parts.len();
        if whole || common >= 2 {
            best.push((common, file));
        }
    }
    let Some(longest) = best.iter().map(|(common, _)| *common).max() else { return Match::Elsewhere };
    let mut fitting: Vec<FileId> =
        best.into_iter().filter(|(common, _)| *common == longest).map(|(_, file)| file).collect();
    if fitting.len() > 1 {
        let named: Vec<FileId> =
            fitting.iter().copied().filter(|&file| function_in(life, file, frame).is_some()).collect();
        if !named.is_empty() {
            fitting = named;
        }
    }
    match fitting[..] {
        [file] => match function_in(life, file, frame) {
            Some(id) => Match::Function(FunctionRef { file, id }),
            None if frame.function.is_empty() => Match::Function(FunctionRef::module(file)),
            // The file is the tree's, the function is not: another version of it.
            None => Match::Elsewhere,
        },
        _ => Match::Ambiguous(fitting),
    }
}

fn function_in(life: &Lifecycle, file: FileId, frame: &Frame) -> Option<FunctionId> {
    let facts = life.facts(file);
    let at_line = facts.lines.start(frame.line).map(|start| {
        // The first character that is no indent.
        let text = life.text(file);
        let from = start.to_usize();
        let indent = text[from..].bytes().take_while(|byte| *byte == b' ' || *byte == b'\t').count();
        facts.function_at(TextSize::new((from + indent) as u32))
    });
    let name = frame.function.rsplit('.').next().unwrap_or(&frame.function);
    if name == "<module>" {
        return Some(MODULE);
    }
    if name.is_empty() {
        return at_line;
    }
    if let Some(id) = at_line
        && facts.function(id).name == name
    {
        return Some(id);
    }
    // The line may have moved: by name alone, if one function has it.
    let mut named = facts
        .functions
        .iter()
        .enumerate()
        .filter(|(_, function)| {
            function.name == name
                && (frame.function == name || function.qualname == frame.function.replace(".<locals>", ""))
        })
        .map(|(index, _)| FunctionId::new(index));
    let first = named.next()?;
    named.next().is_none().then_some(first).or(at_line)
}
