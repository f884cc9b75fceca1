//! A provider that fails while it runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A model that is elsewhere until it is moved; each run gets the input's first value, and where it runs.
struct Elsewhere {
    place: Option<&'static str>,
    run: fn(u32, bool) -> Result<()>,
    moves: Arc<AtomicUsize>,
}

impl Model for Elsewhere {
    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>> {
        let one = |job: &Job| (self.run)(job.input[0] as u32, self.place.is_none()).map(|()| explanation());
        jobs.iter().map(one).collect()
    }

    fn renew(&mut self) -> Result<()> {
        Ok(())
    }

    fn elsewhere(&self) -> Option<&'static str> {
        self.place
    }

    fn on_cpu(&self) -> Result<(Box<dyn Model>, ProviderInfo)> {
        assert!(self.place.is_some(), "it is there");
        self.moves.fetch_add(1, Ordering::SeqCst);
        let moved = Elsewhere { place: None, run: self.run, moves: self.moves.clone() };
        let cpu = ProviderInfo::default();
        Ok((Box::new(moved), cpu))
    }
}

/// What each of these jobs comes to; how often the CPU's engine was made; where it runs in the end.
fn outcomes<const N: usize>(
    values: [u32; N],
    run: fn(u32, bool) -> Result<()>,
) -> ([Option<Error>; N], usize, Option<String>) {
    let moves = Arc::<AtomicUsize>::default();
    let model = Elsewhere { place: Some("openvino"), run, moves: moves.clone() };
    let room = Arc::new(Room::start(1, ALONE, Box::new(model), Box::new(|_| ())).unwrap());
    let (mut seat, _) = seat(&room);
    let errors = values.map(|value| {
        give(&mut seat, value);
        seat.wait().unwrap().result.err()
    });
    let retreat =
        room.retreat().map(|retreat| format!("{}, {}, {}", retreat.from, retreat.why, retreat.to.kind.name()));
    (errors, moves.load(Ordering::SeqCst), retreat)
}

fn lost() -> Error {
    Error::Inference { why: "the device is gone".into() }
}

#[test]
fn the_cpu_repeats_the_run_that_failed_and_goes_on() {
    let run = |value, cpu: bool| if value >= 2 && !cpu { Err(lost()) } else { Ok(()) };
    let (errors, moves, retreat) = outcomes([1, 2, 3, 4], run);
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
    assert_eq!((moves, retreat), (1, Some("openvino, the device is gone, cpu".into())));
}

#[test]
fn a_frame_that_the_cpu_cannot_explain_either_is_not_the_providers_fault() {
    let run = |value, _: bool| if value == 2 { Err(lost()) } else { Ok(()) };
    let (errors, moves, retreat) = outcomes([1, 2, 3, 2], run);
    assert_eq!(errors.each_ref().map(Option::is_some), [false, true, false, true]);
    let text = errors[1].as_ref().unwrap().to_string();
    assert!(text.contains("the device is gone; and on the CPU: "), "{text}");
    assert_eq!((moves, retreat), (1, None), "the CPU's engine is made once");
}

#[test]
fn other_failures_are_no_reason_to_leave() {
    let run = |value, _: bool| match value {
        1 => Err(Error::NotFinite { what: "map" }),
        2 => Err(Error::TimeLimit { limit: Duration::from_secs(1) }),
        3 => Err(Error::Interrupted),
        _ => Ok(()),
    };
    let (errors, moves, retreat) = outcomes([1, 2, 3, 4], run);
    assert_eq!(errors.each_ref().map(Option::is_some), [true, true, true, false]);
    assert_eq!((moves, retreat), (0, None));
}
