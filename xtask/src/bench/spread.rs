//! Medians and quartiles.

use serde::{Deserialize, Serialize};

/// A median with its quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// A quarter of the samples is below.
    pub low: f64,
    /// Half of them.
    pub median: f64,
    /// A quarter of them is above.
    pub high: f64,
    /// How many samples.
    pub samples: usize,
}

impl Spread {
    /// Of these samples; `None` of nothing.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().filter(|sample| sample.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then(|| Self {
            low: at(&sorted, 0.25),
            median: at(&sorted, 0.5),
            high: at(&sorted, 0.75),
            samples: sorted.len(),
        })
    }
}

/// Between two samples in proportion.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a slice")]
fn at(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quartiles_lie_between_samples() {
        for (samples, expected) in [
            (&[][..], None),
            (&[3.0][..], Some((3.0, 3.0, 3.0))),
            (&[1.0, 2.0][..], Some((1.25, 1.5, 1.75))),
            (&[5.0, 1.0, 4.0, 2.0, 3.0][..], Some((2.0, 3.0, 4.0))),
            (&[f64::NAN, 1.0, f64::INFINITY][..], Some((1.0, 1.0, 1.0))),
        ] {
            let spread = Spread::of(samples.iter().copied());
            assert_eq!(spread.map(|spread| (spread.low, spread.median, spread.high)), expected, "{samples:?}");
        }
    }
}
