//! The names of what is refused.

use std::fmt;

use serde::Serialize;

/// A way to make trouble invisible instead of mending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A handler, a `suppress` or a `return` in a `finally` that lets an error vanish.
    SwallowedException,
    /// Failures of a `gather` or of a task that nobody looks at.
    DroppedFailures,
    /// Warnings that are no longer shown, or no longer errors.
    WarningFilter,
    /// Log records that are no longer written, or at a lower level.
    LogFilter,
    /// An exception hook or loop handler that tells nobody.
    SwallowingHook,
    /// An event that no longer reaches the error tracker.
    DroppedEvent,
    /// A test that is no longer run.
    SkippedTest,
    /// A test that is gone, or is no longer collected.
    DeletedTest,
    /// A test that is run again until it passes.
    RetriedTest,
    /// An assertion that lets more pass than before.
    LoosenedAssertion,
    /// A coroutine that is thrown away instead of awaited.
    DroppedWork,
    /// Nothing but a longer wait.
    LongerWait,
    /// A method of a library or of a loop that is replaced.
    PatchedLibrary,
    /// Output or exit status that nobody gets to see.
    HiddenOutput,
    /// An end that skips clean-up and whatever it would have told.
    HardExit,
    /// Debug or development mode that is switched off.
    DebugOff,
    /// Start-up or server errors that are no longer raised.
    ErrorsNotRaised,
    /// A finding of this program that is silenced.
    SilencedFinding,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::SwallowedException,
        Self::DroppedFailures,
        Self::WarningFilter,
        Self::LogFilter,
        Self::SwallowingHook,
        Self::DroppedEvent,
        Self::SkippedTest,
        Self::DeletedTest,
        Self::RetriedTest,
        Self::LoosenedAssertion,
        Self::DroppedWork,
        Self::LongerWait,
        Self::PatchedLibrary,
        Self::HiddenOutput,
        Self::HardExit,
        Self::DebugOff,
        Self::ErrorsNotRaised,
        Self::SilencedFinding,
    ];

    /// Its name, as documentation and JSON have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SwallowedException => "swallowed-exception",
            Self::DroppedFailures => "dropped-failures",
            Self::WarningFilter => "warning-filter",
            Self::LogFilter => "log-filter",
            Self::SwallowingHook => "swallowing-hook",
            Self::DroppedEvent => "dropped-event",
            Self::SkippedTest => "skipped-test",
            Self::DeletedTest => "deleted-test",
            Self::RetriedTest => "retried-test",
            Self::LoosenedAssertion => "loosened-assertion",
            Self::DroppedWork => "dropped-work",
            Self::LongerWait => "longer-wait",
            Self::PatchedLibrary => "patched-library",
            Self::HiddenOutput => "hidden-output",
            Self::HardExit => "hard-exit",
            Self::DebugOff => "debug-off",
            Self::ErrorsNotRaised => "errors-not-raised",
            Self::SilencedFinding => "silenced-finding",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
