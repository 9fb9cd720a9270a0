//! `pyproject.toml` as a document whose values know where they stand.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parsed TOML over its text.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    root: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Parses; the error is the line, from 1, and what is wrong there.
    pub fn parse(text: &'a str) -> Result<Self, (usize, String)> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root: root.into_inner() }),
            Err(error) => {
                let line = error.span().map_or(1, |span| line_at(text, span.start));
                Err((line, error.message().to_owned()))
            }
        }
    }

    /// Nothing, for where there is no file.
    pub fn empty() -> Self {
        Self { text: "", root: DeTable::new() }
    }

    /// The value at this path of keys.
    pub fn get(&self, path: &[&str]) -> Option<&Spanned<DeValue<'a>>> {
        let (last, tables) = path.split_last()?;
        let mut table = &self.root;
        for key in tables {
            table = table.get(*key)?.get_ref().as_table()?;
        }
        table.get(*last)
    }

    /// The string at this path of keys.
    pub fn string(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.get_ref().as_str()
    }

    /// The table at this path of keys.
    pub fn table(&self, path: &[&str]) -> Option<&DeTable<'a>> {
        self.get(path)?.get_ref().as_table()
    }

    /// The line, from 1, of an offset.
    pub fn line(&self, offset: usize) -> usize {
        line_at(self.text, offset)
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.char_indices().take_while(|&(at, _)| at < offset).filter(|&(_, c)| c == '\n').count()
}

/// The strings of an array; what is no string is passed over.
pub(crate) fn strings<'v>(value: &'v DeValue<'_>) -> impl Iterator<Item = &'v str> {
    value.as_array().into_iter().flatten().filter_map(|item| item.get_ref().as_str())
}
