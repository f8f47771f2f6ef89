//! Reads what was published: the figures of the template, and its rows of the suite `book`.
//!
//! Correct means: nothing of a figure or of a row is taken where a part of it is wrong, and each
//! complaint points at that part.

use toml::de::{DeTable, DeValue};

use super::reader::{Entry, Reader, integer};
use crate::scenario::parse_name;
use crate::template::book::{BookRow, Figure, METRICS, Published, SECTIONS};

const FIGURE_FIELDS: [&str; 5] = ["source", "metric", "value", "ratio", "to"];
const ROW_FIELDS: [&str; 6] = ["row", "section", "count", "compiled", "published", "today"];

impl Reader<'_> {
    pub(super) fn published(&mut self, value: &Entry<'_>) -> Vec<Published> {
        const EXAMPLE: &str = "[{ source = \"...\", metric = \"ns\", value = 1.96 }]";
        let tables = self.tables("published", value, EXAMPLE);
        let figures = tables.into_iter();
        figures
            .filter_map(|(table, entry)| self.figure(table, entry))
            .collect()
    }

    pub(super) fn book(&mut self, value: &Entry<'_>) -> Vec<BookRow> {
        const EXAMPLE: &str = "[{ row = \"go=1.10\", section = \"II Overhead\", count = [5, 2] }]";
        let mut rows = Vec::new();
        for (table, entry) in self.tables("book", value, EXAMPLE) {
            if let Some(row) = self.row(table, entry) {
                let span = table.get("row").map_or(entry.span(), |given| given.span());
                self.rows.push(self.block.place(span));
                rows.push(row);
            }
        }
        rows
    }

    /// The tables of a list, each with itself as a value.
    fn tables<'v, 't>(
        &mut self,
        key: &str,
        value: &'v Entry<'t>,
        example: &str,
    ) -> Vec<(&'v DeTable<'t>, &'v Entry<'t>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of tables", example);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for entry in array {
            match entry.get_ref().as_table() {
                Some(table) => tables.push((table, entry)),
                None => self.wrong_type(key, entry, "a list of tables", example),
            }
        }
        tables
    }

    fn figure(&mut self, table: &DeTable<'_>, entry: &Entry<'_>) -> Option<Published> {
        self.known_fields(table, &FIGURE_FIELDS, "a published figure");
        let [source, metric, value, ratio, to] = FIGURE_FIELDS.map(|field| table.get(field));
        let (Some(source), Some(metric)) = (source, metric) else {
            self.incomplete(entry);
            return None;
        };
        let source = self.text("source", source)?;
        let metric = self.word("metric", metric, &METRICS.map(|metric| (metric, metric)))?;
        let figure = match (value, ratio, to) {
            (Some(value), None, None) => Figure::Value {
                value: self.number("value", value)?,
            },
            (None, Some(ratio), Some(to)) => Figure::Ratio {
                ratio: self.number("ratio", ratio)?,
                to: self.text("to", to)?,
            },
            _ => {
                self.incomplete(entry);
                return None;
            }
        };
        Some(Published {
            source,
            metric: metric.to_string(),
            figure,
        })
    }

    fn incomplete(&mut self, entry: &Entry<'_>) {
        self.error(
            entry.span(),
            "a published figure has a source, a metric and a value, or a ratio and the scenario it is to",
            "write `value = 1.96`, or `ratio = 1.08, to = \"direct_call\"`",
        );
    }

    fn row(&mut self, table: &DeTable<'_>, entry: &Entry<'_>) -> Option<BookRow> {
        self.known_fields(table, &ROW_FIELDS, "a row of `book`");
        let [row, section, count, compiled, published, today] =
            ROW_FIELDS.map(|field| table.get(field));
        let (Some(row), Some(section)) = (row, section) else {
            self.error(
                entry.span(),
                "a row of `book` has a `row` and a `section`",
                "write the parameters that differ from their defaults, `row = \"go=1.10\"`, or `row = \"\"`",
            );
            return None;
        };
        let mut place = 0;
        let sections = SECTIONS.map(|title| {
            place += 1;
            (title, place - 1)
        });
        Some(BookRow {
            scenario: String::new(), // Known once the template is whole.
            given: self.given(row)?,
            section: self.word("section", section, &sections)?,
            count: match count {
                Some(count) => Some(self.count(count)?),
                None => None,
            },
            compiled: match compiled {
                Some(compiled) => Some(self.number("compiled", compiled)?),
                None => None,
            },
            published: published.map_or_else(Vec::new, |figures| self.published(figures)),
            today: match today {
                Some(today) => Some(self.text("today", today)?),
                None => None,
            },
        })
    }

    /// What stands between the brackets of the scenario's name.
    fn given(&mut self, row: &Entry<'_>) -> Option<Vec<(String, String)>> {
        let text = self.text("row", row)?;
        if text.trim().is_empty() {
            return Some(Vec::new());
        }
        match parse_name(&format!("row[{text}]")) {
            Ok((_, given)) => Some(given),
            Err(error) => {
                let help = "write `row = \"order=random,targets=8\"`";
                self.error(row.span(), error.message, help);
                None
            }
        }
    }

    /// Instructions and branches.
    fn count(&mut self, value: &Entry<'_>) -> Option<[f64; 2]> {
        let numbers = value.get_ref().as_array().map(|array| {
            let numbers = array.iter().map(|entry| number(entry.get_ref()));
            numbers.collect::<Option<Vec<f64>>>()
        });
        let pair = numbers.flatten().and_then(|both| both.try_into().ok());
        if pair.is_none() {
            self.wrong_type(
                "count",
                value,
                "the instructions and the branches of one iteration",
                "[5, 2]",
            );
        }
        pair
    }

    fn number(&mut self, key: &str, value: &Entry<'_>) -> Option<f64> {
        let number = number(value.get_ref());
        if number.is_none() {
            self.wrong_type(key, value, "a number", "1.96");
        }
        number
    }

    fn known_fields(&mut self, table: &DeTable<'_>, fields: &[&str], place: &str) {
        for (key, _) in table {
            if !fields.contains(&key.get_ref().as_ref()) {
                self.unknown_key(key.get_ref(), key.span(), fields, place);
            }
        }
    }
}

/// A number with or without a fraction.
fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok().filter(|n: &f64| n.is_finite()),
        other => integer(other).map(|whole| whole as f64),
    }
}
