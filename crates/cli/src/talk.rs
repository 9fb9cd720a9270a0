//! Standard error: the talk beside the answer, as much of it as was asked for.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use loopmend_model::Note;

use crate::printable::printable_line;
use crate::style::{self, paint};

/// What all commands take.
#[derive(Args, Debug)]
#[command(next_help_heading = "Talk")]
pub struct TalkOptions {
    /// When to colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    /// Print the answer only.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say more of what is being done (twice for all notes).
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

/// The talk of one run.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    level: i8,
}

impl TalkOptions {
    /// Sets colours for the whole program.
    pub fn start(&self) -> Talk {
        match self.color {
            Colour::Auto => anstream::ColorChoice::Auto,
            Colour::Always => anstream::ColorChoice::Always,
            Colour::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        Talk { level: if self.quiet { -1 } else { i8::try_from(self.verbose).unwrap_or(i8::MAX) } }
    }
}

impl Talk {
    /// Whether everything is to be shown, however long.
    pub fn tells_all(self) -> bool {
        self.level >= 1
    }

    /// Says what a user should know.
    pub fn say(self, text: impl Display) {
        if self.level >= 0 {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Says what is not as it should be, though it stopped nothing.
    pub fn warn(self, text: &str) {
        self.say(format_args!("{} {}", paint(style::WARNING, "warning:"), printable_line(text)));
    }

    /// Says notes, at most a screenful unless asked for more.
    pub fn notes(self, notes: &[Note]) {
        let most = if self.level >= 2 { usize::MAX } else { 8 };
        for note in notes.iter().take(most) {
            match &note.path {
                Some(path) => self.warn(&format!("{path}: {}", note.message)),
                None => self.warn(&note.message),
            }
        }
        if notes.len() > most {
            self.say(format_args!("{} more such notes (-vv shows all)", notes.len() - most));
        }
    }

    /// Shows that something goes on that may take long; nothing where standard error is no terminal.
    pub fn progress(self, what: &'static str) -> ProgressBar {
        if self.level < 0 || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}
