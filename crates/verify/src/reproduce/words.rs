//! A command line as a person writes it.

use loopmend_model::Way;

use super::attempt::Attempt;

/// What a shell would do with the text, as far as no shell is needed; a pipe, a redirection or a list is left to `sh`.
pub fn parse(text: &str, way: Way) -> Option<Attempt> {
    let text = text.trim();
    let words = shlex::split(text)?;
    if words.is_empty() {
        return None;
    }
    if needs_shell(text) {
        let argv = vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()];
        return Some(Attempt { command: text.to_owned(), ..Attempt::new(way, argv) });
    }
    let count = words.iter().take_while(|word| assignment(word).is_some()).count();
    let (variables, argv) = words.split_at(count);
    if argv.is_empty() {
        return None;
    }
    let mut attempt = Attempt::new(way, argv.to_vec());
    attempt.env = variables
        .iter()
        .filter_map(|word| assignment(word))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    text.clone_into(&mut attempt.command);
    Some(attempt)
}

/// The variables that a command sets for itself.
pub fn variables(text: Option<&str>) -> Vec<(String, String)> {
    text.and_then(|text| parse(text, Way::Given)).map(|attempt| attempt.env).unwrap_or_default()
}

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some((name, value))
}

/// Whether the text has something outside quotes that only a shell understands.
fn needs_shell(text: &str) -> bool {
    let (mut quote, mut escaped) = (None, false);
    for c in text.chars() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (Some('"'), '$' | '`')
            | (None, '|' | '&' | ';' | '<' | '>' | '$' | '`' | '*' | '?' | '(' | '\n') => return true,
            (Some(_) | None, '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(c),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_words() {
        let attempt = parse("DB=x:1/y MODE='a b' python -m app --name \"two words\"", Way::Given).unwrap();
        assert_eq!(
            attempt.env,
            [("DB".to_owned(), "x:1/y".to_owned()), ("MODE".to_owned(), "a b".to_owned())]
        );
        assert_eq!(attempt.argv, ["python", "-m", "app", "--name", "two words"]);
        assert_eq!(parse("pytest -k 'a or b'", Way::Given).unwrap().argv, ["pytest", "-k", "a or b"]);
    }

    #[test]
    fn a_shell_is_used_only_where_one_is_needed() {
        assert_eq!(parse("python a.py | tee log", Way::Given).unwrap().argv[0], "sh");
        assert_eq!(parse("python a.py 'x|y'", Way::Given).unwrap().argv[0], "python");
        assert!(parse("python 'open", Way::Given).is_none());
        assert!(parse("A=1", Way::Given).is_none());
        assert!(parse("", Way::Given).is_none());
    }
}
