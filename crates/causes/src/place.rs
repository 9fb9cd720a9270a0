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
    /// This file fits, but has no such function: the log is of another version of it, or of another program.
    Changed(FileId),
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
        // Console scripts: `/venv/bin/uvicorn`, `Scripts\uvicorn.exe\__main__.py`.
        || path.contains(".exe/")
        || !path.rsplit('/').next().unwrap_or_default().contains('.')
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
            && ["asyncio/", "concurrent/", "importlib/", "unittest/"]
                .iter()
                .any(|own| below.starts_with(own)));
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
    let path = frame.path.replace('\\', "/");
    if is_library(&frame.path) {
        return installed(life, frame, &path).map_or(Match::Library, Match::Function);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let same = |left: &str, right: &str| {
        left == right || (is_windows(&frame.path) && left.eq_ignore_ascii_case(right))
    };
    let Some(last) = parts.last() else { return Match::Elsewhere };
    let mut best: Vec<(usize, FileId)> = Vec::new();
    for file in life.files() {
        let own = life.path(file);
        if !own.rsplit('/').next().is_some_and(|name| same(name, last)) {
            continue;
        }
        let common =
            own.rsplit('/').zip(parts.iter().rev()).take_while(|(left, right)| same(left, right)).count();
        // The whole of the tree's path, or two parts at least, must agree, unless the name is all there is.
        let whole = common == own.split('/').count() || common == parts.len();
        if whole || common >= 2 {
            best.push((common, file));
        }
    }
    if best.is_empty() {
        // One folder of the tree may have been all that the machine had: `/app/main.py` is `services/api/main.py` there. The name
        // alone says too little, so the function and the source line have to be there too.
        best = life
            .files()
            .filter(|&file| life.path(file).rsplit('/').next().is_some_and(|name| same(name, last)))
            .filter(|&file| has_function(life, file, frame) && has_source(life, file, frame))
            .map(|file| (1, file))
            .collect();
    }
    let Some(longest) = best.iter().map(|(common, _)| *common).max() else { return Match::Elsewhere };
    let mut fitting: Vec<FileId> =
        best.into_iter().filter(|(common, _)| *common == longest).map(|(_, file)| file).collect();
    for better in [has_function, has_source, has_line] {
        if fitting.len() > 1 {
            let those: Vec<FileId> =
                fitting.iter().copied().filter(|&file| better(life, file, frame)).collect();
            if !those.is_empty() {
                fitting = those;
            }
        }
    }
    match fitting[..] {
        [file] => {
            // A bare name says little: another program has a `main.py` too.
            if longest == 1 && parts.len() > 1 && frame.source.is_some() && !has_source(life, file, frame) {
                return Match::Elsewhere;
            }
            match function_in(life, file, frame) {
                Some(id) => Match::Function(FunctionRef { file, id }),
                None if frame.function.is_empty() => Match::Function(FunctionRef::module(file)),
                None => Match::Changed(file),
            }
        }
        _ => Match::Ambiguous(fitting),
    }
}

/// A file of the project that is installed as a package: its whole path below `site-packages`, with the function and the
/// source line in it.
fn installed(life: &Lifecycle, frame: &Frame, path: &str) -> Option<FunctionRef> {
    let below = ["/site-packages/", "/dist-packages/"]
        .into_iter()
        .find_map(|folder| path.rfind(folder).map(|at| &path[at + folder.len()..]))?;
    let file = life.file(below).or_else(|| life.file(&format!("src/{below}")))?;
    let id = function_in(life, file, frame)?;
    (frame.source.is_none() || has_source(life, file, frame)).then_some(FunctionRef { file, id })
}

fn has_function(life: &Lifecycle, file: FileId, frame: &Frame) -> bool {
    function_in(life, file, frame).is_some()
}

/// Whether the source line that the frame prints stands anywhere in a file; unknown is no.
fn has_source(life: &Lifecycle, file: FileId, frame: &Frame) -> bool {
    frame.source.as_ref().is_some_and(|source| {
        life.text(file).lines().any(|line| {
            let line = line.trim();
            // Of a statement over several lines, or a long one, only a part may be printed.
            line == source || (source.len() > 8 && line.starts_with(source.as_str()))
        })
    })
}

/// The same at the line that it names.
fn has_line(life: &Lifecycle, file: FileId, frame: &Frame) -> bool {
    let line = (frame.line as usize).checked_sub(1).and_then(|index| life.text(file).lines().nth(index));
    line.zip(frame.source.as_ref()).is_some_and(|(line, source)| line.trim() == source)
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
    if name.starts_with('<') {
        // A lambda or a comprehension: what it stands in, where its line is known.
        return at_line;
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
