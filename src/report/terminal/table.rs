//! The table: one row a scenario, and under it what must be said of it alone.
//!
//! Correct means: a cell with another basis or source than its column carries a mark, and no mark
//! stands at a name. In full the basis stands under the heads, once for neighbours that share it;
//! in brief in the first line below the table.

use super::Detail;
use super::book;
use super::failure;
use super::further;
use super::notes::{Kind, Notes, Remark};
use crate::report::{Basis, ColdCall, Held, Metric, Report, Row, SourceLine};
use crate::stats::Quantity;
use crate::stats::quantity::Known;
use crate::template::{Cold, Figure};
use crate::text::wrap::lines;
use crate::text::{Paint, Style, columns, hanging};

/// An interval wider than this share of its value is printed; a narrower one lies in the digits that
/// two rows should not be compared by.
const WIDE: f64 = 0.02;

/// An inferred number whose interval is wider than this is less sure than its source is.
const VAGUE: f64 = 0.1;

/// Placements that differ by no more than this share of the value agree; a brief table is silent then.
const ALIKE: f64 = 0.01;

/// The head of the names, where there is room for it.
const NAME_HEAD: &str = "scenario";

/// The head of the range over placements in a full table, and in that of a sweep.
pub(super) const PLACEMENTS: &str = "placements";

/// The same in a brief table.
pub(super) const BY_PLACE: &str = "by place";

/// A number as it is printed, what must be said of it, and its mark.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) remarks: Vec<Remark>,
    pub(super) mark: String,
}

/// A column with everything but its place.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    /// What its numbers count.
    pub(super) unit: &'static str,
    /// `None` for a column that is no quantity of its own.
    pub(super) basis: Option<Basis>,
    /// Where its numbers come from, unless marked.
    pub(super) source: Option<String>,
    pub(super) cells: Vec<Cell>,
    /// Columns of the text and of the marks behind it.
    width: usize,
    gutter: usize,
}

/// The table, with a line break at the end; empty where there is no row.
pub(super) fn render(
    report: &Report,
    columns: &[Column],
    style: Style,
    notes: &mut Notes,
) -> String {
    if report.rows.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = report.rows.iter().map(|row| &row.scenario[..]).collect();
    if !fit(columns, style) {
        return upright(report, columns, style, notes, |_| Vec::new());
    }
    let spans = spans(columns);
    let layout = Layout::of(&names, columns, &spans, style);
    let mut table = String::new();
    if columns
        .iter()
        .any(|column| column.cells.iter().any(|cell| !cell.text.is_empty()))
    {
        table += &layout.heads(columns, style);
        if notes.detail == Detail::Full {
            table += &layout.bases(columns, &spans, style);
        }
    }
    let mut sections = Sections::of(report);
    for (index, row) in report.rows.iter().enumerate() {
        table += &sections.title(row, style);
        let numbers = row
            .metrics
            .is_some()
            .then(|| layout.numbers(columns, index));
        let reasons = failure::reasons(&row.status, style);
        table += &layout.row(&row.scenario, numbers, &reasons, style);
        table += &further::under(row, style, notes);
        table += &notes.under(index, columns);
    }
    table
}

/// Whether the columns stand beside each other in the width.
pub(super) fn fit(columns: &[Column], style: Style) -> bool {
    let least: usize = columns.iter().map(|column| column.total() + 1).sum();
    least <= style.width
}

/// The titles of sections, where rows stand under them. Rows in front of all sections need none.
pub(super) struct Sections<'a> {
    is_asked_for: bool,
    current: Option<&'a str>,
}

impl<'a> Sections<'a> {
    pub(super) fn of(report: &Report) -> Sections<'a> {
        Sections {
            is_asked_for: report.by_section,
            current: None,
        }
    }

    /// The title above a row, with an empty line before it; empty where its section goes on.
    pub(super) fn title(&mut self, row: &'a Row, style: Style) -> String {
        let section = row.section.as_deref();
        if !self.is_asked_for || self.current == section {
            return String::new();
        }
        self.current = section;
        let title = section.unwrap_or("in no section");
        format!(
            "\n{}",
            style.paint_lines(Paint::Head, &hanging(title, "", 0, style.width))
        )
    }
}

