//! What was measured, drawn with characters: samples, ratios, curves and maps.
//!
//! Correct means: what is drawn lies where its value is on the scale beside it, to a character; a row without a number is
//! not drawn; and without Unicode it is the same drawing in other characters.

use crate::report::ruler::Ruler;
use crate::report::sweep::Sweep;
use crate::report::{Comparison, Report, Row, printable};
use crate::stats::Quantity;
use crate::text::{Paint, Style, columns, hanging};

/// Columns of a drawing, where there is room for so many.
const WIDEST: usize = 100;
/// The narrowest one that shows anything.
const NARROWEST: usize = 12;
/// Lines of a curve.
const LINES: usize = 12;
/// Longest name beside a drawing.
const NAME: usize = 34;

/// The drawing of a report, with a line break at the end; empty where there is nothing to draw, or no room.
pub fn render(report: &Report, style: Style) -> String {
    let report = &printable::of(report);
    match &report.sweep {
        Some(sweep) if sweep.keys.len() == 1 => curves(report, sweep, style),
        Some(sweep) => maps(report, sweep, style),
        None if !report.comparisons.is_empty() => ratios(&report.comparisons, style),
        None => samples(&report.rows, style),
    }
}

/// Names of one width, and how many columns are left beside them.
struct Beside {
    name: usize,
    room: usize,
}

impl Beside {
    /// `behind` columns are kept free behind the drawing.
    fn of<'a>(names: impl Iterator<Item = &'a str>, behind: usize, style: Style) -> Option<Beside> {
        let name = names.map(columns).max()?.min(NAME);
        let used = name + 2 + behind;
        let room = style.width.min(WIDEST).checked_sub(used)?;
        (room >= NARROWEST).then_some(Beside { name, room })
    }

    fn cut(&self, name: &str) -> String {
        let mut cut: String = name.chars().take(self.name).collect();
        let blanks = self.name.saturating_sub(columns(&cut));
        cut.push_str(&" ".repeat(blanks + 2));
        cut
    }

    fn column(&self, ruler: &Ruler, value: f64) -> usize {
        (ruler.at(value) * (self.room - 1) as f64).round() as usize
    }

    /// The scale: some values, each where it lies.
    fn scale(&self, ruler: &Ruler, unit: &str, style: Style) -> String {
        let mut line = vec![' '; self.room];
        let mut free = 0;
        for value in ruler.ticks(self.room / 14 + 2) {
            let text = value.to_string();
            let at = self.column(ruler, value);
            let start = at.saturating_sub(text.len() / 2);
            if start < free || start + text.len() > self.room {
                continue;
            }
            line.splice(start..start + text.len(), text.chars());
            free = start + text.len() + 1;
        }
        let line: String = line.into_iter().collect();
        let line = format!("{}  {} {unit}", " ".repeat(self.name), line.trim_end());
        style.paint(Paint::Faint, &line) + "\n"
    }
}

/// Where the chunks of each row lie on one scale of cycles: the higher, the more; a line is the range over placements.
fn samples(rows: &[Row], style: Style) -> String {
    let drawn: Vec<&Row> = rows.iter().filter(|row| !row.chunks.is_empty()).collect();
    let names = drawn.iter().map(|row| &row.scenario[..]);
    let Some(beside) = Beside::of(names, 8, style) else {
        return String::new();
    };
    // What an interruption added would squeeze all else together.
    let ends = |row: &&Row| {
        let layout = row
            .layout
            .map(|layout| [layout.cycles_min, layout.cycles_max]);
        layout
            .into_iter()
            .flatten()
            .chain(row.value(Quantity::Cycles))
            .collect::<Vec<_>>()
    };
    let ruler = Ruler::around(drawn.iter().flat_map(ends));
    let levels: &[char] = match style.unicode {
        true => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        false => &['.', ':', '+', '#'],
    };
    let line = if style.unicode { '─' } else { '-' };
    let mut out = beside.scale(&ruler, "cycles", style);
    for row in drawn {
        let mut cells = vec![' '; beside.room];
        if let Some(layout) = row.layout {
            let [from, to] =
                [layout.cycles_min, layout.cycles_max].map(|end| beside.column(&ruler, end));
            cells[from..=to].fill(line);
        }
        let mut counts = vec![0usize; beside.room];
        let all = row.chunks.iter().flatten();
        all.for_each(|cycles| counts[beside.column(&ruler, *cycles)] += 1);
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        for (cell, count) in cells
            .iter_mut()
            .zip(&counts)
            .filter(|(_, count)| **count > 0)
        {
            *cell = levels[(count * levels.len()).div_ceil(most).clamp(1, levels.len()) - 1];
        }
        let drawing: String = cells.into_iter().collect();
        out += &format!("{}{}\n", beside.cut(&row.scenario), drawing.trim_end());
    }
    out
}

