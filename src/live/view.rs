//! The terminal view of a file that is followed: its text, its code beside the baseline's, its numbers.
//!
//! Correct means: what is drawn is in the [`Screen`] and nothing else is; a wrong text has its diagnostics where the
//! numbers were; and whatever the size of the terminal, the footer says how to leave.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Sparkline, Wrap};

use super::code::CodeLine;
use super::{Against, Outcome, Pass, Update};
use crate::report::Row;
use crate::report::terminal::reasons;
use crate::report::{Metric, Status};
use crate::stats::Quantity;
use crate::text::diagnostic::Diagnostic;
use crate::text::{self, printable};

/// Everything that is drawn.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    /// The file's text, as it was saved.
    pub source: String,
    /// The last update of the file.
    pub update: Option<Update>,
    /// Its code beside that of the baseline.
    pub code: Vec<CodeLine>,
    /// What that is beside: `the baseline, run 1`.
    pub beside: String,
    /// Cycles of its last runs.
    pub history: Vec<f64>,
    /// What is at work.
    pub at_work: &'static str,
    /// Which file this is of how many.
    pub place: (usize, usize),
    /// Lines that are scrolled away.
    pub scrolled: u16,
    /// Whether the keys are explained.
    pub has_help: bool,
    /// Whether colours may be used.
    pub has_colour: bool,
    /// Whether more than ASCII may be used.
    pub unicode: bool,
}

/// What the keys do, for the footer and for help.
pub const KEYS: [(&str, &str, &str); 6] = [
    ("q", "quit", "leave; so does Ctrl-C"),
    ("r", "run", "measure again without a save"),
    ("b", "baseline", "hold later runs against the last one"),
    (
        "c",
        "clear",
        "forget the runs so far; the next one is the baseline",
    ),
    (
        "Tab",
        "next file",
        "of several files show the next; a save shows its own",
    ),
    (
        "?",
        "help",
        "these lines; the arrows scroll the text and the code",
    ),
];

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let height = frame.area().height;
    let numbers = (Quantity::columns().count() as u16 + 3).min(height / 2);
    let history = if height >= 16 { 3 } else { 0 };
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(numbers),
        Constraint::Length(history),
        Constraint::Length(1),
    ]);
    let [head, middle, below, past, foot] = parts.areas(frame.area());
    frame.render_widget(Paragraph::new(title(screen)), head);
    match screen.has_help {
        true => frame.render_widget(help(), middle),
        false => {
            let [left, right] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(middle);
            draw_source(frame, screen, left);
            draw_code(frame, screen, right);
        }
    }
    draw_numbers(frame, screen, below);
    if history > 0 {
        draw_history(frame, screen, past);
    }
    frame.render_widget(Paragraph::new(footer()), foot);
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

fn coloured(screen: &Screen, color: Color) -> Style {
    match screen.has_colour {
        true => Style::new().fg(color),
        false => Style::new(),
    }
}

/// A text as a terminal may show it, its tabs as blanks.
fn plain(text: &str) -> String {
    printable::line(&text.replace('\t', "    ")).into_owned()
}

fn block(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(title)
}

fn title(screen: &Screen) -> Line<'static> {
    let named = screen.update.as_ref().map_or_else(String::new, |update| {
        format!("{}  run {}", plain(&update.name), update.run)
    });
    Line::from(vec![
        Span::styled(format!("dispatchlab watch  {named}  "), BOLD),
        Span::raw(match screen.place {
            (at, of) if of > 1 => format!("file {at} of {of}  "),
            _ => String::new(),
        }),
        Span::raw(screen.at_work),
    ])
}

fn footer() -> Line<'static> {
    let keys = KEYS.iter().flat_map(|(key, word, _)| {
        [
            Span::styled(format!(" {key} "), BOLD),
            Span::raw(format!("{word} ")),
        ]
    });
    Line::from(keys.collect::<Vec<_>>())
}

fn help() -> Paragraph<'static> {
    let lines = KEYS
        .iter()
        .map(|(key, _, what)| Line::raw(format!("  {key}  {what}")));
    Paragraph::new(lines.collect::<Vec<_>>()).block(block(" Keys ".into()))
}

fn wrong(screen: &Screen) -> &[Diagnostic] {
    match screen.update.as_ref().map(|update| &update.outcome) {
        Some(Outcome::Wrong(wrong)) => wrong,
        _ => &[],
    }
}

/// The line of the template that a run blames.
fn blamed(screen: &Screen) -> Option<u32> {
    match screen.update.as_ref().map(|update| &update.outcome) {
        Some(Outcome::Row(_, row)) => match &row.status {
            Status::Fault(report) | Status::Timeout(report) => report.line,
            _ => None,
        },
        _ => None,
    }
}

