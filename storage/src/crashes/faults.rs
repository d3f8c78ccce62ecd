//! A disk on which every so many operations fail, or that has no room: nothing that was acknowledged is lost, and where
//! room was all that was lacking, appends go on when there is some.

use rustix::io::Errno;

use super::*;

fn run_with_faults(seed: u64) {
    let mut random = Seeded::new(seed);
    let disk = SimulatedDisk::with_dir(Path::new(DATA_DIR));
    let mut model = Model::default();
    let error = if random.below(2) == 0 { Errno::IO } else { Errno::NOSPC };
    let mut log = open(&disk, LogOrigin::default()).unwrap();
    for _ in 0..4 {
        disk.fail_every(2 + random.below(30) as u64, error);
        for _ in 0..3 + random.below(20) {
            match random.below(12) {
                0 => {
                    let _ = log.flush(&Deadline::never());
                }
                1 => {
                    let _ = log.close();
                }
                2 => {
                    let _ = log.retain(&LogConfig { retention_bytes: None, ..CONFIG }, 10_000);
                }
                _ => match try_append(&mut log, &mut model, &mut random) {
                    Ok(()) | Err(AppendError::Storage(_)) => {}
                    Err(other) => panic!("{other}"),
                },
            }
        }
        disk.fail_no_more();
        // What was acknowledged can still be read, and what was not is not there.
        assert_eq!(log.view().next_offset(), model.end());
        check(&log, &mut model.clone(), model.end());
        let poisoned = log.poisoned().is_some();
        match try_append(&mut log, &mut model, &mut random) {
            Ok(()) => assert!(!poisoned, "a poisoned log takes no records"),
            Err(AppendError::Storage(Error::Poisoned { .. })) => assert!(poisoned || error == Errno::IO),
            Err(other) => panic!("there was room again, and yet: {other}"),
        }
        if random.below(2) == 0 {
            let end = model.end();
            drop(log);
            log = open(&disk, LogOrigin::default()).unwrap();
            check(&log, &mut model, end);
            try_append(&mut log, &mut model, &mut random).unwrap();
        }
    }
}

#[test]
fn whatever_fails_nothing_that_was_acknowledged_is_lost() {
    for_each_seed(&KEPT, runs(1000), run_with_faults);
}

#[test]
fn a_full_disk_refuses_records_until_there_is_room() {
    for seed in 0..50 {
        let mut random = Seeded::new(seed);
        let disk = SimulatedDisk::with_dir(Path::new(DATA_DIR));
        let mut model = Model::default();
        let mut log = open(&disk, LogOrigin::default()).unwrap();
        for round in 0..3 {
            disk.set_room(Some(random.below(20_000)));
            let error = loop {
                if let Err(error) = try_append(&mut log, &mut model, &mut random) {
                    break error;
                }
            };
            assert!(matches!(&error, AppendError::Storage(error) if error.is_disk_full()), "{error}");
            // It is not only the first one.
            for _ in 0..5 {
                let _ = try_append(&mut log, &mut model, &mut random);
            }
            assert!(log.poisoned().is_none());
            check(&log, &mut model.clone(), model.end());
            disk.set_room(None);
            try_append(&mut log, &mut model, &mut random).unwrap_or_else(|error| panic!("round {round}: {error}"));
            check(&log, &mut model.clone(), model.end());
        }
        drop(log);
        let log = open(&disk, LogOrigin::default()).unwrap();
        check(&log, &mut model.clone(), model.end());
    }
}

#[test]
fn a_failed_flush_ends_the_appending_and_not_the_reading() {
    let mut random = Seeded::new(1);
    let disk = SimulatedDisk::with_dir(Path::new(DATA_DIR));
    let mut model = Model::default();
    let mut log = open(&disk, LogOrigin::default()).unwrap();
    for _ in 0..5 {
        try_append(&mut log, &mut model, &mut random).unwrap();
    }
    // Even a lack of room: what a flush could not write, the system may have forgotten.
    disk.fail_every(1, Errno::NOSPC);
    let error = log.flush(&Deadline::never()).unwrap_err();
    disk.fail_no_more();
    assert!(error.to_string().contains("until the broker is started again"), "{error}");
    let again = try_append(&mut log, &mut model, &mut random).unwrap_err();
    assert!(matches!(again, AppendError::Storage(Error::Poisoned { .. })), "{again}");
    assert!(log.close().is_err(), "it is not left in order");
    check(&log, &mut model.clone(), model.end());
    assert!(log.flush_plan(false).is_none());
    drop(log);
    let mut log = open(&disk, LogOrigin { machine_stopped: true, ..LogOrigin::default() }).unwrap();
    check(&log, &mut model, 0);
    try_append(&mut log, &mut model, &mut random).unwrap();
}
