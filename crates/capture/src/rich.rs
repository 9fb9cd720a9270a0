//! The boxes that rich draws around a traceback.

use loopmend_model::Frame;

use crate::frame;
use crate::stack::Stack;

/// A box that is being read.
#[derive(Debug)]
pub(crate) struct Panel {
    /// Drawn with `|` and `+` where the terminal knows no better.
    plain: bool,
    /// Depth of boxes inside, which show local variables.
    inner: usize,
    /// Parts of a path that was broken over lines.
    fragments: String,
}

impl Panel {
    /// The box that begins at this line.
    pub fn new(line: &str) -> Self {
        Self { plain: !line.contains('╭'), inner: 0, fragments: String::new() }
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
            return trimmed.is_empty() || frame::python(line).is_some();
        };
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
        self.fragments.push_str(content.trim());
        if let Some(read) = place(&self.fragments) {
            self.fragments.clear();
            stack.push(read);
        } else if self.fragments.len() > 2000 {
            self.fragments.clear();
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
