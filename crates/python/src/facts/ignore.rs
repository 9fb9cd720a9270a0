//! `# loopmend: ignore[cause, cause]` comments.

/// One comment that silences findings on its line, or on the next where it stands alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// Line it stands on, counted from 1.
    pub line: u32,
    /// The comment is alone on its line: it speaks for the next line.
    pub own_line: bool,
    /// The causes; empty for all.
    pub causes: Vec<String>,
}

/// All ignore comments of a text. Found by a byte search, so that files without any cost nothing.
pub(super) fn ignores(text: &str) -> Vec<Ignore> {
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(text.as_bytes(), b"loopmend:") {
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let Some(hash) = text[start..at].rfind('#') else { continue };
        if !text[start + hash + 1..at].trim().is_empty() {
            continue;
        }
        let end = text[at..].find(['\n', '\r']).map_or(text.len(), |newline| at + newline);
        let rest = text[at + "loopmend:".len()..end].trim_start();
        let Some(rest) = rest.strip_prefix("ignore") else { continue };
        let causes = rest
            .trim_start()
            .strip_prefix('[')
            .and_then(|list| list.split_once(']'))
            .map(|(list, _)| {
                list.split(',').map(|cause| cause.trim().to_owned()).filter(|c| !c.is_empty()).collect()
            })
            .unwrap_or_default();
        let line = text[..at].bytes().filter(|&byte| byte == b'\n').count() as u32 + 1;
        found.push(Ignore { line, own_line: text[start..start + hash].trim().is_empty(), causes });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_causes_and_place() {
        let found = ignores(
            "x = 1  # loopmend: ignore[dropped-task, second-run]\n# loopmend: ignore\ny = 'loopmend: ignore'\n",
        );
        assert_eq!(
            found,
            [
                Ignore { line: 1, own_line: false, causes: vec!["dropped-task".into(), "second-run".into()] },
                Ignore { line: 2, own_line: true, causes: vec![] },
            ]
        );
    }
}
