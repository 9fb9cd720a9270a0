//! The boxes that rich draws around a traceback.

use loopmend_model::Frame;

use crate::frame;
use crate::stack::Stack;

/// Lines of another program borne in the middle of a box.
const FOREIGN: usize = 40;

/// A box that is being read.
#[derive(Debug)]
pub(crate) struct Panel {
    /// Drawn with `|` and `+` where the terminal knows no better.
    plain: bool,
    /// Characters in a line of it.
    pub width: usize,
    /// Depth of boxes inside, which show local variables.
    inner: usize,
    /// Parts of a path that was broken over lines.
    fragments: String,
    /// Lines of other programs since the last one of its own.
    foreign: usize,
}

impl Panel {
    /// The box that begins at this line.
    pub fn new(line: &str) -> Self {
        let width = line.trim().chars().count();
        Self { width, plain: !line.contains('╭'), inner: 0, fragments: String::new(), foreign: 0 }
    }

    /// Reads a line; true at the end of the box.
    pub fn line(&mut self, line: &str, stack: &mut Stack) -> bool {
        let (side, corner) = if self.plain { ('|', "+-") } else { ('│', "╰") };
        let trimmed = line.trim();
        if trimmed.starts_with(corner) {
            return true;
        }
        let Some(content) = trimmed.strip_prefix(side) else {
            // Not a box any more: a line that another program wrote is not one of its own.
            self.foreign += 1;
            return trimmed.is_empty() || self.foreign > FOREIGN || frame::python(line).is_some();
        };
        self.foreign = 0;
        let content = content.strip_suffix(side).unwrap_or(content);
        let content = content.strip_prefix(' ').unwrap_or(content).trim_end();
        if content.contains(['╭', '╰']) {
            self.inner = if content.contains('╭') { self.inner + 1 } else { self.inner.saturating_sub(1) };
            return false;
        }
        if self.inner > 0 {
            return false;
        }
        self.content(content, stack);
        false
    }

    fn content(&mut self, content: &str, stack: &mut Stack) {
        if content.is_empty() {
            self.fragments.clear();
            return;
        }
        if let Some(marked) = content.trim_start().strip_prefix(['❱', '>']) {
            let code = marked.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
            stack.source(code.replace('│', " ").trim());
            return;
        }
        if content.starts_with(' ') && self.fragments.is_empty() {
            return;
        }
        // A line is broken within a word, or at a blank, which is then lost.
        let part = content.trim();
        let (whole, parted) = (format!("{}{part}", self.fragments), format!("{} {part}", self.fragments));
        if let Some(read) = place(&whole).or_else(|| place(parted.trim())) {
            self.fragments.clear();
            stack.push(read);
        } else {
            let blank = self.fragments.ends_with(|c: char| c.is_ascii_digit()) && part.starts_with("in");
            self.fragments = if blank { parted } else { whole };
            if self.fragments.len() > 2000 {
                self.fragments.clear();
            }
        }
    }
}

/// `PATH:LINE in FUNCTION`.
fn place(text: &str) -> Option<Frame> {
    let (place, function) = text.rsplit_once(" in ")?;
    let (path, line) = place.rsplit_once(':')?;
    Some(Frame {
        path: path.to_owned(),
        line: line.parse().ok()?,
        function: function.trim().to_owned(),
        source: None,
    })
}
