//! `other`: the words occur, but the program does what it should.

mod handled;
mod printed;

use loopmend_model::{Incident, Refusal, RefusalCode};
use loopmend_python::lifecycle::Lifecycle;

pub use printed::{Handler, handler_that_prints};

use crate::{Cause, Declined, Found, Mend, Page, Report};

/// The cause.
pub struct Other;

const PAGE: Page = Page {
    title: "The words occur, but the program is right",
    what: "A log may have the words of event-loop trouble though none is there: the program quotes another program's log, a test makes sure that a \
closed loop refuses work, a server notes that a client hung up in the middle of an answer.",
    log: "WARNING stream client went away: ConnectionResetError: Cannot write to closing transport",
    wrong: "",
    right: "",
    unless: "Always. The answer says what was looked at and why nothing is changed.",
    prevent: "Log what a handler catches in words of your own, so that the message does not look like an accident.",
    symptoms: &[],
};

impl Cause for Other {
    fn slug(&self) -> &'static str {
        "other"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, _: &Lifecycle, _: &mut Report) {}

    fn fix(&self, _: &Lifecycle, _: &Found) -> Result<Mend, Declined> {
        Err(Declined::because("nothing is wrong with the source"))
    }

    fn refuse(&self, incident: &Incident, life: Option<&Lifecycle>) -> Option<Refusal> {
        let life = life?;
        let place = handled::hung_up(life, incident)?;
        Some(Refusal {
            code: RefusalCode::ProgramIsRight,
            message: format!(
                "A client hung up while {place} was answering it; a server has to expect that, and nothing of its own is left open. Nothing is changed."
            ),
        })
    }
}
