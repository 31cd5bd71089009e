//! Requests, answers and headers opened up: decoded as a tree, or raw with HTTP headers, XML on lines of its own, hex for the rest.

use serde_json::Value as Json;

use crate::observation::{Http, Observation, What};

/// Longest tree that is drawn, in lines; what is beyond is counted.
const LIMIT: usize = 400;

/// An observation's decoded content as an indented tree.
pub fn decoded(observation: &Observation) -> Vec<String> {
    let mut lines = Vec::new();
    // The trace's own words name every field, so that screen and trace say the same.
    if let Ok(Json::Object(mut fields)) = serde_json::to_value(&observation.what) {
        fields.remove("http");
        fields.remove("kind");
        for (name, value) in &fields {
            branch(&mut lines, 0, name, value);
        }
    }
    shorten(lines)
}

fn branch(lines: &mut Vec<String>, depth: usize, name: &str, value: &Json) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(fields) if fields.is_empty() => lines.push(format!("{indent}{name}: {{}}")),
        Json::Array(values) if values.is_empty() => lines.push(format!("{indent}{name}: none")),
        Json::Object(fields) => {
            lines.push(format!("{indent}{name}"));
            fields.iter().for_each(|(name, value)| branch(lines, depth + 1, name, value));
        }
        Json::Array(values) => {
            if let Some((key, value)) = pair(values) {
                lines.push(format!("{indent}{key}: {value}"));
                return;
            }
            lines.push(format!("{indent}{name} ({})", values.len()));
            let each = values.iter().enumerate();
            each.for_each(|(position, value)| branch(lines, depth + 1, &format!("{}", position + 1), value));
        }
        Json::String(text) => lines.push(format!("{indent}{name}: {text}")),
        Json::Null => lines.push(format!("{indent}{name}: nothing")),
        other => lines.push(format!("{indent}{name}: {other}")),
    }
}

/// The fields of headers are pairs of texts.
fn pair(values: &[Json]) -> Option<(&str, &str)> {
    match values {
        [Json::String(key), Json::String(value)] => Some((key, value)),
        _ => None,
    }
}

/// What was on the wire, as far as it is kept.
pub fn raw(observation: &Observation) -> Vec<String> {
    let lines = match &observation.what {
        What::Call { http, .. } | What::Answer { http, .. } | What::HttpOnly { http, .. } => raw_http(http),
        What::TcprosHeader { header, .. } => {
            let each = header.fields.iter().map(|(key, value)| format!("{key}={value}"));
            each.flat_map(|field| hex(field.as_bytes())).collect()
        }
        What::ServiceAnswer { ok, error, .. } => hex(&[&[u8::from(*ok)], error.as_bytes()].concat()),
        _ => Vec::new(),
    };
    shorten(lines)
}

fn raw_http(http: &Http) -> Vec<String> {
    let mut lines = vec![http.start_line.clone()];
    lines.extend(http.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(String::new());
    if http.body.trim_start().starts_with('<') {
        lines.extend(pretty(&http.body));
    } else if http.body.chars().any(|character| character.is_control() && !character.is_whitespace()) {
        lines.extend(hex(http.body.as_bytes()));
    } else {
        lines.extend(http.body.lines().map(str::to_owned));
    }
    let kept = http.body.len() as u64;
    if http.body_bytes > kept {
        lines.push(format!("… {} of {} bytes are kept", kept, http.body_bytes));
    }
    lines
}

/// XML with an element on each line, a short text beside its element. Works on what is cut or malformed too: it only looks for
/// `<` and `>`.
fn pretty(xml: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    let mut open = false;
    let mut rest = xml.trim();
    while !rest.is_empty() && lines.len() <= LIMIT {
        let Some(start) = rest.find('<') else {
            lines.push(format!("{}{}", "  ".repeat(depth), rest.trim()));
            break;
        };
        let text = rest[..start].trim();
        let end = rest[start..].find('>').map_or(rest.len(), |end| start + end + 1);
        let tag = &rest[start..end];
        rest = &rest[end..];
        let closing = tag.starts_with("</");
        if closing {
            depth = depth.saturating_sub(1);
        }
        match lines.last_mut() {
            Some(line) if open && closing => *line = format!("{line}{text}{tag}"),
            _ => {
                if !text.is_empty() {
                    lines.push(format!("{}{text}", "  ".repeat(depth)));
                }
                lines.push(format!("{}{tag}", "  ".repeat(depth)));
            }
        }
        open = !closing && !tag.ends_with("/>") && !tag.starts_with("<?") && !tag.starts_with("<!");
        depth += usize::from(open);
    }
    lines
}

/// Bytes as offset, hex and text, 16 to a line.
fn hex(bytes: &[u8]) -> Vec<String> {
    let line = |(row, bytes): (usize, &[u8])| {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        let text: String =
            bytes.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        format!("{:04x}  {digits:<47}  {text}", row * 16)
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

fn shorten(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LIMIT {
        let more = lines.len() - LIMIT;
        lines.truncate(LIMIT);
        lines.push(format!("… and {more} lines more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_gets_a_line_an_element() {
        let xml = "<?xml version='1.0'?><methodCall><methodName>getPid</methodName><params><param><value/></param></params></methodCall>";
        let expected = "<?xml version='1.0'?>\n<methodCall>\n  <methodName>getPid</methodName>\n  <params>\n    <param>\n      <value/>\n    </param>\n  </params>\n</methodCall>";
        assert_eq!(pretty(xml).join("\n"), expected);
    }

    #[test]
    fn cut_and_malformed_xml_is_shown_as_far_as_it_goes() {
        assert_eq!(pretty("<a><b>text"), ["<a>", "  <b>", "    text"]);
        assert_eq!(pretty("</a></a><b"), ["</a>", "</a>", "<b"]);
        assert_eq!(pretty(""), Vec::<String>::new());
    }

    #[test]
    fn bytes_become_hex() {
        let lines = hex(b"callerid=/t\0\xff and more");
        assert_eq!(lines[0], "0000  63 61 6c 6c 65 72 69 64 3d 2f 74 00 ff 20 61 6e  callerid=/t.. an");
        assert_eq!(lines[1], "0010  64 20 6d 6f 72 65                                d more");
    }
}
