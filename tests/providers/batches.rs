//! Several pictures in a run on a provider: the same maps as on the CPU.

use gstgradcam::{Options, Provider};

use super::{network_for, open, plugin};

#[test]
fn maps_of_a_batch_are_the_cpus() {
    let Some(asked) = plugin(Provider::Plugin) else { return };
    for versus in [None, Some("1".to_string())] {
        let asked = Options { batch_size: 3, versus, ..asked.clone() };
        let explainer = open(&network_for(None, false), &asked).unwrap();
        let provider = &explainer.info().provider;
        println!("{provider}");
        assert_eq!((provider.kind.name(), explainer.batch_size()), ("plugin", 3));
        assert!(provider.agreement.is_some_and(|seen| seen.cosine > 0.99999 && seen.outputs < 1e-5));
        assert!(explainer.info().warnings.is_empty(), "{:?}", explainer.info().warnings);
    }
}
