//! What a file has by name, in little room: facts of all files of a tree are kept.

use std::ops::Index;

use super::Name;

/// Lists by name.
#[derive(Debug)]
pub struct Named<T> {
    /// Sorted, each with the end of its list; the next one's begins there.
    names: Box<[(Name, u32)]>,
    all: Box<[T]>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { names: Box::default(), all: Box::default() }
    }
}

impl<T: Copy> Named<T> {
    /// From all that there is, each with its name; what has one name stays in this order.
    pub(super) fn new(mut all: Vec<(Name, T)>) -> Self {
        all.sort_by(|(left, _), (right, _)| left.cmp(right));
        let distinct = all.chunk_by(|(left, _), (right, _)| left == right).count();
        let mut names: Vec<(Name, u32)> = Vec::with_capacity(distinct);
        let list: Box<[T]> = all.iter().map(|(_, one)| *one).collect();
        for (place, (name, _)) in all.into_iter().enumerate() {
            let end = place as u32 + 1;
            match names.last_mut() {
                Some((last, until)) if *last == name => *until = end,
                _ => names.push((name, end)),
            }
        }
        Self { names: names.into(), all: list }
    }
}

impl<T> Named<T> {
    /// The list of a name.
    pub fn get(&self, name: &str) -> Option<&[T]> {
        let place = self.place(name)?;
        Some(self.list(place))
    }

    /// Whether something has this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().map(|(name, _)| name)
    }

    /// The names, sorted, each with its list.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &[T])> {
        self.names.iter().enumerate().map(|(place, (name, _))| (name, self.list(place)))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|(of, _)| of.as_str().cmp(name)).ok()
    }

    fn list(&self, place: usize) -> &[T] {
        let start = place.checked_sub(1).map_or(0, |before| self.names[before].1 as usize);
        &self.all[start..self.names[place].1 as usize]
    }
}

impl<T> Index<&str> for Named<T> {
    type Output = [T];

    fn index(&self, name: &str) -> &[T] {
        self.get(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_in_order() {
        let all = [("b", 3), ("a", 2), ("b", 1), ("c", 5)];
        let named = Named::new(all.map(|(name, one)| (Name::new(name), one)).to_vec());
        assert_eq!(named.get("b"), Some(&[3, 1][..]));
        assert_eq!((named.get("c"), named.get("aa")), (Some(&[5][..]), None));
        assert_eq!(named.keys().map(Name::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(!Named::<u32>::default().contains_key("a"));
    }
}
