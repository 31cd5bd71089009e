//! A terminal's screen, as tmux gives it with its escape sequences, as an SVG.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// Width and height of a character cell, and the size of the letters in it, in pixels.
const CELL: (f32, f32) = (8.4, 18.0);
const LETTERS: f32 = 14.0;
const MARGIN: f32 = 12.0;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d7dae0";
/// The terminal's 16 colours.
const PALETTE: [&str; 16] = [
    "#2b303b", "#e05561", "#8cc265", "#d18f52", "#4aa5f0", "#c162de", "#42b3c2", "#d7dae0", "#6b717d", "#ff616e",
    "#a5e075", "#f0a45d", "#4dc4ff", "#de73ff", "#4cd1e0", "#ffffff",
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a terminal's attributes are that")]
struct Style {
    colour: Option<usize>,
    bold: bool,
    dim: bool,
    underlined: bool,
    reversed: bool,
}

/// Text of one style, from a column on.
struct Run {
    column: usize,
    width: usize,
    text: String,
    style: Style,
}

/// The picture of a screen.
pub fn draw(screen: &str, columns: u16, rows: u16) -> String {
    let (width, height) = (f32::from(columns) * CELL.0 + 2.0 * MARGIN, f32::from(rows) * CELL.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', \
         Menlo, Consolas, monospace\" font-size=\"{LETTERS}\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    let mut style = Style::default();
    for (row, line) in screen.lines().take(usize::from(rows)).enumerate() {
        for run in runs(line, &mut style) {
            push_run(&mut svg, row, &run);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn push_run(svg: &mut String, row: usize, run: &Run) {
    let x = MARGIN + run.column as f32 * CELL.0;
    let y = MARGIN + row as f32 * CELL.1;
    let width = run.width as f32 * CELL.0;
    let colour = run.style.colour.map_or(FOREGROUND, |colour| PALETTE[colour]);
    let (ink, paper) = if run.style.reversed { (BACKGROUND, Some(colour)) } else { (colour, None) };
    // Writing to a String cannot fail.
    if let Some(paper) = paper {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{paper}\"/>",
            CELL.1
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    let baseline = y + CELL.1 * 0.75;
    let mut attributes = String::new();
    for (holds, attribute) in [
        (run.style.bold, " font-weight=\"bold\""),
        (run.style.dim, " opacity=\"0.6\""),
        (run.style.underlined, " text-decoration=\"underline\""),
    ] {
        attributes.push_str(if holds { attribute } else { "" });
    }
    let text = run.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{baseline:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\" \
         xml:space=\"preserve\"{attributes}>{text}</text>"
    );
}

/// Divides a line where its style changes; the style goes on with the next line.
fn runs(line: &str, style: &mut Style) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        if let Some((parameters, after)) = rest.strip_prefix("\x1b[").and_then(|rest| rest.split_once('m')) {
            apply(style, parameters);
            rest = after;
            continue;
        }
        rest = &rest[character.len_utf8()..];
        let width = character.width().unwrap_or(0);
        match runs.last_mut() {
            Some(run) if run.style == *style => {
                run.text.push(character);
                run.width += width;
            }
            _ => runs.push(Run { column, width, text: character.to_string(), style: *style }),
        }
        column += width;
    }
    runs
}

/// Select Graphic Rendition, as far as the screen uses it (ECMA-48, 8.3.117).
fn apply(style: &mut Style, parameters: &str) {
    let mut parameters = parameters.split(';').map(|parameter| parameter.parse::<usize>().unwrap_or(0));
    while let Some(parameter) = parameters.next() {
        match parameter {
            0 => *style = Style::default(),
            1 => style.bold = true,
            2 => style.dim = true,
            4 => style.underlined = true,
            7 => style.reversed = true,
            22 => (style.bold, style.dim) = (false, false),
            24 => style.underlined = false,
            27 => style.reversed = false,
            colour @ 30..=37 => style.colour = Some(colour - 30),
            colour @ 90..=97 => style.colour = Some(colour - 90 + 8),
            // 5 and a number: that colour of the palette, as crossterm writes the 16 colours.
            38 if parameters.next() == Some(5) => {
                style.colour = parameters.next().filter(|colour| *colour < PALETTE.len());
            }
            39 => style.colour = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_divide_a_line_and_wide_characters_take_two_columns() {
        let mut style = Style::default();
        let runs = runs("a\x1b[1;91m✗カ\x1b[0m<b\x1b[7mc", &mut style);
        let seen: Vec<_> = runs.iter().map(|run| (run.column, run.width, run.text.as_str())).collect();
        assert_eq!(seen, [(0, 1, "a"), (1, 3, "✗カ"), (4, 2, "<b"), (6, 1, "c")]);
        assert_eq!(runs[1].style, Style { colour: Some(9), bold: true, ..Style::default() });
        assert!(style.reversed);
    }

    #[test]
    fn colours_of_the_palette_are_told_both_ways() {
        let mut style = Style::default();
        apply(&mut style, "38;5;9");
        assert_eq!(style.colour, Some(9));
        apply(&mut style, "39;92");
        assert_eq!(style.colour, Some(10));
        apply(&mut style, "38;5;200");
        assert_eq!(style.colour, None);
    }

    #[test]
    fn text_is_escaped() {
        let svg = draw("<&>", 10, 2);
        assert!(svg.contains(">&lt;&amp;&gt;</text>"), "{svg}");
    }
}
