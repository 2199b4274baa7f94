//! The newest operations of a record, kept in their stored form: most requests look at the last one alone.

use crate::operation::Operation;

/// Operations in the order in which they were applied, as one text with blanks between.
///
/// The text is taken as it is stored. What in it is no operation is equal to none that is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History(String);

impl History {
    /// The history whose stored form is `text`.
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The stored form.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn operations(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|operation| !operation.is_empty())
    }

    /// How many operations there are.
    pub(crate) fn len(&self) -> usize {
        self.operations().count()
    }

    /// The id of the newest operation, if there is any.
    pub(crate) fn last_id(&self) -> Option<&str> {
        let last = self.0.rsplit(' ').next().unwrap_or_default();
        Some(id(last)).filter(|id| !id.is_empty())
    }

    /// The operation with the id of `operation`.
    pub(crate) fn find(&self, operation: &Operation) -> Option<Operation> {
        let mut operations = self.operations();
        let known = operations.find(|known| id(known) == operation.id())?;
        known.parse().ok()
    }

    /// Whether `operation` is the one after the first `index`; none if there are not so many.
    pub(crate) fn has_at(&self, index: usize, operation: &Operation) -> Option<bool> {
        let known = self.operations().nth(index)?;
        Some(known == operation.to_string())
    }

    /// Adds an operation, the newest.
    pub(crate) fn push(&mut self, operation: &Operation) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(&operation.to_string());
    }

    /// Forgets the oldest operations, so many, and returns them.
    pub(crate) fn forget(&mut self, count: usize) -> Vec<Operation> {
        let mut operations = self.operations();
        let oldest: Vec<_> = operations.by_ref().take(count).map(str::parse).collect();
        let rest: Vec<_> = operations.collect();
        self.0 = rest.join(" ");
        oldest.into_iter().flatten().collect()
    }
}

/// The id in the stored form of an operation.
fn id(operation: &str) -> &str {
    operation.split_once(':').map_or(operation, |(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::Change;

    fn keyed(key: &str) -> Operation {
        let change = Change::from_json_number("30").unwrap();
        Operation::award(&key.parse().unwrap(), &"john".parse().unwrap(), change)
    }

    #[test]
    fn operations_are_found_until_they_are_forgotten() {
        let operations = [Operation::fresh(1), keyed("k"), Operation::fresh(2), keyed("l")];
        let mut history = History::default();
        assert_eq!((history.len(), history.last_id()), (0, None));
        for (index, operation) in operations.iter().enumerate() {
            assert_eq!(history.find(operation), None);
            assert_eq!(history.has_at(index, operation), None);
            history.push(operation);
            assert_eq!(history.find(operation).as_ref(), Some(operation));
            assert_eq!(history.has_at(index, operation), Some(true));
            assert_eq!(history.has_at(index, &Operation::fresh(7)), Some(false));
            assert_eq!(history.last_id(), Some(operation.id()));
            assert_eq!(history.len(), index + 1);
        }
        assert_eq!(History::from_stored(history.as_str()), history);
        assert_eq!(history.forget(2), operations[..2]);
        assert_eq!(history.len(), 2);
        assert_eq!(history.find(&operations[1]), None);
        assert_eq!(history.has_at(0, &operations[2]), Some(true));
    }

    #[test]
    fn what_is_no_operation_equals_none() {
        let mut history = History::from_stored("x  000000000001:zz 00000000000 ");
        assert_eq!(history.len(), 3);
        assert_eq!(history.find(&Operation::fresh(1)), None);
        assert_eq!(history.has_at(1, &Operation::fresh(1)), Some(false));
        assert_eq!(history.forget(9), []);
        assert_eq!(history, History::default());
    }
}