/// Where the columns do not fit beside each other: each row's numbers below each other, each with
/// its basis behind it, and what else is to be said of it.
pub(super) fn upright(
    report: &Report,
    all: &[Column],
    style: Style,
    notes: &mut Notes,
    more: impl Fn(&Row) -> Vec<String>,
) -> String {
    let head = all.iter().map(|column| columns(column.head)).max();
    let head = head.unwrap_or(0);
    let width = all.iter().map(Column::total).max().unwrap_or(0);
    let mut text = String::new();
    let mut sections = Sections::of(report);
    for (index, row) in report.rows.iter().enumerate() {
        text += &sections.title(row, style);
        text += &(style.paint(Paint::Head, &row.scenario) + "\n");
        let shown = all.iter().filter(|_| row.metrics.is_some());
        for column in shown.filter(|column| !column.cells[index].text.is_empty()) {
            let cell = &column.cells[index];
            let number = format!("{}{}", cell.text.trim(), cell.mark);
            let before = " ".repeat(width.saturating_sub(columns(&number)));
            // What is not there was not obtained in any way.
            let basis = column.basis.filter(|_| cell.text != style.absent());
            let basis = basis.map_or("", Basis::name);
            let line = format!("  {:<head$} {before}{number} {basis}", column.head);
            text += &(line.trim_end().to_string() + "\n");
        }
        let room = style.width.saturating_sub(2).max(20);
        let reasons = failure::reasons(&row.status, style);
        let said = reasons.into_iter().chain(more(row));
        for line in said.flat_map(|reason| lines(&reason, room)) {
            text += &format!("  {line}\n");
        }
        text += &further::under(row, style, notes);
        text += &notes.under(index, all);
    }
    text
}

/// What must be said about a row as a whole, warnings first, and figures that have no column last.
fn remarks(row: &Row, has_columns: bool) -> Vec<Remark> {
    let figures = row.published.iter().filter(|_| !has_columns).map(figure);
    let figures = figures.map(|text| Remark::new(Kind::Row, text));
    let said = conditions(row).into_iter().chain(figures);
    warnings(row).into_iter().chain(said).collect()
}

/// What a reader must act on.
fn warnings(row: &Row) -> Vec<Remark> {
    let warning = |text| Remark::new(Kind::Warning, text);
    row.cautions().into_iter().map(warning).collect()
}

/// The rest, without what others published.
fn conditions(row: &Row) -> Vec<Remark> {
    let models = row.modelled.as_ref();
    let disagreement = models.and_then(|models| models.disagreement.clone());
    let cold = row.cold.as_ref().and_then(cold_call);
    let said = disagreement.into_iter().chain(cold).chain(row.note.clone());
    let said = said.map(|text| Remark::new(Kind::Row, text));
    let metrics = row.metrics.as_ref();
    let part = metrics.and_then(|metrics| metrics[Quantity::Allocs].stepped);
    let allocates = match part.is_some() {
        true => {
            "allocates, counted over the first iterations alone; -v has how much and of how many"
        }
        false => "allocates, exact; -v has how much in an iteration",
    };
    let allocations = allocations(row).map(|text| Remark::new(Kind::Row, text).or(allocates));
    said.chain(allocations).collect()
}

/// The cold calls of a row, with what stands beside them and what is left out; `None` where there is
/// no number.
fn cold_call(call: &ColdCall) -> Option<String> {
    let cycles = call.cycles.value?;
    // Half a cycle below 0 is none.
    let whole = |value: f64| value.round() + 0.0;
    let span = |metric: &Metric| match (metric.low, metric.high) {
        (Some(low), Some(high)) => format!(" ({} to {})", whole(low), whole(high)),
        _ => String::new(),
    };
    let how = match call.scrubbed {
        Cold::Predictor => "behind as much code without branches",
        _ => "the same without the scrub",
    };
    let warm = match (call.warm.value, &call.warm.why) {
        (Some(warm), _) => format!("{}{}", whole(warm), span(&call.warm)),
        (None, why) => format!("no number, {}", why.as_deref().unwrap_or("not timed")),
    };
    let doubt = match call.doubtful {
        true => "; disturbed: run it again",
        false => "",
    };
    let scrub = call.scrub_ns.value;
    let scrub = scrub.map(|ns| format!("; a scrub takes {ns:.0} ns, which are in no number"));
    Some(format!(
        "cold={}: one call by itself adds {} cycles{} behind a scrub; warm, {how}: {warm}{}",
        call.scrubbed,
        whole(cycles),
        span(&call.cycles),
        scrub.unwrap_or_default() + doubt
    ))
}

