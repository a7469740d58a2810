//! What is on the screen.

use berth_types::traffic::NodeTraffic;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style, Stylize as _};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table, TableState};

use super::row::{Kind, TopRow, harmless};
use crate::cli::SortBy;

/// The state of the screen between two drawings.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) sort: SortBy,
    pub(crate) filter: String,
    pub(crate) typing: bool,
    pub(crate) paused: bool,
    /// Why the last look failed.
    pub(crate) trouble: Option<String>,
    table: TableState,
}

impl Screen {
    /// The first row is chosen.
    pub(crate) fn new(sort: SortBy, filter: String) -> Self {
        Self {
            sort,
            filter,
            typing: false,
            paused: false,
            trouble: None,
            table: TableState::default().with_selected(Some(0)),
        }
    }

    /// Chooses a row so many below.
    pub(crate) fn move_by(&mut self, rows: isize) {
        let at = self.table.selected().unwrap_or_default();
        self.table.select(Some(at.saturating_add_signed(rows)));
    }

    /// There are so many rows.
    pub(crate) fn bound(&mut self, rows: usize) {
        let at = self.table.selected().unwrap_or_default();
        self.table.select(Some(at.min(rows.saturating_sub(1))));
    }
}

/// The columns: heading, width, and what they are sorted by. The names share what is left.
const COLUMNS: [(&str, Constraint, Option<SortBy>); 8] = [
    ("NAMESPACE", Constraint::Fill(2), Some(SortBy::Name)),
    ("POD", Constraint::Fill(4), Some(SortBy::Name)),
    ("INTERFACE", Constraint::Fill(2), None),
    ("RECEIVE", Constraint::Length(13), Some(SortBy::Receive)),
    ("SEND", Constraint::Length(13), Some(SortBy::Transmit)),
    ("PACKETS", Constraint::Length(9), Some(SortBy::Packets)),
    ("RECEIVED", Constraint::Length(11), Some(SortBy::Total)),
    ("SENT", Constraint::Length(11), Some(SortBy::Total)),
];

/// Where the numbers begin, which are aligned to the right.
const NUMBERS: usize = 3;

/// Draws all of it.
pub(crate) fn draw(
    frame: &mut Frame<'_>,
    screen: &mut Screen,
    node: Option<&NodeTraffic>,
    rows: &[TopRow],
) {
    let head = head(screen, node);
    let heights = [
        Constraint::Length(head_height(&head)),
        Constraint::Fill(1),
        Constraint::Length(1),
    ];
    let [above, middle, below] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(Paragraph::new(head), above);
    let headings = COLUMNS.iter().enumerate().map(|(at, (heading, _, sort))| {
        let style = if *sort == Some(screen.sort) {
            Style::new().underlined()
        } else {
            Style::new()
        };
        aligned(at, (*heading).to_owned()).style(style)
    });
    let table = Table::new(rows.iter().map(line), COLUMNS.map(|(_, width, _)| width))
        .header(TableRow::new(headings).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().reversed());
    frame.render_stateful_widget(table, middle, &mut screen.table);
    frame.render_widget(Paragraph::new(foot(screen)), below);
}

fn line(row: &TopRow) -> TableRow<'static> {
    let mut texts = row.texts();
    if let Some(name) = texts.get_mut(2) {
        for part in row.notes.iter().flat_map(|note| [" (", note, ")"]) {
            name.push_str(part);
        }
    }
    let cells = texts
        .into_iter()
        .enumerate()
        .map(|(at, text)| aligned(at, text));
    let made = TableRow::new(cells);
    if row.kind == Kind::Container {
        made.dim()
    } else {
        made
    }
}

fn aligned(at: usize, text: String) -> Cell<'static> {
    let text = Text::from(text);
    Cell::new(if at >= NUMBERS {
        text.right_aligned()
    } else {
        text
    })
}

fn head(screen: &Screen, node: Option<&NodeTraffic>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(node) = node {
        let drift = node
            .drift
            .map_or_else(String::new, |of| format!("  drift {:.2} %", of * 100.0));
        lines.push(Line::from(format!(
            "{}  by {}  {} of {} interfaces{drift}",
            harmless(&node.name),
            node.modes.join(", "),
            node.counted,
            node.recorded,
        )));
        lines.extend(
            node.degraded
                .iter()
                .take(3)
                .map(|words| Line::from(harmless(words)).red()),
        );
    } else {
        lines.push(Line::from("looking…"));
    }
    lines.extend(
        screen
            .trouble
            .as_ref()
            .map(|words| Line::from(harmless(words)).red()),
    );
    lines
}

fn head_height(head: &[Line<'_>]) -> u16 {
    u16::try_from(head.len()).unwrap_or(1)
}

fn foot(screen: &Screen) -> Line<'static> {
    if screen.typing || !screen.filter.is_empty() {
        let cursor = if screen.typing { "▏" } else { "" };
        return Line::from(format!("filter: {}{cursor}", harmless(&screen.filter)));
    }
    let paused = if screen.paused { "PAUSED  " } else { "" };
    Line::from(format!(
        "{paused}q quit  / filter  p pause  sort by: n name  r receive  s send  k packets  t total"
    ))
}
