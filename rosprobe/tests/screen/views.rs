//! Every view with nothing, one and many entries, at the sizes that people have.

use ratatui::style::{Color, Modifier};
use rosprobe::tui::keys::{Action, Scope};
use rosprobe::tui::{Message, Source, Theme, ViewKind};

use super::Screen;
use super::script::{self, Script};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn snapshots(name: &str, actions: &[Action], script: fn() -> Script) {
    for (width, height) in SIZES {
        let mut screen = Screen::of(script(), width, height);
        screen.act(actions);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen.text());
    }
}

macro_rules! view {
    ($view:ident, $name:literal) => {
        #[test]
        fn $view() {
            let kind = ViewKind::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case($name)).unwrap().0;
            let show = [Action::Show(kind)];
            snapshots(concat!($name, "_empty"), &show, Script::default);
            snapshots(concat!($name, "_one"), &show, script::one_failing);
            snapshots(concat!($name, "_mixed"), &show, script::mixed);
            snapshots(concat!($name, "_healthy"), &show, script::healthy);
            snapshots(concat!($name, "_odd"), &show, script::odd_names);
            snapshots(concat!($name, "_many"), &show, || script::many(60, 400));
        }
    };
}

view!(links, "links");
view!(processes, "processes");
view!(hosts, "hosts");
view!(conversation, "conversation");
view!(findings, "findings");

/// Every view of a file that has something to show, one below the other.
fn all_views(name: &str, file: &str) {
    for (width, height) in SIZES {
        let mut screen = Screen::of_file(file, width, height);
        let first = screen.text();
        let mut pages = vec![format!("=== at first\n{first}")];
        for (kind, title) in ViewKind::ALL {
            screen.act(&[Action::Show(kind)]);
            let text = screen.text();
            let empty = text.contains("Packets do not tell") || text.contains("There is nothing of");
            if !empty && (text != first || kind == ViewKind::Links) {
                pages.push(format!("=== {title}\n{text}"));
            }
        }
        insta::assert_snapshot!(format!("real_{name}_{width}x{height}"), pages.join("\n"));
    }
}

#[test]
fn a_recorded_fault() {
    all_views("no_route", "trace/no-route.json.gz");
}

#[test]
fn a_recorded_system_that_works() {
    all_views("healthy", "trace/healthy.json.gz");
}

#[test]
fn recorded_names_with_odd_characters() {
    all_views("odd_names", "trace/odd-names.json.gz");
}

#[test]
fn ros2_quality_of_service() {
    all_views("ros2_qos", "ros2/e7_qos.pcap");
}

#[test]
fn ros2_two_domains() {
    all_views("ros2_domains", "ros2/e4_domain_mismatch.pcap");
}

#[test]
fn ros2_an_address_that_nobody_reaches() {
    all_views("ros2_no_route", "ros2/e6_noroute_cyc.pcap");
}

#[test]
fn ros2_nodes_of_a_working_system() {
    all_views("ros2_nodes", "ros2/e14_ros_discovery_info.pcap");
}

#[test]
fn ros2_details() {
    for (view, name, file) in [
        (ViewKind::Links, "link", "ros2/e7_qos.pcap"),
        (ViewKind::Links, "working_link", "ros2/cyc_cyc_d0.pcap"),
        (ViewKind::Domains, "domain", "ros2/e4_domain_mismatch.pcap"),
        (ViewKind::Participants, "participant", "ros2/e6_noroute_cyc.pcap"),
        (ViewKind::Endpoints, "endpoint", "ros2/e7_qos.pcap"),
    ] {
        let mut screen = Screen::of_file(file, 120, 60);
        screen.act(&[Action::Show(view), Action::Open]);
        insta::assert_snapshot!(format!("ros2_detail_{name}"), screen.text());
    }
}

#[test]
fn a_detail_on_the_whole_screen() {
    snapshots("detail_whole", &[Action::Open], script::one_failing);
    snapshots("detail_raw", &[Action::Open, Action::ToggleRaw, Action::Bottom], script::one_failing);
    let working = [Action::Down, Action::Down, Action::Open];
    snapshots("detail_working", &working, script::mixed);
}

#[test]
fn a_wide_screen() {
    let mut screen = Screen::of(script::mixed(), 300, 80);
    insta::assert_snapshot!(screen.text());
    let mut screen = Screen::of_file("ros2/e7_qos.pcap", 300, 80);
    insta::assert_snapshot!("a_wide_screen_of_ros2", screen.text());
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    for (width, height) in [(59, 24), (80, 11), (20, 5), (1, 1)] {
        let mut screen = Screen::of(script::one_failing(), width, height);
        let text = screen.text();
        if width >= 20 {
            assert!(text.replace('\n', " ").contains("is too small: 60x12 is the least"), "{text}");
        }
    }
}