/// What a row allocates, where it does.
fn allocations(row: &Row) -> Option<String> {
    let metrics = row.metrics.as_ref()?;
    let shown = |metric: &Metric| {
        let value = metric.value.filter(|value| *value > 0.0)?;
        Some(match value {
            whole if whole.fract() == 0.0 => format!("{whole:.0}"),
            rare if rare < 0.1 => format!("{rare:.5}"),
            _ => format!("{value:.2}"),
        })
    };
    let blocks = shown(&metrics[Quantity::Allocs])?;
    // Blocks of no bytes at all exist.
    let bytes = shown(&metrics[Quantity::AllocBytes]).unwrap_or_else(|| "0".into());
    let basis = metrics[Quantity::Allocs].basis.name();
    let part = metrics[Quantity::Allocs]
        .stepped
        .map_or(String::new(), |iterations| {
            format!(", over the first {iterations} iterations alone")
        });
    Some(format!(
        "per iteration, allocations: {blocks}, of {bytes} bytes in all, {basis}{part}"
    ))
}

/// A figure as its publication has it, and ours.
pub(super) fn figure(held: &Held) -> String {
    let published = &held.published;
    let metric = published.metric.replace('_', " ");
    let theirs = match &published.figure {
        Figure::Value { value } => format!("{value} {metric}"),
        Figure::Ratio { ratio, to } => format!("{ratio} of the {metric} of {to}"),
    };
    let ours = match (held.measured, held.basis, &held.why) {
        (Some(ours), Some(basis), _) => format!("here {ours:.2}, {}", basis.name()),
        (.., Some(why)) => format!("not held against ours: {why}"),
        _ => "not held against ours".to_string(),
    };
    let modelled = match &held.modelled_runtime[..] {
        [] => String::new(),
        names => format!(", with a modelled {}", names.join(", ")),
    };
    format!(
        "published: {theirs} ({}); {ours}{modelled}",
        published.source
    )
}

/// The columns in their order. What is said of a row as a whole stands at its cycles.
pub(super) fn all_columns(report: &Report, style: Style, detail: Detail) -> Vec<Column> {
    let rows = &report.rows;
    let numbers = |(head, known): (&'static str, Known), of: &dyn Fn(&Row) -> Option<&Metric>| {
        let metrics: Vec<Option<&Metric>> = rows.iter().map(of).collect();
        let (basis, source) = origin(report, known.name, &metrics);
        let cells = rows.iter().zip(&metrics).map(|(row, metric)| match metric {
            Some(metric) => {
                let decimals = if is_whole(metric) {
                    0
                } else {
                    known.decimals.unwrap_or(0)
                };
                quantity_cell(
                    metric,
                    (head, row),
                    modelled(row).filter(|_| matches!(head, "cycles" | "ns" | "cold")),
                    (decimals, basis, &source),
                    style,
                )
            }
            None => Cell::default(),
        });
        let mut cells = Column::new(head, known.unit, basis, cells.collect());
        // Dashes alone were obtained in no way.
        let mut known = metrics.iter().flatten();
        if metrics.iter().any(Option::is_some) && known.all(|metric| metric.value.is_none()) {
            cells.basis = basis.map(|_| Basis::Unsupported);
        }
        Column {
            source: in_use(&metrics, basis).or(source),
            ..cells
        }
    };
    let quantity = |quantity: Quantity| {
        let known = quantity.known();
        numbers((known.short, known), &|row| row.metric(quantity))
    };
    let mut quantities = Quantity::columns().map(quantity);
    let mut cycles = quantities.next().expect("cycles have a column");
    for (cell, row) in cycles.cells.iter_mut().zip(rows) {
        cell.remarks
            .splice(0..0, remarks(row, book::is_one(report)));
    }
    let known = Quantity::Cycles.known();
    // Where a value is withheld its placements are not.
    let of_cycles: Vec<_> = rows
        .iter()
        .map(|row| row.metric(Quantity::Cycles))
        .collect();
    let (placed, _) = origin(report, known.name, &of_cycles);
    // Whole cycles, of a source of its own.
    let one = Known {
        name: "cold",
        decimals: Some(0),
        ..known
    };
    let cold = numbers(("cold", one), &|row| {
        row.cold.as_ref().map(|call| &call.cycles)
    });
    let empty = numbers(("empty", known), &|row| {
        row.baseline.as_ref().map(|baseline| &baseline.cycles)
    });
    let places = match detail {
        Detail::Brief => {
            let cells = rows.iter().map(|row| place_cell(row, style));
            Column::new(BY_PLACE, known.unit, placed, cells.collect())
        }
        Detail::Full => {
            let cells = placement_cells(rows, style);
            Column::new(PLACEMENTS, known.unit, placed, cells)
        }
    };
    let reference = rows
        .iter()
        .find(|row| Some(&row.scenario) == report.reference.as_ref());
    let ratios = rows.iter().map(|row| ratio_cell(row, reference, style));
    let ratio = Column::new("ratio", "of the reference", None, ratios.collect());
    let optional = |column: Column| {
        column
            .cells
            .iter()
            .any(|cell| !cell.text.is_empty())
            .then_some(column)
    };
    let columns = [
        Some(cycles),
        optional(cold),
        optional(places),
        optional(empty).filter(|_| detail == Detail::Full),
    ];
    let columns = columns.into_iter().chain(quantities.map(Some));
    columns.chain([optional(ratio)]).flatten().collect()
}

