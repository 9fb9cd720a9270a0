//! An attempt's runs without the patch and with it, and what is news.

use super::normal::normal;
use crate::reproduce::Sign;
use crate::trial::Trial;

/// Runs of one attempt on both sides.
#[derive(Debug, Default)]
pub(super) struct Sides {
    /// Without the patch.
    pub before: Vec<Trial>,
    /// With it.
    pub after: Vec<Trial>,
}

impl Sides {
    /// Signs that no run before had and that a plain run after has, or every watched one; each with whether it is of those.
    pub fn new_signs(&self) -> Vec<(bool, &Sign)> {
        let known: Vec<&Sign> = self.before.iter().flat_map(|trial| &trial.signs).collect();
        let implied: Vec<&Sign> = self.before.iter().flat_map(|trial| &trial.implied).collect();
        let mut found = Vec::new();
        for trial in &self.after {
            let was_told = |sign: &&Sign| {
                implied.iter().any(|told| told.is(sign) && normal(&told.words, "") == normal(&sign.words, ""))
            };
            // What comes from outside is told of by whoever meets it: a mend may have moved that.
            let is_known = |sign: &&Sign| {
                known.iter().any(|known| known.is(sign) || (sign.is_outside() && known.id == sign.id))
            };
            for sign in trial.signs.iter().filter(|sign| !is_known(sign) && !was_told(sign)) {
                let watched = trial.run.watched;
                let always = self
                    .after
                    .iter()
                    .filter(|other| other.run.watched)
                    .all(|other| other.signs.iter().any(|also| also.is(sign)));
                if !watched || always {
                    found.push((watched, sign));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use loopmend_model::ProofRun;

    use super::*;
    use crate::judge::Printed;
    use crate::notes::Notes;
    use crate::run::Exit;

    fn sign(id: &str, place: &str, words: &str) -> Sign {
        Sign { id: id.to_owned(), place: place.to_owned(), words: words.to_owned() }
    }

    fn trial(signs: &[Sign], implied: &[Sign]) -> Trial {
        Trial {
            run: ProofRun::default(),
            exit: Exit::Code(0),
            incidents: Vec::new(),
            notes: Notes::default(),
            signs: signs.iter().cloned().collect(),
            implied: implied.iter().cloned().collect(),
            printed: Printed::default(),
            text: String::new(),
        }
    }

    fn news(before: Trial, after: &[Sign]) -> BTreeSet<String> {
        let sides = Sides { before: vec![before], after: vec![trial(after, &[])] };
        sides.new_signs().into_iter().map(|(_, sign)| sign.words.clone()).collect()
    }

    #[test]
    fn what_a_message_told_of_before_is_no_news() {
        let gone = sign("app.Gone", "app.py:send", "app.Gone: http://127.0.0.1:4000/x answered 410");
        let again = sign("app.Gone", "app.py:send", "app.Gone: http://127.0.0.1:5000/x answered 410");
        let left = sign("task-left-behind", "Feed.run", "`Feed.run` is still at work when its loop ends");
        let before = || trial(&[], &[gone.clone(), left.clone()]);
        assert!(news(before(), &[again, left.clone()]).is_empty());
        assert_eq!(news(trial(&[], &[]), &[gone.clone(), left.clone()]).len(), 2);
    }

    #[test]
    fn another_message_place_or_task_is_news() {
        let before = || {
            let gone = sign("app.Gone", "app.py:send", "app.Gone: 410");
            trial(&[], &[gone, sign("task-left-behind", "Feed.run", "`Feed.run` is at work")])
        };
        for other in [
            sign("app.Gone", "app.py:send", "app.Gone: 500"),
            sign("app.Gone", "app.py:close", "app.Gone: 410"),
            sign("KeyError", "app.py:send", "KeyError: 410"),
            sign("task-left-behind", "Feed.stop", "`Feed.stop` is at work"),
        ] {
            assert_eq!(news(before(), std::slice::from_ref(&other)).len(), 1, "{other:?}");
        }
    }
}
