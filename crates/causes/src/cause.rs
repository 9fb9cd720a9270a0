//! What every cause can do.

use loopmend_model::{Incident, Refusal};
use loopmend_python::lifecycle::Lifecycle;

use crate::{Declined, Found, Mend, Page, Report};

/// One way in which the life of the loop goes wrong.
pub trait Cause: Send + Sync {
    /// Its name in commands, comments, branches and pages: `second-run`.
    fn slug(&self) -> &'static str;

    /// Its page: what happens, why, example, mend, when nothing is done.
    fn page(&self) -> &'static Page;

    /// Finds it in the tree. Findings that need a guess are marked doubtful.
    fn detect(&self, life: &Lifecycle, report: &mut Report);

    /// The change that mends one finding of this cause, or why there is none.
    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined>;

    /// For causes whose answer is to change nothing: whether this incident is one of theirs. Looked at before any finding
    /// is; without a tree `life` is none.
    fn refuse(&self, incident: &Incident, life: Option<&Lifecycle>) -> Option<Refusal> {
        let _ = (incident, life);
        None
    }

    /// Whether it shows only where the program cleans up after itself: a mend that adds the cleanup shows what was wrong
    /// all along.
    fn shows_by_cleanup(&self) -> bool {
        false
    }
}