/// Basis and source of a column: what the provenance says, unless that is a basis which none of its numbers has; then what
/// the first of them has.
fn origin(
    report: &Report,
    event: &str,
    metrics: &[Option<&Metric>],
) -> (Option<Basis>, Option<String>) {
    let known = || metrics.iter().copied().flatten();
    let numbers = || known().filter(|metric| metric.value.is_some());
    let mut sources = report.provenance.sources.iter();
    let line = sources.find(|line| line.event == event);
    let is_of = |line: &&SourceLine| {
        line.basis == Basis::Unsupported
            || numbers().next().is_none()
            || numbers().any(|metric| metric.basis == line.basis)
    };
    if let Some(line) = line.filter(is_of) {
        return (Some(line.basis), Some(line.source.clone()));
    }
    let first = numbers().next().or_else(|| known().next());
    (
        first.map(|metric| metric.basis),
        first.and_then(|metric| metric.source.clone()),
    )
}

/// The sources of the numbers that have the basis of their column.
fn in_use(metrics: &[Option<&Metric>], basis: Option<Basis>) -> Option<String> {
    let has_basis = |metric: &&&Metric| Some(metric.basis) == basis;
    let mut sources: Vec<&str> = Vec::new();
    for metric in metrics.iter().flatten().filter(has_basis) {
        let new = metric.source.as_deref();
        sources.extend(new.filter(|source| !sources.contains(source)));
    }
    (!sources.is_empty()).then(|| sources.join(", "))
}

/// Whether a number has nothing behind its decimal point; of those that are not exact, none.
fn is_whole(metric: &Metric) -> bool {
    metric.basis == Basis::Exact && metric.value.is_none_or(|value| value.fract() == 0.0)
}

