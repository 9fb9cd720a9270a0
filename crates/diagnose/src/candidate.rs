//! What evidence alone allows.

use loopmend_model::{Candidate, Incident};

use crate::Symptoms;

/// The causes that can produce an incident's symptoms, most likely first, each with what speaks for it.
pub fn candidates(incident: &Incident, symptoms: &dyn Symptoms) -> Vec<Candidate> {
    let mut scored: Vec<(usize, usize, Candidate)> = Vec::new();
    for (number, symptom) in incident.symptoms.iter().enumerate() {
        for (place, &cause) in symptoms.causes(symptom).iter().enumerate() {
            let weight = place * 2 + number * 3 + if symptoms.general(symptom) { 8 } else { 0 };
            let reason = format!("`{symptom}`: {}", symptoms.means(symptom));
            match scored.iter_mut().find(|(_, _, candidate)| candidate.cause == cause) {
                Some((best, _, candidate)) => {
                    *best = (*best).min(weight);
                    if !candidate.reasons.contains(&reason) {
                        candidate.reasons.push(reason);
                        // A second symptom that allows it speaks for it.
                        *best = best.saturating_sub(2);
                    }
                }
                None => {
                    let order = scored.len();
                    scored.push((
                        weight,
                        order,
                        Candidate { cause: cause.to_owned(), reasons: vec![reason] },
                    ));
                }
            }
        }
    }
    hints(incident, &mut scored);
    scored.sort_by_key(|(weight, order, _)| (*weight, *order));
    scored.into_iter().map(|(_, _, candidate)| candidate).collect()
}

/// Frames and ways of telling that make some causes likelier.
fn hints(incident: &Incident, scored: &mut [(usize, usize, Candidate)]) {
    let frames = || incident.exceptions.iter().flat_map(|raised| &raised.frames);
    let runs = frames()
        .filter(|frame| {
            frame.path.replace('\\', "/").ends_with("asyncio/runners.py") && frame.function == "run"
        })
        .count();
    let mut prefer = |causes: &[&str], by: usize, reason: &str| {
        for (weight, _, candidate) in scored.iter_mut() {
            if causes.contains(&candidate.cause.as_str()) {
                *weight = weight.saturating_sub(by);
                candidate.reasons.push(reason.to_owned());
            }
        }
    };
    if incident.test.is_some() {
        prefer(
            &[
                "fixture-loop-scope",
                "manual-loop-in-tests",
                "event-loop-fixture-override",
                "testclient-loop-mix",
                "strict-mode-fixture",
            ],
            8,
            "it stands in a pytest report",
        );
    }
    if frames().any(|frame| frame.function == "__del__") {
        prefer(
            &["resource-never-closed", "closed-too-late"],
            8,
            "it was raised in `__del__`: the object was collected, not closed",
        );
    }
    if frames().any(|frame| frame.path.contains("proactor_events")) {
        prefer(&["windows-proactor"], 20, "the frames are those of the proactor loop on Windows");
    }
    if runs > 0 && frames().any(|frame| frame.path.contains("site-packages")) {
        prefer(&["second-run"], 4, "a library's object was used under `asyncio.run`");
    }
    let direct = incident.exceptions.iter().any(|raised| {
        let mut tail = raised.frames.iter().rev();
        tail.next().is_some_and(|frame| frame.function == "_check_closed")
            && tail.next().is_some_and(|frame| {
                matches!(frame.function.as_str(), "run_until_complete" | "create_task" | "run_forever")
            })
    });
    if direct {
        prefer(&["loop-reuse-after-close"], 12, "the loop itself was used after it was closed");
    }
}
