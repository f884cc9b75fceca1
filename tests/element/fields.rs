//! What the documentation says of messages, metas and statistics is what the code has.

use gstgradcam::element::{map_fields, stats_fields};
use gstgradcam::record::{Field, fields, object_fields};

use crate::support;

/// As a table of the documentation.
fn table<'f>(fields: impl Iterator<Item = &'f Field>) -> String {
    let row = |field: &Field| format!("| `{}` | {} | {} |\n", field.name, field.kind.name(), field.meaning);
    "| field | type | what it says |\n|---|---|---|\n".to_string() + &fields.map(row).collect::<String>()
}

#[test]
fn every_field_is_in_the_documentation_as_the_code_has_it() {
    let text = std::fs::read_to_string(support::root().join("docs/messages.md")).unwrap();
    for table in [table(fields()), table(object_fields()), table(map_fields()), table(stats_fields())] {
        assert!(text.contains(&table), "docs/messages.md should hold this table:\n{table}");
    }
}
