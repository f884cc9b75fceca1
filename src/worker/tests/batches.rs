//! Jobs of several streams in one run: gathered in turns, answered each by its own, interrupted for none of them alone.

use super::*;

/// A model that runs several at once, as the closure does, which is given their inputs' first values.
struct Several<F>(F);

impl<F: FnMut(&[u32]) -> Result<()> + Send> Model for Several<F> {
    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>> {
        let values: Vec<u32> = jobs.iter().map(|job| job.input[0] as u32).collect();
        (self.0)(&values)?;
        Ok(jobs.iter().map(|job| Explanation { region: job.region, ..explanation() }).collect())
    }

    stays!();
}

fn several(
    most: usize,
    timeout: Duration,
    interrupt: Interrupt,
    run: impl FnMut(&[u32]) -> Result<()> + Send + 'static,
) -> Arc<Room> {
    Arc::new(Room::start(1, Batches { most, timeout }, Box::new(Several(run)), interrupt).unwrap())
}

/// As long as no test takes.
const HOUR: Duration = Duration::from_secs(3600);

/// Gives a job of so many classes, whose answer has the same value.
fn ask(seat: &mut Seat<u32>, value: u32, classes: usize) {
    let mut input = seat.input();
    input.fill(value as f32);
    let asked = Asked { targets: vec![Target::Class(0); classes], versus: Vec::new() };
    seat.submit(input, asked, Region { x: value as f32, ..REGION }, value).unwrap();
}

/// The next answer is to the job of this value.
fn answers(seat: &mut Seat<u32>, value: u32) {
    let answer = seat.wait().unwrap();
    assert_eq!((answer.token, answer.result.unwrap().region.x), (value, value as f32));
}

#[test]
fn a_full_batch_is_run_at_once_and_each_stream_has_its_own_answer() {
    let (begun, begins) = mpsc::channel();
    let room = several(3, HOUR, Box::new(|_| ()), move |values| {
        let _ = begun.send(values.to_vec());
        Ok(())
    });
    let [(mut one, _), (mut two, _)] = [seat(&room), seat(&room)];
    for round in [0, 100] {
        ask(&mut one, round + 10, 1);
        assert!(one.poll().is_none() && begins.try_recv().is_err(), "it waits for others");
        ask(&mut two, round + 20, 1);
        ask(&mut one, round + 11, 1);
        let mut run = begins.recv().unwrap();
        run.sort_unstable();
        assert_eq!(run, [round + 10, round + 11, round + 20]);
        answers(&mut two, round + 20);
        answers(&mut one, round + 10);
        answers(&mut one, round + 11);
    }
}

#[test]
fn what_waited_while_another_ran_is_gathered_in_turns_and_several_classes_run_alone() {
    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
    let room = several(4, Duration::ZERO, Box::new(|_| ()), move |values| {
        let _ = begun.send(values.to_vec());
        let _ = ends.recv();
        Ok(())
    });
    let [(mut one, _), (mut two, _), (mut three, _)] = [seat(&room), seat(&room), seat(&room)];
    ask(&mut one, 10, 1);
    assert_eq!(begins.recv().unwrap(), [10]);
    (11..14).for_each(|value| ask(&mut one, value, 1));
    (20..22).for_each(|value| ask(&mut two, value, 1));
    ask(&mut two, 22, 2);
    ask(&mut two, 23, 1);
    ask(&mut three, 30, 1);
    (0..6).for_each(|_| end.send(()).unwrap());
    let runs: Vec<Vec<u32>> = (0..4).map(|_| begins.recv().unwrap()).collect();
    assert_eq!(runs, [vec![20, 30, 11, 21], vec![12, 13], vec![22], vec![23]], "none overtakes another of its stream");
    (10..14).for_each(|value| answers(&mut one, value));
    (20..24).for_each(|value| answers(&mut two, value));
    answers(&mut three, 30);
}

#[test]
fn what_cannot_be_run_fails_alone() {
    let room = several(3, HOUR, Box::new(|_| ()), |values| {
        assert!(!values.contains(&13), "planted");
        match values.contains(&66) {
            true => Err(Error::NotFinite { what: "map" }),
            false => Ok(()),
        }
    });
    let [(mut one, _), (mut two, _), (mut three, _)] = [seat(&room), seat(&room), seat(&room)];
    for bad in [66, 13] {
        ask(&mut one, 10, 1);
        ask(&mut two, bad, 1);
        ask(&mut three, 30, 1);
        answers(&mut one, 10);
        answers(&mut three, 30);
        let error = two.wait().unwrap().result.unwrap_err();
        assert!(error.to_string().contains(if bad == 66 { "finite" } else { "planted" }), "{error}");
    }
}

#[test]
fn a_run_is_interrupted_when_nobody_waits_for_any_of_it() {
    let ((begun, begins), (stop, stopped)) = (mpsc::channel(), mpsc::channel::<()>());
    let stop = Mutex::new(stop);
    let interrupt = move |on: bool| {
        if on {
            let _ = stop.lock().unwrap().send(());
        }
    };
    let room = several(2, HOUR, Box::new(interrupt), move |values| {
        let _ = begun.send(values.to_vec());
        let _ = stopped.recv();
        Err(Error::Interrupted)
    });
    let [(mut one, ends_one), (mut two, ends_two)] = [seat(&room), seat(&room)];
    ask(&mut one, 10, 1);
    ask(&mut two, 20, 1);
    begins.recv().unwrap();
    ends_one.cancel();
    assert!(two.poll().is_none() && two.is_owed() && !one.is_owed(), "the other one's run goes on");
    ends_two.cancel();
    [ends_one, ends_two].iter().for_each(Stopper::resume);
    ask(&mut one, 11, 1);
    ask(&mut two, 21, 1);
    let mut next = begins.recv().expect("the run before was interrupted");
    next.sort_unstable();
    assert_eq!(next, [11, 21]);
}

#[test]
fn a_thread_that_dies_with_several_answers_each() {
    struct Deadly;
    impl Model for Deadly {
        fn run(&mut self, _: &mut [Job]) -> Result<Vec<Explanation>> {
            unreachable!("it dies before")
        }
        fn begin(&mut self) {
            panic!("planted death");
        }
        stays!();
    }
    let batches = Batches { most: 2, timeout: HOUR };
    let room = Arc::new(Room::start(1, batches, Box::new(Deadly), Box::new(|_| ())).unwrap());
    let [(mut one, _), (mut two, _)] = [seat(&room), seat(&room)];
    for _ in 0..=RESTARTS {
        ask(&mut one, 1, 1);
        ask(&mut two, 2, 1);
        for seat in [&mut one, &mut two] {
            let error = seat.wait().unwrap().result.unwrap_err();
            assert!(error.to_string().contains("planted death"), "{error}");
        }
    }
    ask(&mut one, 3, 1);
    assert!(matches!(one.wait().unwrap().result, Err(Error::WorkerLost { .. })), "at once, with nobody beside it");
}
