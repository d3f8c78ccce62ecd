//! Which of a topic's subscribers has least and which has most, while partitions go from one to another.
//!
//! Subscribers stand in the order of how much they have. Those with least are a run at the front that grows to the
//! right as they are given partitions; those with most are a run at the back that grows to the left as partitions are
//! taken from them. Within a run everyone is served in turn.

/// A topic's subscribers in order.
pub(super) struct Balancer {
    members: Vec<usize>,
    least_end: usize,
    /// What each in the run of those with least had before it was served.
    least_level: isize,
    next_least: usize,
    most_start: usize,
    most_end: usize,
    /// What each in the run of those with most had before it was served.
    most_level: isize,
    /// One beyond the next of those with most.
    next_most: usize,
}

impl Balancer {
    /// There must be a subscriber.
    pub(super) fn new(subscribers: &[usize], sizes: &[usize]) -> Self {
        let mut members = subscribers.to_vec();
        members.sort_by_key(|member| (sizes[*member], *member));
        let level = |member: Option<&usize>| member.map_or(0, |member| sizes[*member] as isize);
        Self {
            least_end: 0,
            least_level: level(members.first()) - 1,
            next_least: 0,
            most_start: members.len(),
            most_end: members.len(),
            most_level: level(members.last()) + 1,
            next_most: members.len(),
            members,
        }
    }

    /// By how much those with most are ahead of those with least, before anything has moved.
    pub(super) fn imbalance(&self, sizes: &[usize]) -> usize {
        match (self.members.first(), self.members.last()) {
            (Some(least), Some(most)) => sizes[*most] - sizes[*least],
            _ => 0,
        }
    }

    /// The next to be given a partition.
    pub(super) fn next_least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.next_least >= self.least_end {
            self.least_level += 1;
            let level = self.least_level;
            while self.members.get(self.least_end).is_some_and(|member| sizes[*member] as isize == level) {
                self.least_end += 1;
            }
            self.next_least = 0;
        }
        self.next_least += 1;
        self.members[self.next_least - 1]
    }

    /// The next to have a partition taken away; `None` when nobody is left who could give one.
    pub(super) fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.next_most <= self.most_start {
            let before = self.most_start.checked_sub(1).and_then(|at| self.members.get(at));
            match before {
                // All in the run had nothing to give: go on with those who have next most.
                Some(member) if self.most_end <= self.most_start => self.most_level = sizes[*member] as isize,
                _ => self.most_level -= 1,
            }
            while self.most_start > 0 && sizes[self.members[self.most_start - 1]] as isize == self.most_level {
                self.most_start -= 1;
            }
            self.next_most = self.most_end;
        }
        if self.next_most == 0 {
            return None;
        }
        self.next_most -= 1;
        Some(self.members[self.next_most])
    }

    /// The one that was returned last has nothing to give.
    pub(super) fn exclude_most_loaded(&mut self) {
        self.most_end -= 1;
        self.members.swap(self.next_most, self.most_end);
    }

    /// Whether the two runs are at most one partition apart.
    pub(super) fn is_balanced(&self) -> bool {
        self.most_level - self.least_level <= 1
    }
}
