use crate::random::Random;

/// What misbehaves in a run, and how often in a thousand calls. Most runs have some faults, and no run has all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) slow: u64,
    pub(crate) open_fails: u64,
    pub(crate) open_hangs: u64,
    /// The connection ends.
    pub(crate) cut: u64,
    /// The source is deaf from now on.
    pub(crate) deaf: u64,
    /// What was read arrives late.
    pub(crate) late: u64,
    pub(crate) settle_fails: u64,
    pub(crate) settle_hangs: u64,
    /// It is done, and the answer gets lost.
    pub(crate) answer_lost: u64,
    /// A verdict is refused for good.
    pub(crate) settle_refused: u64,
    pub(crate) extend_fails: u64,
    pub(crate) extend_hangs: u64,
    pub(crate) observe_fails: u64,
    pub(crate) close_hangs: u64,
    /// The driver panics.
    pub(crate) panics: u64,
    pub(crate) log_fails: u64,
    /// The engine takes something away, each second or so.
    pub(crate) taken_away: u64,
    /// A process crashes in its life.
    pub(crate) crash: u64,
    /// A process is asked to end in its life.
    pub(crate) stop: u64,
}

impl Faults {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut some = |most: u64| if random.chance(350) { random.between(1, most) } else { 0 };
        Self {
            slow: some(500),
            open_fails: some(500),
            open_hangs: some(200),
            cut: some(30),
            deaf: some(30),
            late: some(300),
            settle_fails: some(400),
            settle_hangs: some(60),
            answer_lost: some(300),
            settle_refused: some(60),
            extend_fails: some(500),
            extend_hangs: some(200),
            observe_fails: some(300),
            close_hangs: some(300),
            panics: some(20),
            log_fails: some(200),
            taken_away: some(300),
            crash: some(1_000),
            stop: some(1_000),
        }
    }
}
