//! Pictures a second where several are explained in one run.

use serde_json::{Value, json};

use super::{Args, Contest, WARM_UP, median, timed};
use crate::Result;

/// One line for each number of pictures and of threads; what cannot be is a line too.
pub fn run(args: &Args, threads: &[usize], say: impl Fn(String)) -> Result<Vec<Value>> {
    say(format!("\n{:<34} {:>7} {:>10} {:>13}", "pictures a second, in one run", "threads", "plain", "explained"));
    let mut told = Vec::new();
    let mut contests = Vec::new();
    for &pictures in &args.batch {
        match Contest::open(args, pictures) {
            Ok((contest, _)) => contests.push((pictures, contest)),
            Err(error) => {
                say(format!("{pictures:<34} {}", error.0));
                told.push(json!({ "pictures": pictures, "error": error.0 }));
            }
        }
    }
    for &threads in threads {
        for (pictures, [plain, explained]) in hold(&contests, threads, args.runs)? {
            say(format!("{pictures:<34} {threads:>7} {plain:>10.2} {explained:>13.2}"));
            told.push(json!({
                "pictures": pictures, "threads": threads, "plain-per-second": plain, "explained-per-second": explained
            }));
        }
    }
    Ok(told)
}

/// Pictures a second, plain and explained: all in turn, and each with about as many pictures.
fn hold(contests: &[(usize, Contest)], threads: usize, runs: u32) -> Result<Vec<(usize, [f64; 2])>> {
    let mut engines = Vec::new();
    for (pictures, contest) in contests {
        let mut pair = (contest.engine(&contest.plain, threads)?, contest.engine(&contest.explained, threads)?);
        for _ in 0..(runs.min(WARM_UP) as usize).div_ceil(*pictures) {
            contest.run_plain(&mut pair.0)?;
            contest.run_explained(&mut pair.1)?;
        }
        engines.push((pair, [Vec::new(), Vec::new()]));
    }
    for turn in 0..runs as usize {
        let turns = contests.iter().zip(&mut engines).filter(|((pictures, _), _)| turn.is_multiple_of(*pictures));
        for ((_, contest), ((plain, explained), [one, two])) in turns {
            one.push(timed(|| contest.run_plain(plain))?);
            two.push(timed(|| contest.run_explained(explained))?);
        }
    }
    let rate = |pictures: usize, times: Vec<_>| pictures as f64 / median(times).as_secs_f64();
    Ok(contests.iter().zip(engines).map(|((n, _), (_, times))| (*n, times.map(|times| rate(*n, times)))).collect())
}
