//! One text a row, of which most say again what others said.

use std::borrow::Cow;

use string_interner::{DefaultStringInterner, DefaultSymbol, Symbol};

use super::classes;

/// Texts of n rows, none where one is missing. Each distinct text is kept once, and a row takes four
/// bytes: a file of a few kilobytes may unpack to millions of labels.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    distinct: DefaultStringInterner,
    rows: Vec<Option<DefaultSymbol>>,
}

impl Texts {
    /// Adds the text of a row.
    pub fn push(&mut self, text: Option<&str>) {
        self.rows.push(text.map(|text| self.distinct.get_or_intern(text)));
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of rows that have a text.
    pub fn present(&self) -> usize {
        self.rows.iter().flatten().count()
    }

    /// The first row without a text.
    pub fn first_missing(&self) -> Option<usize> {
        self.rows.iter().position(Option::is_none)
    }

    /// The text of every row.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.rows.iter().map(|&text| self.distinct.resolve(text?))
    }

    /// The texts that there are, in the order in which they come first.
    pub fn distinct(&self) -> impl Iterator<Item = &str> {
        self.distinct.iter().map(|(_, text)| text)
    }

    /// The texts that there are, with the number of rows that have each.
    pub fn counts(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut rows = vec![0; self.distinct.len()];
        self.rows.iter().flatten().for_each(|text| rows[text.to_usize()] += 1);
        self.distinct().zip(rows)
    }

    /// The same rows with other words for the same texts.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(&str) -> Cow<'_, str>) -> Self {
        if self.distinct().all(|text| name(text) == text) {
            return self;
        }
        let mut distinct = DefaultStringInterner::default();
        let names: Vec<DefaultSymbol> =
            self.distinct().map(|text| distinct.get_or_intern(name(text))).collect();
        self.rows.iter_mut().flatten().for_each(|text| *text = names[text.to_usize()]);
        Self { distinct, ..self }
    }

    /// The class index of every row, and the class names by index, as [`classes::encode`] gives them.
    pub fn classes(&self) -> (Vec<Option<usize>>, Vec<String>) {
        let distinct: Vec<&str> = self.distinct().collect();
        let (index, classes) = classes::encode(&distinct);
        (self.rows.iter().map(|&text| Some(index[text?.to_usize()])).collect(), classes)
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<S: AsRef<str>> FromIterator<Option<S>> for Texts {
    fn from_iter<I: IntoIterator<Item = Option<S>>>(rows: I) -> Self {
        let mut texts = Self::default();
        rows.into_iter().for_each(|text| texts.push(text.as_ref().map(AsRef::as_ref)));
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_a_row_takes_four_bytes() {
        let texts: Texts =
            (0..1000).map(|i| (i % 3 > 0).then(|| format!("class {}", i % 3))).collect();
        assert_eq!(texts.distinct().collect::<Vec<_>>(), ["class 1", "class 2"]);
        assert_eq!((texts.len(), texts.present(), texts.first_missing()), (1000, 666, Some(0)));
        assert_eq!(texts.iter().nth(4), Some(Some("class 1")));
        assert_eq!(size_of_val(&texts.rows[0]), 4);
    }

    #[test]
    fn rows_of_one_name_are_of_one_class() {
        let texts: Texts = [Some("+1"), None, Some("-1"), Some("1")].into_iter().collect();
        assert_eq!(texts.distinct().count(), 3);
        let named = texts.clone().renamed(classes::by_value);
        assert_eq!(named, [Some("1"), None, Some("-1"), Some("1")].into_iter().collect());
        assert_eq!(named.distinct().count(), 2);
        let expected =
            (vec![Some(1), None, Some(0), Some(1)], vec!["-1".to_owned(), "1".to_owned()]);
        assert_eq!((named.classes(), texts.classes()), (expected.clone(), expected));
    }
}
