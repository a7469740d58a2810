//! What a record waits for.

use super::*;

/// A machine that was booted at the beginning of 1970.
fn at(seconds: i64) -> Moment {
    Moment {
        time: Timestamp::from_second(seconds).unwrap(),
        uptime: Duration::from_secs(seconds.try_into().unwrap()),
    }
}

#[test]
fn a_record_waits_until_it_is_counted_and_not_for_an_interface_that_is_gone() {
    let One {
        kernel,
        shared,
        mut engine,
        found,
        name,
    } = One::new(Wanted {
        written: at(90).time,
        ..wanted(0, 1)
    });
    let mut lag_after = |seconds, stop: bool| {
        engine.pass(&found, at(seconds), &|| stop).unwrap();
        shared.notes().waiting.lag(at(seconds).uptime).as_secs()
    };
    assert_eq!(lag_after(100, true), 10, "it is heard of, and not attached");
    assert_eq!(lag_after(130, true), 40, "it goes on waiting");
    kernel.world().devices.remove(&name);
    assert_eq!(lag_after(140, false), 0, "there is nothing to count");
    kernel.world().devices.insert(name, 0);
    assert_eq!(lag_after(160, false), 0, "it is counted");
}