fn draw_source(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let marked: Vec<u32> = wrong(screen)
        .iter()
        .map(|one| one.line)
        .chain(blamed(screen))
        .collect();
    let lines = screen.source.lines().zip(1u32..).map(|(text, number)| {
        let is_marked = marked.contains(&number);
        let sign = if is_marked { '>' } else { ' ' };
        let style = match is_marked {
            true => coloured(screen, Color::Red).add_modifier(Modifier::BOLD),
            false => Style::new(),
        };
        Line::styled(format!("{sign}{number:>4} {}", plain(text)), style)
    });
    let lines: Vec<Line<'_>> = lines.collect();
    let room = area.height.saturating_sub(1);
    let first = first_line(
        screen.scrolled,
        marked.iter().min().copied(),
        lines.len(),
        room,
    );
    let text = Paragraph::new(lines).scroll((first, 0));
    frame.render_widget(text.block(block(" Source ".into())), area);
}

/// The first line that is shown: a marked one is always among them.
fn first_line(scrolled: u16, marked: Option<u32>, count: usize, room: u16) -> u16 {
    let most = (count as u16).saturating_sub(room);
    match marked {
        Some(line) if line as u16 > room => (line as u16).saturating_sub(room / 2).min(most),
        Some(_) => 0,
        None => scrolled.min(most),
    }
}

fn draw_code(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let lines = screen.code.iter().map(|one| {
        let line = one.line.map_or_else(String::new, |line| line.to_string());
        let times = match one.executions {
            Some(times) if times != 1.0 => format!("{times:.2}"),
            _ => String::new(),
        };
        let bytes = &one.bytes;
        let text = format!(
            "{}{line:>4} {bytes:<16} {} {times}",
            one.side,
            plain(&one.text)
        );
        let style = match one.side {
            '+' => coloured(screen, Color::Green),
            '-' => coloured(screen, Color::Red),
            _ => Style::new(),
        };
        Line::styled(text, style)
    });
    let lines: Vec<Line<'_>> = lines.collect();
    let first = first_line(
        screen.scrolled,
        None,
        lines.len(),
        area.height.saturating_sub(1),
    );
    let title = match screen.beside.is_empty() {
        true => " Code ".to_string(),
        false => format!(" Code, beside {} ", screen.beside),
    };
    frame.render_widget(
        Paragraph::new(lines).scroll((first, 0)).block(block(title)),
        area,
    );
}

fn draw_numbers(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let style = text::Style {
        width: usize::from(area.width),
        color: false,
        unicode: screen.unicode,
    };
    let Some(update) = &screen.update else { return };
    let (title, lines) = match &update.outcome {
        Outcome::Row(pass, row) if row.metrics.is_some() => {
            let pass = match pass {
                Pass::AtOnce => "at once",
                Pass::InTurns => "in turns with those before",
            };
            (
                format!(" Numbers, {pass} "),
                numbers(row, &update.against, style),
            )
        }
        Outcome::Row(_, row) => (" No number ".into(), reasons(&row.status, style)),
        Outcome::Wrong(wrong) => {
            let status = Status::Error(wrong.clone());
            (
                " No number: the text is wrong ".into(),
                reasons(&status, style),
            )
        }
        Outcome::Gone => {
            let what = "the file is gone; it is measured again once it is back";
            (" No number ".into(), vec![what.to_string()])
        }
        Outcome::Refused(why) => (" No number ".into(), vec![why.clone()]),
    };
    let lines: Vec<Line<'_>> = lines.iter().map(|line| Line::raw(plain(line))).collect();
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    frame.render_widget(text.block(block(title)), area);
}

fn numbers(row: &Row, against: &[Against], style: text::Style) -> Vec<String> {
    let heads = against
        .iter()
        .map(|one| format!("{:<30}", format!("of {}", one.name)));
    let heads: String = heads.collect();
    let mut lines = vec![format!("{:<8}{:>9}  {:<22}{heads}", "", "", "basis")];
    for quantity in Quantity::columns() {
        let Some(metric) = row.metric(quantity) else {
            continue;
        };
        let held = against
            .iter()
            .map(|one| format!("{:<30}", held(one, quantity, style)));
        let held: String = held.collect();
        let known = quantity.known();
        let decimals = known.decimals.unwrap_or(2);
        let value = match metric.value {
            Some(value) => format!("{value:.decimals$}"),
            None => style.absent().to_string(),
        };
        let told = match (metric.value, &metric.why) {
            (None, Some(why)) => format!("{}: {why}", metric.basis.name()),
            _ => format!("{:<22}{held}", basis(metric, decimals)),
        };
        lines.push(format!("{:<8}{value:>9}  {told}", known.short));
    }
    lines
}

/// `measured 5.00-5.02`.
fn basis(metric: &Metric, decimals: usize) -> String {
    let name = metric.basis.name();
    match (metric.low, metric.high) {
        (Some(low), Some(high)) if low != high => {
            format!("{name} {low:.decimals$}-{high:.decimals$}")
        }
        _ => name.to_string(),
    }
}

