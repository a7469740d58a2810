//! The terminal: looks each second, and does what the keys say.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;
use tokio::time::Instant;

use super::agent::Agent;
use super::paint::{self, Screen};
use super::rates::Looks;
use super::{PERIOD, now};
use crate::cli::{SortBy, TopArgs};
use crate::error::{Ended, Failure};

/// How soon a key is seen.
const TICK: Duration = Duration::from_millis(50);

/// Draws until a key ends it. The terminal is as it was afterwards, whatever happens.
pub(crate) async fn watch(agent: &Agent, args: &TopArgs) -> Result<Ended, Failure> {
    let mut terminal = ratatui::try_init()?;
    let ended = watched(&mut terminal, agent, args).await;
    ratatui::try_restore()?;
    ended
}

async fn watched(
    terminal: &mut DefaultTerminal,
    agent: &Agent,
    args: &TopArgs,
) -> Result<Ended, Failure> {
    let keys = Keys::new();
    let mut looks = Looks::default();
    let mut screen = Screen::new(args.sort, args.filter.clone());
    let mut due = now();
    loop {
        if now() >= due && !screen.paused {
            due = now() + PERIOD;
            match agent.traffic().await {
                Ok(traffic) => {
                    looks.add(traffic);
                    screen.trouble = None;
                }
                // It may come back: what was seen last stays on the screen.
                Err(error) => screen.trouble = Some(error.to_string()),
            }
        }
        let rows = looks.rows(screen.sort, &screen.filter);
        screen.bound(rows.len());
        terminal.draw(|frame| paint::draw(frame, &mut screen, looks.node(), &rows))?;
        if keys.until(due.min(now() + TICK), &mut screen).await? {
            return Ok(Ended::Clean);
        }
    }
}

/// Reads the keyboard on a thread of its own: that blocks.
struct Keys {
    events: mpsc::Receiver<io::Result<Event>>,
    ended: Arc<AtomicBool>,
}

impl Keys {
    fn new() -> Self {
        let (sender, events) = mpsc::channel();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        // Not joined: it ends within a tick of the last key that is waited for.
        drop(thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let read = match event::poll(TICK) {
                    Ok(false) => continue,
                    Ok(true) => event::read(),
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.send(read).is_err() || failed {
                    return;
                }
            }
        }));
        Self { events, ended }
    }

    /// Waits until `until`, and answers whether a key said to end.
    async fn until(&self, until: Instant, screen: &mut Screen) -> io::Result<bool> {
        tokio::time::sleep_until(until).await;
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    if act(&event?, screen) {
                        return Ok(true);
                    }
                }
                Err(mpsc::TryRecvError::Empty) => return Ok(false),
                // The terminal is gone, and so is whoever watched.
                Err(mpsc::TryRecvError::Disconnected) => return Ok(true),
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Does what a key says; answers whether it says to end.
fn act(event: &Event, screen: &mut Screen) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    if key.kind == KeyEventKind::Release {
        return false;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd'));
    }
    if screen.typing {
        match key.code {
            KeyCode::Enter => screen.typing = false,
            KeyCode::Esc => {
                screen.typing = false;
                screen.filter.clear();
            }
            KeyCode::Backspace => drop(screen.filter.pop()),
            KeyCode::Char(character) => screen.filter.push(character),
            _ => {}
        }
        return false;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return true,
        KeyCode::Char('p' | ' ') => screen.paused = !screen.paused,
        KeyCode::Char('/') => screen.typing = true,
        KeyCode::Char('n') => screen.sort = SortBy::Name,
        KeyCode::Char('r') => screen.sort = SortBy::Receive,
        KeyCode::Char('s') => screen.sort = SortBy::Transmit,
        KeyCode::Char('k') => screen.sort = SortBy::Packets,
        KeyCode::Char('t') => screen.sort = SortBy::Total,
        KeyCode::Down => screen.move_by(1),
        KeyCode::Up => screen.move_by(-1),
        KeyCode::PageDown => screen.move_by(20),
        KeyCode::PageUp => screen.move_by(-20),
        KeyCode::Home => screen.move_by(isize::MIN),
        KeyCode::End => screen.move_by(isize::MAX),
        _ => {}
    }
    false
}
