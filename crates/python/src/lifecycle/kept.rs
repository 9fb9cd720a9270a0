//! Answers that are kept: many threads ask for the same, and few at a time for the same part of them.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::{OnceLock, RwLock};

use rustc_hash::{FxBuildHasher, FxHashMap};

/// Parts that are locked one by one.
const PARTS: usize = 64;

/// Answers by what was asked.
#[derive(Debug)]
pub(super) struct Kept<K, V>(Box<[RwLock<FxHashMap<K, V>>]>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self((0..PARTS).map(|_| RwLock::default()).collect())
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// The answer, where it was kept.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.part(key).read().expect("no holder panics").get(key).cloned()
    }

    /// Keeps an answer.
    pub fn keep(&self, key: K, answer: V) {
        self.part(&key).write().expect("no holder panics").insert(key, answer);
    }

    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<FxHashMap<K, V>> {
        // The map itself goes by the lowest and the highest bits.
        &self.0[(FxBuildHasher.hash_one(key) >> 32) as usize % PARTS]
    }
}

/// The one answer of a cell, made where it is not there yet. Nobody waits while it is made: who makes it may run on the thread
/// of another who asks for it, and two who make it at once make the same.
pub(super) fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(known) = cell.get() {
        return known;
    }
    let made = make();
    cell.get_or_init(|| made)
}
