//! `other`: the words occur, but the program does what it should.

mod handled;
mod printed;

use loopmend_model::{Channel, Incident, Refusal, RefusalCode};
use loopmend_python::lifecycle::Lifecycle;

use crate::place::{Match, locate};
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
        let right = |message: String| Some(Refusal { code: RefusalCode::ProgramIsRight, message });
        if let Some(place) = handled::hung_up(life, incident) {
            return right(format!(
                "A client hung up while {place} was answering it; a server has to expect that, and nothing of its own is left open. Nothing is changed."
            ));
        }
        if own_frames(life, incident) || incident.exceptions.iter().any(|raised| !raised.frames.is_empty()) {
            return None;
        }
        // Without a traceback, it may be a line that the program itself prints.
        if !matches!(incident.channel, Channel::Log | Channel::Exception) {
            return None;
        }
        incident.messages.iter().find_map(|message| {
            let words = printed::by_handler(life, message)?;
            right(format!(
                "The line is the program's own: {} catches the error there and reports it (`{}`). It is handled, so nothing is changed.",
                words.place, words.text
            ))
        })
    }
}

fn own_frames(life: &Lifecycle, incident: &Incident) -> bool {
    incident
        .exceptions
        .iter()
        .flat_map(|raised| &raised.frames)
        .chain(&incident.created)
        .chain(incident.subjects.iter().filter_map(|subject| subject.place.as_ref()))
        .any(|frame| matches!(locate(life, frame), Match::Function(_)))
}
