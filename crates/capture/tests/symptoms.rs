//! Every symptom is recognised by its own example.

use loopmend_capture::{capture, recognise, symptom, symptoms};

#[test]
fn every_pattern_compiles_and_matches_its_example() {
    let mut wrong = Vec::new();
    for symptom in symptoms() {
        if !recognise(symptom.example).iter().any(|found| found.id == symptom.id) {
            wrong.push(symptom.id);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(symptoms().len(), 234);
}

#[test]
fn every_example_is_an_incident_of_its_symptom() {
    let mut wrong = Vec::new();
    for symptom in symptoms() {
        let capture = capture(symptom.example.as_bytes());
        let found =
            capture.incidents.iter().any(|incident| incident.symptoms.iter().any(|id| id == symptom.id));
        if !found {
            wrong.push(symptom.id);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn ids_are_unique_and_causes_known() {
    for symptom in symptoms() {
        assert!(std::ptr::eq(loopmend_capture::symptom(symptom.id).unwrap(), symptom), "{}", symptom.id);
        assert!(!symptom.causes.is_empty() || symptom.general, "{}", symptom.id);
    }
    assert!(symptom("no-such").is_none());
}