/// `modelled`: what a time rests on that is not Go's.
fn quantity_cell(
    metric: &Metric,
    (head, row): (&str, &Row),
    modelled: Option<Remark>,
    (decimals, basis, source): (usize, Option<Basis>, &Option<String>),
    style: Style,
) -> Cell {
    let Some(value) = metric.value.filter(|value| value.is_finite()) else {
        let is_columns = basis == Some(Basis::Unsupported);
        // Most branches that no misses can be inferred of are so by nature.
        let mut sites = row.metrics.iter().flat_map(|metrics| &metrics.sites);
        let kind = match head == "misses" && !sites.any(|site| site.is_lost) {
            true => Kind::Aside,
            false => Kind::Number,
        };
        let why = metric.why.clone().filter(|_| !is_columns);
        return Cell {
            text: style.absent().to_string(),
            remarks: why.map(|why| Remark::new(kind, why)).into_iter().collect(),
            mark: String::new(),
        };
    };
    let has_basis = Some(metric.basis) == basis;
    let has_source = metric.source.is_none() || metric.source == *source;
    let mut remarks = Vec::new();
    // Another source of the same basis is named under the table.
    if !has_basis || !has_source {
        let by = metric.source.as_ref().map(|source| format!(" [{source}]"));
        let kind = if has_basis { Kind::Aside } else { Kind::Number };
        let by = by.unwrap_or_default();
        let text = format!("{}{by}, unlike its column", metric.basis.name());
        remarks.push(Remark::new(kind, text));
    }
    let number = |text: String| Remark::new(Kind::Number, text);
    // A wide interval is said of the cycles, and not of everything that follows from them.
    if let ("cycles", Some(low), Some(high)) = (head, metric.low, metric.high)
        && high - low > WIDE * value.abs()
    {
        let text = format!(
            "95 % interval {low:.decimals$} to {high:.decimals$}; a longer --time narrows it"
        );
        remarks.push(number(text).or("95 % interval wider than 2 %; a longer --time narrows it"));
    }
    if let (Basis::Inferred, Some(low), Some(high)) = (metric.basis, metric.low, metric.high)
        && high - low > VAGUE
    {
        let text = format!("inferred, 95 % interval {low:.2} to {high:.2}");
        remarks.push(number(text).or("inferred, 95 % interval wider than 0.1"));
    }
    if let Some(stepped) = metric.stepped {
        let part = |first: &str| {
            format!("stepped: counted over the first {first}iterations, not over all of them")
        };
        remarks.push(number(part(&format!("{stepped} "))).or(&part("")));
    }
    remarks.extend(metric.why.clone().map(number));
    remarks.extend(modelled);
    if metric.subtracted.is_some() {
        let text = "counted over the whole loop, less the harness's own, which are known exactly";
        remarks.push(number(text.into()));
    }
    Cell::of(printed(value, decimals), remarks)
}

/// What a time of a row rests on that is not Go's.
fn modelled(row: &Row) -> Option<Remark> {
    let remark = Remark::new(Kind::Number, row.modelled_remark()?);
    Some(remark.or(
        "with modelled functions of Go's runtime, so this is not the time that Go takes; -v has what each leaves out",
    ))
}

/// Least, median and most cycles over placements; none where there are none.
pub(super) fn placements(row: &Row, style: Style) -> Option<String> {
    let cells = placement_cells(std::slice::from_ref(row), style);
    let cell = cells.into_iter().next()?;
    Some(cell.text).filter(|text| !text.is_empty())
}

/// A number with so many decimals. What rounds to zero has no sign.
pub(super) fn printed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let is_zero = !text.contains(|digit| ('1'..='9').contains(&digit));
    match text.strip_prefix('-').filter(|_| is_zero) {
        Some(unsigned) => unsigned.to_string(),
        None => text,
    }
}

/// Least and most cycles over placements, where those do not agree.
fn place_cell(row: &Row, style: Style) -> Cell {
    let dash = if style.unicode { "–" } else { "-" };
    let layout = row.layout.filter(|layout| layout.cycles_min.is_finite());
    let differ =
        layout.filter(|layout| layout.cycles_max - layout.cycles_min > ALIKE * layout.cycles_min);
    let text = differ.map(|layout| {
        let (least, most) = (layout.cycles_min, layout.cycles_max);
        format!("{least:.2}{dash}{most:.2}")
    });
    Cell::of(text.unwrap_or_default(), Vec::new())
}

