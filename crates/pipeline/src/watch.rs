//! An ear for the watched command: capture's streaming reader.

use loopmend_capture::Recorder;
use loopmend_model::Incident;
use loopmend_verify::watch::Listener;

/// Hears one stream.
pub fn ear() -> Box<dyn Listener> {
    Box::new(Ear(Recorder::default()))
}

struct Ear(Recorder);

impl Listener for Ear {
    fn hear(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    fn end(self: Box<Self>) -> Vec<Incident> {
        self.0.finish().incidents
    }
}

/// Whether an incident tells of trouble with the life of the loop: by a symptom that is not only seen beside others, and that a
/// cause of the shelf can bring about.
pub fn is_lifecycle(incident: &Incident) -> bool {
    incident.symptoms.iter().filter_map(|id| loopmend_capture::symptom(id)).any(|symptom| {
        !symptom.general
            && symptom.causes.iter().any(|cause| loopmend_causes::cause(cause).is_some() && *cause != "other")
    })
}
