//! The memory that decoded pictures may keep, one limit for the whole process.
//!
//! Pictures are kept in the order in which they come until the limit is reached, and none makes room
//! for another: with passes in random order every policy hits as often as the cache is large, and this
//! one moves nothing. What is kept changes the time, never a value.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit in bytes; [`UNSET`] is the default one.
static LIMIT: AtomicU64 = AtomicU64::new(UNSET);
static USED: AtomicU64 = AtomicU64::new(0);
const UNSET: u64 = u64::MAX;

/// Where the machine does not say how much memory it has.
const FALLBACK: u64 = 1 << 30;

/// Lets decoded pictures keep `bytes` of memory from now on, all folders of the process together; 0
/// keeps none. Without it, it is a quarter of the machine's memory, or of what its control group
/// allows, and 1 GiB where neither is known. What is kept already stays.
pub fn set_limit(bytes: u64) {
    LIMIT.store(bytes.min(UNSET - 1), Ordering::Relaxed);
}

/// The limit in bytes.
pub fn limit() -> u64 {
    static DEFAULT: OnceLock<u64> = OnceLock::new();
    match LIMIT.load(Ordering::Relaxed) {
        UNSET => *DEFAULT.get_or_init(|| memory().map_or(FALLBACK, |bytes| bytes / 4)),
        bytes => bytes,
    }
}

/// Takes `bytes` of the memory, if there is as much left.
pub(super) fn take(bytes: u64) -> bool {
    let limit = limit();
    let taken = |used: u64| used.checked_add(bytes).filter(|&used| used <= limit);
    USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
}

/// Gives back what was taken.
pub(super) fn give_back(bytes: u64) {
    USED.fetch_sub(bytes, Ordering::Relaxed);
}

/// The machine's memory, or its control group's share, as Linux tells it.
fn memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    Some(group.map_or(total, |group: u64| group.min(total)))
}
