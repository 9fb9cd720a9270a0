//! One failure while it is being read: frames, the exception's line, the chain, the context that asyncio prints.

mod margin;
mod modes;
mod told;

use loopmend_model::{Channel, Incident, Link, Raised};

use crate::ipython::{Notebook, Step};
use crate::opening;
use crate::rich::Panel;
use crate::stack::Stack;
use crate::symptom::Symptom;

pub(crate) use margin::{Shape, link};
pub(crate) use told::{capped, raised};

use margin::{Margin, margin};

/// Lines of another program borne in the middle of a traceback.
const FOREIGN: u8 = 3;
/// The same, where every line of the traceback has a known prefix.
const FOREIGN_TO_SHAPE: u8 = 40;

/// Whether a line belongs to the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    Taken,
    /// It does not, and the block is over.
    Done,
}

/// What the block expects next.
#[derive(Debug)]
pub(crate) enum Mode {
    /// Frames, then the exception's line.
    Frames,
    /// A creation stack.
    Created,
    /// A traceback, announced by `Exception ignored in` and the like.
    Expect,
    /// Lines of a log record: `task: …`, `source_traceback: …`, a traceback.
    Context,
    /// The rest of a warning's message and its source line.
    Warning {
        /// The message goes on over several lines, up to the source line.
        many: bool,
    },
    /// What may follow the exception's line: notes.
    After,
    /// Blank lines after it: a chain may go on.
    Gap,
    /// A chain goes on.
    Linked,
    /// A box drawn by rich.
    Rich(Panel),
    /// A traceback of `IPython`.
    Notebook(Notebook),
}

/// The block.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the lines so far")]
#[derive(Debug)]
pub(crate) struct Block {
    /// What was understood so far.
    pub incident: Incident,
    /// What comes next.
    pub mode: Mode,
    /// An exception that counts only if no traceback says more.
    pub loose: Option<Raised>,
    /// The text before `Traceback`, which may stand before every line.
    pub shape: Option<Shape>,
    /// Inside the margins of an exception group.
    pub group: bool,
    /// The text has an end of its own (a JSON string, a report's section), so that what follows belongs to it.
    pub bounded: bool,
    stack: Stack,
    indent: Option<usize>,
    trimmed: bool,
    link: Link,
    hits: Vec<(&'static Symptom, String)>,
    notes: Vec<String>,
    foreign: u8,
    blanks: u8,
    extra: u8,
    after_frame: bool,
    /// The width at which lines are broken, and the length of the last one.
    wrapped: Option<(usize, usize)>,
}

impl Block {
    /// A block that opens at this line.
    pub fn new(channel: Channel, mode: Mode, number: usize) -> Self {
        Self {
            incident: Incident { count: 1, channel, lines: (number, number), ..Incident::default() },
            mode,
            loose: None,
            shape: None,
            group: false,
            bounded: false,
            stack: Stack::default(),
            indent: None,
            trimmed: false,
            link: Link::First,
            hits: Vec::new(),
            notes: Vec::new(),
            foreign: 0,
            blanks: 0,
            extra: 0,
            after_frame: false,
            wrapped: None,
        }
    }

    /// Says whether the text around has an end of its own.
    pub fn bound(&mut self, bounded: bool) {
        self.bounded = bounded;
        if bounded && let Mode::Warning { many } = &mut self.mode {
            *many = true;
        }
    }

    /// Reads the next line.
    pub fn line(&mut self, raw: &str, number: usize) -> Flow {
        let shaped = match &mut self.shape {
            None => raw,
            Some(shape) => match shape.strip(raw) {
                Some(rest) => {
                    shape.confirmed = true;
                    rest
                }
                None if shape.confirmed => {
                    self.foreign += 1;
                    let over = self.foreign > FOREIGN_TO_SHAPE || !matches!(self.mode, Mode::Frames);
                    return if over { Flow::Done } else { Flow::Taken };
                }
                None => {
                    self.shape = None;
                    raw
                }
            },
        };
        let flow = if self.group { self.margined(shaped) } else { self.content(shaped) };
        if flow == Flow::Taken && !raw.trim().is_empty() && !matches!(self.mode, Mode::Gap) {
            self.incident.lines.1 = number;
        }
        flow
    }

    fn margined(&mut self, line: &str) -> Flow {
        match margin(line) {
            Margin::Content(text) => {
                let flow = self.content(text);
                if flow == Flow::Done && matches!(self.mode, Mode::After | Mode::Gap | Mode::Linked) {
                    self.add_note(text);
                    return Flow::Taken;
                }
                flow
            }
            Margin::Member => {
                self.cut();
                self.link = Link::GroupMember;
                self.mode = Mode::Linked;
                self.foreign = 0;
                Flow::Taken
            }
            Margin::End => {
                self.cut();
                self.mode = Mode::After;
                Flow::Taken
            }
            Margin::None => {
                if line.trim().is_empty() {
                    return self.content("");
                }
                if matches!(self.mode, Mode::Frames | Mode::Linked)
                    && self.foreign < FOREIGN
                    && !opening::is_open(line)
                {
                    self.foreign += 1;
                    return Flow::Taken;
                }
                self.group = false;
                self.content(line)
            }
        }
    }

    fn content(&mut self, text: &str) -> Flow {
        match &mut self.mode {
            Mode::Frames => self.frames(text),
            Mode::Created => self.created(text),
            Mode::Expect => self.expect(text),
            Mode::Context => self.context(text),
            Mode::Warning { many } => {
                let many = *many;
                self.warning(text, many)
            }
            Mode::After => self.after(text),
            Mode::Gap => self.gap(text),
            Mode::Linked => self.linked(text),
            Mode::Rich(panel) => {
                let width = panel.width;
                if panel.line(text, &mut self.stack) {
                    self.wrapped = Some((width, 0));
                    self.mode = Mode::Linked;
                    self.foreign = 0;
                    self.indent = None;
                }
                Flow::Taken
            }
            Mode::Notebook(notebook) => match notebook.line(text, &mut self.stack) {
                Step::Taken => Flow::Taken,
                Step::Error(kind, message) => {
                    self.close(&kind, &message);
                    Flow::Taken
                }
                Step::Over => Flow::Done,
            },
        }
    }
}
