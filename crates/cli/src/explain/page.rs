//! A cause's page, and what to say of a cause that is not on the shelf.

use std::io::{self, IsTerminal as _};

use loopmend_causes::Cause;
use serde_json::json;

use crate::answer;
use crate::failure::Failure;
use crate::format::AnswerFormat;
use crate::markdown;

/// The cause of this name.
pub fn cause(slug: &str) -> Option<&'static dyn Cause> {
    loopmend_causes::cause(slug)
}

/// The page that is no cause's: habits that keep all of them away.
pub const PREVENTION: &str = "prevention";

/// Prints that page.
pub fn print_prevention(format: AnswerFormat) -> anyhow::Result<()> {
    const PAGE: &str = include_str!("../../../../docs/prevention.md");
    let title = PAGE.lines().next().unwrap_or_default().trim_start_matches("# ");
    match format {
        AnswerFormat::Json => answer::json(&json!({"title": title, "page": PAGE}))?,
        AnswerFormat::Concise => answer::text(&format!("{title}\n"))?,
        AnswerFormat::Full if io::stdout().is_terminal() => answer::text(&markdown::pleasant(PAGE))?,
        AnswerFormat::Full => answer::data(&markdown::ended(PAGE))?,
    }
    Ok(())
}

/// Fails where there is no cause of this name.
pub fn known(slug: &str) -> Result<(), Failure> {
    if cause(slug).is_some() { Ok(()) } else { Err(unknown(slug)) }
}

/// Whether it can only be a cause's name, not a path.
pub fn is_word(subject: &str) -> bool {
    subject != "-" && !subject.contains(['/', '\\', '.']) && !subject.contains(char::is_whitespace)
}

/// Prints the page: pleasant on a terminal, as written in a pipe.
pub fn print(cause: &dyn Cause, format: AnswerFormat) -> anyhow::Result<()> {
    match format {
        AnswerFormat::Json => {
            answer::json(
                &json!({"cause": cause.slug(), "title": cause.page().title, "page": cause.page().markdown(cause.slug())}),
            )?;
        }
        AnswerFormat::Concise => answer::text(&format!("{}: {}\n", cause.slug(), cause.page().title))?,
        AnswerFormat::Full if io::stdout().is_terminal() => {
            answer::text(&markdown::pleasant(&cause.page().markdown(cause.slug())))?;
        }
        AnswerFormat::Full => answer::data(&markdown::ended(&cause.page().markdown(cause.slug())))?,
    }
    Ok(())
}

/// The failure for a name that no cause has, with the nearest names.
pub fn unknown(slug: &str) -> Failure {
    let mut near: Vec<(&str, &str, f64)> = loopmend_causes::shelf()
        .iter()
        .map(|cause| (cause.slug(), cause.page().title, likeness(slug, cause.slug())))
        .filter(|(_, _, likeness)| *likeness > 0.72)
        .collect();
    near.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(other.0)));
    let failure = Failure::new(format!("there is no cause named {slug}, and no such file"));
    if near.is_empty() {
        let all: Vec<&str> = loopmend_causes::shelf().iter().map(|cause| cause.slug()).collect();
        return failure.hint(format!("the causes are: {}", all.join(", ")));
    }
    let near: Vec<String> =
        near.iter().take(3).map(|(slug, title, _)| format!("{slug}  ({title})")).collect();
    failure.hint(format!("did you mean\n    {}", near.join("\n    ")))
}

fn likeness(typed: &str, slug: &str) -> f64 {
    let typed = typed.to_lowercase().replace('_', "-");
    if slug.contains(&typed) && typed.len() > 3 {
        return 1.0;
    }
    strsim::jaro_winkler(&typed, slug)
}