/// Least, median and most; the last is aligned at its decimal point.
fn placement_cells(rows: &[Row], style: Style) -> Vec<Cell> {
    let dash = if style.unicode { "–" } else { "-" };
    let shown = |value: f64| format!("{value:.2}");
    let parts_of = |row: &Row| {
        let layout = row.layout.filter(|layout| layout.cycles_min.is_finite())?;
        Some([layout.cycles_min, layout.cycles_median, layout.cycles_max].map(shown))
    };
    let parts: Vec<Option<[String; 3]>> = rows.iter().map(parts_of).collect();
    let highs = parts.iter().flatten().map(|[_, _, high]| high.len());
    let most = highs.max().unwrap_or(0);
    let cell = |parts: &Option<[String; 3]>| match parts {
        Some([low, median, high]) => Cell::of(
            format!("{low}{dash}{median}{dash}{high:<most$}"),
            Vec::new(),
        ),
        None => Cell::default(),
    };
    parts.iter().map(cell).collect()
}

fn ratio_cell(row: &Row, reference: Option<&Row>, style: Style) -> Cell {
    let times = if style.unicode { "×" } else { "x" };
    let Some(ratio) = row.ratio.filter(|ratio| ratio.is_finite()) else {
        return Cell::default();
    };
    let both = [Some(row), reference].into_iter().flatten();
    let remarks = both.filter_map(modelled).collect();
    Cell::of(format!("{ratio:.2}{times}"), remarks)
}

impl Cell {
    /// A number and what is said of it.
    pub(super) fn of(text: String, remarks: Vec<Remark>) -> Cell {
        Cell {
            text,
            remarks,
            mark: String::new(),
        }
    }
}

impl Column {
    pub(super) fn new(
        head: &'static str,
        unit: &'static str,
        basis: Option<Basis>,
        cells: Vec<Cell>,
    ) -> Column {
        let mut column = Column {
            head,
            unit,
            basis,
            source: None,
            cells,
            width: 0,
            gutter: 0,
        };
        column.measure();
        column
    }

    /// The same column with other cells.
    pub(super) fn with(&self, cells: Vec<Cell>) -> Column {
        let column = Column::new(self.head, self.unit, self.basis, cells);
        let source = self.source.clone();
        Column { source, ..column }
    }

    /// Puts marks behind the cells. Where there is no number to stand at, there is none.
    pub(super) fn mark(&mut self, mut mark: impl FnMut(&[Remark]) -> String) {
        for cell in self.cells.iter_mut().filter(|cell| !cell.text.is_empty()) {
            cell.mark = mark(&cell.remarks);
        }
        self.measure();
    }

    fn measure(&mut self) {
        let most = |of: fn(&Cell) -> &String| {
            let widths = self.cells.iter().map(|cell| columns(of(cell)));
            widths.max().unwrap_or(0)
        };
        let (text, gutter) = (most(|cell| &cell.text), most(|cell| &cell.mark));
        self.width = text.max(columns(self.head).saturating_sub(gutter));
        self.gutter = gutter;
    }

    /// Makes room for what stands beside other columns.
    fn widen(&mut self, by: usize) {
        self.width += by;
    }

    pub(super) fn total(&self) -> usize {
        self.width + self.gutter
    }
}

/// Makes room for the word of the basis above neighbours that share it.
pub(super) fn make_room(columns: &mut [Column]) {
    for (first, past) in spans(columns) {
        let room: usize = columns[first..past]
            .iter()
            .map(Column::total)
            .sum::<usize>()
            + past
            - first
            - 1;
        let word = columns[first].basis.map_or(0, |basis| basis.name().len());
        columns[past - 1].widen(word.saturating_sub(room));
    }
}

/// Neighbours that share a basis, as (first, past the last).
pub(super) fn spans(columns: &[Column]) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut first = 0;
    while first < columns.len() {
        let basis = columns[first].basis;
        let alike = columns[first..].iter();
        let past = first + alike.take_while(|column| column.basis == basis).count();
        spans.push((first, past));
        first = past;
    }
    spans
}

/// Where everything stands.
pub(super) struct Layout {
    /// Columns of the names.
    pub(super) name: usize,
    /// Blanks before each column.
    gaps: Vec<usize>,
}

