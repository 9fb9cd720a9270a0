//! Tracebacks of `IPython` and Jupyter.

use loopmend_model::Frame;

use crate::exception;
use crate::stack::Stack;

/// A traceback that is being read.
#[derive(Debug)]
pub(crate) struct Notebook {
    kind: String,
    blanks: u8,
    lines: u32,
}

/// What a line of it was.
pub(crate) enum Step {
    /// A part of it.
    Taken,
    /// Its end: the exception and the message.
    Error(String, String),
    /// It is over without one.
    Over,
}

impl Notebook {
    /// The traceback that begins at `Kind    Traceback (most recent call last)`.
    pub fn open(line: &str) -> Option<Self> {
        let kind = line.trim_end().strip_suffix("Traceback (most recent call last)")?;
        let kind = kind.strip_suffix(' ')?.trim();
        exception::is_kind(kind).then(|| Self { kind: kind.to_owned(), blanks: 0, lines: 0 })
    }

    /// Reads a line.
    pub fn line(&mut self, line: &str, stack: &mut Stack) -> Step {
        self.lines += 1;
        if line.trim().is_empty() {
            self.blanks += 1;
            return if self.blanks > 3 { Step::Over } else { Step::Taken };
        }
        self.blanks = 0;
        if let Some(arrow) = line.trim_start().strip_prefix("--")
            && let Some((number, source)) = arrow_line(arrow)
        {
            stack.at(number);
            stack.source(source);
            return Step::Taken;
        }
        if line.starts_with(' ') || line.starts_with(|c: char| c.is_ascii_digit()) {
            return Step::Taken;
        }
        if let Some(frame) = place(line) {
            stack.push(frame);
            return Step::Taken;
        }
        if let Some((kind, message)) = exception::parse(line)
            && kind.rsplit('.').next() == self.kind.rsplit('.').next()
        {
            return Step::Error(kind.to_owned(), message.to_owned());
        }
        if self.lines > 20_000 { Step::Over } else { Step::Taken }
    }
}

/// The rest of `----> 4 code`.
fn arrow_line(rest: &str) -> Option<(u32, &str)> {
    let rest = rest.trim_start_matches('-').strip_prefix('>')?.trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((rest[..digits].parse().ok()?, &rest[digits..]))
}

/// `File PATH:LINE, in FUNCTION(…)`, `Cell In[1], line 4`, and the older `PATH in FUNCTION(…)`.
fn place(line: &str) -> Option<Frame> {
    let line = line.trim_end();
    if line.starts_with("Cell In") || line.starts_with("Input In") || line.starts_with("In [") {
        let (path, rest) = match line.split_once(", line ") {
            Some(found) => found,
            None => (line.split(", in ").next().unwrap_or(line), ""),
        };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return Some(Frame {
            path: path.to_owned(),
            line: rest[..digits].parse().unwrap_or(0),
            function: function(rest[digits..].strip_prefix(", in ").unwrap_or("<module>")),
            source: None,
        });
    }
    if let Some(rest) = line.strip_prefix("File ") {
        let (place, name) = rest.split_once(", in ").unwrap_or((rest, "<module>"));
        let (path, number) = place.rsplit_once(':')?;
        let path = path.to_owned();
        return Some(Frame { path, line: number.parse().ok()?, function: function(name), source: None });
    }
    let (path, name) = line.split_once(" in ")?;
    (crate::frame::is_path(path) || path.starts_with("<ipython-input")).then(|| Frame {
        path: path.to_owned(),
        line: 0,
        function: function(name),
        source: None,
    })
}

fn function(name: &str) -> String {
    let name = name.trim();
    if name.starts_with("<cell line") {
        return "<module>".to_owned();
    }
    name.split('(').next().unwrap_or(name).to_owned()
}
