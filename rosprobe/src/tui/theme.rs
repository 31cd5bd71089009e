//! Roles instead of colours: views say what a text is, the theme says how that looks.
//!
//! Sixteen colours and the terminal's own foreground and background, so that a person's palette decides. Symbols and
//! words carry every meaning; colour repeats it.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Plain text.
    #[default]
    Text,
    /// Something works.
    Ok,
    /// Something is under way, or may be trouble.
    Warn,
    /// Something failed.
    Err,
    /// Less important.
    Muted,
    /// A heading.
    Heading,
    /// A value to act on: an address, a command.
    Accent,
    /// What the filter found.
    Match,
    /// The row that is selected.
    Selected,
    /// The view that is shown, in the bar.
    Current,
}

/// Which colours to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// No colours at all: `NO_COLOR`.
    Plain,
}

impl Theme {
    /// The theme that a person's environment asks for: `NO_COLOR` (any value but the empty one), then `ROSPROBE_THEME` (`dark`,
    /// `light`, `plain`), then none on a terminal that has no colours by its name (`vt100`, `xterm-mono`), then the background that the
    /// terminal names in `COLORFGBG`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::Plain;
        }
        match variable("ROSPROBE_THEME").as_deref() {
            Some("dark") => return Self::Dark,
            Some("light") => return Self::Light,
            Some("plain") => return Self::Plain,
            _ => {}
        }
        if variable("TERM").is_some_and(|name| is_without_colours(&name)) {
            return Self::Plain;
        }
        // COLORFGBG is "foreground;background"; 7 and 15 are the light ones.
        let background = variable("COLORFGBG").and_then(|value| value.rsplit(';').next()?.parse::<u8>().ok());
        if matches!(background, Some(7 | 15)) { Self::Light } else { Self::Dark }
    }

    /// How a role looks.
    pub fn style(self, role: Role) -> Style {
        let colour = |dark: Color, light: Color| match self {
            Self::Dark => Style::new().fg(dark),
            Self::Light => Style::new().fg(light),
            Self::Plain => Style::new(),
        };
        match role {
            Role::Text => Style::new(),
            Role::Ok => colour(Color::Green, Color::Green),
            Role::Warn => colour(Color::Yellow, Color::Magenta),
            Role::Err => colour(Color::LightRed, Color::Red).add_modifier(Modifier::BOLD),
            Role::Muted => Style::new().add_modifier(Modifier::DIM),
            Role::Heading => Style::new().add_modifier(Modifier::BOLD),
            Role::Accent => colour(Color::Cyan, Color::Blue),
            Role::Match => colour(Color::LightCyan, Color::Blue).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Role::Selected | Role::Current => Style::new().add_modifier(Modifier::REVERSED),
        }
    }
}

/// By the names that terminfo has for them.
fn is_without_colours(terminal: &str) -> bool {
    let is_old = ["vt100", "vt102", "vt220", "vt320"]
        .iter()
        .any(|name| terminal == *name || terminal.starts_with(&format!("{name}-")));
    is_old || terminal.ends_with("-mono") || terminal.ends_with("-m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(variables: &[(&str, &str)]) -> Theme {
        Theme::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_chooses() {
        let cases: [(&[(&str, &str)], Theme); 11] = [
            (&[], Theme::Dark),
            (&[("NO_COLOR", "1"), ("ROSPROBE_THEME", "light")], Theme::Plain),
            (&[("NO_COLOR", "")], Theme::Dark),
            (&[("ROSPROBE_THEME", "light"), ("COLORFGBG", "15;0")], Theme::Light),
            (&[("COLORFGBG", "0;15")], Theme::Light),
            (&[("COLORFGBG", "0;default;7")], Theme::Light),
            (&[("COLORFGBG", "nonsense")], Theme::Dark),
            (&[("TERM", "vt100")], Theme::Plain),
            (&[("TERM", "xterm-mono")], Theme::Plain),
            (&[("TERM", "vt100"), ("ROSPROBE_THEME", "dark")], Theme::Dark),
            (&[("TERM", "linux-16color")], Theme::Dark),
        ];
        for (variables, expected) in cases {
            assert_eq!(theme(variables), expected, "{variables:?}");
        }
    }

    const ROLES: [Role; 10] = [
        Role::Text,
        Role::Ok,
        Role::Warn,
        Role::Err,
        Role::Muted,
        Role::Heading,
        Role::Accent,
        Role::Match,
        Role::Selected,
        Role::Current,
    ];

    #[test]
    fn without_colour_there_is_none_and_with_it_sixteen() {
        for role in ROLES {
            let plain = Theme::Plain.style(role);
            assert_eq!((plain.fg, plain.bg), (None, None), "{role:?}");
            for theme in [Theme::Dark, Theme::Light] {
                let style = theme.style(role);
                assert!(!matches!(style.fg, Some(Color::Rgb(..) | Color::Indexed(_))), "{role:?}");
                assert_eq!(style.bg, None, "{role:?}");
            }
        }
    }
}
