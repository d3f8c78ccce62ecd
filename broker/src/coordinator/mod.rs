//! What all coordinators share. A coordinator is a state machine without I/O and without a clock; a task drives it.

pub(crate) mod timer;
