//! The screen on a terminal that shows no more than ASCII: each symbol has a letter or a sign in its place.

use ratatui::buffer::Buffer;

/// Symbols of the screen with what stands for them; all of one column.
const SIGNS: [(&str, &str); 17] = [
    ("✗", "x"),
    ("✓", "+"),
    ("◷", "o"),
    ("·", "."),
    ("…", "~"),
    ("─", "-"),
    ("×", "x"),
    ("→", ">"),
    ("←", "<"),
    ("↑", "^"),
    ("↓", "v"),
    ("▲", "^"),
    ("▼", "v"),
    ("░", "."),
    ("▁", "_"),
    ("▂", "_"),
    ("▃", "_"),
];

/// True when the locale that the environment names has another character set than UTF-8. Where it names none, as in most containers,
/// the terminal may well have it.
pub fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let named =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    named.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}

/// Puts signs of ASCII in the place of everything else; `?` where nothing is alike.
pub fn replace(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let sign = SIGNS.iter().find(|(symbol, _)| *symbol == cell.symbol()).map(|(_, sign)| *sign);
            let bar = ["▄", "▅", "▆", "▇", "█"].contains(&cell.symbol()).then_some("#");
            cell.set_symbol(sign.or(bar).unwrap_or("?"));
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn the_locale_decides() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("LANG", "C")], true),
            (&[("LANG", "de_DE.ISO-8859-1")], true),
            (&[("LANG", "C.UTF-8")], false),
            (&[("LANG", "C"), ("LC_ALL", "en_US.utf8")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_CTYPE", "POSIX")], true),
            (&[("LANG", "C.UTF-8"), ("LC_ALL", "")], false),
        ] {
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(is_wanted(variable), expected, "{variables:?}");
        }
    }

    #[test]
    fn every_symbol_becomes_one_sign() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "✗ /カ…─→▇é", Style::new());
        replace(&mut buffer);
        let line: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(line, "x /? ~->#?  ");
    }
}
