//! How fast a link's data flowed, second by second, read off the socket's totals.

use super::scene::Scene;
use crate::graph::{Link, Rate, Stage};
use crate::observation::What;

/// Most samples that are looked at.
const SAMPLES: usize = 240;

/// Rates of a link's data socket between one report of its totals and the next, oldest first.
pub fn samples(scene: &Scene, link: &Link) -> Vec<Rate> {
    let mut data = link.stages.iter().rev().filter(|state| state.stage >= Stage::Tcpros);
    let Some(socket) = data.find_map(|state| state.socket) else { return Vec::new() };
    let mut totals = Vec::new();
    for observation in scene.of_socket(socket).rev() {
        match &observation.what {
            What::Traffic(traffic) => {
                let bytes = traffic.sent_bytes.saturating_add(traffic.received_bytes);
                let messages = traffic.sent_messages.saturating_add(traffic.received_messages);
                totals.push((observation.monotonic, bytes, messages));
            }
            What::UdprosData { messages, bytes, .. } => totals.push((observation.monotonic, *bytes, *messages)),
            _ => {}
        }
        if totals.len() > SAMPLES {
            break;
        }
    }
    totals.reverse();
    let between = |pair: &[(crate::event::Monotonic, u64, u64)]| {
        let seconds = pair[1].0.since(pair[0].0).as_secs_f64().max(1e-3);
        Rate {
            messages: pair[1].2.saturating_sub(pair[0].2) as f64 / seconds,
            bytes: pair[1].1.saturating_sub(pair[0].1) as f64 / seconds,
        }
    };
    totals.windows(2).map(between).collect()
}

/// Throughput as one character a sample, the highest of eight steps for the peak.
pub fn sparkline(samples: &[Rate]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let peak = samples.iter().map(|sample| sample.bytes).fold(0.0, f64::max);
    let bar = |sample: &Rate| {
        if sample.bytes <= 0.0 {
            return ' ';
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7 by its making")]
        let step = (sample.bytes / peak * 7.0).round() as usize;
        STEPS[step.min(7)]
    };
    samples.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_highest_bar_and_silence_is_empty() {
        let samples = [0.0, 1.0, 50.0, 100.0].map(|bytes| Rate { messages: 1.0, bytes });
        assert_eq!(sparkline(&samples), " ▁▅█");
        assert_eq!(sparkline(&[Rate::default()]), " ");
    }
}
