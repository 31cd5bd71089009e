//! What is to be emitted, in a map while it is: a global function takes numbers alone before Linux 5.12, and one that does not is looked
//! at by the verifier anew wherever something is emitted.

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;

use crate::record::{Emission, count_lost, emit_record, lose_record};

/// Emissions at one moment: on each processor one, and one more for what interrupts it.
const LIMIT: u32 = 1024;

/// What is to be emitted, by [`Number`].
#[map]
static EMISSIONS: HashMap<Number, Emission> = HashMap::with_max_entries(LIMIT, 0);

/// Nothing; in a map's memory, so that no stack is spent on it.
static NOTHING: Emission = Emission::NOTHING;

/// What interrupts a program is later on its processor, and there is nothing else that could have the same number.
#[repr(C)]
#[derive(Clone, Copy)]
struct Number {
    time: u64,
    processor: u64,
}

impl Number {
    #[inline(always)]
    fn of(time: u64) -> Self {
        // SAFETY: a helper without arguments.
        Self { time, processor: u64::from(unsafe { bpf_get_smp_processor_id() }) }
    }
}

/// Has `describe` say what is to be emitted. `None` where there is no room for more: it is counted as lost then.
#[inline(always)]
pub fn described(describe: impl FnOnce(&mut Emission)) -> Option<Ready> {
    // SAFETY: a helper without arguments.
    let time = unsafe { bpf_ktime_get_ns() };
    let number = Number::of(time);
    let _ = EMISSIONS.insert(&number, &NOTHING, 0);
    // SAFETY: nobody else has this number.
    let Some(emission) = EMISSIONS.get_ptr_mut(&number).map(|emission| unsafe { &mut *emission }) else {
        count_lost(1);
        return None;
    };
    describe(emission);
    Some(Ready(time))
}

/// An emission that is described.
pub struct Ready(u64);

impl Ready {
    /// Emits it; see [`emit_record`].
    #[inline(always)]
    pub fn emit(&self) -> u64 {
        emit_numbered(self.0)
    }

    /// Counts it as lost.
    #[inline(always)]
    pub fn lose(&self) {
        lose_numbered(self.0);
    }

    /// Forgets it.
    #[inline(always)]
    pub fn forget(self) {
        let _ = EMISSIONS.remove(&Number::of(self.0));
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn emit_numbered(time: u64) -> u64 {
    EMISSIONS.get_ptr(&Number::of(time)).map_or(0, |emission| emit_record(emission))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lose_numbered(time: u64) -> u64 {
    EMISSIONS.get_ptr(&Number::of(time)).map_or(0, |emission| lose_record(emission))
}
