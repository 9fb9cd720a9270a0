//! Frames in a bounded number.

use std::collections::VecDeque;

use loopmend_model::Frame;

use crate::block::capped;

/// Frames kept at either end of a stack.
const KEPT: usize = 1000;
/// Characters kept of a source line.
const SOURCE: usize = 1000;
/// Bytes kept of a path or a function's name.
const NAME: usize = 2000;

/// A stack of which the middle is left out when it grows beyond reason.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    head: Vec<Frame>,
    tail: VecDeque<Frame>,
}

impl Stack {
    /// Adds an inner frame.
    pub fn push(&mut self, mut frame: Frame) {
        for name in [&mut frame.path, &mut frame.function] {
            name.truncate(capped(name, NAME).len());
        }
        if self.head.len() < KEPT {
            self.head.push(frame);
        } else {
            if self.tail.len() == KEPT {
                self.tail.pop_front();
            }
            self.tail.push_back(frame);
        }
    }

    /// Adds an inner frame, or only its function where the place is that of the last frame, which has none.
    pub fn push_once(&mut self, frame: Frame) {
        match self.tail.back_mut().or(self.head.last_mut()) {
            Some(last) if last.function.is_empty() && last.line == frame.line && last.path == frame.path => {
                last.function = capped(&frame.function, NAME).to_owned();
            }
            _ => self.push(frame),
        }
    }

    /// The source line below the last frame, if it has none yet.
    pub fn source(&mut self, line: &str) {
        if let Some(frame) = self.tail.back_mut().or(self.head.last_mut())
            && frame.source.is_none()
        {
            let line = line.trim();
            let cut = if line.len() > SOURCE { line.char_indices().nth(SOURCE) } else { None };
            frame.source = Some(line[..cut.map_or(line.len(), |(at, _)| at)].to_owned());
        }
    }

    /// The line of the last frame, if it has none yet.
    pub fn at(&mut self, line: u32) {
        if let Some(frame) = self.tail.back_mut().or(self.head.last_mut())
            && frame.line == 0
        {
            frame.line = line;
        }
    }

    /// Whether the last frame has its source line.
    pub fn has_source(&self) -> bool {
        self.tail.back().or(self.head.last()).is_some_and(|frame| frame.source.is_some())
    }

    /// Whether no frame was seen.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// The frames, and an empty stack again.
    pub fn take(&mut self) -> Vec<Frame> {
        let mut frames = std::mem::take(&mut self.head);
        frames.extend(std::mem::take(&mut self.tail));
        frames
    }
}