/// Ratios of cycles with their intervals, around a line at 1.
fn ratios(comparisons: &[Comparison], style: Style) -> String {
    let cycles = comparisons.iter().filter(|one| one.metric == "cycles");
    let drawn: Vec<(&Comparison, f64)> = cycles.filter_map(|one| Some((one, one.ratio?))).collect();
    let names = drawn.iter().map(|(one, _)| &one.other[..]);
    let Some(beside) = Beside::of(names, 9, style) else {
        return String::new();
    };
    let ends = drawn
        .iter()
        .flat_map(|(one, ratio)| [Some(*ratio), one.low, one.high]);
    let ruler = Ruler::by_ratio(ends.flatten().filter(|end| *end > 0.0).chain([1.0]));
    let [line, point, bar] = match style.unicode {
        true => ['─', '●', '│'],
        false => ['-', 'o', '|'],
    };
    let base = comparisons.first().map_or("", |one| &one.base);
    let mut out = beside.scale(&ruler, "times", style);
    for (one, ratio) in &drawn {
        let mut cells = vec![' '; beside.room];
        cells[beside.column(&ruler, 1.0)] = bar;
        if let (Some(low), Some(high)) = (one.low, one.high) {
            let [from, to] =
                [low.max(f64::MIN_POSITIVE), high].map(|end| beside.column(&ruler, end));
            cells[from..=to].fill(line);
        }
        cells[beside.column(&ruler, *ratio)] = point;
        let drawing: String = cells.into_iter().collect();
        out += &format!("{}{drawing} {ratio:.3}\n", beside.cut(&one.other));
    }
    out + &hanging(
        &format!("{bar} cycles of {base}; a line is an interval"),
        "",
        2,
        style.width,
    )
}

/// The marks of curves.
fn marks(style: Style) -> &'static [char] {
    match style.unicode {
        true => &['●', '○', '◆', '◇', '■', '□'],
        false => &['a', 'b', 'c', 'd', 'e', 'f'],
    }
}

/// Cycles over one parameter: a mark is a point, dots lead from one to the next.
fn curves(report: &Report, sweep: &Sweep, style: Style) -> String {
    let value = |point: usize, name: usize| {
        let row = *sweep.points[point].rows.get(name)?;
        report.rows.get(row)?.value(Quantity::Cycles)
    };
    let values = report
        .rows
        .iter()
        .filter_map(|row| row.value(Quantity::Cycles));
    let ruler = Ruler::from_zero(values.clone());
    let ticks = ruler.ticks(4);
    let left = ticks
        .iter()
        .map(|tick| tick.to_string().len())
        .max()
        .unwrap_or(1);
    let room = style.width.min(WIDEST).saturating_sub(left + 2);
    let points = sweep.points.len();
    if values.count() < 2 || room < NARROWEST || points < 2 || room < 2 * points {
        return String::new();
    }
    let x = |point: usize| point * (room - 1) / (points - 1);
    let y = |value: f64| ((1.0 - ruler.at(value)) * (LINES - 1) as f64).round() as usize;
    let mut cells = vec![vec![' '; room]; LINES];
    let dot = if style.unicode { '·' } else { '.' };
    let all = 0..sweep.names.len();
    for name in all.clone() {
        for point in 1..points {
            let Some((from, to)) = value(point - 1, name).zip(value(point, name)) else {
                continue;
            };
            let (start, end) = (x(point - 1), x(point));
            let columns = (start..=end).map(|at| {
                let share = (at - start) as f64 / (end - start).max(1) as f64;
                (at, y(from + (to - from) * share))
            });
            columns.for_each(|(at, line)| cells[line][at] = dot);
        }
    }
    let marks = marks(style);
    for name in all.clone() {
        for point in 0..points {
            if let Some(value) = value(point, name) {
                cells[y(value)][x(point)] = marks[name % marks.len()];
            }
        }
    }
    let border = if style.unicode { '│' } else { '|' };
    let mut out = String::new();
    for (at, line) in cells.iter().enumerate() {
        let tick = ticks.iter().find(|tick| y(**tick) == at);
        let tick = tick.map_or(String::new(), f64::to_string);
        let line: String = line.iter().collect();
        out += &format!("{tick:>left$} {border}{}\n", line.trim_end());
    }
    let mut scale = vec![' '; room];
    let mut free = 0;
    for (at, point) in sweep.points.iter().enumerate() {
        let text = point.values.first().map_or("", |value| value);
        let start = x(at).min(room.saturating_sub(text.len()));
        if start >= free && text.len() <= room {
            scale.splice(start..start + text.len(), text.chars());
            free = start + text.len() + 1;
        }
    }
    let scale: String = scale.into_iter().take(room).collect();
    out += &(format!("{} {}", " ".repeat(left + 1), scale)
        .trim_end()
        .to_string()
        + "\n");
    let key = sweep.keys.first().map_or("", |key| key);
    let named = all.map(|name| format!("{} {}", marks[name % marks.len()], sweep.names[name]));
    let told = format!(
        "cycles over {key}: {}",
        named.collect::<Vec<_>>().join("  ")
    );
    out + &hanging(&told, "", 2, style.width)
}

