//! Incidents of other programs in the same text.

use std::collections::BTreeMap;

use loopmend_model::{Incident, Refusal, RefusalCode};

use crate::Evidence;

/// For each incident, whether another program printed it, and why that is so.
///
/// A container log names the service that speaks; a program that relays lines quotes those of another. What speaks for
/// another program: none of its frames is in this tree, and some are in files that are neither a library's nor the tree's. An
/// incident without frames is judged by the others of its service.
pub(crate) fn strangers(evidence: &[Evidence<'_>]) -> Vec<Option<Refusal>> {
    let mut services: BTreeMap<Option<&str>, Service> = BTreeMap::new();
    for evidence in evidence {
        let service = services.entry(evidence.incident.service.as_deref()).or_default();
        service.own |= evidence.in_tree() || !evidence.ambiguous.is_empty();
        service.foreign |= is_foreign(evidence);
    }
    evidence
        .iter()
        .map(|evidence| {
            let name = evidence.incident.service.as_deref();
            let service = services.get(&name)?;
            if is_foreign(evidence) {
                return Some(foreign(evidence.incident, evidence));
            }
            let silent = !evidence.in_tree() && evidence.ambiguous.is_empty() && evidence.library == 0;
            (silent && !service.own && service.foreign).then(|| foreign(evidence.incident, evidence))
        })
        .collect()
}

#[derive(Default)]
struct Service {
    own: bool,
    foreign: bool,
}

fn is_foreign(evidence: &Evidence<'_>) -> bool {
    !evidence.in_tree()
        && evidence.ambiguous.is_empty()
        && evidence.changed.is_empty()
        && !evidence.elsewhere.is_empty()
}

fn foreign(incident: &Incident, evidence: &Evidence<'_>) -> Refusal {
    let who = incident
        .service
        .as_ref()
        .map_or_else(|| "another program".to_owned(), |service| format!("another program, `{service}`"));
    let message = match evidence.elsewhere.first() {
        Some(frame) => format!(
            "This is of {who}: `{}` is not in this tree, and no other frame is. Nothing is changed; run it in the project that the log is from.",
            frame.path
        ),
        None => {
            format!("The line is of {who}, whose other tracebacks are not in this tree. Nothing is changed.")
        }
    };
    Refusal { code: RefusalCode::NoSource, message }
}
