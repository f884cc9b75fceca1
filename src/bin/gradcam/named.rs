//! Which options were named: the others have their defaults, and give way to what is known better.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};

/// Options, and which of them the user has named: the others have their defaults.
#[derive(Debug)]
#[cfg_attr(not(feature = "plugin"), allow(dead_code))]
pub struct Named<T> {
    pub options: T,
    named: Vec<String>,
}

#[cfg(feature = "plugin")]
impl<T> Named<T> {
    /// Whether an option was named, or its opposite `no-...`.
    pub fn names(&self, option: &str) -> bool {
        self.named.iter().any(|name| name == option || name.strip_prefix("no-") == Some(option))
    }
}

impl<T: Args> Args for Named<T> {
    fn augment_args(command: clap::Command) -> clap::Command {
        T::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        T::augment_args_for_update(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for Named<T> {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let given = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let named = matches.ids().filter(given).map(|id| id.as_str().replace('_', "-")).collect();
        Ok(Named { options: T::from_arg_matches(matches)?, named })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