/// Shades of a map, from little to much.
fn shades(style: Style) -> &'static [char] {
    match style.unicode {
        true => &['·', '░', '▒', '▓', '█'],
        false => &['.', ':', '+', '*', '#'],
    }
}

/// Cycles over two parameters: the first downwards, the second to the right; the darker, the more.
fn maps(report: &Report, sweep: &Sweep, style: Style) -> String {
    let ways = |key: usize| {
        let mut values: Vec<&str> = Vec::new();
        for point in &sweep.points {
            let value = point.values.get(key).map_or("", |value| value);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    };
    let (down, right) = (ways(0), ways(1));
    let values = report
        .rows
        .iter()
        .filter_map(|row| row.value(Quantity::Cycles));
    let ruler = Ruler::around(values.clone());
    let left = down.iter().map(|value| columns(value)).max().unwrap_or(0);
    let cell = right
        .iter()
        .map(|value| columns(value))
        .max()
        .unwrap_or(0)
        .max(3)
        + 1;
    if values.count() == 0 || left + 2 + cell * right.len() > style.width {
        return String::new();
    }
    let shades = shades(style);
    let mut out = String::new();
    for (name, title) in sweep.names.iter().enumerate() {
        out += &style.paint_lines(Paint::Head, &hanging(title, "", 0, style.width));
        let heads: String = right
            .iter()
            .map(|value| format!("{value:>cell$}"))
            .collect();
        out += &format!("{} {heads}\n", " ".repeat(left));
        for value in &down {
            out += &format!("{value:>left$} ");
            for other in &right {
                let mut points = sweep.points.iter();
                let point = points.find(|point| point.values[..] == [*value, *other]);
                let row = point.and_then(|point| report.rows.get(*point.rows.get(name)?));
                let cycles = row.and_then(|row| row.value(Quantity::Cycles));
                let shade = cycles.map_or(style.absent().to_string(), |cycles| {
                    let at = (ruler.at(cycles) * (shades.len() - 1) as f64).round() as usize;
                    shades[at].to_string().repeat(3)
                });
                out += &format!("{}{shade}", " ".repeat(cell - columns(&shade)));
            }
            out.push('\n');
        }
    }
    let [least, most] = [f64::min, f64::max].map(|of| {
        let values = report
            .rows
            .iter()
            .filter_map(|row| row.value(Quantity::Cycles));
        values.reduce(of).unwrap_or_default()
    });
    let how = if ruler.is_by_ratio() {
        ", by ratio"
    } else {
        ""
    };
    let told = format!(
        "{} {least:.2} to {} {most:.2} cycles{how}",
        shades[0],
        shades[shades.len() - 1]
    );
    out + &hanging(&told, "", 2, style.width)
}