fn held(against: &Against, quantity: Quantity, style: text::Style) -> String {
    let times = if style.unicode { "×" } else { "x" };
    let name = quantity.known().name;
    let Some(one) = against.comparisons.iter().find(|one| one.metric == name) else {
        return String::new();
    };
    match (one.ratio, one.low, one.high) {
        (Some(ratio), Some(low), Some(high)) if low != high => {
            format!("{ratio:.3}{times} [{low:.3}-{high:.3}]")
        }
        (Some(ratio), ..) => format!("{ratio:.3}{times}"),
        _ => String::new(),
    }
}

fn draw_history(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let runs = &screen.history;
    let (least, most) = runs.iter().fold((f64::MAX, 0f64), |(least, most), one| {
        (least.min(*one), most.max(*one))
    });
    let title = match runs.len() {
        0 => " Cycles of the last runs ".to_string(),
        count => format!(" Cycles of the last {count} runs, {least:.2} to {most:.2} "),
    };
    let scaled: Vec<u64> = runs
        .iter()
        .map(|one| (one / most.max(1e-9) * 800.0) as u64)
        .collect();
    let line = Sparkline::default().data(&scaled).max(800);
    frame.render_widget(line.block(block(title)), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Subject;
    use crate::report::fixture;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(screen: &Screen, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(frame, screen)).expect("draws");
        let buffer = terminal.backend().buffer();
        let line = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
        };
        (0..height)
            .map(|y| line(y).trim_end().to_string())
            .collect()
    }

    fn lines(count: u32) -> String {
        (1..=count)
            .map(|line| format!(" add rax, {line}\n"))
            .collect()
    }

    fn wrong_at(line: u32) -> Screen {
        let wrong = Diagnostic {
            file: "own.asm".into(),
            line,
            column: 2,
            message: "unknown instruction `muv`".into(),
            help: None,
            width: 3,
            text: " muv rax".into(),
            origin: None,
        };
        let subject = Subject::new("own.asm").saved();
        Screen {
            source: lines(100),
            update: Some(subject.without_number(Outcome::Wrong(vec![wrong]))),
            unicode: true,
            ..Screen::default()
        }
    }

    #[test]
    fn a_wrong_line_is_marked_and_in_sight_wherever_it_stands() {
        for line in [1, 2, 13, 14, 50, 99, 100] {
            let drawn = drawn(&wrong_at(line), 100, 24);
            let marked = drawn.iter().find(|one| one.starts_with('>'));
            let own = format!(">{line:>4}  add rax, {line}");
            assert!(
                marked.is_some_and(|one| one.starts_with(&own)),
                "{line}: {drawn:#?}"
            );
            assert!(
                drawn
                    .iter()
                    .any(|one| one.contains("unknown instruction `muv`"))
            );
        }
    }

    #[test]
    fn a_number_stands_beside_its_basis() {
        let row = fixture::ok("own", 5.0, 5.0, (5.0, 2.0));
        let screen = Screen {
            update: Some(Subject::new("own.asm").saved().at_once(row)),
            history: vec![4.0, 5.0],
            ..Screen::default()
        };
        let drawn = drawn(&screen, 80, 24);
        let has = |words: [&str; 3]| {
            drawn
                .iter()
                .any(|line| words.iter().all(|word| line.contains(word)))
        };
        assert!(has(["cycles", "5.00", "measured"]), "{drawn:#?}");
        assert!(has(["instr", "5.00", "exact"]), "{drawn:#?}");
        assert!(has(["the last 2 runs", "4.00", "5.00"]), "{drawn:#?}");
    }

    #[test]
    fn where_there_is_no_number_stands_why() {
        let mut row = fixture::ok("own", 5.0, 5.0, (5.0, 2.0));
        let metrics = row.metrics.as_mut().expect("numbers");
        metrics[Quantity::BranchMisses] = Metric::none("nobody counts them");
        let screen = Screen {
            update: Some(Subject::new("own.asm").saved().at_once(row)),
            ..Screen::default()
        };
        let drawn = drawn(&screen, 80, 24);
        let told = "unsupported: nobody counts them";
        let line = drawn.iter().find(|line| line.contains("misses"));
        assert!(line.is_some_and(|line| line.ends_with(told)), "{drawn:#?}");
    }

    #[test]
    fn no_window_is_too_small_and_the_last_line_says_how_to_leave() {
        for width in [1, 2, 8, 40, 300] {
            for height in [1, 2, 3, 5, 15, 16, 100] {
                let drawn = drawn(&wrong_at(50), width, height);
                let footer = &drawn[usize::from(height) - 1];
                assert!(
                    width < 8 || footer.starts_with(" q quit"),
                    "{width} by {height}: {drawn:#?}"
                );
            }
        }
    }

    #[test]
    fn no_text_steers_the_terminal() {
        let screen = Screen {
            source: "a\x1b[2Jb\tc\n".into(),
            ..Screen::default()
        };
        let drawn = drawn(&screen, 80, 24).concat();
        assert!(
            !drawn.contains('\x1b') && drawn.contains("a\\u{1b}[2Jb    c"),
            "{drawn}"
        );
    }
}