impl Layout {
    /// The widest gaps that leave room for all names; where none does, for those without settings.
    /// A name that fits in no way stands on a line of its own.
    pub(super) fn of(
        names: &[&str],
        all: &[Column],
        spans: &[(usize, usize)],
        style: Style,
    ) -> Layout {
        let cells: usize = all.iter().map(Column::total).sum();
        let gaps = |between: usize, inside: usize| -> Vec<usize> {
            let starts_span = |at: usize| spans.iter().any(|&(first, _)| first == at);
            (0..all.len())
                .map(|at| if starts_span(at) { between } else { inside })
                .collect()
        };
        let room = |gaps: &[usize]| {
            style
                .width
                .saturating_sub(cells + gaps.iter().sum::<usize>())
        };
        let longest = |names: &mut dyn Iterator<Item = &&str>| {
            names.map(|name| columns(name)).max().unwrap_or(0)
        };
        let needed = longest(&mut names.iter());
        let short = longest(&mut names.iter().filter(|name| !name.contains('[')));
        let gaps = match () {
            () if needed <= room(&gaps(2, 2)) => gaps(2, 2),
            () if short.max(NAME_HEAD.len()) <= room(&gaps(2, 1)) => gaps(2, 1),
            () => gaps(1, 1),
        };
        let room = room(&gaps);
        let name = names
            .iter()
            .map(|name| columns(name))
            .filter(|&width| width <= room)
            .max()
            .unwrap_or(0);
        let name = if NAME_HEAD.len() <= room {
            name.max(NAME_HEAD.len())
        } else {
            name
        };
        Layout { name, gaps }
    }

    pub(super) fn heads(&self, all: &[Column], style: Style) -> String {
        let head = if NAME_HEAD.len() <= self.name {
            NAME_HEAD
        } else {
            ""
        };
        let mut line = format!("{head:<0$}", self.name);
        for (column, gap) in all.iter().zip(&self.gaps) {
            let head = format!("{:>1$}", column.head, column.total());
            line += &format!("{}{head}", " ".repeat(*gap));
        }
        style.paint(Paint::Head, &line) + "\n"
    }

    /// The basis under each head, drawn through where neighbours share it.
    pub(super) fn bases(&self, all: &[Column], spans: &[(usize, usize)], style: Style) -> String {
        let rule = if style.unicode { "─" } else { "-" };
        let mut line = " ".repeat(self.name);
        for &(first, past) in spans {
            let inner: usize = self.gaps[first + 1..past].iter().sum();
            let width = all[first..past].iter().map(Column::total).sum::<usize>() + inner;
            let word = all[first].basis.map_or("", Basis::name);
            let free = width - columns(word);
            line += &" ".repeat(self.gaps[first]);
            line += &match free {
                _ if word.is_empty() => " ".repeat(width),
                0..4 => format!("{word:>width$}"),
                _ => {
                    let left = (free - 2) / 2;
                    format!(
                        "{} {word} {}",
                        rule.repeat(left),
                        rule.repeat(free - 2 - left)
                    )
                }
            };
        }
        style.paint(Paint::Faint, line.trim_end()) + "\n"
    }

    pub(super) fn numbers(&self, all: &[Column], row: usize) -> String {
        let mut line = String::new();
        for (column, gap) in all.iter().zip(&self.gaps) {
            let cell = &column.cells[row];
            let before = column.width - columns(&cell.text);
            let after = column.gutter - columns(&cell.mark);
            line += &format!(
                "{}{}{}{}",
                " ".repeat(gap + before),
                cell.text,
                cell.mark,
                " ".repeat(after)
            );
        }
        line.trim_end().to_string()
    }

    pub(super) fn row(
        &self,
        name: &str,
        numbers: Option<String>,
        reasons: &[String],
        style: Style,
    ) -> String {
        let indent = self.name + 2;
        let room = style.width.saturating_sub(indent).max(20);
        let reasons = reasons.iter().flat_map(|reason| lines(reason, room));
        let mut beside: Vec<String> = numbers.into_iter().collect();
        beside.extend(reasons.map(|line| format!("  {line}")));
        let mut text = String::new();
        let mut beside = beside.into_iter();
        let width = columns(name);
        if width <= self.name {
            let first = beside.next().unwrap_or_default();
            text += format!("{name}{}{first}", " ".repeat(self.name - width)).trim_end();
        } else {
            text += name;
        }
        text.push('\n');
        for line in beside {
            text += &format!("{}{line}\n", " ".repeat(self.name));
        }
        text
    }
}
