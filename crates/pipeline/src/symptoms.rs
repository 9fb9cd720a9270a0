//! The catalogue of symptoms, as diagnosis asks for it.

use loopmend_diagnose::Symptoms;

/// Capture's table.
pub(crate) struct Catalogue;

impl Symptoms for Catalogue {
    fn causes(&self, symptom: &str) -> &'static [&'static str] {
        loopmend_capture::symptom(symptom).map_or(&[], |symptom| symptom.causes)
    }

    fn means(&self, symptom: &str) -> &'static str {
        loopmend_capture::symptom(symptom).map_or("", |symptom| symptom.means)
    }

    fn general(&self, symptom: &str) -> bool {
        loopmend_capture::symptom(symptom).is_some_and(|symptom| symptom.general)
    }
}
