//! The markdown of the causes' pages, made pleasant on a terminal.

use std::fmt::Write as _;

use crate::style::{self, paint};

/// Headings bold, code coloured, markup signs gone; the text's own lines stay.
pub fn pleasant(page: &str) -> String {
    let mut out = String::with_capacity(page.len() * 2);
    let mut code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if code {
            let style = match line.as_bytes() {
                [b'+', ..] => style::ADDED,
                [b'-', ..] => style::REMOVED,
                _ => style::NAME,
            };
            let _ = writeln!(out, "    {}", paint(style, line));
        } else if let Some(heading) = line.strip_prefix('#') {
            let _ = writeln!(out, "{}", paint(style::HEADING, heading.trim_start_matches('#').trim()));
        } else {
            let _ = writeln!(out, "{}", spans(line));
        }
    }
    out
}

/// The page with a line end at its end.
pub fn ended(page: &str) -> String {
    format!("{}\n", page.trim_end())
}

/// Code and strong words of one line.
fn spans(line: &str) -> String {
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    let rest = match rest.strip_prefix("- ").or_else(|| rest.strip_prefix("* ")) {
        Some(item) => format!("• {item}"),
        None => rest.to_owned(),
    };
    let mut out = indent.to_owned();
    for (index, part) in rest.split('`').enumerate() {
        if index % 2 == 1 {
            out.push_str(&paint(style::NAME, part));
        } else {
            for (index, part) in part.split("**").enumerate() {
                if index % 2 == 1 {
                    out.push_str(&paint(style::HEADING, part));
                } else {
                    out.push_str(part);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_gone() {
        let text = anstream::adapter::strip_str(&pleasant(
            "# Title\n\nA **bold** `word`.\n\n```python\nx = 1\n```\n- item\n",
        ))
        .to_string();
        assert_eq!(text, "Title\n\nA bold word.\n\n    x = 1\n• item\n");
    }
}
