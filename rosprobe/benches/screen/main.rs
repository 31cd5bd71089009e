//! The screen with 5,000 links of ROS 1, 2,000 of ROS 2 and 100,000 observations: a key press has to be answered within a frame, 33 ms.

mod participants;
#[path = "../../tests/screen/script.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the scripts of the tests; the benchmark needs the large one")]
mod script;

use divan::Bencher;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use rosprobe::event::Monotonic;
use rosprobe::observation::Observation;
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{App, Message, Options, Source, Theme, ViewKind, draw};

const LINKS: u32 = 5_000;
const OBSERVATIONS: usize = 100_000;
const SIZE: Size = Size { width: 200, height: 60 };

fn main() {
    divan::main();
}

struct Screen {
    app: App,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    /// A screen that shows everything, and observations that may come next.
    fn full() -> (Self, Vec<Observation>) {
        let mut script = script::many(LINKS, 0);
        participants::add(&mut script, OBSERVATIONS + 1000);
        let (now, mut all) = (script.now, script.observations);
        let next = all.split_off(OBSERVATIONS);
        let options = Options {
            source: Source::Live { what: "this machine".to_owned(), mode: "sock mode".to_owned() },
            filter: String::new(),
            failures: false,
            theme: Theme::Dark,
            zone: jiff::tz::TimeZone::UTC,
        };
        let terminal = Terminal::new(TestBackend::new(SIZE.width, SIZE.height)).expect("a test backend always opens");
        let mut screen = Self { app: App::new(options, SIZE), terminal };
        screen.app.update(Message::Observations(all));
        screen.app.update(Message::Advance(Monotonic(now)));
        for (view, _) in ViewKind::ALL.into_iter().rev() {
            screen.key(Action::Show(view));
            while screen.app.changed() {
                screen.picture();
            }
        }
        let graph = screen.app.session().graph();
        assert!(graph.links().count() >= LINKS as usize + 2000, "{} links", graph.links().count());
        assert_eq!(graph.dds().participants().count(), 100);
        (screen, next)
    }

    fn event(&mut self, event: Event) {
        self.app.update(Message::Terminal(event));
    }

    fn key(&mut self, action: Action) {
        if let Some(key) = Scope::Screen.key(action) {
            self.event(Event::Key(key.event()));
        }
    }

    fn types(&mut self, character: char) {
        self.event(Event::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE)));
    }

    fn picture(&mut self) {
        self.app.prepare();
        let app = &self.app;
        self.terminal.draw(|frame| draw(app, frame)).expect("a test backend always draws");
    }
}

#[divan::bench(args = ViewKind::ALL.map(|(_, name)| name))]
fn a_row_down(bencher: Bencher<'_, '_>, name: &str) {
    let (mut screen, _) = Screen::full();
    show(&mut screen, name);
    bencher.bench_local(|| {
        screen.key(Action::Down);
        screen.picture();
    });
}

#[divan::bench(args = ViewKind::ALL.map(|(_, name)| name))]
fn changing_to_a_view(bencher: Bencher<'_, '_>, name: &str) {
    let (mut screen, _) = Screen::full();
    bencher.bench_local(|| {
        screen.key(Action::Show(ViewKind::Links));
        show(&mut screen, name);
        screen.picture();
    });
}

#[divan::bench(args = ViewKind::ALL.map(|(_, name)| name))]
fn a_character_of_the_filter(bencher: Bencher<'_, '_>, name: &str) {
    let (mut screen, _) = Screen::full();
    show(&mut screen, name);
    screen.key(Action::Filter);
    let mut characters = "robot77".chars().cycle();
    bencher.bench_local(|| {
        screen.types(characters.next().unwrap_or('r'));
        screen.picture();
    });
}

#[divan::bench]
fn sorting_by_the_next_column(bencher: Bencher<'_, '_>) {
    let (mut screen, _) = Screen::full();
    bencher.bench_local(|| {
        screen.key(Action::SortNext);
        screen.picture();
    });
}

/// A burst, the findings made anew as the watch asks for twenty milliseconds later, a key in the middle of it, and the picture.
#[divan::bench(args = ViewKind::ALL.map(|(_, name)| name))]
fn a_key_while_a_thousand_observations_come_in(bencher: Bencher<'_, '_>, name: &str) {
    burst(bencher, name, true);
}

#[divan::bench(args = ViewKind::ALL.map(|(_, name)| name))]
fn a_thousand_observations_more(bencher: Bencher<'_, '_>, name: &str) {
    burst(bencher, name, false);
}

fn burst(bencher: Bencher<'_, '_>, name: &str, with_key: bool) {
    let (mut screen, next) = Screen::full();
    show(&mut screen, name);
    let mut last = next.last().map_or(0, |observation| observation.id.0);
    let mut now = next.last().map_or(0, |observation| observation.monotonic.0);
    bencher
        .with_inputs(|| {
            let mut next = next.clone();
            for observation in &mut next {
                last += 1;
                now += 20_000;
                observation.id.0 = last;
                observation.monotonic.0 = now;
            }
            (next, now)
        })
        .bench_local_values(|(next, now)| {
            screen.app.update(Message::Observations(next));
            if with_key {
                screen.app.update(Message::Advance(Monotonic(now)));
                screen.key(Action::Down);
            }
            screen.picture();
        });
}

fn show(screen: &mut Screen, name: &str) {
    if let Some((view, _)) = ViewKind::ALL.into_iter().find(|(_, other)| *other == name) {
        screen.key(Action::Show(view));
    }
}
