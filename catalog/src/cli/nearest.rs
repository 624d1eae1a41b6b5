/// The name that was probably meant, if one is near enough.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let lower = name.to_lowercase();
    let likeness = |other: &String| {
        let other = other.to_lowercase();
        // The beginning of a long name is a likely slip, and looks far away otherwise.
        let begins = !lower.is_empty() && other.starts_with(&lower);
        strsim::jaro_winkler(&lower, &other).max(if begins { 0.9 } else { 0.0 })
    };
    let rated = known.map(|other| (likeness(&other), other)).filter(|(likeness, _)| *likeness > 0.8);
    rated.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<String> {
        nearest(name, ["JoinMeeting", "JoinMeetingHandler", "CountParticipants"].map(str::to_owned).into_iter())
    }

    #[test]
    fn a_slip_of_the_pen_is_forgiven() {
        for name in ["JoinMeting", "joinmeeting", "JionMeeting", "Join"] {
            assert_eq!(of(name).as_deref(), Some("JoinMeeting"), "{name}");
        }
        assert_eq!(of("CountParticipant").as_deref(), Some("CountParticipants"));
    }

    #[test]
    fn what_is_nothing_like_it_is_not_guessed() {
        assert_eq!(of("Zebra"), None);
        assert_eq!(of(""), None);
    }
}
