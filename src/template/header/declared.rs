//! Reads the parameters that a header declares.
//!
//! Correct means: a default and every allowed value are of one type, and of a kind that the
//! parameter's name can have.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::reader::{Entry, Reader, integer};
use crate::go::HeapKind;
use crate::template::{Param, Value, params};

impl Reader<'_> {
    pub(super) fn params(&mut self, value: &Entry<'_>, heap: HeapKind) -> BTreeMap<String, Param> {
        let mut declared = BTreeMap::new();
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(
                "params",
                value,
                "a table",
                "{ targets = 1, order = \"same\" }",
            );
            return declared;
        };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if let Err(message) = params::check_name(&name, heap) {
                self.error(key.span(), message, "choose another name");
            } else if let Some(param) = self.param(&name, value) {
                declared.insert(name, param);
            }
        }
        declared
    }

    fn param(&mut self, name: &str, entry: &Entry<'_>) -> Option<Param> {
        match entry.get_ref() {
            DeValue::Array(array) => {
                let mut allowed: Vec<Value> = Vec::new();
                for value in array {
                    let next = self.param_value(name, value)?;
                    let alike = |first: &Value| {
                        std::mem::discriminant(first) == std::mem::discriminant(&next)
                    };
                    if !allowed.first().is_none_or(alike) || allowed.contains(&next) {
                        let message = format!("the values of `{name}` are of one type, each once");
                        self.error(value.span(), message, "the first value is the default");
                        return None;
                    }
                    allowed.push(next);
                }
                let Some(default) = allowed.first().cloned() else {
                    self.error(
                        entry.span(),
                        format!("`{name}` has no values"),
                        "the first value is the default",
                    );
                    return None;
                };
                Some(Param {
                    default,
                    allowed,
                    range: None,
                })
            }
            DeValue::Table(table) => self.ranged_param(name, table, entry),
            _ => Some(Param {
                default: self.param_value(name, entry)?,
                allowed: Vec::new(),
                range: None,
            }),
        }
    }

    /// `{ default = 2, min = 2, max = 256 }`
    fn ranged_param(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        entry: &Entry<'_>,
    ) -> Option<Param> {
        const FIELDS: [&str; 3] = ["default", "min", "max"];
        for (key, _) in table {
            if !FIELDS.contains(&key.get_ref().as_ref()) {
                self.unknown_key(
                    key.get_ref(),
                    key.span(),
                    &FIELDS,
                    "a parameter with a range",
                );
                return None;
            }
        }
        let numbers =
            FIELDS.map(|field| table.get(field).and_then(|value| integer(value.get_ref())));
        let [Some(default), Some(min), Some(max)] = numbers else {
            let message = format!("a range of `{name}` has three whole numbers");
            self.error(
                entry.span(),
                message,
                "write `{ default = 2, min = 2, max = 256 }`",
            );
            return None;
        };
        if !(min..=max).contains(&default) {
            self.error(
                entry.span(),
                format!("the default of `{name}` lies outside its range"),
                "min <= default <= max",
            );
            return None;
        }
        for bound in [min, max] {
            if let Err(message) = params::canonical(name, Value::Int(bound)) {
                self.error(entry.span(), message, "narrow the range");
                return None;
            }
        }
        Some(Param {
            default: Value::Int(default),
            allowed: Vec::new(),
            range: Some((min, max)),
        })
    }

    fn param_value(&mut self, name: &str, entry: &Entry<'_>) -> Option<Value> {
        let value = match entry.get_ref() {
            DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
            DeValue::String(text) => Some(Value::Text(text.to_string())),
            other => integer(other).map(Value::Int),
        };
        let Some(value) = value else {
            self.wrong_type(
                name,
                entry,
                "a whole number, a text, true or false, or a list of these",
                "[1, 2]",
            );
            return None;
        };
        let names_a_file =
            name == "order" && matches!(&value, Value::Text(text) if text.starts_with('@'));
        if names_a_file {
            let message = "a header cannot name a recording: the template would mean something else in each folder";
            self.error(
                entry.span(),
                message,
                "give -p order=@FILE on the command line",
            );
            return None;
        }
        match params::canonical(name, value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(
                    entry.span(),
                    message,
                    "change the value, or rename the parameter",
                );
                None
            }
        }
    }
}
