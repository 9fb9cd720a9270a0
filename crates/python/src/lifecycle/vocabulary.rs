//! Which files have which words: the way from a name to the few files that are worth a look.

use rayon::prelude::*;

use super::file::File;
use super::{FileId, Lifecycle};
use crate::facts::{Outline, word};

/// Words of all files, and the files that have each.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    /// Sorted.
    words: Box<[u32]>,
    /// Where the files of each word start in `files`, and the end of the last.
    starts: Box<[u32]>,
    files: Box<[FileId]>,
}

impl Vocabulary {
    pub fn new(all: &[std::sync::Arc<File>]) -> Self {
        let mut pairs: Vec<u64> = all
            .par_iter()
            .enumerate()
            .flat_map_iter(|(file, of)| {
                of.outline.words.iter().map(move |&word| u64::from(word) << 32 | file as u64)
            })
            .collect();
        pairs.par_sort_unstable();
        let (mut words, mut starts) = (Vec::new(), Vec::new());
        for (at, pair) in pairs.iter().enumerate() {
            let word = (pair >> 32) as u32;
            if words.last() != Some(&word) {
                words.push(word);
                starts.push(at as u32);
            }
        }
        starts.push(pairs.len() as u32);
        let files = pairs.iter().map(|&pair| FileId::new(pair as u32 as usize)).collect();
        Self { words: words.into(), starts: starts.into(), files }
    }

    fn files(&self, word: u32) -> &[FileId] {
        match self.words.binary_search(&word) {
            Ok(at) => &self.files[self.starts[at] as usize..self.starts[at + 1] as usize],
            Err(_) => &[],
        }
    }
}

impl Lifecycle {
    /// Files whose text has this word, in names, strings or comments; sorted. Of a constant key as facts have it (`[pool]`) the
    /// word in the brackets counts where it is one.
    pub fn files_with(&self, name: &str) -> &[FileId] {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        self.vocabulary.files(word(first_word(bare)))
    }

    /// Files that have any of these words; sorted. Their facts are there afterwards.
    pub fn files_with_any<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Vec<FileId> {
        let mut found: Vec<FileId> =
            words.into_iter().flat_map(|word| self.files_with(word)).copied().collect();
        found.sort_unstable();
        found.dedup();
        self.read_all(&found);
        found
    }

    /// Files that call something by this last name; sorted.
    pub fn files_calling(&self, name: &str) -> Vec<FileId> {
        let called = word(name);
        self.files_with(name).iter().copied().filter(|&file| self.outline(file).calls(called)).collect()
    }

    /// Files that call one of these by its last name, or give it another; sorted. Their facts are there afterwards.
    pub(super) fn files_naming<'w>(&self, names: impl IntoIterator<Item = &'w str>) -> Vec<FileId> {
        let mut found: Vec<FileId> = Vec::new();
        for name in names {
            let word = word(name);
            found.extend(self.files_with(name).iter().copied().filter(|&file| {
                let outline = self.outline(file);
                outline.calls(word) || outline.imports(name) || outline.gives(word)
            }));
        }
        found.sort_unstable();
        found.dedup();
        self.read_all(&found);
        found
    }

    /// Files whose outline says so; sorted. Their facts are there afterwards.
    pub fn files_where(&self, wanted: impl Fn(&Outline) -> bool) -> Vec<FileId> {
        let found: Vec<FileId> =
            self.files().filter(|file| wanted(&self.files[file.index()].outline)).collect();
        self.read_all(&found);
        found
    }

    /// Makes facts of these files, side by side: the next to ask finds them.
    pub(super) fn read_all(&self, files: &[FileId]) {
        files.par_iter().for_each(|file| {
            self.files[file.index()].facts();
        });
    }
}

/// A key may be any text (`db pool`): its first word.
fn first_word(text: &str) -> &str {
    let part = |c: char| c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii();
    let text = text.trim_start_matches(|c| !part(c));
    text.find(|c| !part(c)).map_or(text, |end| &text[..end])
}