#[test]
fn help_shows_every_key_of_the_table() {
    let mut screen = Screen::of(script::one_failing(), 120, 80);
    screen.act(&[Action::Help]);
    let text = screen.text();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (scope, heading) in Scope::ALL {
        assert!(text.contains(heading));
        for binding in scope.bindings() {
            assert!(words.contains(binding.help), "{}", binding.help);
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_file_that_is_being_read() {
    let mut screen = Screen::new(80, 24, Source::File("robot.json.gz".to_owned()), Theme::Dark);
    screen.app.update(Message::Progress(rosprobe::tui::Progress { read: 43_000_000, total: 100_000_000 }));
    insta::assert_snapshot!(screen.text());
}

/// Styles of the cells that show a word.
fn style_of(screen: &mut Screen, word: &str) -> (Color, Modifier) {
    let buffer = screen.buffer();
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        if let Some(position) = line.find(word) {
            let x = u16::try_from(line[..position].chars().count()).unwrap();
            let cell = &buffer[(x, y)];
            return (cell.fg, cell.modifier);
        }
    }
    panic!("{word} is not on the screen");
}

#[test]
fn failing_is_red_and_bold_and_said_in_words() {
    let mut screen = Screen::of(script::mixed(), 120, 40);
    assert!(screen.text().contains("✗  /some/topic"));
    let (colour, modifier) = style_of(&mut screen, "ECONNREFUSED");
    assert_eq!(colour, Color::LightRed);
    assert!(modifier.contains(Modifier::BOLD));
    assert_eq!(style_of(&mut screen, "pending 7").0, Color::Yellow);
}

#[test]
fn without_colour_the_screen_says_the_same() {
    let source = || Source::Live { what: "this machine".to_owned(), mode: "sock mode".to_owned() };
    let mut texts = Vec::new();
    for theme in [Theme::Dark, Theme::Light, Theme::Plain] {
        let mut screen = Screen::new(120, 40, source(), theme);
        screen.tell(script::mixed());
        texts.push(screen.text());
        let buffer = screen.buffer();
        let coloured = buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(coloured, theme != Theme::Plain);
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
}

/// Each line as runs of one style: `«text»` and what is special about it.
fn styled(screen: &mut Screen) -> String {
    let buffer = screen.buffer();
    let mut lines = Vec::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            let style = (cell.fg, cell.bg, cell.modifier);
            let mut run = String::new();
            while x < buffer.area.width {
                let cell = &buffer[(x, y)];
                if (cell.fg, cell.bg, cell.modifier) != style {
                    break;
                }
                run.push_str(cell.symbol());
                x += 1;
            }
            let mut words = Vec::new();
            words.extend((style.0 != Color::Reset).then(|| style.0.to_string()));
            words.extend((style.1 != Color::Reset).then(|| format!("on {}", style.1)));
            words.extend((!style.2.is_empty()).then(|| format!("{:?}", style.2)));
            match words.join(" ") {
                none if none.is_empty() => line.push_str(&run),
                words => line.extend(["«", &run, "»(", &words, ")"]),
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

#[test]
fn colours_on_dark_and_light_backgrounds_and_none() {
    for (theme, name) in [(Theme::Dark, "dark"), (Theme::Light, "light"), (Theme::Plain, "no_color")] {
        let source = Source::Live { what: "this machine".to_owned(), mode: "sock mode".to_owned() };
        let mut screen = Screen::new(80, 24, source, theme);
        screen.tell(script::mixed());
        screen.act(&[Action::Filter]).types("s");
        screen.press(Scope::Line, Action::Accept);
        insta::assert_snapshot!(format!("theme_{name}"), styled(&mut screen));
    }
}

#[test]
fn nothing_from_the_network_moves_the_cursor() {
    for (kind, _) in ViewKind::ALL {
        for whole in [false, true] {
            let mut screen = Screen::of(script::odd_names(), 120, 60);
            screen.act(&[Action::Show(kind)]);
            if whole {
                screen.act(&[Action::Open]);
            }
            let buffer = screen.buffer();
            for cell in buffer.content() {
                let hidden = cell.symbol().chars().find(|character| {
                    character.is_control() || matches!(character, '\u{202e}' | '\u{200b}' | '\u{2028}')
                });
                assert_eq!(hidden, None, "{kind:?}");
            }
        }
    }
}

#[test]
fn wide_and_combining_names_leave_the_columns_where_they_are() {
    let mut screen = Screen::of(script::odd_names(), 120, 40);
    let buffer = screen.buffer();
    let column = |y: u16, word: &str| {
        (0..buffer.area.width).find(|x| {
            let rest: String = (*x..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            rest.starts_with(word)
        })
    };
    let places: Vec<u16> = (3..9).filter_map(|y| column(y, "EHOSTUNREACH")).collect();
    assert_eq!(places.len(), 6);
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
}
