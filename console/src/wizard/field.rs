//! Fields of forms, and what a value must be like.

use std::ops::RangeInclusive;

use weft_model::wizard::{Choice, Control, Field, FormRow};

/// A field without a fault yet.
pub(super) fn field(at: impl Into<String>, label: &str, control: Control) -> Field {
    Field { at: at.into(), label: label.to_owned(), control, ..Field::default() }
}

/// What a field is made more precise with.
pub(super) trait With: Sized {
    /// What holds without it, or an example.
    fn hint(self, hint: &str) -> Self;
    /// Its unit.
    fn unit(self, unit: &str) -> Self;
    /// What may be chosen: values and their words.
    fn offers(self, options: impl IntoIterator<Item = (String, String)>) -> Self;
    /// All other values follow from it.
    fn resets(self) -> Self;
    /// What is wrong.
    fn wrong(self, problem: Option<String>) -> Self;
}

impl With for Field {
    fn hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.hint);
        self
    }

    fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    fn offers(mut self, options: impl IntoIterator<Item = (String, String)>) -> Self {
        self.options = options.into_iter().map(|(value, label)| Choice { value, label }).collect();
        self
    }

    fn resets(mut self) -> Self {
        self.resets = true;
        self
    }

    fn wrong(mut self, problem: Option<String>) -> Self {
        self.problem = problem;
        self
    }
}

/// A line of fields.
pub(super) fn line(fields: impl IntoIterator<Item = Field>) -> FormRow {
    FormRow { fields: fields.into_iter().collect(), remove: None }
}

/// Words that mean themselves.
pub(super) fn plain(words: &[&str]) -> Vec<(String, String)> {
    words.iter().map(|word| ((*word).to_owned(), (*word).to_owned())).collect()
}

/// What is wrong with a time; nothing when it is left out.
pub(super) fn time_fault(text: &str) -> Option<String> {
    if text.is_empty() || text.parse::<weft_api::Duration>().is_ok_and(|time| time.get().as_millis() >= 1) {
        return None;
    }
    Some("Write a time of at least 1 ms such as 500ms, 2s or 1m30s.".to_owned())
}

/// What is wrong with a number.
pub(super) fn number_fault(value: Option<f64>, range: RangeInclusive<f64>, whole: bool) -> Option<String> {
    let value = value?;
    if range.contains(&value) && (!whole || value.fract() == 0.0) {
        return None;
    }
    let what = if whole { "a whole number" } else { "a number" };
    Some(format!("Write {what} from {} to {}.", range.start(), range.end()))
}
